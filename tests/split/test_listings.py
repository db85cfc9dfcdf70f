"""Poppler's listings, read: sizes of pages, scans, refusals. The texts are in the form that its programs print."""

from __future__ import annotations

import pytest

from pagewise.errors import Rejection
from pagewise.pages.listings import properties_of, rejection_of, scans_of, sizes_of
from pagewise.pages.pdf_pages import PageSize

SAID = """Title:           A title
Pages: 9
Pages:           2
Encrypted:       no
Page    1 size:  612 x 792 pts (letter)
Page    1 rot:   90
Page    1 MediaBox:     0.00     0.00   612.00   792.00
Page    1 CropBox:     10.00    20.00   600.00   700.00
Page    2 size:  0 x 0 pts
Page    2 MediaBox:     5.00     6.00   105.00   206.00
"""
HEAD = (
    "page   num  type   width height color comp bpc  enc interp  object ID x-ppi y-ppi size ratio\n" + "-" * 80 + "\n"
)
SHEET = PageSize(612, 792)


def row(width: int, height: int, dpi: int, kind: str = "image") -> str:
    return (
        f"   1     0 {kind:6} {width:5} {height:5}  gray    1   8  jpeg   no        10  0 {dpi:5} {dpi:5}  300K  20%\n"
    )


def test_properties_begin_at_the_last_line_of_pages() -> None:
    said = properties_of(SAID)
    assert said["Pages"] == "2"
    assert "Title" not in said


def test_what_says_no_number_of_pages_says_nothing() -> None:
    assert properties_of("Title: Pages\nPages: many\n") == {}


def test_the_crop_box_is_the_page_and_the_media_box_for_want_of_one() -> None:
    sizes = sizes_of(properties_of(SAID))
    assert sizes[1] == PageSize(612, 792, left=10, bottom=20, turn=90)
    assert sizes[2] == PageSize(100, 200, cropped=False, left=5, bottom=6)


def test_a_page_without_boxes_is_missing() -> None:
    assert sizes_of({"Page    3 size": "0 x 0 pts"}) == {3: PageSize(missing=True)}


@pytest.mark.parametrize("line", ["Page 1 size: x", "Page one size: 3 x 3 pts", "Page 1 size: 3 pts"])
def test_a_line_that_is_no_size_is_none(line: str) -> None:
    name, _, value = line.partition(":")
    assert sizes_of({name: value}) == {}


def test_a_picture_over_the_page_is_a_scan_with_dots_that_its_size_gives() -> None:
    (scan,) = scans_of(HEAD + row(1275, 1650, 150), {1: SHEET}).values()
    assert scan.dpi == pytest.approx(150, abs=0.01)
    assert scan.finest == 150


def test_strips_cover_a_page_together() -> None:
    (scan,) = scans_of(HEAD + 10 * row(1275, 165, 150), {1: SHEET}).values()
    assert scan.dpi == 150


@pytest.mark.parametrize(
    "rows",
    [
        row(600, 600, 150),  # a quarter of the sheet
        row(1275, 1650, 150, "smask"),
        row(0, 1650, 150),
        "   1     0 image  1275  1650\n",
    ],
)
def test_a_small_mask_or_broken_picture_is_no_scan(rows: str) -> None:
    assert scans_of(HEAD + rows, {1: SHEET}) == {}


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("Command Line Error: Incorrect password", Rejection.ENCRYPTED),
        ("Syntax Error: Invalid page count 0", Rejection.EMPTY),
        ("Syntax Error: Couldn't find trailer dictionary", Rejection.UNREADABLE),
    ],
)
def test_a_refusal_has_the_reason_that_poppler_gives(said: str, reason: Rejection) -> None:
    assert rejection_of(said).reason == reason
