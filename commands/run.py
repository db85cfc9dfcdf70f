"""`./pagewise run`: documents in, their text out."""

import os
import socket
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError

from commands.console import Console, printable, tell
from commands.documents import DocumentProgress, DocumentsProgress
from commands.errors import CommandError
from commands.outputs import LOGS, OutputFolder, prepare
from commands.profiles import profile_text, put_all
from commands.progress import Progress, bill, made_of, progress, reasons, summary, summary_json
from commands.reviewing import doubts, implied, review_until_done, to_review
from commands.uploads import NO_OPTIONS, LocalDocument, RequestedOptions, Uploader, find_all, hidden_files
from local.embedded_mode import EmbeddedMode, Options, embedded_mode
from local.emulator.published_events import PublishedEvent
from local.stack import API_PARAMETERS, Stack

ALL_RECOGNIZED, SOME_FAILED, REJECTED, NOT_RUN = 0, 1, 2, 3
EXIT_CODES = {"complete": ALL_RECOGNIZED, "partial": SOME_FAILED, "failed": SOME_FAILED, "rejected": REJECTED}
IDLE_SECONDS = 20.0  # without an event and with nothing in any queue: nothing will come any more
REMINDER_SECONDS = 60.0
WRITERS = 2
MOST_NAMES = 5


class Stuck(CommandError):
    """No progress any more, or not for too long; the message gives the last one."""


@dataclass(frozen=True)
class Order:
    """The user's wishes for a run."""

    documents: Sequence[Path]
    output: Path
    options: RequestedOptions = NO_OPTIONS
    parameters: Mapping[str, str] | None = None
    patience: float = 1800.0
    visibility_timeout: int | None = None
    as_json: bool = False
    review: bool = False
    started: float = field(default_factory=time.monotonic)


def run(order: Order, console: Console) -> int:
    if order.options.profile:
        profile_text(order.options.profile)  # one that does not exist would silently be none
    if order.review:
        parameters = API_PARAMETERS | dict(order.parameters or {})
        options_of_all = replace(order.options, review=implied(order.options))
        order = replace(order, parameters=parameters, options=options_of_all)
    documents = find_all(order.documents, order.output)
    prepare(order.output, documents)
    if hidden := [name for path in order.documents for name in hidden_files(path)]:
        names = printable(", ".join(hidden[:MOST_NAMES]) + (" …" if len(hidden) > MOST_NAMES else ""))
        console.print(f"passed over, for their names begin with a dot: {names}", highlight=False, markup=False)
    logs = order.output / LOGS
    options = Options(logs, order.parameters or {}, visibility_timeout=order.visibility_timeout)
    with embedded_mode(options) as mode:
        put_all(mode.stack.client("ssm"), mode.stack.deployment.stack)
        warm(mode.stack, order.options.tasks)
        engine = "embedded engine" if mode.engine else "engine of QWEN_BASE_URL"
        console.print(f"ready in {time.monotonic() - order.started:.1f} s: {engine}, logs in {logs}", highlight=False)
        if mode.engine and os.environ.get("QWEN_API_KEY"):
            console.print("QWEN_API_KEY is set and QWEN_BASE_URL is not: the service is not asked.", markup=False)
        if mode.engine is None and not answers(mode.stack.deployment.parameters["QwenBaseUrl"]):
            console.print("The engine at QWEN_BASE_URL accepts no connection; its page jobs will be tried again.")
        return Run(order, mode, documents, console).to_the_end()


def answers(base_url: str) -> bool:
    """Whether a server answers there, as far as this machine can tell without a proxy."""
    address = urlsplit(base_url)
    port = address.port or (443 if address.scheme == "https" else 80)
    try:
        with socket.create_connection((address.hostname or "", port), timeout=2):
            return True
    except OSError:
        return False


def warm(stack: Stack, tasks: str | None) -> None:
    """Start the functions that this run needs: those that uploads start, then the wanted tasks' functions."""
    wanted = (tasks or stack.deployment.parameters.get("DefaultTasks", "")).replace(" ", "").split(",")
    of_tasks = [
        name
        for name, function in stack.deployment.functions.items()
        if function.variables.get("TASK") in wanted or ("all" in wanted and "TASK" in function.variables)
    ]
    stack.warm([*dict.fromkeys(stack.deployment.notified_functions.values()), *of_tasks])


