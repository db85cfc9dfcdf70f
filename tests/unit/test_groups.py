"""Several pages in one call: one result and one bill, shown in the account of each page, whatever befalls one."""

from __future__ import annotations

import io
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pagewise.account.groups import CallLimits, group_number, grouped
from pagewise.errors import Permanent, Throttled, Transient
from pagewise.messages import dump_job, load_job
from pagewise.model import Document, DocumentId, Look, PageJob, StoredImage, TaskOptions
from pagewise.pages import limits
from pagewise.qwen import fitting
from pagewise.qwen.fitting import FittedImage, ImageTransport, Sent
from pagewise.qwen.models import model_of
from pagewise.qwen.tokens import estimate
from pagewise.results import dump_result, load_result
from pagewise.tasks import Task
from pagewise.use_cases.redrive import Redrive, Selection
from pagewise.use_cases.settings import SplitSettings
from tests.fakes import text_answer
from tests.pictures import tiff
from tests.unit.conftest import Pagewise

TABLE = text_answer("<table><tr><td>1</td></tr></table>")
TASK = Task.TABLE_PARSING


def split(pagewise: Pagewise, pages: int, together: int, tasks: str = TASK, version: str = "v1") -> Document:
    upload = pagewise.uploads.put(tiff(pages), version=version, ocr_tasks=tasks, ocr_pages_per_call=str(together))
    return pagewise.split.upload(upload)


def lines(pagewise: Pagewise, document: Document) -> list[dict[str, Any]]:
    receipt: Any = pagewise.receipt_of(document)
    return list(receipt["page_jobs"])


def messages_of(pagewise: Pagewise) -> list[list[int]]:
    return [[member.page for member in job.members] for job in pagewise.queues.jobs]


@pytest.fixture
def asking(pagewise: Pagewise) -> Pagewise:
    pagewise.engine.script = [TABLE]
    return pagewise


def test_one_call_answers_for_all_pages_of_a_group_and_is_billed_once(asking: Pagewise) -> None:
    document = split(asking, 5, 3)
    assert messages_of(asking) == [[1, 2, 3], [4, 5]]
    asking.run_queues()
    assert [len(question.images) for question in asking.engine.questions] == [3, 2]
    assert [(job["page"], job["status"], job["input_tokens"], job["group"]) for job in lines(asking, document)] == [
        (1, "recognized", 100, {"pages": [1, 2, 3], "result_page": 1}),
        (2, "recognized", 0, {"pages": [1, 2, 3], "result_page": 1}),
        (3, "recognized", 0, {"pages": [1, 2, 3], "result_page": 1}),
        (4, "recognized", 100, {"pages": [4, 5], "result_page": 4}),
        (5, "recognized", 0, {"pages": [4, 5], "result_page": 4}),
    ]
    receipt: Any = asking.receipt_of(document)
    assert (receipt["status"], receipt["usage"]) == ("complete", {"input_tokens": 200, "output_tokens": 20})
    results = [asking.ledger.result(document.id, page, TASK) for page in range(1, 6)]
    assert [bool(result and result.output["html"]) for result in results] == [True, False, False, True, False]
    assert [result and load_result(dump_result(result)) for result in results] == results
    assert all(result and result.sent and result.sent["bytes"] for result in results)
    told = asking.publisher.named("PageRecognized")
    assert [(event["page"], event["group"]["result_page"]) for event in told] == [
        (1, 1),
        (2, 1),
        (3, 1),
        (4, 4),
        (5, 4),
    ]
    assert [event["page"] for event in asking.publisher.named("PageCompleted")] == [1, 2, 3, 4, 5]
    assert len(asking.publisher.named("DocumentCompleted")) == 1


def test_other_tasks_of_the_same_pages_are_asked_page_by_page(asking: Pagewise) -> None:
    document = split(asking, 3, 2, "text_recognition,table_parsing")
    assert sorted(messages_of(asking)) == [[1], [1, 2], [2], [3], [3]]
    asking.run_queues()
    assert [job["group"] is not None for job in lines(asking, document)] == [False, True, False, True, False, False]


def test_a_redelivered_group_asks_nothing_and_publishes_again(asking: Pagewise) -> None:
    split(asking, 3, 3)
    (job,) = asking.queues.jobs
    asking.run_job(job)
    before = list(asking.publisher.events)
    asking.run_job(load_job(dump_job(job)), deliveries=2)
    assert len(asking.engine.questions) == 1
    assert {event.id for event in asking.publisher.events} == {event.id for event in before}


def test_pages_that_ended_in_the_meantime_keep_what_they_have(asking: Pagewise) -> None:
    document = split(asking, 3, 3)
    (job,) = asking.queues.jobs
    error = Permanent("overdue", "late")
    asking.engine.before_answer = lambda: asking.accounting.fail_page(document, 1, error, 1)
    asking.run_job(job)
    assert [(line["status"], line["input_tokens"], line["group"]) for line in lines(asking, document)] == [
        ("failed", 0, None),
        ("recognized", 100, {"pages": [1, 2, 3], "result_page": 2}),
        ("recognized", 0, {"pages": [1, 2, 3], "result_page": 2}),
    ]
    held = asking.ledger.result(document.id, 2, TASK)
    assert held is not None
    assert held.output["html"]


