"""Results used again: for the same image and the same question alone, and never a failed one."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from pagewise.account.reuse import fingerprint
from pagewise.errors import Configuration, Permanent, Throttled, Transient
from pagewise.model import Document, JobStatus, PageJob
from pagewise.qwen.fitting import ImageTransport
from pagewise.qwen.settings import ApiStyle
from pagewise.table import Delete, Key
from pagewise.tasks import Task
from pagewise.use_cases.redrive import Redrive, Selection
from tests.fakes import text_answer
from tests.pictures import picture, tiff
from tests.unit.conftest import Pagewise

FIELDS = json.dumps({"Total": ""})


@pytest.fixture
def reusing(pagewise: Pagewise) -> Pagewise:
    pagewise.reuses = True
    pagewise.engine.script = [text_answer(f"answer {number}") for number in range(1, 20)]
    return pagewise


def upload(pagewise: Pagewise, content: bytes, version: str, **metadata: str) -> Document:
    return pagewise.split.upload(pagewise.uploads.put(content, version=version, **metadata))


def job_of(pagewise: Pagewise, content: bytes, version: str, **metadata: str) -> PageJob:
    upload(pagewise, content, version, **metadata)
    return pagewise.queues.jobs.pop()


def asked(pagewise: Pagewise) -> int:
    return len(pagewise.engine.questions)


def test_a_page_that_was_recognized_before_costs_nothing_and_says_whose_result_it_has(reusing: Pagewise) -> None:
    first = upload(reusing, tiff(2), "v1")
    reusing.run_queues()
    second = upload(reusing, tiff(3), "v2")
    reusing.run_queues()
    assert asked(reusing) == 3
    receipt: Any = reusing.receipt_of(second)
    assert receipt["status"] == "complete"
    assert [job["reused_from"] for job in receipt["page_jobs"]] == [
        {"document_id": first.id, "page": 1},
        {"document_id": first.id, "page": 2},
        None,
    ]
    assert receipt["usage"] == {"input_tokens": 100, "output_tokens": 10}
    events = [event for event in reusing.publisher.named("PageRecognized") if event["document"]["id"] == second.id]
    assert [(event["output"]["text"], event["usage"]["input_tokens"]) for event in events] == [
        ("answer 1", 0),
        ("answer 2", 0),
        ("answer 3", 100),
    ]
    result = reusing.ledger.result(second.id, 2, "text_recognition")
    assert result is not None
    assert (result.document_id, result.page, result.request_id, result.attempts) == (second.id, 2, None, 1)


def test_each_task_has_results_of_its_own(reusing: Pagewise) -> None:
    document = upload(reusing, tiff(1), "v1", ocr_tasks="text_recognition,multi_lan")
    reusing.run_queues()
    again = upload(reusing, tiff(1), "v2", ocr_tasks="multi_lan")
    reusing.run_queues()
    assert asked(reusing) == 2
    assert reusing.ledger.result(again.id, 1, "multi_lan").output == {"text": "answer 2"}  # type: ignore[union-attr]
    assert reusing.receipt_of(document)["usage"] == {"input_tokens": 200, "output_tokens": 20}


def test_by_default_every_page_is_asked_about_and_nothing_is_kept_for_reuse(pagewise: Pagewise) -> None:
    for version in ("v1", "v2"):
        upload(pagewise, tiff(1), version)
        pagewise.run_queues()
    assert asked(pagewise) == 2
    assert not [key for key in pagewise.table.stored if key.partition.startswith("reuse#")]


@pytest.mark.parametrize(
    "metadata",
    [
        {"ocr_tasks": "multi_lan"},
        {"ocr_tasks": "text_recognition", "ocr_enable_rotate": "true"},
        {"ocr_tasks": "key_information_extraction"},
        {"ocr_tasks": "key_information_extraction", "ocr_result_schema": FIELDS},
        {"ocr_tasks": "key_information_extraction", "ocr_result_schema": json.dumps({"Sum": ""})},
    ],
)
def test_another_question_about_the_same_image_is_asked(reusing: Pagewise, metadata: dict[str, str]) -> None:
    asked_before = [
        {"ocr_tasks": "text_recognition"},
        {"ocr_tasks": "key_information_extraction", "ocr_result_schema": json.dumps({"Date": ""})},
    ]
    for number, before in enumerate(asked_before):
        reusing.run_job(job_of(reusing, picture(), f"before {number}", **before))
    result = reusing.run_job(job_of(reusing, picture(), "now", **metadata))
    assert result is not None
    assert result.reused_from is None
    assert asked(reusing) == 3


@pytest.mark.parametrize(
    "change",
    [
        {"model": "qwen-vl-ocr-2026-06-01"},
        {"base_url": "http://another"},
        {"api_style": ApiStyle.OPENAI},
        {"max_pixels": 100_000},
        {"parameters": {"temperature": 0.5}},
        {"image_transport": ImageTransport.URL},
        {"workspace": "ws-other"},
    ],
)
def test_under_other_settings_it_is_asked_again(reusing: Pagewise, change: dict[str, Any]) -> None:
    reusing.run_job(job_of(reusing, picture(), "v1"))
    reusing.engine_settings = replace(reusing.engine_settings, **change)
    reusing.run_job(job_of(reusing, picture(), "v2"))
    assert asked(reusing) == 2


def test_another_image_under_the_same_name_is_another_question(reusing: Pagewise) -> None:
    reusing.run_job(job_of(reusing, picture(200, 100), "v1"))
    result = reusing.run_job(job_of(reusing, picture(200, 101), "v2"))
    assert result is not None
    assert result.output == {"text": "answer 2"}


@pytest.mark.parametrize(
    "outcome", [Permanent("DataInspectionFailed", "no"), text_answer("cut", finish_reason="length")]
)
def test_a_failed_result_is_nobody_elses(reusing: Pagewise, outcome: Any) -> None:
    reusing.engine.script = [outcome, text_answer("good")]
    failed = reusing.run_job(job_of(reusing, picture(), "v1"))
    result = reusing.run_job(job_of(reusing, picture(), "v2"))
    assert failed is not None
    assert result is not None
    assert (failed.status, result.status, asked(reusing)) == (JobStatus.FAILED, JobStatus.RECOGNIZED, 2)
    third = reusing.run_job(job_of(reusing, picture(), "v3"))
    assert third is not None
    assert third.output == {"text": "good"}


def test_who_asks_the_same_at_the_same_time_waits_and_loses_no_attempt(reusing: Pagewise) -> None:
    first, second = job_of(reusing, picture(), "v1"), job_of(reusing, picture(), "v2")
    meanwhile: list[object] = []
    reusing.engine.before_answer = in_a_thread(lambda: meanwhile.append(reusing.run_job(second)))
    reusing.run_job(first)
    assert meanwhile == [None]
    ((waiting, seconds),) = reusing.queues.deferred
    assert (waiting.document_id, waiting.earlier_attempts, seconds) == (second.document_id, 0, 10)
    reusing.engine.before_answer = lambda: None
    result = reusing.run_job(waiting)
    assert result is not None
    assert (result.attempts, result.usage.input_tokens, asked(reusing)) == (1, 0, 1)


def in_a_thread(work: Callable[[], object]) -> Callable[[], None]:
    """An event loop runs no other inside."""
    from threading import Thread

    def run() -> None:
        thread = Thread(target=work)
        thread.start()
        thread.join()

    return run


def test_whoever_dies_while_it_asks_is_waited_for_only_until_its_claim_ends(reusing: Pagewise) -> None:
    first, second = job_of(reusing, picture(), "v1"), job_of(reusing, picture(), "v2")

    def die() -> None:
        raise KeyboardInterrupt

    reusing.engine.before_answer = die
    with pytest.raises(KeyboardInterrupt):
        reusing.run_job(first)
    reusing.engine.before_answer = lambda: None
    assert reusing.run_job(second) is None
    reusing.seconds += 181
    assert reusing.run_job(second) is not None
    assert reusing.run_job(first, deliveries=2) is not None
    assert asked(reusing) == 2  # the one that died, and the one that could not know


@pytest.mark.parametrize("error", [Throttled("Throttling", "later"), Configuration("InvalidApiKey", "no")])
def test_who_is_put_off_leaves_the_question_to_the_next(reusing: Pagewise, error: Exception) -> None:
    first, second = job_of(reusing, picture(), "v1"), job_of(reusing, picture(), "v2")
    reusing.engine.script = [error, text_answer("good")]
    assert reusing.run_job(first) is None
    assert reusing.run_job(second) is not None
    result = reusing.run_job(first)
    assert result is not None
    assert (result.usage.input_tokens, asked(reusing)) == (0, 2)


def given_up(reusing: Pagewise, job: PageJob) -> None:
    reusing.give_up.page_job(job, 5)


def given_up_and_redriven(reusing: Pagewise, job: PageJob) -> None:
    given_up(reusing, job)
    redrive = Redrive(reusing.ledger, reusing.queues, reusing.accounting, reusing.clock)
    redrive.document(job.document_id, Selection())


@pytest.mark.parametrize("pages", [1, 2])
@pytest.mark.parametrize("meanwhile", [given_up, given_up_and_redriven])
def test_an_answer_that_comes_too_late_to_be_kept_leaves_the_question_to_the_next(
    reusing: Pagewise, meanwhile: Callable[[Pagewise, PageJob], None], pages: int
) -> None:
    wishes = {"ocr_tasks": "table_parsing", "ocr_pages_per_call": "2"}
    first, second = (job_of(reusing, tiff(pages), version, **wishes) for version in ("v1", "v2"))
    reusing.engine.before_answer = lambda: meanwhile(reusing, first)
    reusing.run_job(first)
    reusing.engine.before_answer = lambda: None
    question = reusing.table.stored[Key(f"reuse#{fingerprint(first, reusing.engine_settings)}", "result")]
    assert not {"of_document", "claimed_until"} & question.keys()
    result = reusing.run_job(second)
    assert result is not None
    assert (result.output["text"], result.reused_from) == ("answer 2", None)
    third = reusing.run_job(job_of(reusing, tiff(pages), "v3", **wishes))
    assert third is not None
    assert (third.output["text"], asked(reusing)) == ("answer 2", 2)


def test_a_page_that_brings_no_answer_makes_nobody_wait_in_line(reusing: Pagewise) -> None:
    jobs = [job_of(reusing, picture(), f"v{number}") for number in range(3)]
    reusing.engine.script = [Transient("timeout", "slow")]
    reusing.seconds += 1000
    for job in jobs:
        with pytest.raises(Transient):
            reusing.run_job(job)
    assert reusing.queues.deferred == []


def test_a_result_that_is_gone_is_asked_for_again(reusing: Pagewise) -> None:
    first = job_of(reusing, picture(), "v1")
    reusing.run_job(first)
    reusing.table.change(Delete(Key(first.document_id, "result#00001#text_recognition")))
    for version in ("v2", "v3"):
        reusing.run_job(job_of(reusing, picture(), version))
    assert asked(reusing) == 2


def test_a_page_image_that_was_replaced_stands_for_no_other(reusing: Pagewise) -> None:
    """By whoever may write to the pages bucket: its text must not become another document's."""
    first = job_of(reusing, picture(), "v1")
    reusing.pages.objects[first.image.key] = picture(90, 60)
    reusing.run_job(first)
    result = reusing.run_job(job_of(reusing, picture(), "v2"))
    assert result is not None
    assert result.output == {"text": "answer 2"}


def test_a_message_of_a_release_before_is_just_asked(reusing: Pagewise) -> None:
    job = job_of(reusing, picture(), "v1")
    assert reusing.run_job(replace(job, image=replace(job.image, sha256=None))) is not None
    assert not [key for key in reusing.table.stored if key.partition.startswith("reuse#")]
    assert job.task is Task.TEXT_RECOGNITION


def test_a_large_result_that_is_gone_is_asked_for_again(reusing: Pagewise) -> None:
    """The pages bucket may forget before the table does."""
    reusing.engine.script = [text_answer("x" * 200_000), text_answer("short")]
    upload(reusing, tiff(1), "v1")
    reusing.run_queues()
    reusing.pages.documents.clear()
    again = upload(reusing, tiff(1), "v2")
    reusing.run_queues()
    third = upload(reusing, tiff(1), "v3")
    reusing.run_queues()
    assert [reusing.receipt_of(document)["status"] for document in (again, third)] == ["complete", "complete"]
    assert asked(reusing) == 2
