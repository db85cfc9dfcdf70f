"""A PDF as two readers see it: poppler draws its pages; PDFium draws those that poppler complains of, loses, or leaves
in one colour. Of two drawings the one that has lost less is kept (drawings.py); poppler's, if they are equal.

| poppler | PDFium | kept | `damaged_page` |
| --- | --- | --- | --- |
| draws without complaint, more than one colour | is not asked | poppler's | no |
| complains, or draws one colour | draws | the drawing that has lost less | if each has lost a part |
| complains of content that is cut off | draws no more | poppler's | yes |
| complains | draws one colour of texts or pictures | the drawing that has lost less | yes |
| complains, or draws one colour | cannot draw | poppler's | yes |
| cannot draw | draws | PDFium's | if it is one colour |
| cannot draw | cannot draw | none: the page is lost | |
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from pagewise.errors import PageUnreadable
from pagewise.geometry import Size
from pagewise.model import Look, WarningCode
from pagewise.pages.drawings import Kept, compare, is_one_colour
from pagewise.pages.pdf_pages import Drawing
from pagewise.pages.pdfium import Part, Pdfium, SecondDrawing
from pagewise.pages.png import Raster

POPPLER, PDFIUM, PILLOW = "poppler", "pdfium", "pillow"
# Complaints of content that ends too early. PDFium shows the content up to there, and complains of nothing.
LOSS = re.compile(
    r"in flate stream|End of file inside|[Uu]nexpected end of file|[Pp]remature end|Corrupt JPEG|Bad 2d code"
)
DAMAGED = (WarningCode.DAMAGED_PAGE,)


@dataclass(frozen=True, slots=True)
class DrawnPage:
    """A page of a PDF in pixels, and the findings about it."""

    raster: Raster
    look: Look


def suffices(drawing: Drawing) -> bool:
    """Whether nothing speaks against poppler's drawing."""
    return not drawing.complaints and not is_one_colour(drawing.raster)


def better(pdfium: Pdfium, page: int, drawing: Drawing, look: Look, seconds: float) -> DrawnPage:
    """Poppler's drawing of a page, or PDFium's. `look` is that of poppler's."""
    first = drawing.raster
    try:
        second = pdfium.draw(page, Part.all_of(Size(first.width, first.height)), seconds)
    except PageUnreadable:
        return DrawnPage(first, replace(look, warnings=DAMAGED))
    verdict = compare(first, second.raster)
    nothing_more = verdict.kept is Kept.FIRST and any(map(LOSS.search, drawing.complaints))
    damaged = bool(drawing.complaints) and (verdict.torn or is_empty(second) or nothing_more)
    warned = replace(look, warnings=DAMAGED) if damaged else look
    if verdict.kept is Kept.FIRST:
        return DrawnPage(first, warned)
    return DrawnPage(second.raster, replace(warned, reader=PDFIUM))


def drawn_by_second(pdfium: Pdfium, page: int, size: Size, look: Look, seconds: float) -> DrawnPage:
    """A page that poppler cannot draw. Raises PageUnreadable."""
    second = pdfium.draw(page, Part.all_of(size), seconds)
    warnings = DAMAGED if is_one_colour(second.raster) else ()
    return DrawnPage(second.raster, replace(look, reader=PDFIUM, warnings=warnings))


def is_empty(drawing: SecondDrawing) -> bool:
    """Whether it shows nothing of the texts and pictures that the page has."""
    return drawing.objects > 0 and is_one_colour(drawing.raster)
