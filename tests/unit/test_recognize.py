"""Page jobs become results, and the account closes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from pagewise.errors import Configuration, PagewiseError, Permanent, StorageBusy, Throttled, Transient
from pagewise.events import INLINE_OUTPUT_BYTES, Event
from pagewise.messages import dump_job, load_job
from pagewise.model import Document, DocumentStatus, JobStatus, Look
from pagewise.qwen.fitting import Inline
from pagewise.tasks import Task
from pagewise.use_cases.recognize import MOST_PUT_OFFS
from tests.fakes import MemoryPublisher, text_answer
from tests.pictures import picture, tiff
from tests.unit.conftest import Pagewise


def split(pagewise: Pagewise, pages: int = 1, tasks: str = "text_recognition") -> Document:
    return pagewise.split.upload(pagewise.upload(tiff(pages), ocr_tasks=tasks))


def test_a_redelivered_job_never_asks_the_engine_again_but_publishes_again(pagewise: Pagewise) -> None:
    split(pagewise)
    job = pagewise.queues.jobs[0]
    first = pagewise.run_job(job)
    again = pagewise.run_job(job, deliveries=2)
    assert again == first
    assert len(pagewise.engine.questions) == 1
    assert [len(pagewise.publisher.named(name)) for name in ("PageRecognized", "PageCompleted")] == [2, 2]
    assert len(pagewise.publisher.named("DocumentCompleted")) == 1


def test_a_large_result_that_is_gone_has_ended_its_page_job_all_the_same(pagewise: Pagewise) -> None:
    pagewise.engine.script = [text_answer("\ud83d" + "x" * (INLINE_OUTPUT_BYTES + 1))]
    split(pagewise)
    job = pagewise.queues.jobs[0]
    first = pagewise.run_job(job)
    assert first is not None
    assert first.warnings
    pagewise.pages.documents.clear()  # as PagesRetentionDays does
    again = pagewise.run_job(job, deliveries=2)
    assert again == replace(
        first, output={}, image_width=0, image_height=0, image_sha256=None, model=None, finish_reason=None,
        request_id=None, seconds=0.0, sent=None, engine=None, look=Look(),
    )  # fmt: skip
    assert len(pagewise.engine.questions) == 1
    pagewise.give_up.page_job(job, 5)
    told = pagewise.publisher.named("PageRecognized")
    assert told == [told[0]] * 3


def test_a_permanent_error_fails_this_page_now_and_the_document_is_partial(pagewise: Pagewise) -> None:
    pagewise.engine.script = [Permanent("DataInspectionFailed", "The engine refuses this page."), text_answer()]
    document = split(pagewise, pages=2)
    pagewise.run_queues()
    receipt = pagewise.receipt_of(document)
    assert receipt["status"] == "partial"
    assert [job["reason"] for job in receipt["page_jobs"]] == ["DataInspectionFailed", None]  # type: ignore[attr-defined]
    (failed,) = pagewise.publisher.named("PageFailed")
    assert failed["message"] == "The engine refuses this page."


def test_a_transient_error_leaves_the_message_until_its_attempts_are_used_up(pagewise: Pagewise) -> None:
    pagewise.engine.script = [Transient("InternalError", "The engine failed.")]
    split(pagewise)
    job = pagewise.queues.jobs[0]
    for delivery in range(1, 5):
        with pytest.raises(Transient):
            pagewise.run_job(job, delivery)
    result = pagewise.run_job(job, 5)
    assert result is not None
    assert (result.status, result.reason, result.attempts) == (JobStatus.FAILED, "InternalError", 5)


def test_a_throttled_job_waits_without_using_up_attempts(pagewise: Pagewise) -> None:
    pagewise.engine.script = [Throttled("Throttling.RateQuota", "The engine's rate limit is reached.")]
    split(pagewise)
    job = pagewise.queues.jobs[0]
    for _ in range(20):
        assert pagewise.run_job(job) is None
        job, seconds = pagewise.queues.deferred.pop()
        assert (job.earlier_attempts, seconds) == (0, 10.0)
    pagewise.engine.script = [text_answer()]
    result = pagewise.run_job(job)
    assert result is not None
    assert result.attempts == 1


def test_a_configuration_error_keeps_the_job_tells_and_blames_no_page(pagewise: Pagewise) -> None:
    pagewise.engine.script = [Configuration("InvalidApiKey", "The engine refuses this account.")]
    document = split(pagewise)
    assert pagewise.run_job(pagewise.queues.jobs[0]) is None
    assert pagewise.ledger.result(document.id, 1, "text_recognition") is None
    assert [job.page for job, _ in pagewise.queues.deferred] == [1]
    (suspended,) = pagewise.publisher.named("RecognitionSuspended")
    assert suspended["reason"] == "InvalidApiKey"
    assert pagewise.stored(document).status is DocumentStatus.IN_PROGRESS


def test_a_truncated_answer_fails_and_its_tokens_still_count(pagewise: Pagewise) -> None:
    pagewise.engine.script = [text_answer(finish_reason="length")]
    document = split(pagewise)
    pagewise.run_queues()
    receipt = pagewise.receipt_of(document)
    assert receipt["page_jobs"][0]["reason"] == "truncated"  # type: ignore[index]
    assert receipt["usage"] == {"input_tokens": 100, "output_tokens": 10}


def test_a_late_result_does_not_overwrite_what_ended_the_job(pagewise: Pagewise) -> None:
    document = split(pagewise)
    job = pagewise.queues.jobs[0]
    pagewise.engine.before_answer = lambda: pagewise.give_up.page_job(job, 5)
    result = pagewise.run_job(job)
    assert result is not None
    assert result.reason == "exhausted"
    assert pagewise.receipt_of(document)["status"] == "failed"
    assert len({event.id for event in pagewise.publisher.events if event.name == "DocumentCompleted"}) == 1


def test_what_is_asked_is_the_page_the_task_and_its_options(pagewise: Pagewise) -> None:
    upload = pagewise.upload(
        picture(), ocr_tasks="key_information_extraction,text_recognition", ocr_result_schema='{"Total": ""}'
    )
    pagewise.split.upload(upload)
    pagewise.engine.script = [text_answer('{"Total": "null"}', fields={"Total": "null"}), text_answer()]
    pagewise.run_queues()
    extraction, recognition = pagewise.engine.questions
    assert (extraction.task, extraction.result_schema) == (Task.KEY_INFORMATION_EXTRACTION, {"Total": ""})
    assert (recognition.task, recognition.result_schema) == (Task.TEXT_RECOGNITION, None)
    assert extraction.image == Inline(next(iter(pagewise.pages.objects.values())), "image/png")
    stored = pagewise.ledger.result(upload.document_id, 1, "key_information_extraction")
    assert stored is not None
    assert stored.output["fields"] == {"Total": None}


class FailingBus(MemoryPublisher):
    def publish(self, _events: Sequence[Event]) -> None:
        raise StorageBusy("The event bus did not take 1 events.")


def test_a_suspended_page_job_stays_one_message_while_the_bus_fails(pagewise: Pagewise) -> None:
    """What fails after a message was sent would bring the job's own message again beside it: 61 after six rounds."""
    pagewise.engine.script = [Configuration("InvalidApiKey", "The engine refuses this account.")]
    split(pagewise)
    waiting = [(pagewise.queues.jobs[0], 0)]
    pagewise.accounting = replace(pagewise.accounting, publisher=FailingBus())
    for _ in range(6):
        failed = []
        for job, deliveries in waiting:
            try:
                pagewise.run_job(job, deliveries + 1)
            except PagewiseError:
                failed.append((job, deliveries + 1))
        waiting = failed + [(job, 0) for job, _ in pagewise.queues.deferred]
        pagewise.queues.deferred.clear()
    assert [(job.page, deliveries, job.earlier_attempts, job.put_offs) for job, deliveries in waiting] == [(1, 0, 0, 6)]


