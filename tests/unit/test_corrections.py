"""What a person says, beside what the machine said."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pagewise.model import DocumentId, JobStatus, Result, WarningCode
from pagewise.review.corrections import Correction, PageCorrections, corrected, load_correction, machines
from pagewise.review.pointers import NoSuchPlace, Scalar
from pagewise.tasks import Task


def result(task: Task = Task.KEY_INFORMATION_EXTRACTION, **output: Any) -> Result:
    return Result(DocumentId("d" * 32), 1, task, JobStatus.RECOGNIZED, 1, "then", output=output)


def said(task: Task, pointer: str, value: Scalar, machine: Scalar = None) -> Correction:
    return Correction(task, pointer, machine, value, "ana", "now")


def test_the_machines_result_stays_and_the_persons_value_is_put_in() -> None:
    machine = result(text="{}", fields={"Total": "7.OO", "Date": None})
    changed = corrected(machine, [said(machine.task, "/fields/Total", "7.00", "7.OO")])
    assert changed.output["fields"] == {"Total": "7.00", "Date": None}
    assert machine.output["fields"]["Total"] == "7.OO"


def test_the_same_value_is_an_acceptance_and_true_is_not_one() -> None:
    assert said(Task.TEXT_RECOGNITION, "/text", "a", "a").accepts
    assert not said(Task.KEY_INFORMATION_EXTRACTION, "/fields/Paid", True, 1).accepts
    assert (
        PageCorrections(1, (said(Task.MULTI_LAN, "/text", "a", "a"), said(Task.MULTI_LAN, "/text", "b", "a"))).changed
        == 1
    )


def test_corrections_of_another_task_change_nothing() -> None:
    machine = result(text="", fields={"Total": "1"})
    assert corrected(machine, [said(Task.TEXT_RECOGNITION, "/text", "x")]) is machine


def test_a_table_and_lines_are_the_text_as_well() -> None:
    table = result(Task.TABLE_PARSING, text="<table></table>", html="<table></table>")
    changed = corrected(table, [said(table.task, "/html", "<table><tr></tr></table>")])
    assert changed.output["text"] == changed.output["html"] == "<table><tr></tr></table>"
    lines = result(Task.ADVANCED_RECOGNITION, text="a\nb", lines=[{"text": "a"}, {"text": "b"}])
    assert corrected(lines, [said(lines.task, "/lines/1/text", "c")]).output["text"] == "a\nc"


@pytest.mark.parametrize("task", [Task.TEXT_RECOGNITION, Task.KEY_INFORMATION_EXTRACTION])
def test_a_page_job_that_failed_is_recognized_once_a_person_has_read_the_page(task: Task) -> None:
    failed = replace(result(task), status=JobStatus.FAILED, reason="truncated", warnings=(WarningCode.TEXT_KEPT,))
    place = "/text" if task is Task.TEXT_RECOGNITION else "/fields/Total"
    changed = corrected(failed, [said(task, place, "9")])
    assert (changed.status, changed.reason, changed.warnings) == (JobStatus.RECOGNIZED, None, ())
    assert corrected(failed, [said(task, place, None)]).status is JobStatus.FAILED


@pytest.mark.parametrize(
    ("task", "place"),
    [
        (Task.KEY_INFORMATION_EXTRACTION, "/model"),
        (Task.KEY_INFORMATION_EXTRACTION, "/lines/0/text"),
        (Task.KEY_INFORMATION_EXTRACTION, "/fields"),
        (Task.ADVANCED_RECOGNITION, "/lines/0/location"),
        (Task.ADVANCED_RECOGNITION, "/lines/9/text"),
        (Task.TEXT_RECOGNITION, "/html"),
    ],
)
def test_only_what_was_recognized_can_be_corrected(task: Task, place: str) -> None:
    with pytest.raises(NoSuchPlace):
        machines(result(task, text="t", fields={}, lines=[{"text": "a", "location": [0] * 8}]), place)


def test_a_correction_is_read_as_it_was_shown() -> None:
    one = said(Task.MULTI_LAN, "/text", "b", "a")
    assert load_correction(one.shown()) == one
