"""A PDF's page as its readers see it."""

from __future__ import annotations

import pytest

from pagewise.pages.pdf_pages import PageSize, PageTimedOut


@pytest.mark.parametrize(("unit", "inches"), [(1.0, (8.5, 11.0)), (2.0, (17.0, 22.0)), (0.5, (4.25, 5.5))])
def test_a_unit_scales_the_sheet(unit: float, inches: tuple[float, float]) -> None:
    assert PageSize(612, 792, unit=unit).inches == inches


def test_a_page_that_takes_too_long_says_which_and_what_to_do() -> None:
    assert PageTimedOut(7, 20.4).message == "Page 7 takes longer than 20 seconds to render. Export it more simply."
