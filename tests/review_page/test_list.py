"""What waits for review."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import expect

from tests.review_page.documents import fields_of, page, receipt
from tests.review_page.reviewing import Person
from tests.review_page.serving import Desk, Held


def waiting(name: str, ended: str, **fields: object) -> Held:
    return Held(name, [page([fields_of(fields or {"Total": "1?.00"})])], ended=ended)


def test_the_oldest_comes_first_with_its_reasons(comes: Callable[..., Person]) -> None:
    young = waiting("young.pdf", "2026-11-25T09:00:00.000Z")
    old = receipt("old.jpg", {"Date": "26.9.", "Total": "34.?7"})
    old.ended = "2026-11-24T09:00:00.000Z"
    ana = comes(Desk(young, old))
    rows = ana.page.locator("tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.nth(0)).to_contain_text("old.jpg")
    expect(rows.nth(0)).to_contain_text("could not be read in full")
    expect(rows.nth(0)).to_contain_text("not in the expected form × 2")
    expect(rows.nth(0)).to_contain_text("receipts")
    expect(rows.nth(0)).to_contain_text("ago")
    expect(rows.nth(1)).to_contain_text("young.pdf")


def test_enter_opens_the_first_and_arrows_go_down_the_list(comes: Callable[..., Person]) -> None:
    ana = comes(Desk(waiting("a.pdf", "2026-11-24T09:00:00.000Z"), waiting("b.pdf", "2026-11-25T09:00:00.000Z")))
    expect(ana.page.get_by_role("link", name="a.pdf")).to_be_focused()
    ana.press("ArrowDown", "Enter")
    expect(ana.page.get_by_role("heading", level=1)).to_have_text("b.pdf")
    expect(ana.value("Total")).to_be_focused()


def test_what_another_has_is_said_so(comes: Callable[..., Person]) -> None:
    document = waiting("a.pdf", "2026-11-24T09:00:00.000Z")
    desk = Desk(document)
    desk.claim(document, "bert")
    ana = comes(desk)
    expect(ana.page.locator("tbody tr")).to_contain_text("bert has it until")


def test_an_empty_list_says_so(comes: Callable[..., Person]) -> None:
    ana = comes(Desk())
    expect(ana.page.get_by_text("Nothing waits for review.")).to_be_visible()


def test_without_a_token_nothing_is_shown_but_the_way_in(comes: Callable[..., Person]) -> None:
    ana = comes(Desk(waiting("a.pdf", "2026-11-24T09:00:00.000Z")))
    assert "token" not in ana.page.url
    ana.context.clear_cookies()
    ana.page.reload()
    ana.is_told("Open the address that `./pagewise local` printed.")
    expect(ana.page.get_by_text("a.pdf")).to_have_count(0)
