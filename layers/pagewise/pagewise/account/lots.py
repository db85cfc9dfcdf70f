"""Lots: page jobs of the batch lane that go to the engine in one file. Each page job is in one lot, once in each run.

    partition       record                           attributes
    ───────────     ────────────────────────────     ─────────────────────────────────────────────────────────
    batches         open                             the lot that is being gathered: lot, model, opened, jobs, bytes
                    storage                          when the remote files were looked through: `looked`
    lot#<id>        lot                              state, turn, file, batch, …; `open` and `due`: when it is looked at
                    job#<custom id>                  the page job's message, until it has its result or goes live
    <document>      batch#00001#text_recognition     the lot and the run: this page job has been gathered

A page job joins a lot in one transaction with that mark and the lot's count, so that a message which comes twice is in
one lot. A lot is closed in one transaction with the end of its being the open one; from then on its `turn` fences it:
one visit at a time works on it, and what an earlier visit still holds is worth nothing.
"""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from pagewise.errors import StorageBusy
from pagewise.messages import dump_job, load_job
from pagewise.model import PageJob
from pagewise.qwen.batches import MOST_FILE_BYTES, MOST_LINES
from pagewise.table import NEW, Attributes, Change, Condition, Delete, Key, Put, Refused, Table, Update

# The words of the table's index `open`.
LOT, DONE_LOT = "lot", "lot_done"
OPEN_KEY, STORAGE_KEY = Key("batches", "open"), Key("batches", "storage")
# A transaction has a hundred changes: the lot's, and two for each page job.
MOST_TOGETHER = 49
TRIES = 12
LONGEST_PAUSE_SECONDS = 0.5


class LotState(StrEnum):
    """In this order. What a state names has been done, and recorded."""

    CLOSED = "closed"
    UPLOADED = "uploaded"
    CREATED = "created"
    ENDED = "ended"
    STORED = "stored"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class LotLimits:
    """`wait_seconds`: how long page jobs are gathered at most. The bytes are those of the lines."""

    wait_seconds: float = 1800.0
    jobs: int = MOST_LINES
    bytes: int = MOST_FILE_BYTES * 9 // 10


@dataclass(frozen=True, slots=True)
class OpenLot:
    id: str
    model: str
    opened: str
    jobs: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Lot:
    """`due`: when it is looked at next. `closed`, `created`, `ended`: moments. `status`: the batch's last one.
    `answered` and `to_live` are page jobs that have left it, as far as its visits could count."""

    id: str
    model: str
    state: LotState
    jobs: int
    opened: str
    closed: str
    due: str
    turn: int = 0
    file_id: str | None = None
    batch_id: str | None = None
    reply_files: tuple[str, ...] = ()
    status: str | None = None
    created: str | None = None
    ended: str | None = None
    answered: int = 0
    to_live: int = 0

    @property
    def name(self) -> str:
        """Of its file and its batch, by which both are found."""
        return f"{PREFIX}{self.id}"


PREFIX = "pagewise-"


def lot_of_file(name: str) -> str | None:
    """The lot whose file has this name; None for a file of someone else."""
    if name.startswith(PREFIX) and name.endswith(".jsonl"):
        return name.removeprefix(PREFIX).removesuffix(".jsonl")
    return None


@dataclass(frozen=True, slots=True)
class Gathered:
    """A page job, and the bytes of its line at most."""

    job: PageJob
    bytes: int


def custom_id(job: PageJob) -> str:
    return f"{job.document_id}-{job.page:05}-{job.task}-{job.run}"


