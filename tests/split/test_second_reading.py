"""Pages that poppler complains of, loses or leaves empty are read by PDFium, and say so."""

from __future__ import annotations

import csv
import io
import os
import time
import zlib
from pathlib import Path

import pytest
from PIL import Image

from pagewise.errors import DocumentRejected
from pagewise.model import PageRange, WarningCode
from pagewise.pages.images import PageImage
from pagewise.pages.pdf_pages import Drawing
from pagewise.pages.pdfium import Pdfium
from pagewise.pages.png import raster_of
from pagewise.pages.rendering import LostPage, Rendered, Renderer, Unreached, inspect
from pagewise.pages.second_reading import suffices
from tests.split.corpus import FOLDER
from tests.split.documents import endless_pdf, page, stream, text_pdf
from tests.split.traces import children

FIELD = FOLDER / "field"
DAMAGED = (WarningCode.DAMAGED_PAGE,)


def render(path: Path, renderer: Renderer | None = None, password: str | None = None) -> list[Rendered]:
    contents = inspect(path, password)
    return list((renderer or Renderer(dpi=100)).render(path, contents, PageRange(1, contents.pages), password))


def drawn(path: Path, renderer: Renderer | None = None) -> list[PageImage]:
    pages = render(path, renderer)
    assert all(isinstance(found, PageImage) for found in pages)
    return [found for found in pages if isinstance(found, PageImage)]


def picture(found: PageImage) -> Image.Image:
    return Image.open(io.BytesIO(found.content)).convert("L")


def ink(found: PageImage) -> float:
    """The part of the page that is dark."""
    dark = picture(found).point(lambda value: 255 if value < 128 else 0)
    return dark.histogram()[255] / (found.width * found.height)


def field_case(name: str) -> Path:
    if not FIELD.exists():
        pytest.skip(f"the corpus is not there ({os.path.relpath(FIELD)})")
    return FIELD / name


@pytest.mark.parametrize(
    ("name", "reader", "least", "most"),
    [
        ("uns2059-bad-colorspace.pdf", "pdfium", 0.02, 0.10),  # two black boxes are 58 % of the page
        ("pdfpig1286-contents.pdf", "pdfium", 0.001, 0.02),
        ("pdfjs14953-type3.pdf", "pdfium", 0.02, 0.20),
        ("pdfjs11740-widths.pdf", "pdfium", 0.04, 0.20),  # one spot is 2 %
        ("pdfpig-broken-offsets.pdf", "pdfium", 0.001, 0.02),
        ("ocrmypdf-2400dpi.pdf", "poppler", 0.05, 0.20),
        ("pdfjs19176-userunit72.pdf", "poppler", 0.5, 1.0),
        ("uns4328-rotated90.pdf", "poppler", 0.001, 0.02),
        ("pdfjs12750-form.pdf", "poppler", 0.0005, 0.02),
    ],
)
def test_a_field_case_is_drawn_whole(name: str, reader: str, least: float, most: float) -> None:
    (found,) = drawn(field_case(name))
    assert (found.look.reader, found.look.warnings) == (reader, ())
    assert least < ink(found) < most


def test_the_field_cases_are_as_many_pages_as_listed() -> None:
    with field_case("cases.csv").open(newline="", encoding="utf-8") as rows:
        cases = [row for row in csv.DictReader(rows) if row["file"].endswith(".pdf")]
    assert len(cases) == 9
    assert {row["file"]: inspect(FIELD / row["file"]).pages for row in cases} == {row["file"]: 1 for row in cases}


def test_letters_of_the_field_cases_lie_side_by_side() -> None:
    (found,) = drawn(field_case("pdfjs11740-widths.pdf"), Renderer(dpi=200))
    left, _, right, _ = picture(found).point(lambda value: 255 if value < 128 else 0).getbbox() or (0, 0, 0, 0)
    assert right - left > 0.5 * found.width


def test_a_sound_document_never_starts_the_second_reader(path: Path) -> None:
    path.write_bytes(text_pdf(5))
    before = children(os.getpid())
    with Pdfium(path, None):
        assert children(os.getpid()) == before
    assert [(found.look.reader, found.look.warnings) for found in drawn(path)] == [("poppler", ())] * 5


def weird(contents: int, box: str = "0 0 200 100") -> bytes:
    """A page of which poppler draws nothing: the first of its contents is no stream."""
    return page(contents, box).replace(b"/Contents %d 0 R" % contents, b"/Contents [(no stream) %d 0 R]" % contents)


