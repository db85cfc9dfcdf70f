"""Saves: checked as they are typed, kept when the server cannot be reached, told when they meet another's."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from playwright.sync_api import Route, expect

from tests.review_page.documents import fields_of, page, receipt, table_of
from tests.review_page.reviewing import Person
from tests.review_page.serving import Desk, Held

KEPT = "Object.keys(localStorage).filter((key) => key.startsWith('pagewise:unsaved:')).length"
A_QUARTER = timedelta(minutes=16)  # after which a claim has ended


def two_fields() -> Held:
    return Held("a.pdf", [page([fields_of({"Name": "Ana?", "City": "Lisbo?"})])])


def said(document: Held) -> dict[str, object]:
    return {one.pointer.removeprefix("/fields/"): one.value for one in document.pages[0].said.corrections}


# ── Rules ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_value_is_held_against_the_rules_while_it_is_typed(comes: Callable[..., Person]) -> None:
    document = receipt(misread={"Total": "34.?7"})
    desk = Desk(document)
    ana = comes(desk)
    ana.opens(document)
    ana.writes("about 30")
    ana.hears("Total: not in the expected form")
    expect(ana.value("Total")).to_have_attribute("aria-invalid", "true")
    ana.writes("34.77")
    ana.hears("Total keeps the rules")
    expect(ana.card("Total")).not_to_contain_text("not in the expected form")
    assert document.pages[0].said.version == 0
    assert {one.path.split("?")[1] for one in desk.asked("PUT")} == {"check=true"}


def test_a_rule_between_fields_speaks_of_the_other_field_too(comes: Callable[..., Person]) -> None:
    document = receipt(misread={"Shop": "WHO?"})
    ana = comes(Desk(document))
    ana.opens(document)
    ana.value("Total").focus()
    ana.writes("99.00")
    ana.press("Tab")
    ana.waits_until_saved()
    expect(ana.page.get_by_role("list", name="Of the page")).to_contain_text("the rules are not met")
    ana.value("Total").focus()
    ana.writes("34.77")
    ana.press("Tab")
    expect(ana.page.get_by_role("list", name="Of the page")).to_have_count(0)


def test_a_value_that_breaks_a_rule_all_the_same_is_told_at_the_end(comes: Callable[..., Person]) -> None:
    document = receipt(misread={"Date": "yesterday"})
    ana = comes(Desk(document))
    ana.opens(document)
    ana.press("Enter")
    ana.waits_until_saved()
    expect(ana.card("Date")).to_contain_text("accepted, breaks a rule")
    ana.press("Enter")
    expect(ana.page.get_by_role("dialog")).to_contain_text("On this page 1 value breaks a rule.")


# ── A lost connection ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_save_without_a_connection_is_kept_told_and_sent_later(comes: Callable[..., Person]) -> None:
    document = two_fields()
    ana = comes(Desk(document))
    ana.opens(document)
    ana.context.set_offline(True)
    ana.writes("Ana")
    ana.press("Enter")
    ana.is_told("Not saved. The server cannot be reached. 1 correction is kept in this browser")
    ana.writes("Lisboa")
    ana.press("Enter")
    ana.is_told("2 corrections are kept in this browser")
    assert ana.page.evaluate(KEPT) == 1
    expect(ana.card("Name")).to_contain_text("not saved yet")
    assert said(document) == {}
    ana.context.set_offline(False)
    ana.waits_until_saved()
    ana.hears("All corrections are saved.")
    assert said(document) == {"Name": "Ana", "City": "Lisboa"}
    assert ana.page.evaluate(KEPT) == 0


def test_what_was_not_saved_outlives_the_window(comes: Callable[..., Person]) -> None:
    document = two_fields()
    ana = comes(Desk(document))
    ana.opens(document)
    refuse = lambda route: route.abort()  # noqa: E731
    ana.page.route("**/corrections*", refuse)
    ana.writes("Ana")
    ana.press("Enter")
    ana.is_told("1 correction is kept in this browser")
    ana.page.goto("about:blank")
    ana.page.unroute("**/corrections*", refuse)
    ana.page.goto(ana.address)
    ana.is_told("A document has corrections that are kept in this browser, and not saved.")
    assert said(document) == {}
    ana.page.get_by_role("link", name="Open it").click()
    expect(ana.value("Name")).to_have_value("Ana")
    ana.waits_until_saved()
    assert said(document) == {"Name": "Ana"}


def test_a_server_that_is_busy_is_asked_again(comes: Callable[..., Person]) -> None:
    document = two_fields()
    ana = comes(Desk(document))
    ana.opens(document)
    answers = iter([503, 502])

    def busy(route: Route) -> None:
        status = next(answers, None)
        route.fulfill(status=status, json={"message": "Busy."}) if status else route.continue_()

    ana.page.route("**/corrections", busy)
    ana.press("Enter")
    ana.is_told("Not saved.")
    ana.waits_until_saved()
    assert said(document) == {"Name": "Ana?"}


def test_what_is_said_while_a_save_is_on_its_way_is_saved_too(comes: Callable[..., Person]) -> None:
    document = two_fields()
    desk = Desk(document)
    ana = comes(desk)
    ana.opens(document)
    with desk.lock:
        ana.writes("Ana")
        ana.press("Enter")
        ana.writes("Lisboa")
        ana.press("Enter")
    ana.waits_until_saved()
    expect(ana.card("City")).to_contain_text("corrected")
    assert said(document) == {"Name": "Ana", "City": "Lisboa"}


# ── Two people ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_one_has_another_can_only_look_at_until_it_is_released(comes: Callable[..., Person]) -> None:
    document = two_fields()
    desk = Desk(document)
    ana, bert = comes(desk), comes(desk, "bert")
    ana.opens(document)
    expect(ana.page.get_by_role("button", name="Release")).to_be_visible()
    bert.opens(document)
    bert.is_told("ana has this document.")
    expect(bert.value("Name")).to_have_attribute("readonly", "")
    expect(bert.page.get_by_role("button", name="Finish")).to_be_hidden()
    bert.press("Enter")
    assert said(document) == {}
    ana.page.get_by_role("button", name="Release").click()
    expect(ana.page.get_by_role("heading", name="Review")).to_be_visible()
    bert.page.get_by_role("button", name="Try again").click()
    expect(bert.value("Name")).to_be_editable()
    assert document.claimed_by == "bert"


def test_a_document_is_released_when_its_window_is_closed(comes: Callable[..., Person]) -> None:
    document = two_fields()
    desk = Desk(document)
    ana, bert = comes(desk), comes(desk, "bert")
    ana.opens(document)
    expect(ana.page.get_by_role("button", name="Release")).to_be_visible()
    ana.page.close()
    for _ in range(50):
        if document.claimed_by is None:
            break
        bert.page.wait_for_timeout(20)
    assert document.claimed_by is None


@pytest.mark.parametrize("whose", ["Keep mine", "Take theirs"])
def test_a_save_that_meets_anothers_shows_both_and_loses_neither(comes: Callable[..., Person], whose: str) -> None:
    document = two_fields()
    desk = Desk(document)
    ana, bert = comes(desk), comes(desk, "bert")
    ana.opens(document)
    expect(ana.value("Name")).to_be_focused()
    desk.lateness = A_QUARTER
    bert.opens(document)
    bert.writes("Berta")
    bert.press("Enter")
    bert.waits_until_saved()
    desk.lateness = 2 * A_QUARTER
    ana.writes("Anna")
    ana.press("Enter")
    ana.is_told("Another has saved other values: 1 value to choose.")
    choice = ana.page.get_by_role("group", name="Two values of Name")
    expect(choice).to_contain_text("bert saved this at")
    expect(choice).to_contain_text("Theirs: Berta")
    expect(choice).to_contain_text("Yours: Anna")
    ana.value("City").focus()
    ana.writes("Lisboa")
    ana.press("Enter")
    expect(ana.card("City")).to_contain_text("corrected")
    assert said(document) == {"Name": "Berta", "City": "Lisboa"}
    ana.page.get_by_role("button", name=whose).click()
    ana.waits_until_saved()
    expect(choice).to_have_count(0)
    expected = "Anna" if whose == "Keep mine" else "Berta"
    expect(ana.value("Name")).to_have_value(expected)
    assert said(document) == {"Name": expected, "City": "Lisboa"}


def test_saves_of_different_values_are_joined(comes: Callable[..., Person]) -> None:
    document = two_fields()
    desk = Desk(document)
    ana, bert = comes(desk), comes(desk, "bert")
    ana.opens(document)
    expect(ana.value("Name")).to_be_focused()
    desk.lateness = A_QUARTER
    bert.opens(document)
    bert.value("City").focus()
    bert.writes("Lisboa")
    bert.press("Enter")
    bert.waits_until_saved()
    desk.lateness = 2 * A_QUARTER
    ana.writes("Ana")
    ana.press("Enter")
    expect(ana.value("City")).to_have_value("Lisboa")
    expect(ana.card("City")).to_contain_text("corrected")
    assert said(document) == {"Name": "Ana", "City": "Lisboa"}
    assert {one.pointer[8:]: one.by for one in document.pages[0].said.corrections} == {"Name": "ana", "City": "bert"}


def test_a_claim_that_another_took_over_keeps_what_was_typed(comes: Callable[..., Person]) -> None:
    document = two_fields()
    desk = Desk(document)
    ana, bert = comes(desk), comes(desk, "bert")
    ana.opens(document)
    expect(ana.value("Name")).to_be_focused()
    desk.lateness = A_QUARTER
    bert.opens(document)
    expect(bert.value("Name")).to_be_editable()
    ana.writes("Ana")
    ana.press("Enter")
    ana.is_told("Not saved. bert has this document. 1 correction is kept in this browser.")
    bert.page.get_by_role("button", name="Release").click()
    expect(bert.page.get_by_role("heading", name="Review")).to_be_visible()
    ana.page.get_by_role("button", name="Try again").click()
    ana.waits_until_saved()
    assert said(document) == {"Name": "Ana"}


def test_two_tables_that_differ_are_told_by_their_cells(comes: Callable[..., Person]) -> None:
    document = Held("a.pdf", [page([table_of("<table><tr><td>1</td><td>2</td></tr></table>")])])
    desk = Desk(document)
    ana, bert = comes(desk), comes(desk, "bert")
    ana.opens(document)
    expect(ana.value("Table, row 1, column 2")).to_be_editable()
    desk.lateness = A_QUARTER
    bert.opens(document)
    bert.value("Table, row 1, column 1").focus()
    bert.writes("11")
    bert.press("Enter")
    bert.waits_until_saved()
    desk.lateness = 2 * A_QUARTER
    ana.value("Table, row 1, column 2").focus()
    ana.writes("22")
    ana.press("Enter")
    expect(ana.page.locator(".about")).to_contain_text("Row 1, column 1: theirs 11, yours 1")
    expect(ana.page.locator(".about")).to_contain_text("Row 1, column 2: theirs 2, yours 22")
    ana.page.get_by_role("button", name="Take theirs").click()
    expect(ana.value("Table, row 1, column 1")).to_have_value("11")
    expect(ana.value("Table, row 1, column 2")).to_have_value("2")


def test_a_finished_document_is_looked_at_and_taken_up_again(comes: Callable[..., Person]) -> None:
    document = two_fields()
    desk = Desk(document)
    desk.done(document, "bert")
    ana = comes(desk)
    ana.opens(document)
    ana.is_told("bert finished it on")
    expect(ana.value("Name")).to_have_attribute("readonly", "")
    assert desk.asked("POST") == []
    ana.page.get_by_role("button", name="Review it again").click()
    expect(ana.value("Name")).to_be_editable()
