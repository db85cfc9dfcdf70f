"""The original as a searchable PDF: its own bytes, with a text layer under each page that has no text.

Streams are kept as they are packed, so that images stay bit for bit; forms and annotations are not touched. A signed
PDF is refused: every change, an appended one too, makes readers report its signature as broken. Encryption that a
password is not needed for is taken off, since its initialisation vectors are random: the same results could not give
the same bytes. Images become a PDF by img2pdf, without being coded again; those that it has no lossless way for are
taken as their page images.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from io import BytesIO
from pathlib import Path
from typing import Any

import img2pdf
import pikepdf
from pikepdf import Array, Dictionary, Name, Pdf

from pagewise.geometry import Size
from pagewise.outputs.contents import PageContents
from pagewise.outputs.invisible_font import InvisibleFont
from pagewise.outputs.own_text import CannotTell, has_own_text, resources_of
from pagewise.outputs.placement import placed_lines
from pagewise.outputs.refusal import OutputRefused
from pagewise.outputs.text_layer import Region, content, matrix_onto
from pagewise.tasks import Task

FONT = "PwF"
LAYER = "PwText"
PRODUCER = "Pagewise"
LEAST_UNITS = 1.0


class Made(StrEnum):
    """The source of the PDF's pages."""

    FROM_PDF = "pdf"
    FROM_IMAGE = "image"
    FROM_PAGE_IMAGES = "page_images"


@dataclass(slots=True)
class Layers:
    """The outcome of each page, by number."""

    made: Made = Made.FROM_PDF
    layered: list[int] = field(default_factory=list)
    own_text: list[int] = field(default_factory=list)
    unreadable: list[int] = field(default_factory=list)
    without_lines: list[int] = field(default_factory=list)
    lines_without_place: int = 0
    notes: list[str] = field(default_factory=list)

    def dump(self) -> dict[str, Any]:
        return {
            "made_from": self.made,
            "layered": self.layered,
            "text_of_their_own": self.own_text,
            "content_not_readable": self.unreadable,
            "without_lines": self.without_lines,
            "lines_without_place": self.lines_without_place,
            "notes": self.notes,
        }


def write_searchable(
    original: Path | None,
    pages: Iterable[PageContents],
    image_of: Callable[[int], Path | None],
    to: Path,
    *,
    expected: int,
    password: str | None = None,
) -> Layers:
    """Writes the PDF. `expected` is how many pages the document has.

    Raises OutputRefused: `signed`, `encrypted`, `unreadable_original`, `no_original`, `pages_differ`.
    """
    layers = Layers()
    if original is not None and is_pdf(original):
        pdf = opened(original, password, layers)
        if is_signed(pdf):
            raise OutputRefused(
                "signed",
                "The PDF is signed, and any change breaks its signature. The original stays as it is; "
                "its text is in the other outputs.",
            )
        if len(pdf.pages) != expected:
            raise OutputRefused(
                "pages_differ",
                f"The original has {len(pdf.pages)} pages here, the document {expected}. Use the original.",
            )
    else:
        pdf = pdf_of_images(original, expected, image_of, layers)
    with pdf:
        add_layers(pdf, pages, layers)
        pdf.save(
            to,
            stream_decode_level=pikepdf.StreamDecodeLevel.none,
            object_stream_mode=pikepdf.ObjectStreamMode.preserve,
            compress_streams=True,
            recompress_flate=False,
            deterministic_id=True,
        )
    return layers


def is_pdf(path: Path) -> bool:
    with path.open("rb") as file:
        return b"%PDF-" in file.read(1024)


def opened(path: Path, password: str | None, layers: Layers) -> Pdf:
    try:
        pdf = Pdf.open(path, password=password or "", suppress_warnings=True)
    except pikepdf.PasswordError as error:
        raise OutputRefused("encrypted", "The PDF needs a password to open. Upload it without one.") from error
    except pikepdf.PdfError as error:
        raise OutputRefused(
            "unreadable_original",
            "The PDF is too damaged to be written again. Export it anew, or use the other outputs.",
        ) from error
    if pdf.is_encrypted:
        layers.notes.append("encryption_removed")
    return pdf


def is_signed(pdf: Pdf) -> bool:
    """Whether a signature has been given: an empty field for one is only a form's."""
    root = pdf.Root
    permissions = root.get(Name.Perms)
    if isinstance(permissions, Dictionary) and (Name.DocMDP in permissions or Name.UR3 in permissions):
        return True
    form = root.get(Name.AcroForm)
    fields = form.get(Name.Fields) if isinstance(form, Dictionary) else None
    waiting = list(fields) if isinstance(fields, Array) else []
    seen = 0
    while waiting and seen < 100_000:
        seen += 1
        one = waiting.pop()
        if not isinstance(one, Dictionary):
            continue
        value = one.get(Name.V)
        if isinstance(value, Dictionary) and Name.ByteRange in value:
            return True
        kids = one.get(Name.Kids)
        waiting.extend(kids if isinstance(kids, Array) else [])
    return False


def add_layers(pdf: Pdf, pages: Iterable[PageContents], layers: Layers) -> None:
    font, reference = InvisibleFont(), pdf.make_indirect(Dictionary())
    there = len(pdf.pages)
    for contents in pages:
        if not 1 <= contents.number <= there:
            continue
        add_layer(pdf, pdf.pages[contents.number - 1], contents, font, reference, layers)
    if layers.layered:
        font.embed(pdf, reference)