def test_a_page_whose_image_is_gone_fails_alone(asking: Pagewise) -> None:
    document = split(asking, 3, 3)
    del asking.pages.objects[asking.queues.jobs[0].others[0].image.key]
    asking.run_queues()
    assert [(line["status"], line["reason"], line["input_tokens"]) for line in lines(asking, document)] == [
        ("recognized", None, 100),
        ("failed", "unreadable_page", 0),
        ("recognized", None, 0),
    ]
    assert [len(question.images) for question in asking.engine.questions] == [2]


def test_a_group_whose_images_are_all_gone_asks_nothing(asking: Pagewise) -> None:
    document = split(asking, 2, 2)
    asking.pages.objects.clear()
    asking.run_queues()
    assert [line["reason"] for line in lines(asking, document)] == ["unreadable_page"] * 2
    assert asking.engine.questions == []


def test_a_blank_page_of_a_group_is_not_asked_about(asking: Pagewise) -> None:
    document = split(asking, 3, 3)
    (job,) = asking.queues.jobs
    others = (job.others[0], replace(job.others[1], image=replace(job.others[1].image, look=Look(blank=True))))
    asking.run_job(replace(job, others=others))
    assert [(line["blank"], line["group"] and line["group"]["pages"]) for line in lines(asking, document)] == [
        (False, [1, 2]),
        (False, [1, 2]),
        (True, None),
    ]


def test_a_refused_group_fails_as_a_whole_and_is_redriven_as_a_whole(asking: Pagewise) -> None:
    asking.engine.script = [Permanent("DataInspectionFailed", "The engine refuses it."), TABLE]
    document = split(asking, 5, 3)
    asking.run_queues()
    assert [line["status"] for line in lines(asking, document)] == ["failed"] * 3 + ["recognized"] * 2
    redrive = Redrive(asking.ledger, asking.queues, asking.accounting, asking.clock)
    assert redrive.document(document.id, Selection(page=2)).page_jobs == 3
    assert messages_of(asking) == [[1, 2, 3]]
    asking.run_queues()
    assert [(line["status"], line["run"], line["input_tokens"]) for line in lines(asking, document)] == [
        ("recognized", 2, 100),
        ("recognized", 2, 0),
        ("recognized", 2, 0),
        ("recognized", 1, 100),
        ("recognized", 1, 0),
    ]


def test_a_paid_answer_of_no_use_is_billed_once(asking: Pagewise) -> None:
    asking.engine.script = [text_answer(finish_reason="length")]
    document = split(asking, 2, 2)
    asking.run_queues()
    assert [(line["reason"], line["input_tokens"]) for line in lines(asking, document)] == [
        ("truncated", 100),
        ("truncated", 0),
    ]


def test_a_group_that_must_wait_comes_back_whole_and_dies_whole(asking: Pagewise) -> None:
    asking.engine.script = [Throttled("Throttling", "t")]
    document = split(asking, 2, 2)
    assert asking.run_job(asking.queues.jobs[0]) is None
    (waiting, _seconds) = asking.queues.deferred.pop()
    assert [member.page for member in waiting.members] == [1, 2]
    asking.give_up.page_job(waiting, 5)
    assert [(line["status"], line["reason"]) for line in lines(asking, document)] == [("failed", "exhausted")] * 2


def test_a_transient_error_leaves_the_message(asking: Pagewise) -> None:
    asking.engine.script = [Transient("InternalError", "t")]
    document = split(asking, 2, 2)
    with pytest.raises(Transient):
        asking.run_job(asking.queues.jobs[0])
    assert asking.ledger.result(document.id, 1, TASK) is None


def test_an_answer_that_cannot_be_stored_fails_all_pages_and_asks_once(asking: Pagewise) -> None:
    asking.engine.script = [text_answer("<table>\ud800</table>" * 2, request_id="r")]
    document = split(asking, 2, 2)
    asking.run_queues()
    assert len(asking.engine.questions) == 1
    assert len({line["status"] for line in lines(asking, document)}) == 1


def test_the_same_pages_again_are_not_paid_for_and_other_pages_are(asking: Pagewise) -> None:
    asking.reuses = True
    first = split(asking, 3, 3)
    asking.run_queues()
    second = split(asking, 3, 3, version="v2")
    asking.run_queues()
    assert len(asking.engine.questions) == 1
    assert [(line["input_tokens"], line["reused_from"]) for line in lines(asking, second)] == [
        (0, {"document_id": first.id, "page": 1})
    ] * 3
    held = asking.ledger.result(second.id, 1, TASK)
    assert held is not None
    assert held.output["html"]
    split(asking, 2, 2, version="v3")
    split(asking, 1, 3, version="v4")
    asking.run_queues()
    assert len(asking.engine.questions) == 3


