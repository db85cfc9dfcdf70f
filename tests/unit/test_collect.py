"""What is gathered, and what needs no batch."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pagewise.model import DocumentId, Lane, Look
from pagewise.qwen.settings import BlankPages
from pagewise.use_cases.collect import line_bytes
from tests.pictures import tiff
from tests.unit.batch_lane import BatchLane


@pytest.fixture
def lane() -> BatchLane:
    return BatchLane()


def test_page_jobs_of_the_lane_are_gathered_and_a_second_delivery_changes_nothing(lane: BatchLane) -> None:
    lane.pagewise.split.upload(lane.pagewise.upload(tiff(3), ocr_lane="batch"))
    jobs = lane.gather()
    lane.collect.page_jobs(jobs)
    lane.collect.page_jobs(jobs[:1] * 3)
    open_lot = lane.lots.open_lot()
    assert open_lot is not None
    assert (open_lot.jobs, open_lot.model, lane.pagewise.queues.jobs) == (3, "qwen-vl-ocr", [])


@pytest.mark.parametrize(("blank_pages", "live"), [(BlankPages.SKIP, 1), (BlankPages.SEND, 0)])
def test_a_blank_page_needs_no_batch(lane: BatchLane, blank_pages: BlankPages, live: int) -> None:
    lane.pagewise.split.upload(lane.pagewise.upload(tiff(1), ocr_lane="batch"))
    (job,) = lane.pagewise.queues.jobs
    lane.pagewise.queues.jobs = []
    settings = replace(lane.settings, blank_pages=blank_pages)
    blank = replace(job, image=replace(job.image, look=Look(blank=True)))
    replace(lane.collect, settings=settings).page_jobs([blank])
    assert [one.lane for one in lane.pagewise.queues.jobs] == [Lane.LIVE] * live
    assert (lane.lots.open_lot() is None) == bool(live)


def test_a_page_that_says_itself_what_is_asked_needs_no_batch(lane: BatchLane) -> None:
    lane.pagewise.split.upload(lane.pagewise.upload(tiff(1), ocr_lane="batch"))
    (job,) = lane.pagewise.queues.jobs
    lane.pagewise.queues.jobs = []
    lettered = replace(job, image=replace(job.image, look=Look(text_layer="texts/1")))
    lane.collect.page_jobs([lettered])
    assert [one.page for one in lane.pagewise.queues.jobs] == [1]


def test_a_lines_bytes_are_never_fewer_than_they_turn_out(lane: BatchLane) -> None:
    document = lane.upload(2, ocr_tasks="key_information_extraction", ocr_result_schema='{"名": "x"}')
    assert lane.pagewise.stored(document).page_jobs == 2
    lane.later(lane.limits.wait_seconds + 1)
    lane.follow.close_if_old()
    for job in lane.lots.jobs(lane.lot):
        line = lane.follow.line_of(job)
        assert line
        assert len(line) <= line_bytes(job)


def test_page_jobs_of_a_cancelled_or_deleted_document_are_not_gathered(lane: BatchLane) -> None:
    document = lane.pagewise.split.upload(lane.pagewise.upload(tiff(2), ocr_lane="batch"))
    jobs, lane.pagewise.queues.jobs = lane.pagewise.queues.jobs, []
    lane.pagewise.ledger.cancel(document.id, lane.pagewise.clock.now())
    lane.collect.page_jobs(jobs)
    lane.collect.page_jobs([replace(job, document_id=DocumentId("gone")) for job in jobs])
    assert (lane.lots.open_lot(), lane.pagewise.queues.jobs) == (None, [])
