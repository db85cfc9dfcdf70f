"""A page job's question and its answer's result, apart from any lane."""

from __future__ import annotations

from dataclasses import replace

from pagewise.model import DocumentId, JobStatus, PageJob, StoredImage, TaskOptions
from pagewise.qwen.fitting import Inline, Sent
from pagewise.qwen.settings import EngineSettings
from pagewise.tasks import Task
from pagewise.use_cases.questions import Asked, question_of, result_of
from tests.fakes import text_answer

SETTINGS = EngineSettings("http://engine", "qwen-vl-ocr-2025-11-20", parameters={"temperature": 0.5})
JOB = PageJob(DocumentId("d"), 2, Task.TEXT_RECOGNITION, 1, StoredImage("key", "image/png", 40, 20, 3))
IMAGES = [Inline(b"1", "image/png"), Inline(b"2", "image/png")]
ABOUT = Asked((Sent("image/png", 40, 20, 3),), ("0" * 64,))


def test_a_task_is_named_with_its_images_and_parameters() -> None:
    question = question_of(JOB, IMAGES, SETTINGS)
    assert (question.task, question.prompt, question.images) == (Task.TEXT_RECOGNITION, None, tuple(IMAGES))
    assert question.parameters == {"temperature": 0.5}


def test_an_own_prompt_takes_the_tasks_place() -> None:
    job = replace(JOB, options=TaskOptions(prompts={JOB.task: "Read the stamp."}, enable_rotate=True))
    question = question_of(job, IMAGES, SETTINGS)
    assert (question.task, question.prompt, question.enable_rotate) == (None, "Read the stamp.", True)


def test_a_model_without_tasks_is_asked_in_words() -> None:
    question = question_of(JOB, IMAGES, replace(SETTINGS, model="qwen-vl-ocr-2024-10-28"))
    assert question.task is None
    assert question.prompt


def test_a_result_has_the_bill_whatever_the_answer_is_worth() -> None:
    said = {"model": "m", "attempts": 2, "seconds": 1.5, "ended": "2026-11-25T12:00:00.000Z"}
    good = result_of(JOB, text_answer("text"), ABOUT, **said)  # type: ignore[arg-type]
    bad = result_of(JOB, text_answer("text", finish_reason="length"), ABOUT, **said)  # type: ignore[arg-type]
    assert (good.status, good.output["text"], good.attempts) == (JobStatus.RECOGNIZED, "text", 2)
    assert (bad.status, bad.reason, bad.usage) == (JobStatus.FAILED, "truncated", good.usage)
