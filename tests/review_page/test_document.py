"""A document's pages: the image with its boxes, the values beside it, tables as tables."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import expect

from pagewise.tasks import Task
from tests.review_page.documents import drawn, fields_of, lines_of, page, receipt, table_of
from tests.review_page.reviewing import Person
from tests.review_page.serving import Desk, Held

ARABIC = "شركة النور للتجارة"
MARKUP = '<img src=x onerror="document.title=1"><script>document.title=2</script>&amp;'


def test_doubtful_values_come_first_and_the_first_has_the_focus(comes: Callable[..., Person]) -> None:
    document = receipt(misread={"Total": "34.?7"})
    ana = comes(Desk(document))
    ana.opens(document)
    expect(ana.value("Total")).to_be_focused()
    labels = ana.page.locator(".value label").all_inner_texts()
    assert labels == ["Total", "Shop", "Address", "Date", "Receipt number", "Subtotal", "VAT"]
    expect(ana.card("Total")).to_contain_text("could not be read in full")
    expect(ana.card("Shop")).not_to_contain_text("could not")


def test_the_value_in_focus_lights_its_box_and_is_cut_out(comes: Callable[..., Person]) -> None:
    document = receipt()
    ana = comes(Desk(document))
    ana.opens(document)
    assert ana.lit == ""
    ana.value("Shop").focus()
    shop = ana.lit
    expect(ana.card("Shop").locator("svg.cutting image")).to_have_attribute("href", re.compile("^/images/"))
    ana.value("Subtotal").focus()
    assert shop != ana.lit != ""
    expect(ana.card("Shop").locator("svg.cutting")).to_have_count(0)


def test_boxes_are_drawn_by_state(comes: Callable[..., Person]) -> None:
    document = receipt(misread={"Shop": "GREENLEAF GROCER?"})
    ana = comes(Desk(document))
    ana.opens(document)

    def boxes(state: str) -> int:
        return (ana.page.locator(f"path.{state}").get_attribute("d") or "").count("M")

    assert (boxes("doubtful"), boxes("accepted"), boxes("corrected")) == (1, 0, 0)
    ana.press("Enter")
    ana.waits_until_saved()
    assert (boxes("doubtful"), boxes("accepted"), boxes("corrected")) == (0, 1, 0)
    ana.value("Shop").focus()
    ana.writes("GREENLEAF GROCERS")
    ana.press("Enter")
    expect(ana.card("Shop")).to_contain_text("corrected")
    ana.waits_until_saved()
    assert (boxes("doubtful"), boxes("accepted"), boxes("corrected")) == (0, 0, 1)


def test_a_click_on_a_box_leads_to_its_value_however_the_page_is_turned(comes: Callable[..., Person]) -> None:
    document = Held(
        "a.pdf",
        [
            page(
                [fields_of({"Name": "Ana Maria", "City": "Lisboa"}), lines_of(["Ana Maria", "Lisboa"])],
                drawn("Ana Maria", "Lisboa"),
            )
        ],
    )
    ana = comes(Desk(document))
    ana.opens(document)
    for _ in range(4):
        for name in ("City", "Name"):
            ana.value(name).focus()
            lit = ana.page.locator("path.lit").bounding_box()
            ana.page.locator("h1").click()
            assert lit is not None
            ana.page.mouse.click(lit["x"] + lit["width"] / 2, lit["y"] + lit["height"] / 2)
            assert ana.focused in (name, "Line 1" if name == "Name" else "Line 2")
        ana.page.get_by_role("button", name="Turn").click()


def test_zoom_and_turn(comes: Callable[..., Person]) -> None:
    document = receipt()
    ana = comes(Desk(document))
    ana.opens(document)
    image = ana.page.get_by_role("img", name="Page 1 of receipt.jpg")

    def size() -> tuple[int, int]:
        box = image.bounding_box()
        assert box is not None
        return round(box["width"]), round(box["height"])

    width, height = size()
    ana.page.get_by_role("button", name="Closer").click()
    assert size() == (round(width * 1.25), round(height * 1.25))
    ana.page.get_by_role("button", name="Width").click()
    assert size() == (width, height)
    ana.page.get_by_role("button", name="Turn").click()
    turned = size()
    assert abs(turned[0] - width) <= 1
    assert abs(turned[0] / turned[1] - height / width) < 0.01
    ana.page.get_by_role("region", name="Values").focus()
    ana.press("r", "+", "-", "0")
    assert size() == (width, height)


def test_pages_one_by_one(comes: Callable[..., Person]) -> None:
    document = Held("a.pdf", [page([fields_of({"Number": f"N{number}"})]) for number in (1, 2, 3)])
    ana = comes(Desk(document))
    ana.opens(document)
    expect(ana.page.get_by_role("button", name="Previous page")).to_be_disabled()
    ana.page.get_by_role("button", name="Next page").click()
    expect(ana.page.get_by_text("Page 2 of 3")).to_be_visible()
    expect(ana.value("Number")).to_have_value("N2")
    assert ana.page.url.endswith("/2")
    ana.press("Alt+PageDown")
    expect(ana.page.get_by_text("Page 3 of 3")).to_be_visible()
    ana.press("[", "[")
    expect(ana.value("Number")).to_have_value("N1")


def test_a_list_of_objects_is_a_table(comes: Callable[..., Person]) -> None:
    rows = [{"Article": "Rye bread", "Price": "7.?0"}, {"Article": "Cheese", "Price": "8.45"}]
    document = receipt(misread={"Lines": rows})
    ana = comes(Desk(document))
    ana.opens(document)
    table = ana.page.get_by_role("table", name="Lines", exact=True)
    expect(table.get_by_role("columnheader")).to_have_text(["Article", "Price"])
    expect(ana.value("Lines › 1 › Price")).to_be_focused()
    expect(ana.page.locator(".about.doubtful")).to_contain_text("could not be read in full")
    ana.press("ArrowDown")
    expect(ana.value("Lines › 2 › Price")).to_be_focused()
    ana.writes("8.54")
    ana.press("ArrowUp")
    ana.writes("7.80")
    ana.press("Enter")
    ana.waits_until_saved()
    said = {one.pointer: one.value for one in document.pages[0].said.corrections}
    assert said == {"/fields/Lines/1/Price": "8.54", "/fields/Lines/0/Price": "7.80"}


def test_a_table_in_html_is_edited_cell_by_cell(comes: Callable[..., Person]) -> None:
    head = '<tr><td rowspan="2">Size</td><td colspan="2">Width</td></tr>'
    html = f"<table>{head}<tr><td>1,5</td><td>2 &lt; 3</td></tr></table>"
    document = Held("a.pdf", [page([table_of(html)])])
    ana = comes(Desk(document))
    ana.opens(document)
    assert ana.page.locator(".grid td.covered").count() == 2
    ana.value("Table, row 2, column 3").focus()
    ana.writes("2 < 4")
    ana.press("Tab")
    ana.waits_until_saved()
    (said,) = document.pages[0].said.corrections
    assert (said.task, said.pointer) == (Task.TABLE_PARSING, "/html")
    expected = (
        html.replace("<tr>", "<tbody><tr>", 1).replace("</table>", "</tbody></table>").replace("2 &lt; 3", "2 &lt; 4")
    )
    assert said.value == expected
    ana.page.reload()
    expect(ana.value("Table, row 2, column 3")).to_have_value("2 < 4")


def test_text_that_looks_like_html_is_text(comes: Callable[..., Person]) -> None:
    table = f"<table><tr><td>{MARKUP}</td></tr></table>"
    fields = {MARKUP: f"{MARKUP}?", "Rows": [{MARKUP: MARKUP}]}
    document = Held(f"{MARKUP}.pdf", [page([fields_of(fields), table_of(table), lines_of([MARKUP])], drawn())], MARKUP)
    ana = comes(Desk(document))
    expect(ana.page.locator("tbody tr")).to_contain_text(MARKUP)
    ana.opens(document)
    ana.press("Enter")
    expect(ana.card(MARKUP)).to_contain_text("accepted")
    expect(ana.value(MARKUP)).to_have_value(f"{MARKUP}?")
    expect(ana.value("Line 1")).to_have_value(MARKUP)
    assert ana.page.locator("#root script, #root img:not([alt^='Page 1'])").count() == 0
    assert ana.page.title() not in ("1", "2")


def test_each_text_reads_in_its_own_direction(comes: Callable[..., Person]) -> None:
    document = Held(
        f"{ARABIC}.pdf", [page([fields_of({"الشركة": ARABIC, "Company": "Al Nour?"}), lines_of([ARABIC])], drawn())]
    )
    ana = comes(Desk(document))
    ana.opens(document)

    def direction(name: str) -> str:
        return str(ana.value(name).evaluate("element => getComputedStyle(element).direction"))

    assert direction("الشركة") == "rtl"
    assert direction("Company") == "ltr"
    assert direction("Line 1") == "rtl"
    assert ana.page.locator("h1 bdi").evaluate("element => getComputedStyle(element).direction") == "rtl"


def test_a_link_to_an_image_that_has_ended_is_renewed_and_else_said(comes: Callable[..., Person]) -> None:
    document = receipt()
    desk = Desk(document)
    desk.links_end = True
    ana = comes(desk)
    ana.opens(document)
    expect(ana.page.get_by_text("The page image could not be loaded.")).to_be_visible()
    assert len(desk.asked("GET", "/pages/1")) == 2
    desk.links_end = False
    ana.page.get_by_role("button", name="Try again").click()
    expect(ana.page.get_by_text("The page image could not be loaded.")).to_have_count(0)
    image = ana.page.get_by_role("img", name="Page 1")
    expect(image).to_have_js_property("naturalWidth", 1240)


def test_a_page_without_an_image_shows_its_values(comes: Callable[..., Person]) -> None:
    document = Held("a.pdf", [page([fields_of({"Total": "1?"})])])
    ana = comes(Desk(document))
    ana.opens(document)
    expect(ana.page.get_by_text("This page has no image")).to_be_visible()
    expect(ana.value("Total")).to_be_focused()
