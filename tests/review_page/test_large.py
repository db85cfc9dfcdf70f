"""Long pages and long documents: what is out of sight costs nothing."""

from __future__ import annotations

import time
from collections.abc import Callable

from playwright.sync_api import expect

from tests.review_page.documents import drawn, fields_of, lines_of, page, table_of
from tests.review_page.reviewing import Person
from tests.review_page.serving import Desk, Held

LINES = 5_000
PAGES = 200
MOST_ELEMENTS = 1_000
# On two cores that other tests share.
MOST_SECONDS_TO_OPEN = 30.0
MOST_SECONDS_A_KEY = 2.0


def elements(who: Person) -> int:
    return int(who.page.evaluate("document.querySelectorAll('*').length"))


def test_a_page_of_five_thousand_lines(comes: Callable[..., Person]) -> None:
    lines = [f"Line of text, number {number}" for number in range(1, LINES + 1)]
    document = Held("a.pdf", [page([fields_of({"Name": "Ana?"}), lines_of(lines)], drawn())])
    ana = comes(Desk(document))
    began = time.monotonic()
    ana.opens(document)
    expect(ana.value("Name")).to_be_focused()
    assert time.monotonic() - began < MOST_SECONDS_TO_OPEN
    assert elements(ana) < MOST_ELEMENTS
    assert (ana.page.locator("path.line").get_attribute("d") or "").count("M") == LINES

    table = ana.page.get_by_role("table", name="Lines of text")
    expect(table).to_have_attribute("aria-rowcount", str(LINES))
    ana.value("Line 1").focus()
    began = time.monotonic()
    for _ in range(50):
        ana.press("ArrowDown")
    expect(ana.value("Line 51")).to_be_focused()
    assert (time.monotonic() - began) / 50 < MOST_SECONDS_A_KEY

    table.locator("xpath=..").evaluate("element => element.scrollTo(0, element.scrollHeight)")
    expect(ana.value(f"Line {LINES}")).to_be_visible()
    assert elements(ana) < MOST_ELEMENTS
    ana.value(f"Line {LINES}").fill("The last")
    ana.press("Enter")
    ana.waits_until_saved()
    (said,) = document.pages[0].said.corrections
    assert (said.pointer, said.value) == (f"/lines/{LINES - 1}/text", "The last")
    expect(ana.value("Name")).to_be_focused()


def test_a_row_that_has_the_focus_stays_while_others_go(comes: Callable[..., Person]) -> None:
    document = Held("a.pdf", [page([lines_of([str(number) for number in range(1, 501)])], drawn())])
    ana = comes(Desk(document))
    ana.opens(document)
    ana.value("Line 3").focus()
    ana.writes("three")
    grid = ana.page.get_by_role("table", name="Lines of text").locator("xpath=..")
    grid.evaluate("element => element.scrollTo(0, 9000)")
    expect(ana.value("Line 260")).to_be_visible()
    expect(ana.value("Line 3")).to_be_focused()
    height = int(grid.evaluate("element => element.scrollHeight"))
    grid.evaluate("element => element.scrollTo(0, 0)")
    expect(ana.value("Line 2")).to_be_visible()
    expect(ana.value("Line 3")).to_have_value("three")
    assert int(grid.evaluate("element => element.scrollHeight")) == height


def test_a_table_of_a_thousand_rows(comes: Callable[..., Person]) -> None:
    rows = "".join(f"<tr><td>{number}</td><td>{number * 2}</td></tr>" for number in range(1, 1_001))
    document = Held("a.pdf", [page([table_of(f"<table>{rows}</table>")], drawn())])
    ana = comes(Desk(document))
    ana.opens(document)
    expect(ana.value("Table, row 1, column 2")).to_have_value("2")
    assert elements(ana) < MOST_ELEMENTS


def test_the_first_field_of_a_document_of_two_hundred_pages(comes: Callable[..., Person]) -> None:
    """The list and the page are all that is asked for; the doubtful page is opened, not the first."""
    calm, doubtful = (page([fields_of({"Name": name}), lines_of(["Ana"])], drawn()) for name in ("Ana", "An?"))
    document = Held("a.pdf", [doubtful if number == 150 else calm for number in range(1, PAGES + 1)])
    desk = Desk(document)
    ana = comes(desk)
    expect(ana.page.get_by_role("link", name="a.pdf")).to_be_focused()
    desk.requests.clear()
    began = time.monotonic()
    ana.press("Enter")
    expect(ana.value("Name")).to_be_focused()
    assert time.monotonic() - began < MOST_SECONDS_TO_OPEN
    expect(ana.page.get_by_text("Page 150 of 200")).to_be_visible()
    asked = sorted(one.path.split("?")[0].replace(document.id, "ID") for one in desk.requests)
    assert asked == ["/documents/ID/pages/150", "/documents/ID/review/claim", "/images/ID/150"]