def test_only_the_page_that_is_complained_of_is_read_again(path: Path) -> None:
    path.write_bytes(text_pdf(5, changes={"page3": weird(10)}))
    pages = drawn(path)
    assert [found.look.reader for found in pages] == ["poppler", "poppler", "pdfium", "poppler", "poppler"]
    assert all(ink(found) > 0.005 for found in pages)
    assert all(found.look.warnings == () for found in pages)


@pytest.mark.parametrize("side", [12, 100, 1200])
def test_complaints_go_to_their_own_page_whatever_its_size(side: int, path: Path) -> None:
    """Small pages fit into the pipe whole, and pdftoppm is at the next one before they are read."""
    box = f"0 0 {side} {side}"
    stroke = stream(f"0 0 m {side / 2} {side} l 3 w S".encode())
    changes: dict[str, bytes | None] = {f"contents{number}": stroke for number in range(1, 4)}
    path.write_bytes(text_pdf(3, box, changes={**changes, "page2": weird(7, box)}))
    pages = drawn(path)
    assert [found.look.reader for found in pages] == ["poppler", "pdfium", "poppler"]
    assert ink(pages[1]) == pytest.approx(ink(pages[0]), rel=0.2)


def test_blank_pages_are_read_by_both_and_stay_poppler_s(path: Path) -> None:
    path.write_bytes(text_pdf(2, changes={"contents2": stream(b"")}))
    assert [(found.look.reader, found.look.warnings) for found in drawn(path)] == [("poppler", ())] * 2


@pytest.mark.parametrize("count", [b"", b"/Count (2)", b"/Count 0"], ids=["no count", "no number", "none"])
def test_a_file_that_poppler_refuses_is_read_by_the_other(count: bytes, path: Path) -> None:
    path.write_bytes(text_pdf(2).replace(b"/Count 2", count))
    contents = inspect(path)
    assert (contents.reader, contents.pages) == ("pdfium", 2)
    first, second = drawn(path)
    assert (first.look.reader, first.look.warnings) == ("pdfium", ())
    assert ink(first) > 0.005
    assert first.content != second.content
    assert (first.width, first.height) == (278, 139)


def test_a_file_that_neither_reads_is_rejected_with_popplers_reason(path: Path) -> None:
    path.write_bytes(b"%PDF-1.4\n" + bytes(1000))
    with pytest.raises(DocumentRejected, match="damaged beyond reading"):
        inspect(path)


def test_a_stream_that_is_cut_off_is_warned_of(path: Path) -> None:
    lines = b"".join(b"BT /F 8 Tf 5 %d Td (Line %d of the text) Tj ET\n" % (95 - 9 * line, line) for line in range(10))
    packed = zlib.compress(lines * 20)
    cut = stream(packed[: len(packed) // 2], "/Filter /FlateDecode")
    path.write_bytes(text_pdf(2, changes={"contents2": cut}))
    first, second = drawn(path)
    assert first.look.warnings == ()
    assert second.look.warnings == DAMAGED


def test_what_neither_can_draw_is_lost_alone(path: Path) -> None:
    path.write_bytes(endless_pdf(3, endless=2))
    first, second, third = render(path, Renderer(dpi=72, page_seconds=1))
    assert isinstance(first, PageImage)
    assert isinstance(second, LostPage)
    assert "longer than 1 seconds" in second.error.message
    assert isinstance(third, PageImage)


def test_time_is_kept_for_both_readers(path: Path) -> None:
    """Poppler's two seconds pass; PDFium's two would pass the deadline: the page is left to another invocation."""
    path.write_bytes(endless_pdf(2, endless=1))
    contents = inspect(path)
    deadline = time.monotonic() + 5
    (only,) = Renderer(dpi=72, page_seconds=2).render(path, contents, PageRange(1, 2), deadline=deadline)
    assert only == Unreached(1)


@pytest.mark.parametrize(("complaints", "one_colour"), [((), True), (("Syntax Error",), False), (("x",), True)])
def test_a_drawing_suffices_without_complaints_and_with_colours(complaints: tuple[str, ...], one_colour: bool) -> None:
    image = Image.new("RGB", (9, 9), "white")
    two_colours = image.copy()
    two_colours.putpixel((4, 4), (0, 0, 0))
    assert not suffices(Drawing(raster_of(image if one_colour else two_colours), complaints))
    assert suffices(Drawing(raster_of(two_colours)))
