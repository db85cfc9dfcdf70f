"""Every overdue document ends, however large it is and however often a visit is cut short; in virtual time."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import pytest

from pagewise.account.closing import Accounting
from pagewise.account.ledger import Ledger
from pagewise.account.records import document_key
from pagewise.errors import StorageBusy
from pagewise.events import Event
from pagewise.model import Document, DocumentId, DocumentStatus, Source
from pagewise.table import Attributes, Change, Key
from pagewise.tasks import Task
from pagewise.use_cases.give_up import GiveUp
from pagewise.use_cases.sweep import PAGES_A_TURN, Sweep
from tests.fakes import MemoryClock, MemoryPages, MemoryPublisher, MemoryTable
from tests.pictures import tiff
from tests.unit.conftest import Pagewise
from tests.unit.test_recognize import split

# What a request takes, in seconds: as between a function and its region's services.
READ, WRITE, TRANSACTION, PUBLISH = 0.004, 0.006, 0.015, 0.015
VISIT_SECONDS = 230.0  # the sweeper's time limit, less what is kept in reserve
HOURS = 3600 * 1000


class Killed(BaseException):
    """The invocation was killed at its time limit, or by a crash."""


@dataclass
class Timed:
    """Seconds that have passed; at `kill_at` whoever works is killed."""

    now: float = 0.0
    kill_at: float = float("inf")

    def pass_by(self, seconds: float) -> None:
        self.now += seconds
        if self.now >= self.kill_at:
            raise Killed


class TimedTable(MemoryTable):
    """Also knows each partition's keys, so that ten thousand pages take no square of time."""

    def __init__(self, time: Timed) -> None:
        super().__init__()
        self.time = time
        self.keys: dict[str, set[str]] = {}

    def get(self, key: Key) -> Attributes | None:
        self.time.pass_by(READ)
        return super().get(key)

    def between(self, partition: str, first: str, last: str) -> Iterator[Attributes]:
        self.time.pass_by(READ)
        known = self.keys.get(partition, set())
        for record in sorted(record for record in known if first <= record <= last):
            yield {**self.stored[Key(partition, record)], "record": record}

    def change(self, *changes: Change) -> None:
        self.time.pass_by(WRITE if len(changes) == 1 else TRANSACTION)
        super().change(*changes)

    def make(self, change: Change) -> None:
        super().make(change)
        self.keys.setdefault(change.key.partition, set()).add(change.key.record)


class TimedPublisher(MemoryPublisher):
    def __init__(self, time: Timed) -> None:
        super().__init__()
        self.time = time
        self.refuses: set[str] = set()

    def publish(self, events: Sequence[Event]) -> None:
        for _ in range(0, len(events), 10):
            self.time.pass_by(PUBLISH)
        if any(str(event.detail["document"]["id"]) in self.refuses for event in events):
            raise StorageBusy("The event bus did not take 1 events.")
        self.events += events


@dataclass
class Overdue:
    """Documents of which nothing was recognized."""

    time: Timed = field(default_factory=Timed)

    def __post_init__(self) -> None:
        self.table = TimedTable(self.time)
        self.pages = MemoryPages()
        self.publisher = TimedPublisher(self.time)
        self.clock = MemoryClock()
        self.ledger = Ledger(self.table, self.pages, pause=self.time.pass_by)
        self.accounting = Accounting(self.ledger, self.pages, self.publisher, self.clock)
        self.sweep = Sweep(self.ledger, self.accounting, self.clock, monotonic=lambda: self.time.now)
        self.give_up = GiveUp(self.ledger, self.accounting, self.clock, monotonic=lambda: self.time.now)
        self.visits = 0

    def add(self, name: str, pages: int, tasks: int = 7) -> DocumentId:
        document = Document(
            id=DocumentId(name),
            source=Source("uploads", f"uploads/{name}.pdf", "v1", "v1", 1000),
            status=DocumentStatus.IN_PROGRESS,
            tasks=tuple(Task)[:tasks],
            pages=pages,
            started=self.clock.now(),
            due=self.clock.now(),
        )
        self.ledger.open(document)
        return document.id

    def visit(self, seconds: float = VISIT_SECONDS) -> list[DocumentId]:
        self.visits += 1
        return self.sweep.overdue(self.time.now + seconds)

    def until_all_ended(self, most: int, seconds: float = VISIT_SECONDS) -> None:
        while any(record.get("open") == "open" for record in self.table.stored.values()):
            assert self.visits < most, f"not ended after {most} visits"
            self.visit(seconds)

    def status(self, document_id: DocumentId) -> str:
        return str(self.table.stored[document_key(document_id)]["status"])

    def published(self) -> Counter[str]:
        return Counter(event.id for event in self.publisher.events)


def expected_events(pages: int, tasks: int) -> int:
    """PageFailed for each page job, PageCompleted for each page, and the document's end."""
    return pages * tasks + pages + 1


@pytest.fixture
def overdue() -> Overdue:
    return Overdue()


# The whole size takes half a minute: PAGEWISE_SWEEP_PAGES=10000.
LARGE = int(os.environ.get("PAGEWISE_SWEEP_PAGES", "500"))


