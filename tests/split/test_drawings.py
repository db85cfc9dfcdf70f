"""Of two drawings of a page, the one that has lost less."""

from __future__ import annotations

import pytest
from PIL import Image

from pagewise.pages.drawings import Kept, compare, is_one_colour
from pagewise.pages.png import Raster, raster_of


def raster(marks: list[tuple[int, int, int, int]], shade: int = 0) -> Raster:
    image = Image.new("L", (400, 400), 255)
    for mark in marks:
        image.paste(shade, mark)
    return raster_of(image.convert("RGB"))


LETTERS = [
    (20 * column, 20 * line, 20 * column + 9, 20 * line + 11) for line in range(1, 15) for column in range(1, 15)
]


@pytest.mark.parametrize(
    ("first", "second", "kept", "torn"),
    [
        (LETTERS, LETTERS, Kept.FIRST, False),
        (LETTERS, [(x + 1, y, x2 + 1, y2) for x, y, x2, y2 in LETTERS], Kept.FIRST, False),
        ([], LETTERS, Kept.SECOND, False),
        (LETTERS, [], Kept.FIRST, False),
        (LETTERS[:150], LETTERS, Kept.SECOND, False),
        ([(0, 0, 400, 200), *LETTERS], LETTERS, Kept.SECOND, False),
        (LETTERS, [(0, 0, 400, 200), *LETTERS], Kept.FIRST, False),
        ([(100, 100, 111, 112)] * 9, LETTERS, Kept.SECOND, False),
        (LETTERS[:120], LETTERS[80:], Kept.FIRST, True),
    ],
    ids=[
        "equal",
        "a pixel apart",
        "blank",
        "second blank",
        "text lost",
        "black box",
        "second black box",
        "one spot",
        "torn",
    ],
)
def test_the_drawing_that_has_lost_less_is_kept(
    first: list[tuple[int, int, int, int]], second: list[tuple[int, int, int, int]], kept: Kept, torn: bool
) -> None:
    verdict = compare(raster(first), raster(second))
    assert (verdict.kept, verdict.torn) == (kept, torn)


def test_one_colour_is_known_to_the_last_pixel() -> None:
    plain = raster([])
    changed = Raster(plain.width, plain.height, 3, bytes(plain.pixels[:-1]) + b"\xfe")
    assert [is_one_colour(found) for found in (plain, changed)] == [True, False]
