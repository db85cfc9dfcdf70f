"""Lots of page jobs through the Batch API: results, half the price, and what goes live; nothing twice."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pagewise.account.lots import LotLimits, LotState
from pagewise.errors import Configuration, PagewiseError, Permanent, StorageBusy, Throttled, Transient
from pagewise.model import Lane, Usage
from pagewise.qwen.batches import RemoteBatch
from pagewise.qwen.tokens import Price
from pagewise.use_cases.follow import FollowSettings
from tests.fakes.batches import MemoryBatches, chat, question, refused
from tests.unit.batch_lane import DAY, BatchLane


@pytest.fixture
def lane() -> BatchLane:
    return BatchLane()


def page_number(line: dict[str, Any]) -> int:
    return int(line["custom_id"].split("-")[1])


def test_pages_come_back_as_results_at_half_the_price(lane: BatchLane) -> None:
    document = lane.upload(3)
    lane.send()
    lane.finish()
    receipt = lane.receipt(document)
    assert (receipt["status"], receipt["lane"]) == ("complete", "batch")
    assert {job["lane"] for job in receipt["page_jobs"]} == {"batch"}
    whole = Price().amount(Usage(300, 30))
    assert receipt["cost"]["amount"] == pytest.approx(whole / 2)
    assert receipt["batch"] == {"input_tokens": 300, "output_tokens": 30, "cost": pytest.approx(whole / 2)}
    assert (lane.lot.state, lane.service.stored) == (LotState.DONE, {})
    assert (lane.lot.answered, lane.lot.to_live, lane.pagewise.queues.jobs) == (3, 0, [])
    assert len(lane.pagewise.publisher.named("PageRecognized")) == 3
    assert not lane.pagewise.engine.questions


def test_a_line_is_the_tasks_prompt_and_the_stored_page(lane: BatchLane) -> None:
    lane.upload(1, ocr_tasks="table_parsing")
    lane.send()
    ((name, content),) = lane.service.stored.values()
    (line,) = lane.service.requests(next(iter(lane.service.batches.values())))
    images, prompt = question(line)
    assert (name, line["body"]["model"]) == (f"pagewise-{lane.lot.id}.jsonl", "qwen-vl-ocr")
    assert images[0].startswith("data:image/png;base64,")
    assert "HTML" in prompt
    assert content.endswith(b"\n")


def test_a_batch_is_asked_for_no_more_often_than_once_a_minute_and_later_less(lane: BatchLane) -> None:
    lane.upload(1)
    lane.send()
    assert lane.visit(after=59) == 0
    assert lane.visit(after=1) == 1
    assert lane.visit(after=30) == 0
    lane.later(5 * 3600)
    lane.visit()
    assert lane.visit(after=599) == 0
    assert lane.visit(after=2) == 1


def test_one_line_in_three_fails_and_goes_live_once(lane: BatchLane) -> None:
    lane.service.reply = lambda line: refused() if page_number(line) == 2 else chat()
    document = lane.upload(3)
    lane.send()
    lane.finish()
    (job,) = lane.pagewise.queues.jobs
    assert (job.page, job.lane, job.earlier_attempts, job.spent) == (2, Lane.LIVE, 1, Usage())
    lane.pagewise.run_queues()
    lane.visit(after=DAY)
    receipt = lane.receipt(document)
    assert [(one["lane"], one["attempts"]) for one in receipt["page_jobs"]] == [("batch", 1), ("live", 2), ("batch", 1)]
    assert (receipt["status"], lane.lot.to_live, len(lane.pagewise.engine.questions)) == ("complete", 1, 1)


def test_an_answer_that_was_cut_short_is_billed_beside_the_one_that_the_live_lane_gets(lane: BatchLane) -> None:
    lane.service.reply = lambda _line: chat(finish_reason="length")
    document = lane.upload(1)
    lane.send()
    lane.finish()
    lane.pagewise.run_queues()
    receipt = lane.receipt(document)
    (job,) = receipt["page_jobs"]
    assert (job["status"], job["input_tokens"], job["output_tokens"]) == ("recognized", 200, 20)
    price = Price()
    assert receipt["cost"]["amount"] == pytest.approx(price.amount(Usage(100, 10)) * 1.5)
    assert receipt["cost"]["amount"] == pytest.approx(job["cost"])


def test_what_the_live_lane_cannot_do_either_keeps_the_bill_of_the_batch(lane: BatchLane) -> None:
    lane.service.reply = lambda _line: chat(finish_reason="length")
    lane.pagewise.engine.script = [Permanent("DataInspectionFailed", "no")]
    document = lane.upload(1)
    lane.send()
    lane.finish()
    lane.pagewise.run_queues()
    receipt = lane.receipt(document)
    assert (receipt["status"], receipt["batch"]["input_tokens"]) == ("failed", 100)


@pytest.mark.parametrize("ends", ["expired", "cancelled"])
def test_what_a_batch_had_no_time_for_goes_live(lane: BatchLane, ends: str) -> None:
    lane.service.ends, lane.service.done = ends, 1
    document = lane.upload(3)
    lane.send()
    lane.finish()
    assert sorted(job.page for job in lane.pagewise.queues.jobs) == [1, 2]
    lane.pagewise.run_queues()
    assert (lane.receipt(document)["status"], lane.meter.counts["BatchesFailed"]) == ("complete", 1)


def test_missing_lines_go_live(lane: BatchLane) -> None:
    lane.service.reply = lambda line: None if page_number(line) == 3 else chat()
    lane.upload(3)
    lane.send()
    lane.finish()
    assert [job.page for job in lane.pagewise.queues.jobs] == [3]


def test_a_batch_that_fails_validation_goes_live_as_a_whole(lane: BatchLane) -> None:
    lane.upload(2)
    lane.send()
    (batch,) = lane.service.batches.values()
    lane.service.batches[batch.id] = replace(batch, status="failed")
    lane.visit(after=601)
    assert sorted(job.page for job in lane.pagewise.queues.jobs) == [1, 2]
    assert (lane.lot.state, lane.lot.status, lane.service.stored) == (LotState.DONE, "failed", {})


def test_a_batch_that_the_service_has_forgotten_goes_live(lane: BatchLane) -> None:
    lane.upload(2)
    lane.send()
    lane.service.batches.clear()
    lane.visit(after=601)
    assert (len(lane.pagewise.queues.jobs), lane.lot.status) == (2, "lost")


def test_replies_to_strangers_and_lines_that_are_none_are_passed_over(lane: BatchLane) -> None:
    lane.upload(1)
    lane.send()
    lane.service.end_all()
    (batch,) = lane.service.batches.values()
    name, content = lane.service.stored[batch.output_file_id or ""]
    foreign = content.replace(b'"custom_id": "', b'"custom_id": "x')
    lane.service.stored[batch.output_file_id or ""] = (name, foreign + b"\n{\n[]\n" + content + b"\n" + content)
    lane.visit(after=601)
    assert (lane.lot.answered, lane.lot.to_live) == (1, 0)


class Once(MemoryBatches):
    """Fails once, after the act itself: the reply is lost."""

    def __init__(self, failing: str, error: PagewiseError) -> None:
        super().__init__()
        self.failing: str | None = failing
        self.error = error

    def lose(self, name: str) -> None:
        if self.failing == name:
            self.failing = None
            raise self.error

    def upload(self, name: str, file: Any) -> str:
        file_id = super().upload(name, file)
        self.lose("upload")
        return file_id

    def create(self, file_id: str, name: str, window_hours: int) -> RemoteBatch:
        batch = super().create(file_id, name, window_hours)
        self.lose("create")
        return batch

    def batch(self, batch_id: str) -> RemoteBatch:
        self.lose("batch")
        return super().batch(batch_id)

    def lines(self, file_id: str) -> Any:
        for number, line in enumerate(super().lines(file_id)):
            if number == 1:
                self.lose("lines")
            yield line

    def delete(self, file_id: str) -> None:
        super().delete(file_id)
        self.lose("delete")


@pytest.mark.parametrize("error", [Transient("timeout", "no answer"), KeyboardInterrupt()], ids=["lost", "crash"])
@pytest.mark.parametrize("failing", ["upload", "create", "batch", "lines", "delete"])
def test_a_reply_that_is_lost_makes_no_second_batch_and_no_second_bill(failing: str, error: Any) -> None:
    lane = BatchLane(service=Once(failing, error))
    document = lane.upload(3)
    lane.later(lane.limits.wait_seconds)
    for _ in range(6):
        lane.later(1000)
        try:
            lane.visit()
        except KeyboardInterrupt:
            continue
        lane.service.end_all()
    assert (lane.lot.state, lane.service.stored, len(lane.service.batches)) == (LotState.DONE, {}, 1)
    assert sorted(lane.service.answered) == sorted(set(lane.service.answered))
    assert (lane.receipt(document)["status"], lane.receipt(document)["batch"]["input_tokens"]) == ("complete", 300)
    assert lane.pagewise.queues.jobs == []


def test_an_error_of_the_configuration_waits_and_blames_no_page(lane: BatchLane) -> None:
    service = Once("create", Configuration("InvalidApiKey", "no"))
    lane.service = service
    lane.upload(1)
    lane.send()
    assert (lane.lot.state, lane.pagewise.queues.jobs) == (LotState.UPLOADED, [])
    assert lane.visit(after=299) == 0
    assert lane.visit(after=2) == 1


def test_a_lot_without_a_batch_for_a_whole_window_goes_live() -> None:
    class Refusing(MemoryBatches):
        def create(self, *_: Any) -> RemoteBatch:
            raise Throttled("limit_requests", "later", 30.0)

    lane = BatchLane(service=Refusing())
    lane.upload(2)
    lane.send()
    lane.visit(after=DAY + 1)
    assert (len(lane.pagewise.queues.jobs), lane.lot.status) == (2, "never_created")
    assert (lane.lot.state, lane.service.stored) == (LotState.DONE, {})


def test_a_visit_without_time_leaves_the_rest_to_the_next(lane: BatchLane) -> None:
    class Slow(MemoryBatches):
        def lines(self, file_id: str) -> Any:
            for line in super().lines(file_id):
                lane.seconds += 1
                yield line

    lane.service = Slow()
    document = lane.upload(4)
    lane.send()
    lane.service.end_all()
    lane.visit(after=601, deadline=lane.seconds + 2)
    assert (lane.lot.state, lane.lot.answered) == (LotState.ENDED, 2)
    lane.visit(after=1, deadline=lane.seconds + 100)
    assert (lane.receipt(document)["status"], lane.lot.answered) == ("complete", 4)
    assert len(lane.pagewise.publisher.named("PageRecognized")) == 4


def test_two_visits_at_once_do_not_share_a_lot(lane: BatchLane) -> None:
    lane.upload(1)
    lane.later(lane.limits.wait_seconds + 1)
    lane.follow.close_if_old()
    (lot_id,) = lane.lots.due(lane.pagewise.clock.after(1))
    first = lane.lots.claim(lot_id, lane.pagewise.clock.now(), lane.pagewise.clock.after(960))
    assert first is not None
    assert lane.lots.claim(lot_id, lane.pagewise.clock.now(), lane.pagewise.clock.after(960)) is None
    lane.later(961)
    assert lane.visit() == 1
    with pytest.raises(StorageBusy):
        lane.lots.note(first, state=LotState.UPLOADED)


def test_page_jobs_that_nobody_waits_for_are_not_sent(lane: BatchLane) -> None:
    document = lane.upload(2)
    lane.pagewise.clock.milliseconds += 20 * DAY * 1000
    lane.pagewise.sweep.overdue(float("inf"))
    lane.visit()
    assert (lane.service.batches, lane.lot.state, lane.lot.status) == ({}, LotState.DONE, "empty")
    assert lane.receipt(document)["status"] == "failed"


def test_the_sweeper_waits_for_the_window(lane: BatchLane) -> None:
    document = lane.upload(1)
    live = lane.pagewise.split.upload(lane.pagewise.upload(b"", key="uploads/none"))
    assert live.due < document.due
    lane.later(30 * 3600)
    assert document.id not in lane.pagewise.sweep.overdue(float("inf"))


def test_what_no_line_can_carry_goes_live(lane: BatchLane) -> None:
    lane.lane = FollowSettings(most_line_bytes=1)
    lane.upload(2)
    assert sorted(job.page for job in lane.pagewise.queues.jobs) == [1, 2]
    assert lane.lots.open_lot() is None


def test_what_a_file_has_no_room_for_goes_live(lane: BatchLane) -> None:
    lane.lane = FollowSettings(most_file_bytes=2_000)
    lane.upload(4)
    lane.send()
    (batch,) = lane.service.batches.values()
    assert 0 < len(lane.service.requests(batch)) < 4
    assert len(lane.service.requests(batch)) + len(lane.pagewise.queues.jobs) == 4


def test_a_full_lot_is_sent_before_its_time(lane: BatchLane) -> None:
    lane.limits = LotLimits(jobs=2)
    lane.upload(2)
    lane.upload(1, key="uploads/another")
    lane.visit()
    assert [len(lane.service.requests(batch)) for batch in lane.service.batches.values()] == [2]


def test_storage_is_looked_through_once_an_hour_and_only_our_own_left_files_go(lane: BatchLane) -> None:
    lane.upload(1)
    lane.send()
    lane.finish()
    left, foreign = (f"pagewise-{lane.lot.id}.jsonl", b"12"), ("pagewise-ffff.jsonl", b"1")
    lane.service.stored |= {"left": left, "foreign": foreign}
    lane.meter.counts.clear()
    lane.visit(after=3601)
    assert (list(lane.service.stored), lane.meter.counts["BatchBytesStored"]) == (["foreign"], 3)
    lane.service.stored["left"] = left
    lane.visit(after=60)
    assert "left" in lane.service.stored


def test_a_batch_older_than_its_window_is_counted(lane: BatchLane) -> None:
    lane.upload(1)
    lane.send()
    lane.visit(after=24 * 3600)
    assert "BatchesOverdue" not in lane.meter.counts
    lane.visit(after=3700)
    assert lane.meter.counts["BatchesOverdue"] == 1


def test_a_redriven_page_job_of_the_lane_comes_again(lane: BatchLane) -> None:
    lane.service.reply = lambda _line: refused()
    lane.pagewise.engine.script = [Permanent("DataInspectionFailed", "no")]
    document = lane.upload(1)
    lane.send()
    lane.finish()
    lane.pagewise.run_queues()
    lane.service.reply = lambda _line: chat()
    redriven(lane, document.id)
    assert [job.run for job in lane.gather()] == [2]
    lane.send()
    lane.finish()
    receipt = lane.receipt(document)
    assert (receipt["status"], receipt["page_jobs"][0]["lane"]) == ("complete", "batch")


def redriven(lane: BatchLane, document_id: Any) -> None:
    from pagewise.use_cases.redrive import Redrive, Selection

    of = lane.pagewise
    Redrive(of.ledger, of.queues, of.accounting, of.clock, batch_seconds=2 * DAY).document(document_id, Selection())


def test_a_document_that_is_cancelled_while_it_is_gathered_is_not_sent(lane: BatchLane) -> None:
    document = lane.upload(2)
    lane.pagewise.ledger.cancel(document.id, lane.pagewise.clock.now())
    lane.send()
    lane.visit(after=601)
    assert (lane.lot.state, lane.service.batches, lane.pagewise.queues.jobs) == (LotState.DONE, {}, [])
