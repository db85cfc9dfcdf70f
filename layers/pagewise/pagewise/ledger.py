"""The ledger: documents, pages and results, with the counters that belong to them. Exactly once, under any repetition.

    record                            attributes
    ─────────────────────────────     ──────────────────────────────────────────────────────
    document                          status, pages, tasks, source, counters; `open` until its end is announced
    split#00001-00020                 this page range has been fanned out
    page#00001                        ended_jobs, closed, and of every ended job `job#<task>`
    result#00001#text_recognition     result (JSON), or result_key (in the pages bucket) if it is large

All are in the document's own partition. A result, its page and (if it is the page's last) its document change in one
transaction. Hot counters are avoided by that hierarchy: most results touch their own page only.

Where there is a cap, `spend#<date>` has `spent`: the bills of the documents that were accepted on that day and have
ended, and of the others the most that they can cost. It changes with the document, when that is opened and closed.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from pagewise.errors import StorageBusy
from pagewise.messages import dump_options, load_options
from pagewise.model import (
    Document,
    DocumentId,
    DocumentStatus,
    JobAccount,
    JobStatus,
    PageAccount,
    PageRange,
    Result,
    Source,
    Usage,
)
from pagewise.ports import LargeResults, Recorded
from pagewise.results import dump_result, load_result
from pagewise.table import KNOWN, NEW, Attributes, Change, Condition, Key, Put, Refused, Table, Update
from pagewise.tasks import Task
from pagewise.tokens import Price

# An item may have 400 KB, and every KB is billed twice in a transaction; a page of text has 2 to 10 KB.
INLINE_RESULT_BYTES = 100_000
# Who loses a race sees the winner's state next time; conflicts end within milliseconds.
TRIES = 12
LONGEST_PAUSE_SECONDS = 0.5


class DayIsSpent(Exception):
    """What a document reserves is more than is left of its day's cap."""


