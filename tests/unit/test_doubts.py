"""Why a result is doubtful."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pagewise.model import (
    DocumentId,
    Group,
    JobAccount,
    JobStatus,
    PageAccount,
    Problem,
    Result,
    Usage,
    Validation,
    WarningCode,
)
from pagewise.review.doubts import Counted, Doubt, DoubtCode, counted, of_account, of_page
from pagewise.tasks import Task

FIELDS, LINES = Task.KEY_INFORMATION_EXTRACTION, Task.ADVANCED_RECOGNITION
CORNERS = [0, 0, 90, 0, 90, 10, 0, 10]


def result(task: Task = FIELDS, **output: Any) -> Result:
    return Result(DocumentId("d" * 32), 1, task, JobStatus.RECOGNIZED, 1, "then", output=output)


def told(*results: Result) -> set[tuple[str, str | None, str | None]]:
    return {(doubt.code, doubt.pointer, doubt.detail) for doubt in of_page({one.task: one for one in results})}


def test_nothing_is_doubtful_of_a_sound_page() -> None:
    lines = result(LINES, text="Total 7.00", lines=[{"text": "Total 7.00", "location": CORNERS}])
    assert told(lines, result(text="", fields={"Total": "7.00", "Date": None, "Paid": True})) == set()


def test_a_value_that_no_line_holds_has_no_place() -> None:
    lines = result(LINES, text="Total 7.00", lines=[{"text": "Total 7.00", "location": CORNERS}])
    fields = result(text="", fields={"Items": [{"Price": "31.25"}]})
    assert told(lines, fields) == {("no_place", "/fields/Items/0/Price", None)}
    assert told(fields) == set()
    grouped = replace(fields, group=Group((1, 2), 1))
    assert told(lines, grouped) == set()


def test_marks_in_values_confidences_and_broken_rules_are_of_their_values() -> None:
    fields = replace(
        result(text="", fields={"Total": "7.?0", "Date": "2026"}, field_confidences={"Total": 0.4, "Date": 0.9}),
        validation=Validation(
            (Problem("Date", "format"), Problem("Items/0/*", "type"), Problem(None, "minProperties"))
        ),
    )
    assert told(fields) == {
        ("unclear", "/fields/Total", None),
        ("confidence", "/fields/Total", "0.40"),
        ("rule", "/fields/Date", "format"),
        ("rule", None, "type"),
        ("rule", None, "minProperties"),
    }


def test_a_question_mark_in_a_running_text_is_none() -> None:
    assert told(result(Task.TEXT_RECOGNITION, text="What is it?")) == set()


def test_lines_have_confidences() -> None:
    lines = [{"text": "a", "location": CORNERS}, {"text": "b", "location": CORNERS}]
    assert told(result(LINES, text="a\nb", lines=lines, line_confidences=[0.99, 0.5])) == {
        ("confidence", "/lines/1/text", "0.50")
    }


def test_the_account_knows_failures_warnings_and_rules_but_a_cancelled_page_job_is_no_doubt() -> None:
    lines = (
        JobAccount(FIELDS, JobStatus.RECOGNIZED, None, 1, Usage(), valid=False, warnings=(WarningCode.REPAIRED,)),
        JobAccount(Task.MULTI_LAN, JobStatus.FAILED, "truncated", 1, Usage()),
        JobAccount(Task.TABLE_PARSING, JobStatus.FAILED, "cancelled", 0, Usage()),
    )
    doubts = of_account(PageAccount(DocumentId("d"), 1, lines, closed=True))
    assert [(doubt.code, doubt.task, doubt.detail) for doubt in doubts] == [
        ("rule", FIELDS, None),
        ("warning", FIELDS, "repaired"),
        ("failed", Task.MULTI_LAN, "truncated"),
    ]


def test_doubts_are_counted_by_what_they_say() -> None:
    many = [Doubt(DoubtCode.WARNING, FIELDS, "repaired")] * 3 + [Doubt(DoubtCode.CONFIDENCE, FIELDS, "0.4", "/a")] * 2
    assert counted(many) == (Counted(DoubtCode.CONFIDENCE, None, 2), Counted(DoubtCode.WARNING, "repaired", 3))
