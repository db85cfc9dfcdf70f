"""The whole of a review by keyboard alone."""

from __future__ import annotations

import time
from collections.abc import Callable

from playwright.sync_api import expect

from pagewise.tasks import Task
from tests.review_page.documents import fields_of, page, receipt, result
from tests.review_page.reviewing import Person
from tests.review_page.serving import Desk, Held

# On two cores that other tests share.
MOST_SECONDS = 90.0
MOST_REQUESTS = 70


def doubtful(count: int) -> dict[str, str]:
    return {f"Field {number}": f"{number}?" for number in range(1, count + 1)}


def test_twenty_doubtful_values_are_corrected_and_the_document_finished(comes: Callable[..., Person]) -> None:
    """Ten on each of two pages, from the list and back to it, without a click."""
    first, second = (page([fields_of(doubtful(10))]) for _ in range(2))
    document = Held("a.pdf", [first, second])
    desk = Desk(document)
    ana = comes(desk)
    expect(ana.page.get_by_role("link", name="a.pdf")).to_be_focused()
    began = time.monotonic()
    ana.press("Enter")
    for number in range(20):
        expect(ana.page.get_by_text(f"Page {1 + number // 10} of 2")).to_be_visible()
        expect(ana.value(f"Field {1 + number % 10}")).to_be_focused()
        ana.writes(f"right {number}")
        ana.press("Enter")
    expect(ana.page.get_by_role("button", name="Finish")).to_be_focused()
    ana.press("Enter")
    ana.is_told("a.pdf is reviewed.")
    seconds = time.monotonic() - began

    said = [one.value for each in (first, second) for one in each.said.corrections]
    assert said == [f"right {number}" for number in range(20)]
    assert (document.state, document.reviewed_by) == ("done", "ana")
    assert seconds < MOST_SECONDS
    assert len(desk.requests) <= MOST_REQUESTS


def test_enter_accepts_what_the_machine_read(comes: Callable[..., Person]) -> None:
    document = receipt(misread={"Shop": "WHAT?"})
    ana = comes(Desk(document))
    ana.opens(document)
    ana.press("Enter")
    ana.waits_until_saved()
    (said,) = document.pages[0].said.corrections
    assert (said.machine, said.value, said.by) == ("WHAT?", "WHAT?", "ana")
    expect(ana.card("Shop")).to_contain_text("accepted")


def test_escape_puts_back_and_then_leaves(comes: Callable[..., Person]) -> None:
    document = receipt(misread={"Shop": "WHAT?"})
    ana = comes(Desk(document))
    ana.opens(document)
    ana.writes("Nonsense")
    ana.press("Escape")
    expect(ana.value("Shop")).to_have_value("WHAT?")
    ana.press("Escape")
    expect(ana.page.get_by_role("region", name="Values")).to_be_focused()
    ana.press("e")
    expect(ana.value("Shop")).to_be_focused()
    assert document.pages[0].said.version == 0


def test_the_next_and_the_previous_without_accepting(comes: Callable[..., Person]) -> None:
    document = Held("a.pdf", [page([fields_of(doubtful(3))])])
    ana = comes(Desk(document))
    ana.opens(document)
    ana.press("F8", "F8")
    expect(ana.value("Field 3")).to_be_focused()
    ana.press("F8")
    expect(ana.value("Field 1")).to_be_focused()
    ana.press("Shift+F8", "Escape", "p")
    expect(ana.value("Field 2")).to_be_focused()
    assert document.pages[0].said.version == 0


def test_what_is_left_is_told_before_the_end(comes: Callable[..., Person]) -> None:
    document = Held("a.pdf", [page([fields_of(doubtful(2))]), page([fields_of(doubtful(1))])])
    ana = comes(Desk(document))
    ana.opens(document)
    ana.press("Control+Shift+Enter")
    dialog = ana.page.get_by_role("dialog", name="Finish all the same?")
    expect(dialog).to_contain_text("On this page 2 values were not checked.")
    expect(dialog).to_contain_text("Not checked: page 2.")
    ana.press("Escape")
    expect(dialog).to_have_count(0)
    assert document.state == "waiting"
    ana.press("Control+Shift+Enter")
    expect(dialog).to_be_visible()
    ana.press("Enter")
    ana.is_told("a.pdf is reviewed.")
    assert document.state == "done"


def test_keys_are_listed_and_those_of_one_letter_can_be_switched_off(comes: Callable[..., Person]) -> None:
    document = receipt(misread={"Shop": "WHAT?"})
    ana = comes(Desk(document))
    ana.opens(document)
    ana.press("?")
    expect(ana.value("Shop")).to_have_value("?")
    ana.press("Escape", "F1")
    keys = ana.page.get_by_role("dialog", name="Keys")
    expect(keys).to_contain_text("Accept the value")
    keys.get_by_role("checkbox").uncheck()
    ana.press("Escape", "Escape", "?")
    expect(keys).to_have_count(0)
    ana.press("F1")
    expect(keys).to_be_visible()


def test_a_number_stays_a_number_and_nothing_is_null(comes: Callable[..., Person]) -> None:
    document = Held("a.pdf", [page([fields_of({"Count": 12, "Paid": True, "Name": "A?"})])])
    ana = comes(Desk(document))
    ana.opens(document)
    for name, text in (("Count", "13"), ("Paid", "false"), ("Name", " ")):
        ana.value(name).focus()
        ana.writes(text)
        ana.press("Enter")
    ana.waits_until_saved()
    assert [one.value for one in document.pages[0].said.corrections] == [13, False, None]


def test_enter_in_long_text_is_a_new_line(comes: Callable[..., Person]) -> None:
    document = Held("a.pdf", [page([result(Task.TEXT_RECOGNITION, 1, text="One [unclear]")])])
    ana = comes(Desk(document))
    ana.opens(document)
    ana.value("Text").focus()
    ana.writes("One")
    ana.press("Enter")
    ana.page.keyboard.type("Two")
    ana.press("Control+Enter")
    ana.waits_until_saved()
    assert [one.value for one in document.pages[0].said.corrections] == ["One\nTwo"]
