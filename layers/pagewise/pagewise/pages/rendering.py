"""From a document on disk to its page images. PDF pages are rendered by poppler through pdf2image, the way that the
Qwen-OCR documentation recommends ("Going live"), and those that it fails at by PDFium (second_reading.py); images are
read by Pillow. Encoding runs beside the rendering, and only a few pages are held at a time, however many there are."""

from __future__ import annotations

import math
import os
import time
from collections import deque
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

from pagewise.errors import DocumentRejected, ImageRejected, PageUnreadable, Permanent, Rejection
from pagewise.geometry import Size
from pagewise.model import Look, PageGeometry, PageRange, Step, TextLayer
from pagewise.pages import images, limits, text_layer
from pagewise.pages.blank import is_blank
from pagewise.pages.images import NOTHING_SEEN, PageImage
from pagewise.pages.pdf_pages import POINTS_PER_INCH, Drawing, PageSize, PageTimedOut, Scale, Scan
from pagewise.pages.pdfium import Pdfium, unreadable
from pagewise.pages.png import Raster
from pagewise.pages.poppler import Poppler
from pagewise.pages.preprocessing import preprocessed
from pagewise.pages.second_reading import PDFIUM, POPPLER, DrawnPage, better, drawn_by_second, suffices

# A page that takes longer than this is hostile: an ordinary one takes a tenth of a second.
PAGE_SECONDS = 20.0
# Letters of 8 points are 11 pixels high; smaller ones are no letters any more.
LEGIBLE_DPI = 100


@dataclass(frozen=True, slots=True)
class Contents:
    """The findings about a file: its format by content, its number of pages, and a PDF's reader: poppler, or PDFium
    where poppler refuses it."""

    format: str
    pages: int
    reader: str = POPPLER


@dataclass(frozen=True, slots=True)
class LostPage:
    """A page that cannot become a page image, and the reason."""

    page: int
    error: Permanent


@dataclass(frozen=True, slots=True)
class Unreached:
    """This page and those after it: the time is not enough to render them now."""

    page: int


Rendered = PageImage | LostPage | Unreached
Drawings = Generator[tuple[int, Drawing | PageUnreadable | LostPage | Unreached | None], None, None]


def inspect(path: Path, password: str | None = None) -> Contents:
    """The file's format and number of pages.

    Raises DocumentRejected: `empty`, `unsupported_type`, `unreadable`, `encrypted`.
    """
    with path.open("rb") as file:
        image_format = images.sniff(file.read(4096))
    if image_format == "PDF":
        return inspect_pdf(path, password)
    return Contents(image_format, images.count_frames(path, image_format))


def inspect_pdf(path: Path, password: str | None) -> Contents:
    try:
        return Contents("PDF", count_pdf_pages(path, password))
    except DocumentRejected:
        with suppress(PageUnreadable), Pdfium(path, password) as pdfium:
            if pages := pdfium.count():
                return Contents("PDF", pages, PDFIUM)
        raise


def count_pdf_pages(path: Path, password: str | None) -> int:
    with Poppler() as poppler:
        pages = int(poppler.properties(path, password)["Pages"])
    if pages < 1:
        raise DocumentRejected(Rejection.EMPTY, "The PDF has no pages. Export it again.")
    return pages


# The pictures of so many pages are listed at a time for an estimate.
LISTED_PAGES = 100


@dataclass(frozen=True, slots=True)
class Sheets:
    """The facts about a PDF's pages before they are drawn."""

    sizes: Mapping[int, PageSize]
    scans: Mapping[int, Scan] | None = None

    def size(self, page: int) -> PageSize:
        return self.sizes.get(page, PageSize())

    def scan(self, page: int) -> Scan | None:
        return self.scans.get(page) if self.scans else None


def sheets_of(poppler: Poppler, pdfium: Pdfium, contents: Contents, password: str | None, pages: PageRange) -> Sheets:
    """`scans` is None where pictures could not be listed."""
    sizes = pdfium.sizes(pages) if contents.reader == PDFIUM else poppler.page_sizes(pdfium.path, password, pages)
    units = pdfium.units(pages)
    sizes = {page: replace(size, unit=units.get(page, 1.0)) for page, size in sizes.items()}
    if contents.reader == PDFIUM:
        return Sheets(sizes, pdfium.scans(pages, sizes))
    return Sheets(sizes, poppler.scans(pdfium.path, password, pages, sizes))


