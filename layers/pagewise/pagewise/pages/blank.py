"""Whether a page has nothing to recognize on it.

A page is blank if it has no mark that could be a letter. The paper may be of any shade, uneven, and as noisy as
scanners and JPEG make it; specks of dust, holes punched at its margins, and shadows that reach its very edges are no
letters. Every other mark counts, bleed-through too: a blank page that is sent costs tokens, a word that is not sent is
lost.

A few bands of lines settle most pages: there is ink in them. A page without ink there is looked at whole: against its
own paper, at half its size, where noise is half as strong and a letter still has strokes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pagewise.pages.png import BLOCK_BYTES, Raster, blocks

if TYPE_CHECKING:
    from PIL.Image import Image

# The quick look: bands of lines from all over the page. With ink, so many of their pixels differ by so much from a
# neighbour at these distances, in pixels across and down. Bars of four pixels are alike at the first, squares of three
# at the second.
BANDS, BAND_LINES = 8, 6
STRONG_CONTRAST, NEIGHBOURS = 60, ((4, 0), (3, 3))
STRONG_SHARE = 0.01

# Pixels of a page that is looked at whole: A4 at 100 dpi, where the strokes of 6-point type are a pixel wide.
LOOKED_AT = 1_000_000
# Smoothing away all marks of this size leaves the paper. At the page's edges, where shadows are, the paper continues
# as it is beside them.
PAPER_CELL, EDGE_CELLS = 16, 2
# A mark stands out from the paper's noise by so many of its standard deviations, and by at least so many of 255. A
# variation above the most is no noise, but a pattern: print.
DEVIATIONS, LEAST_CONTRAST, MOST_CONTRAST = 5.0, 4, 96
# A mark stands out from its surroundings as well: shadows and folds have no outline.
OUTLINE_RADIUS = 6
# A mark's pixels lie in cells of so many; marks whose cells touch are one.
CELL = 4
FULL = CELL * CELL
# A page with more marked cells than this is not blank, with any kind of marks.
MOST_CELLS = 4_000
# The least that a letter is: pixels, and pixels high or wide. A speck is less.
LETTER_PIXELS, LETTER_SIDE = 6, 5
# The side of a hole: 4 to 9 mm on A4's short side of 210 mm, as wide as high, solid, within 20 mm of an edge.
HOLE_SIDE = 0.018, 0.045
HOLE_MARGIN = 0.1
# Smaller pictures, in pixels of their short side, are no sheets: a mark that reaches their edges is a cut word.
LEAST_SHEET = 400


@dataclass(slots=True)
class Mark:
    """Cells that touch: how many pixels of ink and of outline they hold, and where they lie, in cells."""

    ink: int
    outline: int
    left: int
    top: int
    right: int
    bottom: int

    @property
    def sides(self) -> tuple[int, int]:
        return self.right - self.left + 1, self.bottom - self.top + 1


@dataclass(frozen=True, slots=True)
class Cells:
    """Pixels of ink and of outline in each cell of a page, row by row."""

    width: int
    height: int
    ink: bytes
    outline: bytes


def is_blank(raster: Raster) -> bool:
    """Whether a page has no text: an ordinary page of it takes a millisecond, an empty one in one shade three."""
    return is_of_one_byte(raster.pixels) or not (has_ink_in_bands(raster) or has_letters(raster))


def is_of_one_byte(pixels: bytes | bytearray) -> bool:
    """White, black or one grey all over. It ends at the first block that is not."""
    same = pixels[:1] * BLOCK_BYTES
    return all(block == same[: len(block)] for block in blocks(pixels))


def has_ink_in_bands(raster: Raster) -> bool:
    """Whether bands of lines from all over the page have many strokes."""
    from PIL import Image as Pillow
    from PIL import ImageChops

    length, mode = raster.width * raster.channels, "L" if raster.channels == 1 else "RGB"
    height = min(BAND_LINES, raster.height)
    strokes = 0
    with memoryview(raster.pixels) as lines:
        for band in range(BANDS):
            # The outermost bands lie within the page: at its edges are shadows.
            top = (band + 1) * (raster.height - height) // (BANDS + 1)
            pixels = lines[top * length : (top + height) * length]
            strip = Pillow.frombytes(mode, (raster.width, height), pixels).convert("L")
            beside = [ImageChops.difference(strip, ImageChops.offset(strip, *place)) for place in NEIGHBOURS]
            strokes += sum(ImageChops.lighter(*beside).histogram()[STRONG_CONTRAST:])
    return strokes > STRONG_SHARE * BANDS * height * raster.width


def has_letters(raster: Raster) -> bool:
    image = raster.image()
    factor = max(1, round(math.sqrt(raster.width * raster.height / LOOKED_AT)))
    small = image.reduce(factor) if factor > 1 else image
    extremes = small.getextrema()
    if all(low == high for low, high in ([extremes] if raster.channels == 1 else extremes)):  # type: ignore[misc]
        return False
    if min(small.size) < 2 * PAPER_CELL:  # no paper around a mark: too little to say that it is none
        return True
    # Ink may differ from its paper in one colour alone: yellow on white in blue.
    channels = {channel.tobytes(): channel for channel in small.split()}  # grey in RGB is looked at once
    return any(has_letters_in(channel, factor) for channel in channels.values())


def has_letters_in(grey: Image, factor: int) -> bool:
    from PIL import ImageChops, ImageFilter

    difference = ImageChops.difference(grey, paper_of(grey))
    threshold = min(max(LEAST_CONTRAST, math.ceil(DEVIATIONS * noise(difference))), MOST_CONTRAST)
    if difference.getextrema()[1] < threshold:  # type: ignore[operator]
        return False
    ink = above(difference, threshold)
    around = ImageChops.difference(grey, grey.filter(ImageFilter.BoxBlur(OUTLINE_RADIUS)))
    outline = ImageChops.darker(ink, above(around, 0.75 * threshold))
    cells = Cells(-(-ink.width // CELL), -(-ink.height // CELL), counted(ink), counted(outline))
    if len(cells.ink) - cells.ink.count(0) > MOST_CELLS:
        return True
    is_sheet = min(grey.size) * factor >= LEAST_SHEET
    return any(is_letter(mark) and not (is_sheet and is_of_paper(mark, cells)) for mark in marks(cells))


def above(image: Image, threshold: float) -> Image:
    return image.point(lambda value: 255 * (value >= threshold))


def counted(ink: Image) -> bytes:
    """The number of ink pixels in each cell."""
    return ink.reduce(CELL).point(lambda share: round(share * FULL / 255)).tobytes()


def paper_of(grey: Image) -> Image:
    """The page without its marks."""
    from PIL import Image as Pillow
    from PIL import ImageFilter

    coarse = grey.reduce(min(PAPER_CELL, *grey.size)).filter(ImageFilter.MedianFilter(5))
    width, height = coarse.size
    if min(width, height) > 4 * EDGE_CELLS:
        for edge in range(EDGE_CELLS):
            for to, start in ((edge, EDGE_CELLS), (width - 1 - edge, width - 1 - EDGE_CELLS)):
                coarse.paste(coarse.crop((start, 0, start + 1, height)), (to, 0))
            for to, start in ((edge, EDGE_CELLS), (height - 1 - edge, height - 1 - EDGE_CELLS)):
                coarse.paste(coarse.crop((0, start, width, start + 1)), (0, to))
    return coarse.resize(grey.size, Pillow.Resampling.BILINEAR)


def noise(difference: Image) -> float:
    """The standard deviation of the paper: from the middle of its differences, where there is no ink."""
    counts = difference.histogram()
    half, found = sum(counts) / 2, 0
    for contrast, count in enumerate(counts):
        if found + count >= half:
            # Half of all that is normally distributed differs by less than 0.6745 of its deviation.
            return (contrast - 0.5 + (half - found) / count) / 0.6745 if contrast else 0.0
        found += count
    return 0.0


def marks(cells: Cells) -> Iterator[Mark]:
    """Cells with ink that touch, each group as one mark."""
    width = cells.width
    left = {place for place, count in enumerate(cells.ink) if count}
    while left:
        waiting = [left.pop()]
        y, x = divmod(waiting[0], width)
        mark = Mark(0, 0, x, y, x, y)
        while waiting:
            place = waiting.pop()
            y, x = divmod(place, width)
            mark.ink += cells.ink[place]
            mark.outline += cells.outline[place]
            mark.left, mark.right = min(mark.left, x), max(mark.right, x)
            mark.top, mark.bottom = min(mark.top, y), max(mark.bottom, y)
            for row in (y - 1, y, y + 1):
                for column in range(max(0, x - 1), min(width, x + 2)):
                    if (beside := row * width + column) in left:
                        left.remove(beside)
                        waiting.append(beside)
        yield mark


def is_letter(mark: Mark) -> bool:
    """Whether a mark could be a letter, or letters: no speck, no shadow."""
    return mark.ink >= LETTER_PIXELS and mark.outline >= LETTER_PIXELS / 2 and max(mark.sides) * CELL >= LETTER_SIDE


def is_of_paper(mark: Mark, cells: Cells) -> bool:
    """Whether a mark is of the sheet and not on it: a hole, or a mark that reaches the edges of the page."""
    at_an_edge = mark.left == 0 or mark.top == 0 or mark.right == cells.width - 1 or mark.bottom == cells.height - 1
    return at_an_edge or is_hole(mark, cells)


def is_hole(mark: Mark, cells: Cells) -> bool:
    width, height = mark.sides
    short = min(cells.width, cells.height)
    margin = HOLE_MARGIN * short
    beside_an_edge = (
        mark.left < margin
        or mark.top < margin
        or mark.right >= cells.width - margin
        or mark.bottom >= cells.height - margin
    )
    # A cell more for the rim.
    fits = HOLE_SIDE[0] * short <= min(width, height) and max(width, height) <= HOLE_SIDE[1] * short + 2
    return beside_an_edge and fits and abs(width - height) <= 1 and is_solid(mark, cells)


def is_solid(mark: Mark, cells: Cells) -> bool:
    """Whether the middle third of a mark is all ink: no letter is."""
    width, height = mark.sides
    return all(
        cells.ink[row * cells.width + column] == FULL
        for row in range(mark.top + height // 3, mark.bottom + 1 - height // 3)
        for column in range(mark.left + width // 3, mark.right + 1 - width // 3)
    )
