"""PDFium, in a process of its own."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from pagewise.errors import PageUnreadable
from pagewise.geometry import Size
from pagewise.pages.drawings import is_one_colour
from pagewise.pages.pdfium import Part, Pdfium
from tests.split.documents import endless_pdf, text_pdf


def test_pdfium_ends_with_its_time_and_starts_anew(path: Path) -> None:
    path.write_bytes(endless_pdf(2, endless=1))
    part = Part.all_of(Size(200, 100))
    with Pdfium(path, None) as pdfium:
        began = time.monotonic()
        with pytest.raises(PageUnreadable, match="longer than 1 seconds"):
            pdfium.draw(1, part, 1)
        assert time.monotonic() - began < 5
        assert not is_one_colour(pdfium.draw(2, part, 10).raster)
        with pytest.raises(PageUnreadable):
            pdfium.draw(3, part, 10)
        assert pdfium.count() == 2


def test_a_part_of_a_page_is_that_part_of_the_whole(path: Path) -> None:
    path.write_bytes(text_pdf(1))
    whole = Size(400, 200)
    with Pdfium(path, None) as pdfium:
        all_of_it = pdfium.draw(1, Part.all_of(whole), 10).raster.image()
        part = pdfium.draw(1, Part(Size(200, 150), whole, left=50, top=40), 10).raster.image()
    assert part.tobytes() == all_of_it.crop((50, 40, 250, 190)).tobytes()