@dataclass(frozen=True, slots=True)
class Renderer:
    """Renders pages at `dpi`, none larger than `max_pixels`, none for longer than `page_seconds`. Where the text layer
    is preferred, a page that has a sound one brings its lines along."""

    dpi: float = 200
    max_pixels: int = 8_388_608
    page_seconds: float = PAGE_SECONDS
    preprocessing: tuple[Step, ...] = ()
    text_layer: TextLayer = TextLayer.IGNORE

    def render(
        self,
        path: Path,
        contents: Contents,
        pages: PageRange,
        password: str | None = None,
        deadline: float = math.inf,
    ) -> Generator[Rendered, None, None]:
        """Every page of the range exactly once, in order: as an image, or as lost with the reason.

        A page that could take until after the `deadline` (of time.monotonic) is not begun: it ends the range as
        unreached.
        """
        if contents.format == "PDF":
            sources = self.pdf_pages(path, contents, pages, password, deadline)
        else:
            sources = self.image_pages(path, contents, pages, deadline)
        # One core renders; the others encode the rendered pages. Pillow and igzip let other threads run.
        workers = max(2, os.cpu_count() or 1)
        with closing(sources), ThreadPoolExecutor(workers) as pool:
            under_way: deque[Future[Rendered]] = deque()
            for source in sources:
                under_way.append(pool.submit(source))
                if len(under_way) > workers:
                    yield under_way.popleft().result()
            while under_way:
                yield under_way.popleft().result()

    def sizes(self, path: Path, contents: Contents, password: str | None = None) -> list[Size | None]:
        """The largest page image that each page can become; None where the file does not say."""
        if contents.format != "PDF":
            return images.sizes(path, contents.format, contents.pages)
        found: list[Size | None] = []
        with Poppler() as poppler, Pdfium(path, password) as pdfium:
            for first in range(1, contents.pages + 1, LISTED_PAGES):
                pages = PageRange(first, min(first + LISTED_PAGES - 1, contents.pages))
                sheets = sheets_of(poppler, pdfium, contents, password, pages)
                found += [self.largest(sheets, page) for page in pages.numbers()]
        return found

    def largest(self, sheets: Sheets, page: int) -> Size | None:
        """At a scan's own resolution, or at `dpi`, should its pictures not be listed in time when it is rendered."""
        if sheets.scans is None:
            return None
        size = sheets.size(page)
        candidates = [self.pixels(size, scan) for scan in {sheets.scan(page), None}]
        return max((found for found in candidates if found), key=lambda found: found.width * found.height, default=None)

    def pixels(self, size: PageSize, scan: Scan | None = None) -> Size | None:
        """The size of the page image, as the page lies when it is read."""
        if size.width <= 0 or size.height <= 0 or (scale := self.scale(size, scan)) is None:
            return None
        width, height = (math.ceil(side / POINTS_PER_INCH * scale.dpi) for side in (size.width, size.height))
        return Size(width, height) if size.turn % 180 == 0 else Size(height, width)

    def image_pages(
        self, path: Path, contents: Contents, pages: PageRange, deadline: float
    ) -> Generator[Callable[[], Rendered], None, None]:
        for page in pages.numbers():
            if time.monotonic() + self.page_seconds > deadline:
                yield constant(Unreached(page))
                return
            try:
                decoded = images.page(path, contents.format, page, self.max_pixels, keep_file=not self.preprocessing)
            except Permanent as error:
                yield constant(LostPage(page, error))
            else:
                if isinstance(decoded, PageImage):
                    yield constant(decoded)
                else:
                    yield self.finishing(page, decoded.raster, decoded.look)

    def pdf_pages(
        self, path: Path, contents: Contents, pages: PageRange, password: str | None, deadline: float
    ) -> Generator[Callable[[], Rendered], None, None]:
        with Poppler() as poppler, Pdfium(path, password) as pdfium:
            sheets = sheets_of(poppler, pdfium, contents, password, pages)
            if contents.reader == PDFIUM:
                drawings: Drawings = (
                    (page, lost if isinstance(lost := self.scale_or_loss(sheets, page), LostPage) else None)
                    for page in pages.numbers()
                )
            else:
                drawings = self.drawings(poppler, path, contents, pages, password, sheets, deadline)
            with closing(drawings):
                for page, drawn in drawings:
                    if isinstance(drawn, LostPage):
                        yield constant(drawn)
                        continue
                    said: Mapping[str, Any] | None = None
                    if isinstance(drawn, Drawing) and suffices(drawn):
                        found: Rendered | DrawnPage = DrawnPage(drawn.raster, self.look(sheets, page))
                        said = self.text_of(pdfium, sheets, page)
                    elif isinstance(drawn, Unreached) or time.monotonic() + self.page_seconds > deadline:
                        yield constant(Unreached(page))
                        return
                    else:
                        found = self.second_reading(pdfium, sheets, page, drawn)
                    yield (
                        self.finishing(page, found.raster, found.look, said)
                        if isinstance(found, DrawnPage)
                        else constant(found)
                    )

    def drawings(
        self,
        poppler: Poppler,
        path: Path,
        contents: Contents,
        pages: PageRange,
        password: str | None,
        sheets: Sheets,
        deadline: float,
    ) -> Drawings:
        """Each page as poppler draws it, or the error that it ended with."""
        scales = {page: self.scale_or_loss(sheets, page) for page in pages.numbers()}
        for scale, numbers in groupby(pages.numbers(), key=scales.__getitem__):
            run = list(numbers)
            if isinstance(scale, LostPage):
                yield run[0], scale
                continue
            draw = partial(
                poppler.rasters, path, contents.pages, scale, password=password, page_seconds=self.page_seconds
            )
            with closing(self.rasters(draw, PageRange(run[0], run[-1]), deadline)) as drawings:
                for page, drawn in drawings:
                    yield page, Unreached(page) if drawn is None else drawn
                    if drawn is None:
                        return

    def scale_or_loss(self, sheets: Sheets, page: int) -> Scale | LostPage:
        size, scan = sheets.size(page), sheets.scan(page)
        if self.is_illegible(size, scan):
            return LostPage(page, illegible(page, size.inches))
        return self.scale(size, scan) or missing(page)

    def is_illegible(self, size: PageSize, scan: Scan | None) -> bool:
        """Whether so long a page has no room for its letters within 8K, though it would have within `max_pixels`."""
        if size.width <= 0 or size.height <= 0:
            return False
        longer, shorter = max(size.inches), min(size.inches)
        within_8k = max(limits.EIGHT_K) / longer
        within_pixels = math.sqrt(self.max_pixels / longer / shorter)
        return within_8k < min(LEGIBLE_DPI, self.wanted(scan), within_pixels)

    def wanted(self, scan: Scan | None) -> float:
        """Dots per inch, were there no limits."""
        return max(scan.dpi, min(self.dpi, scan.finest)) if scan else self.dpi

    def second_reading(
        self, pdfium: Pdfium, sheets: Sheets, page: int, drawn: Drawing | PageUnreadable | None
    ) -> DrawnPage | LostPage:
        look = self.look(sheets, page)
        if isinstance(drawn, Drawing):
            return better(pdfium, page, drawn, look, self.page_seconds)
        size = self.pixels(sheets.size(page), sheets.scan(page)) or self.pixels(pdfium_size(pdfium, page))
        try:
            if size is None:
                raise unreadable(page)
            return drawn_by_second(pdfium, page, size, look, self.page_seconds)
        except PageUnreadable as error:
            return LostPage(page, drawn or error)

    def look(self, sheets: Sheets, page: int) -> Look:
        size, scan = sheets.size(page), sheets.scan(page)
        scale = self.scale(size, scan)
        if scale is None or size.width <= 0 or size.height <= 0:
            return Look(reader=POPPLER)
        return Look(
            reader=POPPLER,
            geometry=PageGeometry(
                width=size.width * size.unit,
                height=size.height * size.unit,
                left=size.left * size.unit,
                bottom=size.bottom * size.unit,
                turn=size.turn,
                unit=size.unit,
                dpi=scale.dpi / size.unit,
            ),
        )

    def rasters(
        self, draw: Callable[[PageRange], Generator[Drawing, None, None]], pages: PageRange, deadline: float
    ) -> Generator[tuple[int, Drawing | PageUnreadable | None], None, None]:
        """Each page's drawing, or the reason for having none; None where the time is not enough, and no page after it.

        A page that fails fails alone: a new process renders the pages after it. If the failed process had rendered
        other pages before, the page gets a process of its own: memory may have run out over all of them.
        """
        page, alone = pages.first, False
        while page <= pages.last:
            first, last = page, page if alone else pages.last
            alone = False
            with closing(draw(PageRange(first, last))) as rasters:
                try:
                    while page <= last:
                        if time.monotonic() + self.page_seconds > deadline:
                            yield page, None
                            return
                        raster = next(rasters)
                        yield page, raster
                        page += 1
                except PageUnreadable as error:
                    alone = page > first and not isinstance(error, PageTimedOut)
                    if not alone:
                        yield page, error
                        page += 1

    def scale(self, size: PageSize, scan: Scan | None = None) -> Scale | None:
        """The scale for a page of this size: at `dpi`, or so that a scan keeps its pixels, within `max_pixels` and 8K,
        and so that a small page still passes the smallest size. None if the page is not there."""
        if size.missing:
            return None
        if size.width <= 0 or size.height <= 0:
            return Scale(self.dpi, cropped=False)
        inches = size.inches
        dpi = min(self.wanted(scan), math.sqrt(self.max_pixels / (inches[0] * inches[1])))
        dpi = min(dpi, max(limits.EIGHT_K) / max(inches), min(limits.EIGHT_K) / min(inches))
        dpi = max(dpi, limits.MIN_SIDE / min(inches))
        # pdftoppm counts a pixel that the page only begins, or that floating point has it begin.
        while not self.fits(pixels := [math.ceil(side * dpi + 1e-6) for side in inches]):
            if min(pixels) <= limits.MIN_SIDE:
                break
            dpi = float(f"{0.9998 * dpi:.6g}")
        return Scale(dpi * size.unit, size.cropped)

    def fits(self, pixels: list[int]) -> bool:
        return math.prod(pixels) <= self.max_pixels and not limits.exceeds(limits.EIGHT_K, *pixels)

    def text_of(self, pdfium: Pdfium, sheets: Sheets, page: int) -> Mapping[str, Any] | None:
        """The page's own text, where it is wanted and stands where the page image shows it: a page that is turned by
        deskew, or shown beyond its crop box, has its text elsewhere."""
        wanted = self.text_layer is TextLayer.PREFER and Step.DESKEW not in self.preprocessing
        if not wanted or not sheets.size(page).cropped:
            return None
        with suppress(PageUnreadable):
            return pdfium.text(page)
        return None

    def finishing(
        self, page: int, raster: Raster, look: Look = NOTHING_SEEN, said: Mapping[str, Any] | None = None
    ) -> Callable[[], Rendered]:
        def finish() -> Rendered:
            try:
                limits.check_dimensions(raster.width, raster.height)
                fitting = images.raster_within_limits(raster, self.max_pixels)
                seen = replace(scaled(look, fitting.width / raster.width), blank=is_blank(fitting))
                lines = text_layer.sound_lines(said, fitting) if said and not seen.blank else None
                made = images.page_image(preprocessed(fitting, self.preprocessing), page, seen)
                return replace(made, lines=lines)
            except ImageRejected as error:
                return LostPage(page, error)

        return finish


def scaled(look: Look, factor: float) -> Look:
    """For a page image that is so many times as wide as the drawing that was looked at."""
    geometry = look.geometry
    if geometry is None or geometry.dpi is None or factor == 1.0:
        return look
    return replace(look, geometry=replace(geometry, dpi=geometry.dpi * factor))


def constant(rendered: Rendered) -> Callable[[], Rendered]:
    return lambda: rendered


def pdfium_size(pdfium: Pdfium, page: int) -> PageSize:
    return pdfium.sizes(PageRange(page, page)).get(page, PageSize())


def illegible(page: int, inches: tuple[float, float]) -> ImageRejected:
    width, height = inches
    return ImageRejected(
        "extreme_aspect_ratio",
        f"Page {page} is {width:.4g} × {height:.4g} inches: within 7,680 pixels, the longest side that the service "
        "takes, its letters would be too small to read. Cut it into pieces.",
    )


def missing(page: int) -> LostPage:
    return LostPage(page, PageUnreadable(f"Page {page} is not in the file, which counts it. Export it again."))
