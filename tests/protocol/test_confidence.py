"""How sure the model was: one number a line or field, where the answer says it; nothing else changes."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest

from pagewise.geometry import Size
from pagewise.model import JobStatus
from pagewise.qwen import dashscope
from pagewise.qwen.confidence import with_confidence
from pagewise.qwen.openai_compatible import OpenAICompatible
from pagewise.qwen.parsing import reading
from pagewise.qwen.question import Answer
from pagewise.tasks import Task
from tests.fakes import text_answer
from tests.pictures import picture
from tests.unit.conftest import Pagewise

SIZE = Size(100, 100)


def spoken(text: str, unsure: str = "") -> Answer:
    """Tokens of a word or mark each, all certain but those of one word, which are even odds."""
    tokens = re.findall(r"\s|\w+|[^\w\s]", text)
    return text_answer(text, logprobs=[(token, math.log(0.5) if token == unsure else 0.0) for token in tokens])


def output(task: Task, answer: Answer) -> dict[str, Any]:
    return reading(task, answer, SIZE, SIZE).output


def test_an_answer_without_logprobs_says_nothing_of_its_confidence() -> None:
    assert with_confidence({"text": "one"}, text_answer("one")) == {"text": "one"}


def test_a_line_s_number_is_the_mean_of_its_tokens() -> None:
    found = output(Task.TEXT_RECOGNITION, spoken("one two\nthree\n\nfour", unsure="three"))
    assert found["line_confidences"] == [1.0, 0.5, None, 1.0]
    found = output(Task.TEXT_RECOGNITION, spoken("one two\nthree", unsure="one"))
    assert found["line_confidences"] == [round(0.5 ** (1 / 3), 4), 1.0]


def test_a_field_s_number_stands_under_its_path() -> None:
    answer = spoken('{"Total": "9", "Rows": [{"Price": "7"}, {"Price": null}], "Count": 3}', unsure="7")
    found = output(Task.KEY_INFORMATION_EXTRACTION, answer)
    assert found["field_confidences"] == {"Total": 1.0, "Rows/0/Price": 0.5, "Count": 1.0}


def test_a_fenced_text_has_numbers_too() -> None:
    found = output(Task.TABLE_PARSING, spoken("```html\n<table>\n</table>\n```"))
    assert found["line_confidences"] == [1.0, 1.0]


@pytest.mark.parametrize(
    "logprobs", [[], [("other", -0.1)], [("", 0.0)], [("te", -10_000.0)]], ids=["none", "other", "empty", "part"]
)
def test_tokens_that_are_not_the_text_say_nothing_and_harm_nothing(logprobs: list[tuple[str, float]]) -> None:
    assert output(Task.TEXT_RECOGNITION, text_answer("text", logprobs=logprobs)) == {"text": "text"}


@pytest.mark.parametrize(
    ("entry", "wanted"),
    [
        ({"token": "a", "logprob": -0.5}, (("a", -0.5),)),
        ({"token": "a", "logprob": 0}, (("a", 0.0),)),
        ({"token": "a", "logprob": 0.5}, ()),
        ({"token": "a", "logprob": float("nan")}, ()),
        ({"token": "a", "logprob": True}, ()),
        ({"token": None, "logprob": -1}, ()),
        ("a", ()),
    ],
)
def test_both_protocols_are_read_alike_and_what_is_off_is_nothing(entry: Any, wanted: Any) -> None:
    choice = {"message": {"content": [{"text": "a"}]}, "logprobs": {"content": [entry]}}
    native, compatible = (
        dashscope.answer({"output": {"choices": [choice]}}),
        OpenAICompatible().answer({"choices": [choice]}),
    )
    assert native
    assert compatible
    assert native.logprobs == compatible.logprobs == wanted


def test_logprobs_are_asked_for_where_they_are_wished_alone() -> None:
    pagewise = Pagewise(script=[spoken("text")])
    for key, wish in (("uploads/a", {}), ("uploads/b", {"ocr_logprobs": "true"})):
        document = pagewise.split.upload(pagewise.uploads.put(picture(), key=key, **wish))
        pagewise.run_queues()
    plain, wished = pagewise.engine.questions
    assert "logprobs" not in (plain.parameters or {})
    assert wished.parameters == {"logprobs": True}
    result = pagewise.ledger.result(document.id, 1, Task.TEXT_RECOGNITION)
    assert result
    assert result.status is JobStatus.RECOGNIZED
    assert result.output["line_confidences"] == [1.0]
    assert pagewise.receipt_of(document)["options"] == {"logprobs": True}


# ── layouts, inferred of qwen3.5-ocr ─────────────────────────────────────────────────────────────────────────────────


def test_layouts_are_kept_where_they_come_and_hostile_ones_harm_nothing() -> None:
    layouts = [
        {"pageNum": 1, "type": "title", "text": "Report", "pos": [1, 2, 30, 40]},
        {"type": "text", "text": "Body", "pos": [[1, 2], [3, 2]]},
        {"type": 7, "text": None, "pos": [[[[]]]] * 3},
        "no block",
        {"pos": list(range(1000))},
    ]
    reply = {
        "output": {"choices": [{"message": {"content": [{"text": "Report", "ocr_result": {"layouts": layouts}}]}}]}
    }
    answer = dashscope.answer(reply)
    assert answer
    found = output(Task.TEXT_RECOGNITION, answer)
    assert found["layouts"] == [
        {"type": "title", "text": "Report", "position": [1, 2, 30, 40]},
        {"type": "text", "text": "Body", "position": [[1, 2], [3, 2]]},
        {"type": "7", "text": "", "position": None},
        {"type": "", "text": "", "position": None},
    ]
    hostile: Any
    for hostile in ("x", 7, {}, [[]], None):
        assert output(Task.TEXT_RECOGNITION, text_answer("text", layouts=hostile)) == {"text": "text"}


def test_lines_without_location_are_lines_all_the_same() -> None:
    words = [{"text": "Total 9", "rotate_rect": [50, 20, 10, 40, -90]}]
    (line,) = output(Task.ADVANCED_RECOGNITION, text_answer("[]", words=words))["lines"]
    assert line["text"] == "Total 9"
    assert line["location"] is not None