def test_nothing_is_waited_for_that_has_no_time_left(pagewise: Pagewise) -> None:
    """The loop's own bound: without it a job would come round for ever if the sweeper did not run."""
    pagewise.engine.script = [Throttled("Throttling.RateQuota", "The engine's rate limit is reached.")]
    document = split(pagewise)
    pagewise.clock.milliseconds += 7 * 3600 * 1000
    result = pagewise.run_job(pagewise.queues.jobs[0])
    assert result is not None
    assert (result.reason, pagewise.queues.deferred) == ("overdue", [])
    assert pagewise.receipt_of(document)["status"] == "failed"


def test_a_page_job_goes_round_no_more_often_than_is_allowed(pagewise: Pagewise) -> None:
    pagewise.engine.script = [Throttled("Throttling.RateQuota", "The engine's rate limit is reached.")]
    split(pagewise)
    job = replace(load_job(dump_job(pagewise.queues.jobs[0])), put_offs=MOST_PUT_OFFS - 1)
    assert pagewise.run_job(job) is None
    ((last, _),) = pagewise.queues.deferred
    result = pagewise.run_job(load_job(dump_job(last)))
    assert result is not None
    assert (result.reason, len(pagewise.queues.deferred)) == ("overdue", 1)


def test_a_page_job_of_an_ended_document_is_dropped(pagewise: Pagewise) -> None:
    pagewise.engine.script = [Configuration("InvalidApiKey", "The engine refuses this account.")]
    split(pagewise)
    pagewise.clock.milliseconds += 7 * 3600 * 1000
    pagewise.sweep.overdue(deadline=float("inf"))
    result = pagewise.run_job(pagewise.queues.jobs[0])
    assert result is not None
    assert (result.reason, pagewise.queues.deferred, pagewise.engine.questions) == ("overdue", [], [])
