"""Two drawings of one page: the losses of each, and the one to keep.

A drawing is cut into cells. A cell is marked if it has edges in it, as letters and lines have; it is black if there is
next to nothing else in it. A drawing has lost the cells that only the other one has marked, and those that it alone
has black: boxes over text. Letters on one spot, a text or a picture left out, and a black box all count as much as
the text that is lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from pagewise.pages.png import BLOCK_BYTES, Raster, blocks

if TYPE_CHECKING:
    from PIL.Image import Image

CELL = 8  # pixels: a small letter at 200 dpi is twice as high
EDGE = 6  # mean difference of neighbours within a cell, of 255: the antialiased rim of one letter makes 10 and more
BLACK = 24
# Share of the cells that both have: readers differ in the weight of letters and the course of hairlines.
LOST_SHARE = 0.02
LEAST_CELLS = 3  # one letter
LEAST_BOX = 5  # cells: 40 pixels, wider than any stroke of a letter
# Cells that each may have alone before neither counts as whole, as a share of the cells that both have.
TORN_SHARE = 0.1


class Kept(Enum):
    FIRST = "first"
    SECOND = "second"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The drawing that has lost less; `torn` if each has lost much that the other has, so that neither is whole."""

    kept: Kept
    torn: bool = False


def is_one_colour(raster: Raster) -> bool:
    """Ends at the first line, or soon, on any page that is not empty."""
    plain = bytes(raster.pixels[: raster.channels]) * (BLOCK_BYTES // raster.channels)
    # A memoryview would compare number by number, at twenty times the time.
    return all(block == plain[: len(block)] for block in blocks(raster.pixels))


def compare(first: Raster, second: Raster) -> Verdict:
    """The first drawing is kept unless it has lost more than the second has, or shows nothing where that shows some."""
    if (first.width, first.height) != (second.width, second.height):
        raise ValueError("drawings of different sizes")
    if is_one_colour(first) or is_one_colour(second):
        return Verdict(Kept.FIRST if is_one_colour(second) else Kept.SECOND)
    of_first, of_second = Cells.of(first), Cells.of(second)
    lost_by_first = of_second.beyond(of_first)
    lost_by_second = of_first.beyond(of_second)
    common = min(of_first.count, of_second.count)
    torn = min(lost_by_first, lost_by_second) > max(2 * LEAST_CELLS, TORN_SHARE * common)
    if lost_by_first > max(LEAST_CELLS, LOST_SHARE * common, lost_by_second):
        return Verdict(Kept.SECOND, torn)
    return Verdict(Kept.FIRST, torn)


@dataclass(frozen=True, slots=True)
class Cells:
    """The marked cells of a drawing and the black ones: pictures of a pixel for each cell, 255 or 0."""

    marked: Image
    black: Image

    @classmethod
    def of(cls, raster: Raster) -> Cells:
        from PIL import ImageChops

        grey = raster.image().convert("L")
        edges = ImageChops.lighter(
            ImageChops.difference(grey, shifted(grey, 1, 0)), ImageChops.difference(grey, shifted(grey, 0, 1))
        )
        marked = edges.reduce(CELL).point(lambda value: 255 if value >= EDGE else 0)
        black = grey.reduce(CELL).point(lambda value: 255 if value <= BLACK else 0)
        return cls(marked, black)

    @property
    def count(self) -> int:
        return cells(self.marked)

    def beyond(self, other: Cells) -> int:
        """The cells that are marked here alone, or in a box that is black there alone. Neighbours count as the same
        place, and the rims of a box that is black here alone are no marks."""
        from PIL import ImageChops

        marked = less(less(self.marked, other.marked), boxes(less(self.black, other.black)))
        return cells(ImageChops.lighter(marked, boxes(less(other.black, self.black))))


def boxes(black: Image) -> Image:
    """Without areas narrower than a box."""
    from PIL import ImageFilter

    return black.filter(ImageFilter.MinFilter(LEAST_BOX)).filter(ImageFilter.MaxFilter(LEAST_BOX))


def shifted(image: Image, right: int, down: int) -> Image:
    """Moved by so many pixels; the strip left free at the edge keeps its old content."""
    moved = image.copy()
    moved.paste(image, (right, down))
    return moved


def less(cells_here: Image, cells_there: Image) -> Image:
    from PIL import ImageChops, ImageFilter

    return ImageChops.subtract(cells_here, cells_there.filter(ImageFilter.MaxFilter(3)))


def cells(image: Image) -> int:
    return image.histogram()[255]