@dataclass(frozen=True, slots=True)
class Lots:
    table: Table
    limits: LotLimits = LotLimits()
    pause: Callable[[float], None] = time.sleep

    # ── gathering ────────────────────────────────────────────────────────────────────────────────────────────────────

    def gather(self, jobs: Sequence[Gathered], model: str, moment: str) -> None:
        """Note these page jobs as the open lot's, but for those that are in a lot already. Raises StorageBusy."""
        once = [*{mark_key(one.job): one for one in sorted(jobs, key=lambda one: one.job.run)}.values()]
        for start in range(0, len(once), MOST_TOGETHER):
            self.join(once[start : start + MOST_TOGETHER], model, moment)

    def join(self, jobs: list[Gathered], model: str, moment: str) -> None:
        for attempt in range(TRIES):
            if not jobs:
                return
            seen = self.open_lot()
            if seen and (seen.model != model or not self.has_room(seen, jobs)):
                self.close(seen, moment)
                continue
            lot_id = seen.id if seen else new_id(jobs[0].job, moment)
            try:
                self.table.change(
                    self.counted(seen, lot_id, jobs, model, moment), *(c for one in jobs for c in joining(one, lot_id))
                )
            except Refused as refused:
                jobs = [one for place, one in enumerate(jobs) if 1 + 2 * place not in refused.unmet]
                self.back_off(attempt)
            else:
                return
        raise StorageBusy("The lot of page jobs is busy.")

    def has_room(self, lot: OpenLot, jobs: Sequence[Gathered]) -> bool:
        return lot.jobs + len(jobs) <= self.limits.jobs and lot.bytes + size_of(jobs) <= self.limits.bytes

    def counted(self, seen: OpenLot | None, lot_id: str, jobs: Sequence[Gathered], model: str, moment: str) -> Change:
        added = {"jobs": len(jobs), "bytes": size_of(jobs)}
        if seen is None:
            return Put(OPEN_KEY, {"lot": lot_id, "model": model, "opened": moment, **added}, NEW)
        room = {"jobs": self.limits.jobs - added["jobs"], "bytes": self.limits.bytes - added["bytes"]}
        return Update(OPEN_KEY, Condition(equal={"lot": lot_id, "model": model}, at_most=room), add=added)

    def open_lot(self) -> OpenLot | None:
        stored = self.table.get(OPEN_KEY)
        if stored is None:
            return None
        return OpenLot(stored["lot"], stored["model"], stored["opened"], int(stored["jobs"]), int(stored["bytes"]))

    def close(self, seen: OpenLot, moment: str) -> None:
        """Nothing joins it any more; it is to be sent. As it was seen, or not at all: then another has closed it, or
        something has joined it."""
        header: Attributes = {
            "state": str(LotState.CLOSED),
            "model": seen.model,
            "jobs": seen.jobs,
            "opened": seen.opened,
            "closed": moment,
            "turn": 0,
            "open": LOT,
            "due": moment,
        }
        as_seen = Condition(equal={"lot": seen.id, "jobs": seen.jobs})
        try:
            self.table.change(Delete(OPEN_KEY, as_seen), Put(lot_key(seen.id), header, NEW))
        except Refused:
            return

    # ── lots that are closed ─────────────────────────────────────────────────────────────────────────────────────────

    def due(self, before: str) -> Iterable[str]:
        return (partition.removeprefix("lot#") for partition in self.table.listed(LOT, before))

    def all(self) -> Iterator[Lot]:
        """Those under way, and those that are done, the oldest first."""
        for word in (DONE_LOT, LOT):
            for partition in self.table.listed(word):
                if lot := self.lot(partition.removeprefix("lot#")):
                    yield lot

    def lot(self, lot_id: str) -> Lot | None:
        stored = self.table.get(lot_key(lot_id))
        return load_lot(lot_id, stored) if stored else None

    def claim(self, lot_id: str, moment: str, until: str) -> Lot | None:
        """The lot, if it is due: until then it is this visit's alone. None if another has it."""
        lot = self.lot(lot_id)
        if lot is None or lot.state is LotState.DONE or lot.due > moment:
            return None
        try:
            return self.note(lot, turn=lot.turn + 1, due=until)
        except StorageBusy:
            return None

    def note(self, lot: Lot, **changed: str | int | tuple[str, ...] | None) -> Lot:
        """The lot with these attributes, recorded. Raises StorageBusy if another visit has it by now."""
        after = replace(lot, **changed)  # type: ignore[arg-type]
        done = {"open": DONE_LOT} if after.state is LotState.DONE else {}
        as_seen = Condition(equal={"turn": lot.turn, "state": str(lot.state)})
        stored: Attributes = {NAMES.get(name, name): plain(value) for name, value in changed.items()}
        for attempt in range(TRIES):
            try:
                self.table.change(Update(lot_key(lot.id), as_seen, set=stored | done))
            except Refused as refused:
                if refused.unmet:
                    raise StorageBusy("Another visit has the lot.") from None
                self.back_off(attempt)
            else:
                return after
        raise StorageBusy("The lot is being changed.")

    # ── its page jobs ────────────────────────────────────────────────────────────────────────────────────────────────

    def jobs(self, lot: Lot) -> Iterator[PageJob]:
        """Those that are still in it."""
        for stored in self.table.records(f"lot#{lot.id}", "job#"):
            yield load_job(stored["message"])

    def job(self, lot: Lot, line: str) -> PageJob | None:
        """That of a line's custom id, if it is still in the lot."""
        stored = self.table.get(Key(f"lot#{lot.id}", f"job#{line}"))
        return load_job(stored["message"]) if stored else None

    def leave(self, lot: Lot, job: PageJob) -> None:
        """The page job has its result, or another message."""
        self.table.change(Delete(Key(f"lot#{lot.id}", f"job#{custom_id(job)}")))

    def looks_through_storage(self, moment: str, before: str) -> bool:
        """Whether this visit is to look through the remote files, which nobody has done since `before`."""
        looked = (self.table.get(STORAGE_KEY) or {}).get("looked")
        if looked is not None and looked >= before:
            return False
        try:
            self.table.change(Update(STORAGE_KEY, Condition(equal={"looked": looked}), set={"looked": moment}))
        except Refused:
            return False
        return True

    def back_off(self, attempt: int) -> None:
        self.pause(random.random() * min(LONGEST_PAUSE_SECONDS, 0.01 * 2**attempt))


