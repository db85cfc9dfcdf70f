"""Each document's progress, by the published events alone."""

import time
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from commands.uploads import LocalDocument, Uploaded
from local.emulator.published_events import PublishedEvent

RECENT_JOBS = 100
RECENT_SECONDS = 30.0


@dataclass
class DocumentProgress:
    document: LocalDocument
    started: float = 0.0
    pages: int = 0
    tasks: int = 0
    pages_done: int = 0
    recognized: int = 0
    failed: int = 0
    status: str = "uploading"
    reason: str = ""
    accepted: float | None = None
    ended: float | None = None
    failures: Counter[str] = field(default_factory=Counter)  # of page jobs, by task and reason
    invalid: Counter[str] = field(default_factory=Counter)  # of pages, by task, field and rule
    warnings: list[str] = field(default_factory=list)  # of the document: wishes that came to nothing
    receipt: dict[str, str] = field(default_factory=dict)
    completed: dict[str, Any] | None = None  # the event, while outputs are made
    assembled: bool = False
    outputs: dict[str, Any] = field(default_factory=dict)  # the manifest
    reviewed: bool = False
    assembled_review: bool = False  # outputs with what the review has said
    moments: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT_JOBS))  # of the last page jobs

    @property
    def expected(self) -> int:
        return self.pages * self.tasks

    @property
    def done(self) -> int:
        return self.recognized + self.failed

    def record(self, event: PublishedEvent) -> None:
        detail = event.detail
        match event.name:
            case "DocumentAccepted":
                self.pages, self.tasks = detail["pages"], len(detail["tasks"])
                self.accepted, self.status = time.monotonic(), "recognizing"
            case "PageRecognized":
                self.recognized += 1
                self.moments.append(time.monotonic())
            case "PageFailed":
                self.failed += 1
                self.failures[f"{detail['task']}: {detail['reason']}: {detail['message']}"] += 1
                self.moments.append(time.monotonic())
            case "PageCompleted":
                self.pages_done += 1
            case "DocumentRejected":
                self.end("rejected", detail)
                self.reason = f"{detail['reason']}: {detail['message']}"
            case "DocumentCompleted":
                self.pages = detail["pages"]
                self.recognized, self.failed = detail["page_jobs"]["recognized"], detail["page_jobs"]["failed"]
                self.completed, self.status = detail, "assembling"
                self.end_when_assembled()
            case "DocumentAssembled":
                self.assembled = True
                self.end_when_assembled()

    def end_when_assembled(self) -> None:
        """Events come in no order."""
        if self.completed and (self.assembled or not self.completed["outputs"]):
            self.end(self.completed["status"], self.completed)

    def end(self, status: str, detail: dict[str, Any]) -> None:
        self.status, self.ended, self.receipt = status, time.monotonic(), detail["receipt"]


class DocumentsProgress:
    """The accounts of all documents of a run; events may come before the upload has returned."""

    def __init__(self, documents: Iterable[LocalDocument]) -> None:
        self.all = [DocumentProgress(document) for document in documents]
        self._by_document = {account.document: account for account in self.all}
        self._by_object: dict[tuple[str, str | None], DocumentProgress] = {}
        self._early: list[PublishedEvent] = []

    def open(self) -> list[DocumentProgress]:
        return [account for account in self.all if account.ended is None]

    def uploaded(self, uploads: Iterable[Uploaded]) -> None:
        for upload in uploads:
            account = self._by_document[upload.document]
            if (upload.key, upload.version) not in self._by_object:
                self._by_object[upload.key, upload.version] = account
                account.started, account.status = upload.started, "uploaded"

    def record(self, events: Iterable[PublishedEvent]) -> list[DocumentProgress]:
        """The accounts that these events have moved."""
        moved, early = [], []
        for event in [*self._early, *events]:
            account = self._account_of(event)
            if account:
                account.record(event)
                moved.append(account)
            elif "document" in event.detail:
                early.append(event)
        self._early = early
        return moved

    def _account_of(self, event: PublishedEvent) -> DocumentProgress | None:
        document = event.detail.get("document", {})
        return self._by_object.get((document.get("key"), document.get("version")))


def time_left(accounts: Iterable[DocumentProgress]) -> float | None:
    """Seconds, at the present pace, or None. A document that was not accepted yet counts as the others' average."""
    counted = list(accounts)
    known = [account for account in counted if account.accepted is not None]
    pace = pace_of(known)
    if not pace:
        return None
    unknown = sum(1 for account in counted if account.accepted is None and account.ended is None)
    expected = sum(account.expected for account in known) * (1 + unknown / len(known))
    return max(0.0, expected - sum(account.done for account in known)) / pace


def pace_of(known: list[DocumentProgress]) -> float | None:
    """Page jobs a second: of the last seconds if enough have ended in them, else since the first acceptance."""
    now = time.monotonic()
    recent = sorted(moment for account in known for moment in account.moments if now - moment < RECENT_SECONDS)
    if len(recent) >= 5 and now - recent[0] >= 1:
        return (len(recent) - 1) / (now - recent[0])
    done = sum(account.done for account in known)
    since = min((account.accepted for account in known if account.accepted is not None), default=now)
    return done / (now - since) if done and now > since else None
