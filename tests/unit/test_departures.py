"""Of all messages that bring a page job out of the batch lane, one is worked on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace

import pytest

from pagewise.account.departures import departing, is_heard
from pagewise.account.lots import mark_key
from pagewise.model import Lane, PageJob, Usage
from tests.fakes.batches import refused
from tests.unit.batch_lane import BatchLane


@pytest.fixture
def lane() -> BatchLane:
    return BatchLane()


def live_jobs(lane: BatchLane, pages: int = 1) -> list[PageJob]:
    """Page jobs whose lines have failed."""
    lane.service.reply = lambda _line: refused()
    lane.upload(pages)
    lane.send()
    lane.finish()
    return lane.pagewise.queues.jobs


def test_a_message_is_heard_whenever_it_comes_and_another_never(lane: BatchLane) -> None:
    (first,) = live_jobs(lane)
    second = departing(first)
    table = lane.pagewise.table
    assert [is_heard(table, job) for job in (first, second, first, replace(first, put_offs=3))] == [
        True, False, True, True,
    ]  # fmt: skip


def test_each_run_has_a_departure_of_its_own(lane: BatchLane) -> None:
    (first,) = live_jobs(lane)
    table = lane.pagewise.table
    assert is_heard(table, first)
    redriven = replace(departing(first), run=2)
    assert is_heard(table, redriven)
    assert not is_heard(table, first)


def test_a_job_that_was_queued_twice_on_its_way_out_is_asked_about_once(lane: BatchLane) -> None:
    """As after a crash between the message and the lot's record of it."""
    (job,) = live_jobs(lane)
    asked_at_once(lane, [job, departing(job)])
    assert len(lane.pagewise.engine.questions) == 1


def test_what_the_collector_sends_live_twice_is_asked_about_once(lane: BatchLane) -> None:
    lane.lane = replace(lane.lane, most_line_bytes=10)
    document = lane.upload(1)
    (job,) = lane.pagewise.queues.jobs
    lane.collect.page_jobs([replace(job, lane=Lane.BATCH, departure="")])
    asked_at_once(lane, lane.pagewise.queues.jobs)
    assert len(lane.pagewise.engine.questions) == 1
    assert lane.receipt(document)["status"] == "complete"


def asked_at_once(lane: BatchLane, jobs: Sequence[PageJob]) -> None:
    """Two invocations side by side."""

    async def all_of_them() -> None:
        await asyncio.gather(*(lane.pagewise.recognize.page_job(job, 1, time.monotonic() + 10) for job in jobs))

    assert len(jobs) == 2
    asyncio.run(all_of_them())


def test_a_message_says_how_it_left_and_what_it_cost(lane: BatchLane) -> None:
    (job,) = live_jobs(lane)
    gone = departing(job, attempts=1, spent=Usage(5, 6))
    assert (gone.earlier_attempts, gone.spent) == (job.earlier_attempts + 1, job.spent + Usage(5, 6))
    assert gone.departure not in ("", job.departure)


def test_a_deleted_document_keeps_no_mark(lane: BatchLane) -> None:
    (job,) = live_jobs(lane)
    for key in [key for key in lane.pagewise.table.stored if key.partition == job.document_id]:
        del lane.pagewise.table.stored[key]
    lane.pagewise.run_queues()
    assert lane.pagewise.table.get(mark_key(job)) is None
    assert lane.pagewise.engine.questions == []