NAMES = {"file_id": "file", "batch_id": "batch"}


def plain(value: str | int | tuple[str, ...] | None) -> str | int | list[str] | None:
    if isinstance(value, tuple):
        return list(value)
    return str(value) if isinstance(value, LotState) else value


def load_lot(lot_id: str, stored: Attributes) -> Lot:
    return Lot(
        id=lot_id,
        model=stored["model"],
        state=LotState(stored["state"]),
        jobs=int(stored["jobs"]),
        opened=stored["opened"],
        closed=stored["closed"],
        due=stored["due"],
        turn=int(stored["turn"]),
        file_id=stored.get("file"),
        batch_id=stored.get("batch"),
        reply_files=tuple(stored.get("reply_files", ())),
        status=stored.get("status"),
        created=stored.get("created"),
        ended=stored.get("ended"),
        answered=int(stored.get("answered", 0)),
        to_live=int(stored.get("to_live", 0)),
    )


def lot_key(lot_id: str) -> Key:
    return Key(f"lot#{lot_id}", "lot")


def mark_key(job: PageJob) -> Key:
    return Key(job.document_id, f"batch#{job.page:05}#{job.task}")


def joining(one: Gathered, lot_id: str) -> tuple[Change, Change]:
    job = one.job
    first_in_run = Condition(at_most={"run": job.run - 1})
    return (
        Put(mark_key(job), {"lot": lot_id, "run": job.run}, first_in_run),
        Put(Key(f"lot#{lot_id}", f"job#{custom_id(job)}"), {"message": dump_job(job)}),
    )


def size_of(jobs: Sequence[Gathered]) -> int:
    return sum(one.bytes for one in jobs)


def new_id(job: PageJob, moment: str) -> str:
    return hashlib.sha256(f"{custom_id(job)} {moment}".encode()).hexdigest()[:20]