def test_ten_documents_all_end_the_small_ones_first_and_nothing_is_published_twice(overdue: Overdue) -> None:
    sizes = [LARGE, 1, LARGE // 10, 1, 3, LARGE // 4, 2, 1, 20, 1]
    documents = [overdue.add(f"document-{number}", pages) for number, pages in enumerate(sizes)]
    overdue.clock.milliseconds += HOURS
    # As many pages as half an hour of visits end at their real size.
    seconds = VISIT_SECONDS * LARGE / 10_000

    first = overdue.visit(seconds)
    assert set(first) >= {documents[number] for number, pages in enumerate(sizes) if pages <= PAGES_A_TURN}
    assert overdue.status(documents[0]) == "in_progress"
    overdue.until_all_ended(most=4, seconds=seconds)

    published = overdue.published()
    print(f"{overdue.visits} visits, {published.total():,} events, {overdue.time.now:.0f} s")  # noqa: T201
    assert published.total() == sum(expected_events(pages, 7) for pages in sizes)
    assert set(published.values()) == {1}
    assert [overdue.status(document) for document in documents] == ["failed"] * 10


def test_a_visit_that_is_killed_repeats_no_more_than_a_turn(overdue: Overdue) -> None:
    large, small = overdue.add("large", 300), overdue.add("small", 1)
    overdue.clock.milliseconds += HOURS
    for _ in range(20):
        overdue.time.kill_at = overdue.time.now + 2.5
        with pytest.raises(Killed):
            overdue.visit()
        if overdue.status(small) != "in_progress":
            break
    kills = overdue.visits
    overdue.time.kill_at = float("inf")
    overdue.until_all_ended(most=kills + 1)
    repeated = sum(times - 1 for times in overdue.published().values())
    assert overdue.status(large) == "failed"
    assert repeated <= kills * 8 * PAGES_A_TURN


def test_a_document_that_cannot_be_ended_holds_up_no_other(overdue: Overdue) -> None:
    broken, others = overdue.add("broken", 100), [overdue.add(f"other-{number}", 30) for number in range(3)]
    overdue.publisher.refuses.add(broken)
    overdue.clock.milliseconds += HOURS
    with pytest.raises(ExceptionGroup, match="1 overdue documents could not be ended, 3 could"):
        overdue.visit()
    assert [overdue.status(document) for document in [broken, *others]] == ["in_progress", *["failed"] * 3]
    overdue.publisher.refuses.clear()
    overdue.visit()
    assert overdue.status(broken) == "failed"


def test_progress_is_of_a_run_and_a_redrive_begins_anew(overdue: Overdue) -> None:
    document_id = overdue.add("document", 30, tasks=1)
    overdue.clock.milliseconds += HOURS
    overdue.visit()
    run = overdue.ledger.withdraw(document_id, 3, Task.TEXT_RECOGNITION, None, overdue.clock.after(60))
    assert run == 2
    overdue.clock.milliseconds += HOURS
    overdue.visit()
    assert overdue.status(document_id) == "failed"
    assert overdue.published()[f"{document_id}/PageFailed/3/text_recognition/run-2"] == 1


def test_of_a_document_that_has_ended_a_late_range_renders_nothing(pagewise: Pagewise) -> None:
    pagewise.settings = replace(pagewise.settings, pages_per_range=1)
    document = pagewise.split.upload(pagewise.upload(tiff(2)))
    pagewise.clock.milliseconds += 7 * HOURS
    pagewise.sweep.overdue(deadline=float("inf"))
    events = len(pagewise.publisher.events)
    pagewise.run_queues()
    assert (pagewise.pages.objects, pagewise.engine.questions) == ({}, [])
    assert [job["reason"] for job in pagewise.receipt_of(document)["page_jobs"]] == ["overdue"] * 2  # type: ignore[attr-defined]
    # Whether what the sweeper recorded was published is not known to a range.
    assert {event.id for event in pagewise.publisher.events[events:]} <= set(ids(pagewise.publisher.events[:events]))


def ids(events: Sequence[Event]) -> list[str]:
    return [event.id for event in events]


def test_the_sweeper_ends_what_is_overdue_and_nothing_else(pagewise: Pagewise) -> None:
    document = split(pagewise, pages=2)
    pagewise.run_job(pagewise.queues.jobs[0])
    assert pagewise.sweep.overdue(deadline=float("inf")) == []
    pagewise.clock.milliseconds += 7 * 3600 * 1000
    assert pagewise.sweep.overdue(deadline=float("inf")) == [document.id]
    receipt = pagewise.receipt_of(document)
    assert [job["reason"] for job in receipt["page_jobs"]] == [None, "overdue"]  # type: ignore[attr-defined]
    assert receipt["status"] == "partial"
    assert pagewise.sweep.overdue(deadline=float("inf")) == []


def test_the_sweeper_announces_an_end_that_nobody_published(pagewise: Pagewise) -> None:
    document = split(pagewise)
    pagewise.run_queues()
    pagewise.forget_announcement(document)
    pagewise.clock.milliseconds += 7 * 3600 * 1000
    pagewise.sweep.overdue(deadline=float("inf"))
    first, second = pagewise.publisher.named("DocumentCompleted")
    assert first == second
