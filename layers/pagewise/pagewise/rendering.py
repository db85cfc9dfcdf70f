"""From a document on disk to its page images. PDF pages are rendered by poppler through pdf2image, the way that the
Qwen-OCR documentation recommends ("Going live"); images are read by Pillow. Encoding runs beside the rendering, and
only a few pages are held at a time, however many there are."""

from __future__ import annotations

import math
import os
import time
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from pathlib import Path

from pagewise import images, limits
from pagewise.blank import is_blank
from pagewise.encoding import Raster
from pagewise.errors import DocumentRejected, ImageRejected, PageUnreadable, Permanent, Rejection
from pagewise.geometry import Size
from pagewise.images import NOTHING_SEEN, PageImage
from pagewise.model import Look, PageRange
from pagewise.poppler import PageSize, PageTimedOut, Poppler, Scale
from pagewise.preprocessing import Step, preprocessed

POINTS_PER_INCH = 72
# A page that takes longer than this is hostile: an ordinary one takes a tenth of a second.
PAGE_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Contents:
    """What a file turned out to be: its format by content, and how many pages it has."""

    format: str
    pages: int


@dataclass(frozen=True, slots=True)
class LostPage:
    """A page that cannot become a page image, and why."""

    page: int
    error: Permanent


@dataclass(frozen=True, slots=True)
class Unreached:
    """This page and those after it: the time is not enough to render them now."""

    page: int


Rendered = PageImage | LostPage | Unreached


def inspect(path: Path, password: str | None = None) -> Contents:
    """What the file is and how many pages it has.

    Raises DocumentRejected: `empty`, `unsupported_type`, `unreadable`, `encrypted`.
    """
    with path.open("rb") as file:
        image_format = images.sniff(file.read(4096))
    if image_format == "PDF":
        return Contents("PDF", count_pdf_pages(path, password))
    return Contents(image_format, images.count_frames(path, image_format))


def count_pdf_pages(path: Path, password: str | None) -> int:
    with Poppler() as poppler:
        pages = int(poppler.properties(path, password).get("Pages", 0))
    if pages < 1:
        raise DocumentRejected(Rejection.EMPTY, "The PDF has no pages. Export it again.")
    return pages


@dataclass(frozen=True, slots=True)
class Renderer:
    """Renders pages at `dpi`, none larger than `max_pixels`, none for longer than `page_seconds`."""

    dpi: float = 200
    max_pixels: int = 8_388_608
    page_seconds: float = PAGE_SECONDS
    preprocessing: tuple[Step, ...] = ()

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
        # One core renders; the others encode what it has rendered. Pillow and igzip let other threads run.
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
        """Of every page the largest page image that it can become; None where the file does not say."""
        if contents.format != "PDF":
            return images.sizes(path, contents.format, contents.pages)
        everything = PageRange(1, contents.pages)
        with Poppler() as poppler:
            stated = poppler.page_sizes(path, password, everything)
        return [self.pixels(stated.get(page)) for page in everything.numbers()]

    def pixels(self, size: PageSize | None) -> Size | None:
        if size is None or size.width <= 0 or size.height <= 0 or (scale := self.scale(size)) is None:
            return None
        width, height = (math.ceil(side / POINTS_PER_INCH * scale.dpi) for side in (size.width, size.height))
        return Size(width, height)

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
        with Poppler() as poppler:
            sizes = poppler.page_sizes(path, password, pages)
            scans = poppler.scan_resolutions(path, password, pages, sizes)
            scales = {
                page: self.scale(sizes.get(page, PageSize()), scans.get(page, math.inf)) for page in pages.numbers()
            }
            for scale, numbers in groupby(pages.numbers(), key=scales.__getitem__):
                run = list(numbers)
                if scale is None:
                    yield from (constant(missing(page)) for page in run)
                    continue
                draw = partial(
                    poppler.rasters, path, contents.pages, scale, password=password, page_seconds=self.page_seconds
                )
                for page, raster in self.rasters(draw, PageRange(run[0], run[-1]), deadline):
                    if isinstance(raster, Raster):
                        yield self.finishing(page, raster)
                    elif raster is None:
                        yield constant(Unreached(page))
                        return
                    else:
                        yield constant(LostPage(page, raster))

    def rasters(
        self, draw: Callable[[PageRange], Generator[Raster, None, None]], pages: PageRange, deadline: float
    ) -> Generator[tuple[int, Raster | PageUnreadable | None], None, None]:
        """Each page's raster, or why there is none; None where the time is not enough, and no page after it.

        A page that fails fails alone: the pages after it are rendered by a new process. One that a process ended at
        which had rendered others before gets a process of its own: memory may have run out over all of them.
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

    def scale(self, size: PageSize, scan: float = math.inf) -> Scale | None:
        """The scale for a page of this size: at `dpi`, but no finer than its scan, within `max_pixels` and 8K, and so
        that a small page still passes the smallest size. None if the page is not there."""
        if size.missing:
            return None
        if size.width <= 0 or size.height <= 0:
            return Scale(self.dpi, cropped=False)
        inches = size.width / POINTS_PER_INCH, size.height / POINTS_PER_INCH
        dpi = min(self.dpi, scan, math.sqrt(self.max_pixels / (inches[0] * inches[1])))
        dpi = min(dpi, max(limits.EIGHT_K) / max(inches), min(limits.EIGHT_K) / min(inches))
        dpi = max(dpi, limits.MIN_SIDE / min(inches))
        # pdftoppm counts a pixel that the page only begins, or that floating point has it begin.
        while not self.fits(pixels := [math.ceil(side * dpi + 1e-6) for side in inches]):
            if min(pixels) <= limits.MIN_SIDE:
                break
            dpi = float(f"{0.9998 * dpi:.6g}")
        return Scale(dpi, size.cropped)

    def fits(self, pixels: list[int]) -> bool:
        return math.prod(pixels) <= self.max_pixels and not limits.exceeds(limits.EIGHT_K, *pixels)

    def finishing(self, page: int, raster: Raster, look: Look = NOTHING_SEEN) -> Callable[[], Rendered]:
        def finish() -> Rendered:
            try:
                limits.check_dimensions(raster.width, raster.height)
                fitting = images.fitted_raster(raster, self.max_pixels)
                seen = replace(look, blank=is_blank(fitting))
                return images.page_image(preprocessed(fitting, self.preprocessing), page, seen)
            except ImageRejected as error:
                return LostPage(page, error)

        return finish


def constant(rendered: Rendered) -> Callable[[], Rendered]:
    return lambda: rendered


def missing(page: int) -> LostPage:
    return LostPage(page, PageUnreadable(f"Page {page} is not in the file, which counts it. Export it again."))