@dataclass(frozen=True, slots=True)
class Ledger:
    table: Table
    large_results: LargeResults
    pause: Callable[[float], None] = time.sleep
    price: Price = field(default_factory=Price)

    # ── documents ────────────────────────────────────────────────────────────────────────────────────────────────────

    def open(self, document: Document, day_cap: int = 0) -> Document:
        """Write the document unless its id is known; the stored one either way.

        What it reserves is claimed of its day's cap in the same transaction. Raises DayIsSpent if that is too much.
        """
        together: list[Change] = [Put(document_key(document.id), dump_document(document), NEW)]
        if document.reserved is not None:
            fits = Condition(at_most={"spent": day_cap - document.reserved})
            together.append(Update(spend_key(document.day), fits, add={"spent": document.reserved}))
        for attempt in range(TRIES):
            try:
                self.table.change(*together)
            except Refused as refused:
                if stored := self.document(document.id):
                    return stored
                if 1 in refused.unmet:
                    raise DayIsSpent from None
                self.back_off(attempt)
            else:
                return document
        raise StorageBusy("The document could not be written.")

    def document(self, document_id: DocumentId) -> Document | None:
        stored = self.table.get(document_key(document_id))
        return load_document(document_id, stored) if stored else None

    def close(self, document_id: DocumentId, ended: str) -> Document | None:
        """End the document if all its pages are closed and it has not ended; the stored one either way."""
        document = self.document(document_id)
        if document is None or document.status is not DocumentStatus.IN_PROGRESS:
            return document
        if document.pages_closed < document.pages:
            return document
        ends = Update(
            document_key(document_id),
            Condition(equal={"status": str(DocumentStatus.IN_PROGRESS)}),
            set={"status": str(final_status(document)), "ended": ended},
        )
        for attempt in range(TRIES):
            try:
                self.table.change(ends, *self.billed(document))
            except Refused as refused:
                if not refused.unmet:
                    self.back_off(attempt)
                    continue
            return self.document(document_id)  # as it is stored: another invocation may have ended it first
        raise StorageBusy("The document is being changed.")

    def billed(self, document: Document) -> list[Change]:
        """In the day's sum, the bill of a document takes the place of what it reserved."""
        if document.reserved is None:
            return []
        return [Update(spend_key(document.day), add={"spent": self.price.units(document.usage) - document.reserved})]

    def spent(self, day: str) -> int:
        """What has been claimed of a day's cap (YYYY-MM-DD), in the price's units."""
        return int((self.table.get(spend_key(day)) or {}).get("spent", 0))

    def announced(self, document_id: DocumentId) -> None:
        """The document's end has been published."""
        try:
            self.table.change(Update(document_key(document_id), KNOWN, set={"announced": True}, remove=("open",)))
        except Refused as refused:
            if not refused.unmet:
                raise StorageBusy("The document is being changed.") from None

    def unfinished(self, before: str) -> Iterable[DocumentId]:
        """Documents due before this time that have not ended, or whose end is not announced."""
        return (DocumentId(partition) for partition in self.table.open_before(before))

    # ── page ranges ──────────────────────────────────────────────────────────────────────────────────────────────────

    def is_split(self, document_id: DocumentId, pages: PageRange) -> bool:
        return self.table.get(split_key(document_id, pages)) is not None

    def mark_split(self, document_id: DocumentId, pages: PageRange) -> None:
        """The range has been fanned out completely."""
        self.table.change(Put(split_key(document_id, pages), {}))

    # ── pages and results ────────────────────────────────────────────────────────────────────────────────────────────

    def page(self, document_id: DocumentId, page: int) -> PageAccount | None:
        stored = self.table.get(page_key(document_id, page))
        return load_page(document_id, page, stored) if stored else None

    def pages(self, document_id: DocumentId) -> Iterator[PageAccount]:
        """The pages of which at least one job has ended, in order."""
        for stored in self.table.records(document_id, "page#"):
            yield load_page(document_id, int(stored["record"].removeprefix("page#")), stored)

    def result(self, document_id: DocumentId, page: int, task: str) -> Result | None:
        stored = self.table.get(result_key(document_id, page, task))
        if stored is None:
            return None
        if "result_key" in stored:
            return load_result(self.large_results.json(stored["result_key"]))
        return load_result(json.loads(stored["result"]))

    def record(self, result: Result, page_tasks: int) -> Recorded:
        """Store a result and move the page's and the document's counters with it, in one transaction;
        a result that is already there stays as it is, and nothing moves."""
        stored = self.stored_form(result)
        for attempt in range(TRIES):
            # A page of one task needs no look: its first result is its last.
            before = self.page(result.document_id, result.page) if page_tasks > 1 or attempt else None
            ended = len(before.jobs) if before else 0
            closes = ended == page_tasks - 1
            try:
                self.table.change(*changes(result, stored, before, closes=closes))
            except Refused as refused:
                if 0 in refused.unmet:
                    return self.already(result)
                self.back_off(attempt)
            else:
                return Recorded(result, first=True, page_closed=closes)
        raise StorageBusy(f"The account of page {result.page} is busy.")

    def back_off(self, attempt: int) -> None:
        self.pause(random.random() * min(LONGEST_PAUSE_SECONDS, 0.01 * 2**attempt))

    def already(self, result: Result) -> Recorded:
        found = self.result(result.document_id, result.page, result.task)
        if found is None:
            raise StorageBusy("A result was deleted while it was written.")
        page = self.page(result.document_id, result.page)
        return Recorded(found, first=False, page_closed=page is not None and page.closed)

    def stored_form(self, result: Result) -> Attributes:
        """The result's attributes. A large one goes to the bucket first, under a key of this attempt's own: only the
        transaction makes it the result."""
        shown = dump_result(result)
        text = json.dumps(shown, ensure_ascii=False, separators=(",", ":"))
        about: Attributes = {"status": str(result.status), "ended": result.ended}
        if len(text.encode()) <= INLINE_RESULT_BYTES:
            return {**about, "result": text}
        token = path_safe(result.request_id or result.ended)
        key = f"documents/{result.document_id}/results/{result.page:05}.{result.task}.{token}.json"
        self.large_results.put_json(key, shown)
        return {**about, "result_key": key}


def changes(result: Result, stored: Attributes, before: PageAccount | None, *, closes: bool) -> list[Change]:
    """One transaction: the result, its line in the page, and the page's sum in the document if it closes.

    The page must be as it was seen, so that exactly one result closes it.
    """
    line = dump_job(result)
    ended = len(before.jobs) if before else 0
    account: Attributes = {f"job#{result.task}": line, "ended_jobs": ended + 1}
    if closes:
        account["closed"] = True
    as_seen = Condition(equal={"ended_jobs": ended or None})
    together: list[Change] = [
        Put(result_key(result.document_id, result.page, result.task), stored, NEW),
        Update(page_key(result.document_id, result.page), as_seen, set=account),
    ]
    if closes:
        jobs = (*(before.jobs if before else ()), load_job(result.task, line))
        closed = PageAccount(result.document_id, result.page, jobs, closed=True)
        together.append(Update(document_key(result.document_id), KNOWN, add=sums(closed)))
    return together