# ── grouping ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def job_of(page: int, width: int, height: int, together: int) -> PageJob:
    image = StoredImage(f"pages/{page}", "image/png", width, height, 1, "0" * 64)
    return PageJob(DocumentId("d"), page, TASK, 1, image, TaskOptions(pages_per_call=together))


@given(
    st.sets(st.integers(1, 60), min_size=1),
    st.integers(1, 20),
    st.lists(st.tuples(st.integers(11, 4000), st.integers(11, 4000)), min_size=60, max_size=60),
)
def test_every_page_is_in_one_group_within_its_number_and_the_models_input(
    pages: set[int], together: int, sizes: list[tuple[int, int]]
) -> None:
    most = CallLimits()
    jobs = [job_of(page, *sizes[page - 1], together) for page in sorted(pages)]
    groups = grouped(jobs, most)
    assert [member.page for job in groups for member in job.members] == sorted(pages)
    for job in groups:
        assert len({group_number(member.page, together) for member in job.members}) == 1
        tokens = estimate([(member.image.width, member.image.height) for member in job.members], TASK)
        assert len(job.members) == 1 or tokens.most.input_tokens <= model_of(most.model).max_input_tokens
        assert load_job(dump_job(job)) == job


@pytest.mark.parametrize(("side", "groups"), [(800, [[1, 2, 3, 4]]), (2800, [[1, 2, 3], [4]])])
def test_a_group_over_the_models_input_is_two(side: int, groups: list[list[int]]) -> None:
    found = grouped([job_of(page, side, side, 4) for page in range(1, 5)], CallLimits())
    assert [[member.page for member in job.members] for job in found] == groups


@pytest.mark.parametrize("per_range", [1, 2, 4, 20])
@pytest.mark.parametrize("pages", [1, 3, 7, 25])
def test_page_ranges_end_where_groups_do(per_range: int, pages: int) -> None:
    pagewise = Pagewise(SplitSettings(pages_per_range=per_range), script=[TABLE])
    split(pagewise, pages, 3)
    while pagewise.queues.ranges:
        pagewise.split.page_range(*pagewise.queues.ranges.pop(0))
    expected = [list(range(first, min(first + 3, pages + 1))) for first in range(1, pages + 1, 3)]
    assert sorted(messages_of(pagewise)) == expected


# ── bytes ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def fitted(size: int) -> FittedImage:
    return FittedImage(b"", Sent("image/png", 100, 100, size))


def test_what_one_request_cannot_carry_goes_by_url_the_largest_first() -> None:
    sizes = [3_000_000, 1_000_000, 4_000_000, 2_000_000]
    together = fitting.fitted_together([fitted(size) for size in sizes], ImageTransport.AUTO)
    assert [one.sent.by_url for one in together] == [False, False, True, False]
    assert [one.sent.size for one in together] == sizes


def test_without_urls_images_are_encoded_anew_until_they_fit_together() -> None:
    content = noise(1_700, 1_700)
    alone = fitting.fitted_for_call(content, ImageTransport.BASE64)
    assert (alone.content, len(content) * 3 > limits.MAX_INLINE_BYTES) == (content, True)
    together = fitting.fitted_together([alone, fitted(50_000), alone, alone], ImageTransport.BASE64)
    assert sum(one.sent.size for one in together) <= limits.MAX_INLINE_BYTES
    assert [bool(one.sent.mended) for one in together] == [True, False, True, True]
    assert not any(one.sent.by_url for one in together)


def noise(width: int, height: int) -> bytes:
    """A PNG of a byte a pixel, which no encoding without loss makes smaller."""
    buffer = io.BytesIO()
    Image.frombytes("L", (width, height), Random(1).randbytes(width * height)).save(buffer, format="PNG")
    return buffer.getvalue()


def test_a_prompt_is_asked_of_several_pages_whatever_its_task() -> None:
    plain = TaskOptions(pages_per_call=3)
    assert plain.pages_together(Task.TEXT_RECOGNITION) == 1
    prompted = replace(plain, prompts={Task.TEXT_RECOGNITION: "What do these pages have in common?"})
    assert (prompted.pages_together(Task.TEXT_RECOGNITION), prompted.pages_together(Task.MULTI_LAN)) == (3, 1)


def test_an_answer_to_a_prompt_over_pages_lies_with_the_first(pagewise: Pagewise) -> None:
    pagewise.script[:] = [text_answer("the same letterhead")]
    upload = pagewise.upload(tiff(3), ocr_prompt="What do they share?", ocr_pages_per_call="3")
    document = pagewise.split.upload(upload)
    pagewise.run_queues()
    assert len(pagewise.engine.questions) == 1
    results = [pagewise.ledger.result(document.id, page, Task.TEXT_RECOGNITION) for page in (1, 2, 3)]
    assert [result and result.output["text"] for result in results] == ["the same letterhead", "", ""]
