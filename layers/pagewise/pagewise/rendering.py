"""From a document on disk to its page images. PDF pages are rendered by poppler through pdf2image, the way that the
Qwen-OCR documentation recommends ("Going live"); images are read by Pillow."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pagewise import images, limits
from pagewise.errors import Configuration, DocumentRejected, ImageRejected, PageUnreadable, Permanent, Rejection
from pagewise.images import PageImage
from pagewise.model import PageRange

if TYPE_CHECKING:
    from PIL.Image import Image

POINTS_PER_INCH = 72
# A page that takes longer than this is hostile: an ordinary one takes a tenth of a second.
PAGE_SECONDS = 20
# pdfinfo reads the whole cross-reference table; a large linearised file takes a second or two.
INSPECT_SECONDS = 30
# As many pages as are held as raw raster at one time: 8.4 MP in RGB are 25 MB.
PAGES_AT_ONCE = 4


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
    pages = int(pdf_properties(path, password).get("Pages", 0))
    if pages < 1:
        raise DocumentRejected(Rejection.EMPTY, "The PDF has no pages. Export it again.")
    return pages


def pdf_properties(path: Path, password: str | None, pages: PageRange | None = None) -> dict[str, Any]:
    """What pdfinfo says of a PDF, with each page's size if a range is given. Raises DocumentRejected."""
    from pdf2image import pdfinfo_from_path
    from pdf2image.exceptions import (
        PDFInfoNotInstalledError,
        PDFPageCountError,
        PDFPopplerTimeoutError,
        PDFSyntaxError,
    )

    try:
        return dict(
            pdfinfo_from_path(
                str(path),
                userpw=password,  # type: ignore[arg-type]
                timeout=INSPECT_SECONDS,
                first_page=pages.first if pages else 0,
                last_page=pages.last if pages else 0,
            )
        )
    except PDFInfoNotInstalledError as error:
        raise poppler_missing() from error
    except PDFPageCountError as error:
        raise rejection_of(str(error)) from error
    except PDFPopplerTimeoutError as error:
        raise DocumentRejected(
            Rejection.UNREADABLE, f"The PDF could not be read within {INSPECT_SECONDS} seconds. Export it again."
        ) from error
    except (PDFSyntaxError, ValueError, OSError) as error:
        raise DocumentRejected(Rejection.UNREADABLE, "The PDF cannot be read. Export or scan it again.") from error


def rejection_of(poppler_says: str) -> DocumentRejected:
    if "Incorrect password" in poppler_says:
        return DocumentRejected(
            Rejection.ENCRYPTED, "The PDF opens only with a password. Upload a copy without one, or name the password."
        )
    if "Invalid page count 0" in poppler_says:
        return DocumentRejected(Rejection.EMPTY, "The PDF has no pages. Export it again.")
    return DocumentRejected(Rejection.UNREADABLE, "The PDF is damaged beyond reading. Export or scan it again.")


@dataclass(frozen=True, slots=True)
class Scale:
    """How a page is rendered: dots per inch, and whether its crop box bounds it, as in a reader, or its whole sheet."""

    dpi: float
    cropped: bool = True


