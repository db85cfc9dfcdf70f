"""Use case: bring lots of page jobs through the Batch API, a step at a time.

    closed ─ upload ─▶ uploaded ─ create ─▶ created ─ poll ─▶ ended ─ store ─▶ stored ─ delete files ─▶ done

A visit takes what is due, one lot after the other, and goes as far as there is nothing to wait for. Each step may be
repeated after a crash at any point: a batch is looked for by its name before it is created, and a page job leaves its
lot once it has its result, or has gone live.
"""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from pagewise.account.lots import Lot, Lots, LotState, custom_id, lot_of_file
from pagewise.errors import (
    Configuration,
    ObjectGone,
    PagewiseError,
    Permanent,
    StorageBusy,
    Throttled,
    Transient,
)
from pagewise.model import Document, PageJob, StoredImage
from pagewise.ports import PagesBucket
from pagewise.qwen import fitting
from pagewise.qwen.batches import (
    LONGEST_POLL_SECONDS,
    MOST_FILE_BYTES,
    MOST_LINE_BYTES,
    SHORTEST_POLL_SECONDS,
    SHORTEST_WINDOW_HOURS,
    BatchService,
    RemoteBatch,
    request_line,
)
from pagewise.qwen.fitting import ImageTransport, Inline
from pagewise.use_cases.collect import is_wanted
from pagewise.use_cases.questions import question_of
from pagewise.use_cases.settle import Left, Settle, side_by_side

# A visit has 15 minutes at the most: for so long nobody else touches its lot.
HELD_SECONDS = 960.0
# After a request of which nobody knows whether it was heard: until the service would list what it has made of it.
UNKNOWN_SECONDS = 300.0
CONFIGURATION_SECONDS = 300.0
# A batch that has waited long is looked at less often: at a thirtieth of its age.
PATIENCE = 30
STORAGE_SECONDS = 3600.0
# Page images that are read side by side: a line of 6 MB takes 25 until it is written.
READ_SIDE_BY_SIDE, STORED_SIDE_BY_SIDE = 8, 16
HOUR = 3600.0

One = TypeVar("One")


@dataclass(frozen=True, slots=True)
class FollowSettings:
    window_hours: int = SHORTEST_WINDOW_HOURS
    poll_seconds: float = SHORTEST_POLL_SECONDS
    most_file_bytes: int = MOST_FILE_BYTES
    most_line_bytes: int = MOST_LINE_BYTES
    read_side_by_side: int = READ_SIDE_BY_SIDE
    stored_side_by_side: int = STORED_SIDE_BY_SIDE


