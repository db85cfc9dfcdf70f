"""The matrix of a text layer lays the page image onto its part of the file's page."""

from __future__ import annotations

import pytest

from pagewise.geometry import Size
from pagewise.outputs.text_layer import Region, matrix_onto, number

IMAGE = Size(200, 100)


@pytest.mark.parametrize(
    ("turn", "start", "end"),
    [(0, (10, 20), (410, 220)), (90, (210, 20), (10, 420)), (180, (410, 220), (10, 20)), (270, (10, 420), (210, 20))],
)
def test_the_image_s_corners_are_the_region_s(turn: int, start: tuple[int, int], end: tuple[int, int]) -> None:
    sides = (400, 200) if turn % 180 == 0 else (200, 400)
    a, b, c, d, e, f = matrix_onto(Region(10, 20, *sides, turn), IMAGE)
    assert (e, f) == start
    assert (a * 200 + c * 100 + e, b * 200 + d * 100 + f) == end


def test_numbers_are_short_and_never_in_powers() -> None:
    assert [number(value) for value in (1.0, 0.5, -0.00001, 1e-7, 123456.78912)] == [
        "1",
        "0.5",
        "0",
        "0",
        "123456.7891",
    ]