@dataclass(frozen=True, slots=True)
class Renderer:
    """Renders pages at `dpi`, none larger than `max_pixels`."""

    dpi: float = 200
    max_pixels: int = 8_388_608

    def render(
        self, path: Path, contents: Contents, pages: PageRange, password: str | None = None
    ) -> Iterator[PageImage | LostPage]:
        """Every page of the range exactly once, in order: as an image, or as lost with the reason."""
        if contents.format == "PDF":
            yield from self.render_pdf(path, pages, password)
            return
        for page in pages.numbers():
            try:
                yield images.page_image(path, contents.format, page, self.max_pixels)
            except Permanent as error:
                yield LostPage(page, error)

    def render_pdf(self, path: Path, pages: PageRange, password: str | None) -> Iterator[PageImage | LostPage]:
        try:
            properties = pdf_properties(path, password, pages)
        except DocumentRejected:  # page boxes that pdfinfo cannot list
            properties = {}
        scales = {page: self.scale(*page_points(properties, page)) for page in pages.numbers()}
        for scale, numbers in groupby(pages.numbers(), key=lambda page: scales[page]):
            run = list(numbers)
            for start in range(0, len(run), PAGES_AT_ONCE):
                yield from self.render_run(path, run[start : start + PAGES_AT_ONCE], scale, password)

    def scale(self, width: float, height: float) -> Scale:
        """The scale for a page of this size in points: at `dpi`, but within `max_pixels` and 8K, and so that a small
        page still passes the smallest size. A crop box of no size is passed over."""
        if width <= 0 or height <= 0:
            return Scale(self.dpi, cropped=False)
        inches = width / POINTS_PER_INCH, height / POINTS_PER_INCH
        dpi = min(self.dpi, math.sqrt(self.max_pixels / (inches[0] * inches[1])))
        dpi = min(dpi, max(limits.EIGHT_K) / max(inches), min(limits.EIGHT_K) / min(inches))
        return Scale(round(max(dpi, limits.MIN_SIDE / min(inches)), 2))

    def render_run(
        self, path: Path, numbers: list[int], scale: Scale, password: str | None
    ) -> Iterator[PageImage | LostPage]:
        """Consecutive pages of one resolution by one call of pdftoppm; page by page if that call loses any."""
        try:
            rendered, lost = rasterize(path, numbers[0], numbers[-1], scale, password), None
        except PageUnreadable as error:
            rendered, lost = [], error
        if len(rendered) == len(numbers):
            for page, raster in zip(numbers, rendered, strict=True):
                yield self.finished(page, raster)
        elif len(numbers) > 1:
            for page in numbers:
                yield from self.render_run(path, [page], scale, password)
        else:
            yield LostPage(numbers[0], lost or PageUnreadable(f"Page {numbers[0]} cannot be rendered. Scan it again."))

    def finished(self, page: int, raster: Image) -> PageImage | LostPage:
        try:
            limits.check_dimensions(raster.width, raster.height)
            return images.encode(images.fitted(raster, self.max_pixels), page)
        except ImageRejected as error:
            return LostPage(page, error)


def page_points(properties: dict[str, Any], page: int) -> tuple[float, float]:
    """A page's width and height in points as pdfinfo prints them: `Page    3 size: 595.276 x 841.89 pts (A4)`."""
    for name, value in properties.items():
        words = name.split()
        if len(words) == 3 and words[0] == "Page" and words[1] == str(page) and words[2] == "size":
            numbers = str(value).replace("x", " ").split()
            return float(numbers[0]), float(numbers[1])
    return 0.0, 0.0


def rasterize(path: Path, first: int, last: int, scale: Scale, password: str | None) -> list[Image]:
    """Raw rasters of the pages, as many as poppler could make. Raises PageUnreadable when time runs out."""
    from pdf2image import convert_from_path
    from pdf2image.exceptions import PDFInfoNotInstalledError, PDFPopplerTimeoutError
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = None  # `resolution` has bounded every page
    try:
        return convert_from_path(
            str(path),
            dpi=scale.dpi,  # type: ignore[arg-type]  # pdftoppm takes fractions
            first_page=first,
            last_page=last,
            userpw=password,  # type: ignore[arg-type]
            use_cropbox=scale.cropped,
            timeout=PAGE_SECONDS * (last - first + 1),
        )
    except PDFInfoNotInstalledError as error:
        raise poppler_missing() from error
    except PDFPopplerTimeoutError as error:
        raise PageUnreadable(f"Page {first} takes longer than {PAGE_SECONDS} seconds to render.") from error
    # A raster cut off in the middle makes the parser raise nearly anything.
    except Exception as error:
        raise PageUnreadable(f"Page {first} cannot be rendered ({type(error).__name__}).") from error


def poppler_missing() -> Configuration:
    return Configuration(
        "poppler_missing", "pdftoppm and pdfinfo are not on the PATH: add the poppler layer, or install poppler-utils."
    )
