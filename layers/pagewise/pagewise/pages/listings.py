"""The prints of poppler's listing programs, read: sizes of pages, scans that cover them, reasons to refuse a file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from pagewise.errors import DocumentRejected, Rejection
from pagewise.pages.pdf_pages import POINTS_PER_INCH, PageSize, Scan

COVERS = 0.8  # of a page's area: scanners leave margins


def rejection_of(poppler_says: str) -> DocumentRejected:
    if "Incorrect password" in poppler_says:
        return DocumentRejected(
            Rejection.ENCRYPTED, "The PDF opens only with a password. Upload a copy without one, or name the password."
        )
    if "Invalid page count 0" in poppler_says:
        return DocumentRejected(Rejection.EMPTY, "The PDF has no pages. Export it again.")
    return DocumentRejected(Rejection.UNREADABLE, "The PDF is damaged beyond reading. Export or scan it again.")


def scans_of(listing: str, sizes: Mapping[int, PageSize]) -> dict[int, Scan]:
    """From `pdfimages -list`, the pages that pictures cover.

    Columns: page, number, type, width, height … and at the end x-ppi, y-ppi, size, ratio.
    """
    pictures: dict[int, list[Picture]] = {}
    for row in listing.splitlines()[2:]:
        columns = row.split()
        if len(columns) >= 14 and columns[2] != "smask":
            picture = Picture(int(columns[3]), int(columns[4]), float(columns[-4]), float(columns[-3]))
            pictures.setdefault(int(columns[0]), []).append(picture)
    found = {page: scan_of(shown, sizes[page]) for page, shown in pictures.items() if page in sizes}
    return {page: scan for page, scan in found.items() if scan}


@dataclass(frozen=True, slots=True)
class Picture:
    """In pixels, and in dots per inch of 72 units along its own sides, as drawn."""

    width: int
    height: int
    horizontal: float
    vertical: float

    @property
    def is_drawn(self) -> bool:
        return min(self.width, self.height, self.horizontal, self.vertical) > 0

    @property
    def dpi(self) -> float:
        return max(self.horizontal, self.vertical)

    @property
    def area(self) -> float:
        return self.width / self.horizontal * self.height / self.vertical


def scan_of(pictures: Iterable[Picture], size: PageSize) -> Scan | None:
    """None if the pictures leave more than the margins of the page. It may be one of strips, or of several layers: the
    finest of them decide that together cover it."""
    drawn = sorted((picture for picture in pictures if picture.is_drawn), key=lambda picture: -picture.dpi)
    sheet = size.width * size.height / POINTS_PER_INCH**2
    covered = 0.0
    for picture in drawn:
        covered += picture.area
        if 0 < COVERS * sheet < covered:
            return Scan(exact(picture, size) / size.unit, drawn[0].dpi / size.unit)
    return None


def exact(picture: Picture, size: PageSize) -> float:
    """Dots per inch are listed as whole numbers. Those of a picture that fills its page follow from their sizes."""
    sides = (size.width, size.height) if size.turn % 180 == 0 else (size.height, size.width)
    for width, height in (sides, sides[::-1]):
        dpi = picture.width * POINTS_PER_INCH / width, picture.height * POINTS_PER_INCH / height
        if abs(dpi[0] - picture.horizontal) <= 1 and abs(dpi[1] - picture.vertical) <= 1:
            # A trace less, so that no pixel is begun beyond the last: pages are listed to six digits.
            lost = max(picture.width, picture.height) * (1 - min(dpi) / max(dpi))
            return (min(dpi) if lost < 1 else max(dpi)) * (1 - 1e-5)
    return picture.dpi


PAGES_LINE = re.compile(r"^Pages: +[0-9]+$", re.MULTILINE)


def properties_of(said: str) -> dict[str, str]:
    """poppler's own statements in pdfinfo's lines; none without a number of pages.

    The document's own strings (title, author, producer …) come first, as they are, and may hold lines of any look; from
    the last line of pages on, all are poppler's.
    """
    *_, own = [None, *PAGES_LINE.finditer(said)]
    lines = said[own.start() :].split("\n") if own else []
    return {name: value.strip() for name, colon, value in (line.partition(":") for line in lines) if colon}


def sizes_of(properties: Mapping[str, str]) -> dict[int, PageSize]:
    """Page sizes as `pdfinfo -box` prints them: `Page    3 size: 595.276 x 841.89 pts (A4)`.

    A page that is counted but not to be found has a size of nothing and no boxes. pdftoppm would draw the page before
    it once more.
    """
    said: dict[int, dict[str, list[float]]] = {}
    for name, value in properties.items():
        words = name.split()
        if len(words) == 3 and words[0] == "Page" and words[1].isdecimal():
            with suppress(ValueError):
                numbers = [float(word) for word in str(value).replace(" x ", " ").split("pts")[0].split()]
                said.setdefault(int(words[1]), {})[words[2]] = numbers
    return {page: size_of(of_page) for page, of_page in said.items() if len(of_page.get("size", ())) >= 2}


def size_of(said: Mapping[str, Sequence[float]]) -> PageSize:
    width, height = said["size"][:2]
    turn = int(said.get("rot", [0])[0]) % 360
    crop, media = said.get("CropBox"), said.get("MediaBox")
    if width > 0 and height > 0:
        left, bottom = corner(crop)
        return PageSize(width, height, left=left, bottom=bottom, turn=turn)
    if media is None or len(media) < 4:
        return PageSize(missing=True)
    left, bottom = corner(media)
    return PageSize(
        abs(media[2] - media[0]), abs(media[3] - media[1]), cropped=False, left=left, bottom=bottom, turn=turn
    )


def corner(box: Sequence[float] | None) -> tuple[float, float]:
    if box is None or len(box) < 4:
        return 0.0, 0.0
    return min(box[0], box[2]), min(box[1], box[3])