def add_layer(
    pdf: Pdf, page: pikepdf.Page, contents: PageContents, font: InvisibleFont, reference: pikepdf.Object, layers: Layers
) -> None:
    result, size = contents.recognized(Task.ADVANCED_RECOGNITION), contents.size
    lines = list(result.output.get("lines") or ()) if result else []
    placed = placed_lines(lines, size) if size else []
    layers.lines_without_place += sum(bool(str(line.get("text") or "").strip()) for line in lines) - len(placed)
    if not placed or size is None:
        layers.without_lines.append(contents.number)
        return
    try:
        if has_own_text(page):
            layers.own_text.append(contents.number)
            return
    except CannotTell:
        layers.unreadable.append(contents.number)
        return
    region = region_of(page, contents, size, layers.made)
    form = pdf.make_stream(
        content(placed, size, font, FONT),
        Type=Name.XObject,
        Subtype=Name.Form,
        BBox=Array([0, 0, size.width, size.height]),
        Matrix=Array([round(number, 6) for number in matrix_onto(region, size)]),
        Resources=Dictionary(Font=Dictionary({f"/{FONT}": reference})),
    )
    prepend(pdf, page, form)
    layers.layered.append(contents.number)


def prepend(pdf: Pdf, page: pikepdf.Page, form: pikepdf.Object) -> None:
    """Under the page's own content, in resources of its own: those it had may be shared with other pages."""
    had = resources_of(page)
    resources = Dictionary(dict(had.items())) if isinstance(had, Dictionary) else Dictionary()
    forms = resources.get(Name.XObject)
    own = Dictionary(dict(forms.items())) if isinstance(forms, Dictionary) else Dictionary()
    name = LAYER
    while f"/{name}" in own:
        name += "x"
    own[f"/{name}"] = form
    resources.XObject = own
    page.obj.Resources = resources
    page.contents_add(pdf.make_stream(f"q /{name} Do Q\n".encode()), prepend=True)


def region_of(page: pikepdf.Page, contents: PageContents, image: Size, original: Made) -> Region:
    """The page's box that the image shows: as the result's geometry says, else the one of the image's proportions."""
    known, turn = contents.geometry, int(number_of(page.obj, Name.Rotate, 0)) % 360
    if original is not Made.FROM_PDF:
        # The page is as large as img2pdf made it, and a page image lies on it as it is.
        turn = known.turn % 360 if known and original is Made.FROM_IMAGE else turn
        left, bottom, wide, high = box_of(page, "mediabox") or (0, 0, 612, 792)
        return Region(left, bottom, wide, high, turn)
    if known and known.width and known.height:
        unit = number_of(page.obj, Name.UserUnit, 1.0) or 1.0
        return Region(known.left / unit, known.bottom / unit, known.width / unit, known.height / unit, known.turn % 360)
    boxes = [box for box in (box_of(page, "cropbox"), box_of(page, "mediabox")) if box]
    if not boxes:
        return Region(0, 0, 612, 792, turn)
    return min((Region(*box, turn) for box in boxes), key=lambda region: round(misfit(region, image), 2))


def misfit(region: Region, image: Size) -> float:
    wide, high = (region.width, region.height) if region.turn % 180 == 0 else (region.height, region.width)
    return abs(math.log((wide / high) / (image.width / image.height)))


def box_of(page: pikepdf.Page, name: str) -> tuple[float, float, float, float] | None:
    """Left, bottom, width, height; within the media box, with corners in any order."""
    with suppress(pikepdf.PdfError, ValueError, TypeError, AttributeError, KeyError):
        media = corners(page.mediabox)
        left, bottom, right, top = corners(getattr(page, name))
        left, bottom = max(left, media[0]), max(bottom, media[1])
        right, top = min(right, media[2]), min(top, media[3])
        if right - left >= LEAST_UNITS and top - bottom >= LEAST_UNITS:
            return left, bottom, right - left, top - bottom
    return None


def corners(box: Any) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = (float(number) for number in box)
    return min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)


def number_of(node: pikepdf.Object, name: Name, usual: float) -> float:
    """A number of the page, or of a node it inherits from."""
    current: Any = node
    for _ in range(50):
        if not isinstance(current, Dictionary):
            break
        if name in current:
            with suppress(ValueError, TypeError):
                return float(current[name])
            break
        current = current.get(Name.Parent)
    return usual


# ── Images ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def pdf_of_images(original: Path | None, expected: int, image_of: Callable[[int], Path | None], layers: Layers) -> Pdf:
    if original is not None:
        with suppress(Exception):  # img2pdf raises the errors of Pillow and its parsers
            pdf = Pdf.open(BytesIO(converted(original.read_bytes())))
            if len(pdf.pages) == expected:
                del pdf.trailer.ID  # by img2pdf, at random: the same image would give other bytes
                layers.made = Made.FROM_IMAGE
                return pdf
    layers.made = Made.FROM_PAGE_IMAGES
    return pdf_of_page_images(expected, image_of)


def pdf_of_page_images(expected: int, image_of: Callable[[int], Path | None]) -> Pdf:
    pdf = Pdf.new()
    for number in range(1, expected + 1):
        image = image_of(number)
        if image is None:
            pdf.add_blank_page()
            continue
        try:
            with Pdf.open(BytesIO(converted(image.read_bytes()))) as one:
                pdf.pages.extend(one.pages)
        except Exception as error:
            raise OutputRefused(
                "no_original", f"Page {number} is no image that a PDF can hold. Use the page images."
            ) from error
    if not len(pdf.pages):
        raise OutputRefused("no_original", "There is neither an original nor a page image.")
    return pdf


def converted(image: bytes) -> bytes:
    """Every frame as a page, without coding it again. A size comes from the image's own resolution, else 96 dpi."""
    return bytes(
        img2pdf.convert(
            image, nodate=True, producer=PRODUCER, rotation=img2pdf.Rotation.auto, engine=img2pdf.Engine.pikepdf,
            first_frame_only=False,
        )
    )  # fmt: skip
