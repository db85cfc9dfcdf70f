"""A page as review shows it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pagewise.model import DocumentId, JobStatus, Problem, Result, Validation
from pagewise.review.corrections import Correction, PageCorrections
from pagewise.review.pointers import Scalar
from pagewise.review.values import State, as_said, of_page_values
from pagewise.tasks import Task

FIELDS, LINES = Task.KEY_INFORMATION_EXTRACTION, Task.ADVANCED_RECOGNITION
CORNERS = [0, 0, 90, 0, 90, 10, 0, 10]


def result(task: Task = FIELDS, **output: Any) -> Result:
    return Result(DocumentId("d" * 32), 1, task, JobStatus.RECOGNIZED, 1, "then", output=output)


def said(*values: tuple[str, Scalar, Scalar]) -> PageCorrections:
    corrections = [Correction(FIELDS, place, machine, value, "ana", "now") for place, machine, value in values]
    return PageCorrections(1, tuple(corrections), "now", "ana")


def shown(
    *results: Result, corrections: PageCorrections | None = None, schema: Any = None
) -> dict[str, dict[str, Any]]:
    known = {one.task: one for one in results}
    corrections = corrections or PageCorrections()
    values = of_page_values(known, as_said(known, corrections), corrections, schema).values
    return {value.pointer: value.shown() for value in values}


def test_doubtful_values_come_first_each_with_its_box() -> None:
    lines = result(LINES, text="Total 7.00", lines=[{"text": "Total 7.00", "location": CORNERS}])
    found = shown(lines, result(text="", fields={"Total": "7.00", "Name": "J?ne"}))
    assert list(found) == ["/fields/Name", "/fields/Total", "/lines/0/text"]
    assert (found["/fields/Total"]["box"], found["/fields/Name"]["box"]) == (CORNERS, None)
    assert [found[place]["state"] for place in found] == ["doubtful", "sure", "sure"]
    assert (found["/fields/Name"]["name"], found["/lines/0/text"]["name"]) == ("Name", "Line 1")


def test_what_a_person_has_accepted_or_changed_is_not_doubtful_for_how_it_was_read() -> None:
    machine = result(text="", fields={"Name": "J?ne", "City": "B?rn"})
    found = shown(machine, corrections=said(("/fields/Name", "J?ne", "Jane"), ("/fields/City", "B?rn", "B?rn")))
    assert [(one["state"], one["reasons"]) for one in found.values()] == [("corrected", []), ("accepted", [])]
    assert (found["/fields/Name"]["machine"], found["/fields/Name"]["value"]) == ("J?ne", "Jane")


def test_a_persons_value_is_held_against_the_rules() -> None:
    machine = result(text="", fields={"Total": "7"})
    broken = replace(machine, validation=Validation((Problem("Total", "pattern"),)))
    page = of_page_values({FIELDS: machine}, {FIELDS: broken}, said(("/fields/Total", "7", "8")))
    assert [(value.state, [doubt.detail for doubt in value.doubts]) for value in page.values] == [
        (State.CORRECTED, ["pattern"])
    ]


def test_fields_that_are_missing_can_be_filled_in() -> None:
    missing = replace(result(text="", fields={"Total": "7"}), validation=Validation((Problem("Date", "required"),)))
    found = shown(missing)
    assert (found["/fields/Date"]["state"], found["/fields/Date"]["machine"]) == ("doubtful", None)
    failed = replace(result(), status=JobStatus.FAILED, reason="truncated")
    assert list(shown(failed, schema={"Items": [{"Price": "each"}], "Date": ""})) == [
        "/fields/Items/0/Price",
        "/fields/Date",
    ]


def test_each_task_shows_what_it_recognizes() -> None:
    found = shown(
        result(Task.TABLE_PARSING, text="<table></table>", html="<table></table>"),
        result(Task.DOCUMENT_PARSING, text="x", latex="x"),
        result(Task.TEXT_RECOGNITION, text="hello"),
    )
    assert [(place, one["kind"]) for place, one in found.items()] == [
        ("/html", "table"),
        ("/latex", "latex"),
        ("/text", "text"),
    ]
