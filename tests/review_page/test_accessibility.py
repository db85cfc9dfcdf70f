"""axe finds nothing serious on any view, in either scheme, at either width; nothing is wider than the screen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.review_page.documents import fields_of, lines_of, receipt, table_of
from tests.review_page.reviewing import NARROW, WIDE, Person
from tests.review_page.serving import Desk

SERIOUS = ("serious", "critical")


def violations(who: Person) -> list[str]:
    found: list[dict[str, Any]] = Axe().run(who.page).response["violations"]
    return [
        f"{one['id']}: {one['nodes'][0]['html'][:200]} {one['nodes'][0]['failureSummary']}"
        for one in found
        if one["impact"] in SERIOUS
    ]


def is_as_wide_as_the_screen(who: Person) -> bool:
    return bool(who.page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


@pytest.mark.parametrize(("size", "scheme"), [(WIDE, "light"), (NARROW, "dark")], ids=["wide-light", "narrow-dark"])
def test_every_view_is_sound(comes: Callable[..., Person], size: dict[str, int], scheme: str) -> None:
    document = receipt(misread={"Total": "34.?7", "Shop": "GREENLEAF GROCER?"})
    other = receipt("b.jpg")
    other.pages[0].results = {
        one.task: one
        for one in (fields_of({"Name": "A?"}), table_of("<table><tr><td>1</td></tr></table>"), lines_of(["One"]))
    }
    desk = Desk(document, other)
    desk.claim(other, "bert")
    ana = comes(desk, viewport=size, color_scheme=scheme)
    assert violations(ana) == []
    assert is_as_wide_as_the_screen(ana)
    ana.opens(document)
    ana.writes("GREENLEAF GROCERS")
    ana.press("Enter")
    ana.waits_until_saved()
    assert violations(ana) == []
    assert is_as_wide_as_the_screen(ana)
    ana.press("F1")
    expect(ana.page.get_by_role("dialog")).to_be_visible()
    assert violations(ana) == []
    ana.press("Escape")
    ana.opens(other)
    ana.is_told("bert has this document.")
    assert violations(ana) == []
    assert is_as_wide_as_the_screen(ana)


def test_landmarks_and_names(comes: Callable[..., Person]) -> None:
    document = receipt(misread={"Total": "34.?7"})
    ana = comes(Desk(document))
    ana.opens(document)
    expect(ana.page.get_by_role("banner")).to_contain_text("receipt.jpg")
    expect(ana.page.get_by_role("navigation", name="Pages")).to_contain_text("Page 1 of 1")
    expect(ana.page.get_by_role("main")).to_contain_text("1 value to check on this page")
    expect(ana.page.get_by_role("region", name="Page")).to_be_visible()
    reasons = "not in the expected form could not be read in full not found on the page"
    expect(ana.value("Total")).to_have_accessible_description(reasons)
    expect(ana.value("Lines › 1 › Price")).to_have_value("7.80")


def test_touch_and_focus_reach_every_value_on_a_narrow_screen(comes: Callable[..., Person]) -> None:
    document = receipt(misread={"Total": "34.?7"})
    ana = comes(Desk(document), viewport=NARROW, has_touch=True)
    ana.page.get_by_role("link", name="receipt.jpg").tap()
    expect(ana.value("Total")).to_be_in_viewport()
    ana.value("Lines › 6 › Price").tap()
    ana.writes("9.81")
    ana.press("Enter")
    ana.waits_until_saved()
    assert [one.value for one in document.pages[0].said.corrections] == ["9.81"]
