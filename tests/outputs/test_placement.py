"""Places and directions of lines."""

from __future__ import annotations

import pytest

from pagewise.geometry import Size
from pagewise.outputs.placement import placed_lines
from tests.outputs.making import line

PAGE = Size(1000, 1000)


def test_lines_without_text_or_place_are_left_out_and_the_others_keep_their_numbers() -> None:
    found = placed_lines([line(" ", 0, 0, 10), {"text": "x"}, line("a  b", 100, 100, 200)], PAGE)
    assert [(one.number, one.text, one.center, one.length) for one in found] == [(3, "a b", (200, 115), 200)]


@pytest.mark.parametrize(("tops", "angle"), [((100, 200, 300), 0), ((300, 200, 100), 180)])
def test_the_order_of_lines_tells_which_way_is_up(tops: tuple[int, ...], angle: float) -> None:
    assert {one.angle for one in placed_lines([line("text", 100, top, 300) for top in tops], PAGE)} == {angle}


def test_a_box_beyond_the_page_ends_at_its_edge() -> None:
    (found,) = placed_lines([line("text", 900, 100, 400)], PAGE)
    assert found.center[0] + found.length / 2 <= PAGE.width + 1e-6
