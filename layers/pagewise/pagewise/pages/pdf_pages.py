"""A PDF's page as its readers see it: its size, the scan that covers it, the scale to draw it by, the drawing."""

from __future__ import annotations

from dataclasses import dataclass

from pagewise.errors import PageUnreadable
from pagewise.pages.png import Raster

POINTS_PER_INCH = 72

# Above a page of 15.68 MP, the service's limit, in three channels; a larger raster is not read.
MAX_RASTER_PIXELS = 40_000_000


class PageTimedOut(PageUnreadable):
    def __init__(self, page: int, seconds: float) -> None:
        super().__init__(f"Page {page} takes longer than {seconds:.0f} seconds to render. Export it more simply.")


@dataclass(frozen=True, slots=True)
class Scale:
    """The rendering of a page: dots per inch, and whether its crop box bounds it, as in a reader, or its whole sheet.

    The dots are those of an inch of 72 units: where a unit is larger than a point (UserUnit), an inch has fewer.
    """

    dpi: float
    cropped: bool = True


@dataclass(frozen=True, slots=True)
class PageSize:
    """The size of a page as it lies in the file, in its own units: its crop box, and its media box for want of one.

    `missing` if the file has no such page; `left` and `bottom` of the box, `turn` as /Rotate says, in degrees
    clockwise, and `unit` the points that a unit has (UserUnit).
    """

    width: float = 0.0
    height: float = 0.0
    missing: bool = False
    cropped: bool = True
    left: float = 0.0
    bottom: float = 0.0
    turn: int = 0
    unit: float = 1.0

    @property
    def inches(self) -> tuple[float, float]:
        return self.width * self.unit / POINTS_PER_INCH, self.height * self.unit / POINTS_PER_INCH


@dataclass(frozen=True, slots=True)
class Scan:
    """The resolution of a page of pictures alone: dots per inch of the picture that covers it, and of the finest."""

    dpi: float
    finest: float


@dataclass(frozen=True, slots=True)
class Drawing:
    """A page as poppler drew it, and the first lines of poppler's complaints meanwhile."""

    raster: Raster
    complaints: tuple[str, ...] = ()