class Waits(Exception):
    """Nothing is left to do for the lot until this many seconds have passed."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


@dataclass(frozen=True, slots=True)
class Follow:
    service: BatchService
    lots: Lots
    pages: PagesBucket
    settle: Settle
    lane: FollowSettings = FollowSettings()
    disk: Path | None = None
    monotonic: Callable[[], float] = time.monotonic

    def visit(self, deadline: float) -> int:
        """Close the open lot if its time has come, and go on with every lot that is due; how many there were.

        Raises ExceptionGroup, after trying all, for lots that nothing could be done for.
        """
        failures: list[Exception] = []
        visited = 0
        self.settle.begin()
        self.close_if_old()
        for lot_id in list(self.lots.due(before=self.after(0.001))):
            if self.monotonic() > deadline:
                break
            try:
                if lot := self.lots.claim(lot_id, self.now(), self.after(HELD_SECONDS)):
                    visited += 1
                    self.go_on(lot, deadline)
            except Exception as error:  # noqa: BLE001  one lot must not hold up the others
                failures.append(error)
        with suppress(PagewiseError):  # the next visit does
            self.look_through_storage()
        if failures:
            raise ExceptionGroup(f"{len(failures)} of {visited} lots failed", failures)
        return visited

    def now(self) -> str:
        return self.settle.clock.now()

    def after(self, seconds: float) -> str:
        return self.settle.clock.after(seconds)

    def close_if_old(self) -> None:
        seen = self.lots.open_lot()
        if seen and seen.opened <= self.after(-self.lots.limits.wait_seconds):
            self.lots.close(seen, self.now())

    def go_on(self, lot: Lot, deadline: float) -> None:
        """As far as there is nothing to wait for. What is refused for now is tried again at a later visit."""
        meter = self.settle.accounting.meter
        seconds = 0.0
        try:
            while lot.state is not LotState.DONE:
                lot = self.step(lot, deadline)
            return
        except Waits as waits:
            seconds = waits.seconds
        except Throttled as error:
            meter.put_off(error)
            seconds = error.retry_after or SHORTEST_POLL_SECONDS
        except Configuration as error:
            meter.put_off(error)
            seconds = CONFIGURATION_SECONDS
        except StorageBusy:
            seconds = SHORTEST_POLL_SECONDS
        except (Transient, Permanent):
            meter.batch("BatchStepsRetried")
            seconds = UNKNOWN_SECONDS
        self.put_off(lot, seconds)

    def put_off(self, lot: Lot, seconds: float) -> None:
        """Steps may have been recorded since the lot was read; another visit's turn is not touched. What cannot be
        noted is looked at when this visit's time is over."""
        with suppress(StorageBusy):
            latest = self.lots.lot(lot.id)
            if latest and latest.turn == lot.turn:
                self.lots.note(latest, due=self.after(seconds))

    def step(self, lot: Lot, deadline: float) -> Lot:
        match lot.state:
            case LotState.CLOSED:
                return self.uploaded(lot)
            case LotState.UPLOADED:
                return self.created(lot)
            case LotState.CREATED:
                return self.polled(lot)
            case LotState.ENDED:
                return self.stored(lot, deadline)
            case _:
                return self.tidied(lot)

    # ── to the service ───────────────────────────────────────────────────────────────────────────────────────────────

    def uploaded(self, lot: Lot) -> Lot:
        if self.is_late(lot):
            return self.lots.note(lot, state=LotState.ENDED, status="never_uploaded", ended=self.now())
        with tempfile.TemporaryDirectory(prefix="pagewise-", dir=self.disk) as folder:
            file = Path(folder) / f"{lot.name}.jsonl"
            if not self.write_lines(lot, file):
                return self.lots.note(lot, state=LotState.STORED, status="empty", ended=self.now())
            if lot.turn > 1:
                self.delete_named(file.name)
            file_id = self.service.upload(file.name, file)
        return self.lots.note(lot, state=LotState.UPLOADED, file_id=file_id)

    def write_lines(self, lot: Lot, file: Path) -> int:
        """How many there are. A page job without a line leaves the lot: nobody waits for it, or it goes live."""
        written = lines = 0

        def with_line(job: PageJob) -> tuple[PageJob, bytes | None]:
            return job, self.line_of(job)

        with file.open("wb") as to:
            for job, line in side_by_side(self.lots.jobs(lot), with_line, self.lane.read_side_by_side):
                if line is None:
                    self.lots.leave(lot, job)
                elif not line or written + len(line) > self.lane.most_file_bytes:
                    self.settle.go_live(lot, job)
                else:
                    written, lines = written + to.write(line), lines + 1
        return lines

    def line_of(self, job: PageJob) -> bytes | None:
        """The page job's request; empty if no line can carry it, None if nobody waits for it any more."""
        document = self.settle.ledger.document(job.document_id)
        if document is None or not is_wanted(document) or self.is_superseded(document, job):
            return None
        try:
            images = [image for member in job.members if (image := self.inline(member.image))]
            if len(images) < len(job.members):
                return b""
            asking = question_of(job, images, self.settle.settings)
            line = request_line(custom_id(job), asking, self.settle.reader.protocol)
        except (ObjectGone, Permanent):
            return b""  # the live lane says what is wrong with it
        return line if len(line) <= self.lane.most_line_bytes else b""

    def inline(self, image: StoredImage) -> Inline | None:
        """The image as it is stored; None for one that must be mended. Raises ObjectGone and ImageRejected."""
        fitted = fitting.fitted_for_call(self.pages.image(image), ImageTransport.BASE64)
        return None if fitted.sent.mended else Inline(fitted.content, fitted.sent.media_type)

    def is_superseded(self, document: Document, job: PageJob) -> bool:
        if document.run == 1:
            return False
        page = self.settle.ledger.page(job.document_id, job.page)
        return page is not None and page.run_of(job.task) > job.run

    def created(self, lot: Lot) -> Lot:
        """Create the batch, unless an earlier visit did and could not record it."""
        batch = self.service.find(lot.name)
        if batch is None and self.is_late(lot):
            return self.lots.note(lot, state=LotState.ENDED, status="never_created", ended=self.now())
        if batch is None:
            batch = self.service.create(lot.file_id or "", lot.name, self.lane.window_hours)
            self.settle.accounting.meter.batch("BatchesCreated")
        self.lots.note(lot, state=LotState.CREATED, batch_id=batch.id, status=batch.status, created=self.now())
        raise Waits(self.lane.poll_seconds)

    def is_late(self, lot: Lot) -> bool:
        """Whether a window has passed without a batch: its page jobs wait for nothing."""
        return seconds_between(lot.closed, self.now()) > HOUR * self.lane.window_hours

    # ── from the service ─────────────────────────────────────────────────────────────────────────────────────────────

    def polled(self, lot: Lot) -> Lot:
        meter = self.settle.accounting.meter
        batch = self.known(lot)
        if batch.ended:
            meter.batch("BatchesEnded" if batch.status == "completed" else "BatchesFailed")
            return self.lots.note(
                lot, state=LotState.ENDED, status=batch.status, reply_files=batch.reply_files, ended=self.now()
            )
        age = seconds_between(lot.created or lot.closed, self.now())
        if age > HOUR * (self.lane.window_hours + 1):
            meter.batch("BatchesOverdue")
        if batch.status != lot.status:
            self.lots.note(lot, status=batch.status)
        raise Waits(max(self.lane.poll_seconds, min(LONGEST_POLL_SECONDS, age / PATIENCE)))

    def known(self, lot: Lot) -> RemoteBatch:
        """What the service knows of it; one that it has forgotten brings nothing any more."""
        try:
            return self.service.batch(lot.batch_id or "")
        except Permanent as error:
            return RemoteBatch(lot.batch_id or "", "lost", problem=error.message)

    def stored(self, lot: Lot, deadline: float) -> Lot:
        """Store every result there is, and send live what has none. Where the time is too short, the next visit reads
        the files anew, and passes over what has left the lot."""
        left: Counter[Left] = Counter()
        settled: Iterator[Left | None] = side_by_side(
            self.in_time(self.replies(lot), deadline),
            lambda line: self.settle.line(lot, line),
            self.lane.stored_side_by_side,
        )
        try:
            left.update(filter(None, settled))
            without_reply = side_by_side(
                self.in_time(self.lots.jobs(lot), deadline),
                lambda job: self.settle.go_live(lot, job),
                self.lane.stored_side_by_side,
            )
            left.update(without_reply)
        finally:
            lot = self.counted(lot, left)
        return self.lots.note(lot, state=LotState.STORED)

    def replies(self, lot: Lot) -> Iterator[bytes]:
        for file_id in lot.reply_files:
            with suppress(Permanent):  # a file that is gone: its page jobs are without a reply
                yield from self.service.lines(file_id)

    def in_time(self, given: Iterator[One], deadline: float) -> Iterator[One]:
        for one in given:
            if self.monotonic() > deadline:
                raise Waits(0.0)
            yield one

    def counted(self, lot: Lot, left: Counter[Left]) -> Lot:
        """For those who list lots; what a crash loses of it is in no account."""
        if not left:
            return lot
        self.settle.accounting.meter.batch("BatchJobsToLive", left[Left.TO_LIVE])
        return self.lots.note(
            lot, answered=lot.answered + left[Left.ANSWERED], to_live=lot.to_live + left[Left.TO_LIVE]
        )

    # ── remote files ─────────────────────────────────────────────────────────────────────────────────────────────────

    def tidied(self, lot: Lot) -> Lot:
        for file_id in (*lot.reply_files, *([lot.file_id] if lot.file_id else [])):
            self.service.delete(file_id)
        return self.lots.note(lot, state=LotState.DONE)

    def delete_named(self, name: str) -> None:
        """Files that an earlier visit has uploaded and could not record: no batch was made of them."""
        for file in list(self.service.files()):
            if file.name == name:
                self.service.delete(file.id)

    def look_through_storage(self) -> None:
        """Once an hour: count what the account stores, and delete what lots have left there."""
        if not self.lots.looks_through_storage(self.now(), before=self.after(-STORAGE_SECONDS)):
            return
        files = list(self.service.files())
        meter = self.settle.accounting.meter
        meter.batch("BatchFilesStored", len(files))
        meter.batch("BatchBytesStored", sum(file.size for file in files))
        for file in files:
            lot_id = lot_of_file(file.name)
            lot = self.lots.lot(lot_id) if lot_id else None
            if lot and lot.state is LotState.DONE:
                self.service.delete(file.id)


def seconds_between(earlier: str, later: str) -> float:
    return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()
