"""Replies become results as the live lane's do: judged, in groups, kept whatever they hold."""

from __future__ import annotations

import threading
import time

import pytest

from pagewise.errors import StorageRefused
from pagewise.model import Usage
from pagewise.use_cases.settle import side_by_side
from tests.fakes import text_answer
from tests.fakes.batches import chat
from tests.unit.batch_lane import BatchLane


@pytest.fixture
def lane() -> BatchLane:
    return BatchLane()


def test_a_group_is_one_line_one_result_and_one_bill(lane: BatchLane) -> None:
    lane.service.reply = lambda _line: chat('{"total": "5"}')
    document = lane.upload(3, ocr_tasks="key_information_extraction", ocr_pages_per_call="3")
    lane.send()
    lane.finish()
    receipt = lane.receipt(document)
    assert (len(lane.service.answered), receipt["usage"]["input_tokens"]) == (1, 100)
    assert [job["group"]["result_page"] for job in receipt["page_jobs"]] == [1, 1, 1]
    assert {job["lane"] for job in receipt["page_jobs"]} == {"batch"}


def test_a_group_whose_line_failed_goes_live_together(lane: BatchLane) -> None:
    lane.service.reply = lambda _line: chat(finish_reason="length")
    lane.upload(3, ocr_tasks="key_information_extraction", ocr_pages_per_call="3")
    lane.send()
    lane.finish()
    (job,) = lane.pagewise.queues.jobs
    assert ([member.page for member in job.members], job.spent) == ([1, 2, 3], Usage(100, 10, 100, 10))


def test_an_answer_that_storage_does_not_take_is_kept_as_a_failed_result(lane: BatchLane) -> None:
    large = lane.pagewise.pages.put_json
    refusals = iter([True])

    def put_json(key: str, value: object) -> None:
        if "/results/" in key and next(refusals, False):
            raise StorageRefused("too large")
        large(key, value)  # type: ignore[arg-type]

    lane.pagewise.pages.put_json = put_json  # type: ignore[method-assign]
    lane.service.reply = lambda _line: chat("x " * 20_000 + "end")
    document = lane.upload(1)
    lane.send()
    lane.finish()
    receipt = lane.receipt(document)
    assert receipt["page_jobs"][0]["reason"] in ("unstorable", "degenerate", None)
    assert receipt["usage"]["input_tokens"] == 100


def test_a_document_that_was_deleted_has_no_account_to_write_to(lane: BatchLane) -> None:
    document = lane.upload(1)
    lane.send()
    for key in [key for key in lane.pagewise.table.stored if key.partition == document.id]:
        del lane.pagewise.table.stored[key]
    lane.finish()
    assert (lane.lot.answered, lane.pagewise.queues.jobs) == (1, [])


def test_what_goes_side_by_side_comes_in_order_and_is_bounded() -> None:
    together, most, lock = 0, 0, threading.Lock()

    def act(number: int) -> int:
        nonlocal together, most
        with lock:
            together += 1
            most = max(most, together)
        time.sleep(0.001 * (number % 3))
        with lock:
            together -= 1
        return number * 2

    assert list(side_by_side(range(50), act, 4)) == [number * 2 for number in range(50)]
    assert 1 < most <= 4


def test_the_bill_of_a_group_stays_with_one_page_where_another_cannot_be_sent(lane: BatchLane) -> None:
    lane.service.reply = lambda _line: chat(finish_reason="length")
    document = lane.upload(3, ocr_tasks="key_information_extraction", ocr_pages_per_call="3")
    lane.send()
    lane.finish()
    (job,) = lane.pagewise.queues.jobs
    lane.pagewise.engine.script = [text_answer('{"total": "5"}')]
    del lane.pagewise.pages.objects[job.others[0].image.key]
    lane.pagewise.run_queues()
    receipt = lane.receipt(document)
    assert receipt["status"] == "partial"
    assert (receipt["batch"]["input_tokens"], receipt["batch"]["output_tokens"]) == (100, 10)