def sums(page: PageAccount) -> dict[str, int]:
    return {
        "pages_closed": 1,
        "recognized": page.recognized,
        "failed": page.failed,
        "input_tokens": page.usage.input_tokens,
        "output_tokens": page.usage.output_tokens,
    }


def final_status(document: Document) -> DocumentStatus:
    if document.failed == 0:
        return DocumentStatus.COMPLETE
    return DocumentStatus.PARTIAL if document.recognized else DocumentStatus.FAILED


# ── records ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def document_key(document_id: DocumentId) -> Key:
    return Key(document_id, "document")


def spend_key(day: str) -> Key:
    return Key(f"spend#{day}", "day")


def split_key(document_id: DocumentId, pages: PageRange) -> Key:
    return Key(document_id, f"split#{pages.first:05}-{pages.last:05}")


def page_key(document_id: DocumentId, page: int) -> Key:
    return Key(document_id, f"page#{page:05}")


def result_key(document_id: DocumentId, page: int, task: str) -> Key:
    return Key(document_id, f"result#{page:05}#{task}")


def path_safe(token: str) -> str:
    return "".join(character if character.isalnum() else "-" for character in token)


def dump_document(document: Document) -> Attributes:
    source = document.source
    attributes: Attributes = {
        "status": str(document.status),
        "tasks": [str(task) for task in document.tasks],
        "pages": document.pages,
        "source": {
            "bucket": source.bucket,
            "key": source.key,
            "version": source.version,
            "version_id": source.version_id,
            "size": source.size,
            "sha256": source.sha256,
        },
        "options": json.dumps(dump_options(document.options), ensure_ascii=False),
        "tag": document.tag,
        "reason": document.reason,
        "message": document.message,
        "started": document.started,
        "ended": document.ended,
        "due": document.due,
        "open": "open",
        "announced": False,
        "reserved": document.reserved,
        "pages_closed": 0,
        "recognized": 0,
        "failed": 0,
        "input_tokens": 0,
        "output_tokens": 0,
    }
    return {name: value for name, value in attributes.items() if value is not None}


def load_document(document_id: DocumentId, stored: Attributes) -> Document:
    source = stored["source"]
    return Document(
        id=document_id,
        source=Source(
            source["bucket"],
            source["key"],
            source["version"],
            source["version_id"],
            int(source["size"]),
            source["sha256"],
        ),
        status=DocumentStatus(stored["status"]),
        tasks=tuple(Task(task) for task in stored["tasks"]),
        pages=int(stored["pages"]),
        started=stored["started"],
        due=stored["due"],
        options=load_options(json.loads(stored["options"])),
        tag=stored.get("tag"),
        reason=stored.get("reason"),
        message=stored.get("message"),
        ended=stored.get("ended"),
        pages_closed=int(stored["pages_closed"]),
        recognized=int(stored["recognized"]),
        failed=int(stored["failed"]),
        usage=Usage(int(stored["input_tokens"]), int(stored["output_tokens"])),
        announced=bool(stored["announced"]),
        reserved=int(stored["reserved"]) if "reserved" in stored else None,
    )


def dump_job(result: Result) -> Attributes:
    return {
        "status": str(result.status),
        "reason": result.reason,
        "attempts": result.attempts,
        "input_tokens": result.usage.input_tokens,
        "output_tokens": result.usage.output_tokens,
    }


def load_job(task: str, line: dict[str, Any]) -> JobAccount:
    return JobAccount(
        task=Task(task),
        status=JobStatus(line["status"]),
        reason=line["reason"],
        attempts=int(line["attempts"]),
        usage=Usage(int(line["input_tokens"]), int(line["output_tokens"])),
    )


def load_page(document_id: DocumentId, page: int, stored: Attributes) -> PageAccount:
    lines = {name.removeprefix("job#"): line for name, line in stored.items() if name.startswith("job#")}
    return PageAccount(
        document_id=document_id,
        page=page,
        jobs=tuple(load_job(task, lines[task]) for task in Task if task in lines),
        closed=bool(stored.get("closed", False)),
    )