class Run:
    def __init__(self, order: Order, mode: EmbeddedMode, documents: list[LocalDocument], console: Console) -> None:
        self._order = order
        self._mode = mode
        self._documents = documents
        self._console = console
        self._accounts = DocumentsProgress(documents)
        self._outcome = OutputFolder(mode.stack.deployment.outputs, mode.stack.client)
        self._receipts: dict[int, dict[str, Any]] = {}
        self._written: list[Future[None]] = []
        self._all_uploaded = False
        self._told: set[str] = set()
        self._last_event = self._last_reminder = time.monotonic()

    def to_the_end(self) -> int:
        bucket = self._mode.stack.deployment.outputs["UploadsBucket"]
        uploads = Uploader(self._mode.stack.client("s3"), bucket, self._order.options)
        stuck = None
        with ThreadPoolExecutor(WRITERS) as writers, progress(self._accounts, self._console) as shown:
            uploads.start(self._documents)
            try:
                self._follow(uploads, writers, shown)
            except Stuck as error:
                stuck = error
        for written in self._written:
            written.result()
        waiting = self._sum_up()
        if stuck:
            raise stuck
        if waiting and self._order.review:
            review_until_done(self._mode, waiting, self._write, self._console)
        elif waiting:
            self._console.print("To review them, run with --review.", highlight=False)
        if self._order.as_json:
            tell(summary_json(self._accounts.all, self._receipts, self._order.output))
        return max(EXIT_CODES.get(account.status, NOT_RUN) for account in self._accounts.all)

    def _sum_up(self) -> list[DocumentProgress]:
        """Print the summary; the documents that wait for a review."""
        self._console.print(summary(self._accounts.all, self._receipts))
        for reason in reasons(self._accounts.all):
            self._console.print(printable(reason), highlight=False, markup=False, soft_wrap=True)
        for line in made_of(self._accounts.all):
            self._console.print(printable(line), highlight=False, markup=False, soft_wrap=True)
        if billed := bill(self._receipts.values()):
            self._console.print(billed, highlight=False, markup=False, soft_wrap=True)
        waiting = to_review(self._accounts.all, self._receipts)
        for account in waiting:
            line = doubts(account, self._receipts[id(account)])
            self._console.print(printable(line), highlight=False, markup=False, soft_wrap=True)
        self._console.print(f"results: {self._order.output}/<document>/", highlight=False, markup=False)
        return waiting

    def _follow(self, uploads: Uploader, writers: ThreadPoolExecutor, shown: Progress) -> None:
        while self._accounts.open():
            events = self._receive()
            uploaded = uploads.uploaded()
            self._all_uploaded = len(uploaded) == len(self._documents)
            self._accounts.uploaded(uploaded)
            moved = self._accounts.record(events)
            for account in {id(account): account for account in moved}.values():
                if account.ended is not None and id(account) not in self._receipts:
                    self._receipts[id(account)] = {}
                    self._written.append(writers.submit(self._write, account))
            shown.show(moved)
            self._warn(events, shown)
            self._check_life(bool(events), shown)

    def _receive(self) -> list[PublishedEvent]:
        try:
            return self._mode.published.receive(wait=1)
        except BotoCoreError:
            self._mode.check()
            raise

    def _write(self, account: DocumentProgress) -> None:
        receipt = self._outcome.receipt(account.receipt)
        folder = self._order.output / account.document.place
        account.invalid = self._outcome.write(folder, receipt)
        if account.assembled:
            account.outputs = self._outcome.write_outputs(folder, receipt["document_id"])
        account.warnings = receipt["warnings"]
        self._receipts[id(account)] = receipt

    def _warn(self, events: list[PublishedEvent], shown: Progress) -> None:
        for event in events:
            if event.name == "RecognitionSuspended":
                shown.say(f"recognition is suspended, {event.detail['reason']}: {event.detail['message']}")
        failure = self._mode.stack.service.last_failure
        if failure and failure not in self._told:
            self._told.add(failure)
            shown.say(f"a function failed and is tried again: {failure} (logs: {self._mode.stack.logs / 'functions'})")

    def _check_life(self, moved: bool, shown: Progress) -> None:
        now = time.monotonic()
        if moved:
            self._last_event = self._last_reminder = now
            return
        self._mode.check()
        silence = now - self._last_event
        waiting = f"{len(self._accounts.open())} of {len(self._documents)} documents have not ended"
        if silence > self._order.patience:
            raise Stuck(f"Nothing has happened for {silence:.0f} s; {waiting}. {self._last_failure()}")
        if silence > IDLE_SECONDS and self._all_uploaded and self._mode.stack.is_idle():
            raise Stuck(f"No function has anything left to do, and {waiting}. {self._last_failure()}")
        if now - self._last_reminder > REMINDER_SECONDS:
            self._last_reminder = now
            shown.say(f"nothing has happened for {silence:.0f} s; {waiting}. {self._last_failure()}")

    def _last_failure(self) -> str:
        failure = self._mode.stack.service.last_failure
        last = f"Last failure: {failure}. " if failure else ""
        return f"{last}Logs: {self._mode.stack.logs}"
