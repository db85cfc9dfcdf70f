"""Where a page image lies on its page of the file: a box that is drawn back on the original is where it was seen."""

from __future__ import annotations

import html
import io
import math
import re
import subprocess
import zlib
from pathlib import Path

import pytest
from PIL import Image

from pagewise.messages import dump_look, load_look
from pagewise.model import PageGeometry, PageRange
from pagewise.pages.images import PageImage
from pagewise.pages.pdf_pages import PageSize, Scan
from pagewise.pages.pdfium import Pdfium, may_name_units
from pagewise.pages.rendering import LostPage, Rendered, Renderer, inspect
from tests.split.documents import page as page_object
from tests.split.documents import pdf, scan, stream, text_pdf
from tests.unit.conftest import Pagewise

Box = tuple[float, float, float, float]


def render(path: Path, renderer: Renderer | None = None) -> list[Rendered]:
    contents = inspect(path)
    return list((renderer or Renderer(dpi=100)).render(path, contents, PageRange(1, contents.pages)))


def only(path: Path, renderer: Renderer | None = None) -> PageImage:
    (page,) = render(path, renderer)
    assert isinstance(page, PageImage)
    return page


def geometry_of(page: PageImage) -> PageGeometry:
    assert page.look.geometry is not None
    return page.look.geometry


def on_the_original(geometry: PageGeometry, box: Box) -> Box:
    """A box in pixels of the page image, in the PDF's own coordinates: the arithmetic of the README."""
    assert geometry.width is not None
    assert geometry.height is not None
    assert geometry.dpi is not None
    width, height = geometry.width, geometry.height
    corners = []
    for x, y in ((box[0], box[1]), (box[2], box[3])):
        right, down = 72 * x / geometry.dpi, 72 * y / geometry.dpi
        # Turned back, from the page's top left as it lies in the file.
        right, down = {
            0: (right, down),
            90: (down, height - right),
            180: (width - right, height - down),
            270: (width - down, right),
        }[geometry.turn]
        corners.append(((geometry.left + right) / geometry.unit, (geometry.bottom + height - down) / geometry.unit))
    (x1, y1), (x2, y2) = corners
    return min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)


def dark_box(page: PageImage) -> Box:
    with Image.open(io.BytesIO(page.content)) as image:
        found = image.convert("L").point(lambda value: 255 if value < 128 else 0).getbbox()
    assert found is not None
    return tuple(map(float, found))  # type: ignore[return-value]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "document.pdf"


@pytest.mark.parametrize("turn", [0, 90, 180, 270, -90, 450])
@pytest.mark.parametrize("more", ["", "/CropBox [100 150 400 700]", "/UserUnit 2.5 /CropBox [100 150 400 700]"])
@pytest.mark.parametrize("sound", [True, False], ids=["poppler", "PDFium"])
def test_a_box_that_is_drawn_on_the_original_is_where_it_was(turn: int, more: str, sound: bool, path: Path) -> None:
    rectangle = (150.0, 300.0, 210.0, 330.0)
    drawn = stream(b"0 g 150 300 60 30 re f")
    page = page_object(4, "-20 -30 500 800", f"/Rotate {turn} {more}")
    if not sound:
        page = page.replace(b"/Contents 4 0 R", b"/Contents [(no stream) 4 0 R]")
    path.write_bytes(text_pdf(1, changes={"page1": page, "contents1": drawn}))
    found = only(path)
    geometry = geometry_of(found)
    assert found.look.reader == ("poppler" if sound else "pdfium")
    unit = 2.5 if "UserUnit" in more else 1.0
    cropped = "CropBox" in more
    assert (geometry.width, geometry.height) == ((300 * unit, 550 * unit) if cropped else (520, 830))
    assert (geometry.left, geometry.bottom) == ((100 * unit, 150 * unit) if cropped else (-20, -30))
    assert (geometry.turn, geometry.unit) == (turn % 360, unit)
    pixel = 72 / (geometry.dpi or 0) / unit
    for seen, true in zip(on_the_original(geometry, dark_box(found)), rectangle, strict=True):
        assert abs(seen - true) <= 2 * pixel  # PDFium draws into whole pixels


def test_words_lie_where_pdftotext_says(path: Path) -> None:
    path.write_bytes(text_pdf(1, "0 0 300 200"))
    said = subprocess.run(["pdftotext", "-bbox", path, "-"], check=True, capture_output=True, text=True).stdout
    words = re.findall(r'<word xMin="([\d.]+)" yMin="([\d.]+)" xMax="([\d.]+)" yMax="([\d.]+)">(.*?)</word>', said)
    assert [html.unescape(word[4]) for word in words] == ["Page", "1"]
    left, right = float(words[0][0]), float(words[1][2])
    top, bottom = (200 - float(words[0][side]) for side in (1, 3))
    seen = on_the_original(geometry_of(only(path)), dark_box(only(path)))
    assert left - 1 <= seen[0] <= left + 3
    assert right - 6 <= seen[2] <= right + 1
    assert bottom - 1 <= seen[1] <= seen[3] <= top + 1


@pytest.mark.parametrize("most", [8_388_608, 500_000])
def test_dpi_is_that_of_the_stored_image(most: int, path: Path) -> None:
    path.write_bytes(text_pdf(1, "0 0 612 792"))
    found = only(path, Renderer(dpi=300, max_pixels=most))
    assert (geometry_of(found).dpi or 0) * 8.5 == pytest.approx(found.width, abs=1)


def test_a_user_unit_in_a_packed_object_counts(path: Path) -> None:
    """What most producers write today: page objects in a compressed stream."""
    objects = b"<< /Type /Catalog /Pages 2 0 R >> << /Type /Pages /Kids [3 0 R] /Count 1 >> "
    third = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 8.5 11] /UserUnit 72 /Contents 4 0 R /Resources << >> >>"
    second = objects.index(b"<< /Type /Pages")
    head = b"1 0 2 %d 3 %d " % (second, len(objects))
    packed = zlib.compress(head + objects + third)
    body = b"%PDF-1.6\n"
    places = {}
    for number, content in (
        (4, stream(b"0 g 1 1 3 3 re f")),
        (5, stream(packed, f"/Type /ObjStm /N 3 /First {len(head)} /Filter /FlateDecode")),
    ):
        places[number] = len(body)
        body += b"%d 0 obj\n" % number + content + b"\nendobj\n"
    rows = [
        (0, 0, 255),
        *((2, 5, index) for index in range(3)),
        (1, places[4], 0),
        (1, places[5], 0),
        (1, len(body), 0),
    ]
    table = b"".join(bytes([kind]) + where.to_bytes(4, "big") + bytes([index]) for kind, where, index in rows)
    start = len(body)
    body += b"6 0 obj\n" + stream(table, "/Type /XRef /Size 7 /W [1 4 1] /Root 1 0 R") + b"\nendobj\n"
    path.write_bytes(body + b"startxref\n%d\n%%%%EOF\n" % start)
    assert b"UserUnit" not in path.read_bytes()
    assert may_name_units(path)
    found = only(path, Renderer(dpi=100))
    assert (found.width, found.height) == (850, 1100)
    assert geometry_of(found).unit == 72


@pytest.mark.parametrize("unit", ["0", "-3", "1e9", "0.0001", "x", "9" * 400])
def test_a_senseless_user_unit_loses_no_page(unit: str, path: Path) -> None:
    path.write_bytes(text_pdf(1, changes={"page1": page_object(4, more=f"/UserUnit {unit}")}))
    found = only(path)
    assert found.width * found.height <= 8_388_608
    assert len(Renderer().sizes(path, inspect(path))) == 1


def test_documents_without_the_word_are_not_asked(path: Path) -> None:
    path.write_bytes(text_pdf(2))
    assert not may_name_units(path)
    with Pdfium(path, None) as pdfium:
        assert pdfium.units(PageRange(1, 2)) == {}
        assert pdfium.process is None


@pytest.mark.parametrize(
    ("pixels", "points", "more", "dpi"),
    [
        ((4000, 2864), "120 85.92", "", 200),  # within max_pixels only
        ((1240, 1754), "595.276 841.89", "", 100),
        ((1240, 1754), "595.276 841.89", "/Rotate 90", 100),
        ((301, 407), "33 44.6", "", 100),
        ((850, 1100), "8.5 11", "/UserUnit 72", 200),
    ],
    ids=["2400 dpi", "150 dpi", "turned", "odd", "UserUnit"],
)
def test_a_scan_keeps_its_pixels(pixels: tuple[int, int], points: str, more: str, dpi: int, path: Path) -> None:
    path.write_bytes(scan(*pixels, points, more=more))
    found = only(path, Renderer(dpi=dpi))
    kept = sorted((found.width, found.height))
    if math.prod(pixels) <= 8_388_608:
        assert kept == sorted(pixels)
    else:
        assert 0.99 * 8_388_608 < math.prod(kept) <= 8_388_608
    (estimated,) = Renderer(dpi=dpi).sizes(path, inspect(path))
    assert estimated is not None
    assert estimated.width * estimated.height >= found.width * found.height


def test_a_small_fine_picture_on_a_coarse_scan_does_not_blow_it_up() -> None:
    renderer = Renderer(dpi=200)
    scale = renderer.scale(PageSize(612, 792), Scan(dpi=100, finest=2400))
    assert scale is not None
    assert scale.dpi == 200


def strips(count: int) -> bytes:
    """A scan of 800 × 1000 pixels on 288 × 360 points, in strips as scanners write them."""
    height = 1000 // count
    pixels = stream(
        zlib.compress(bytes((x * y) % 251 for y in range(height) for x in range(800))),
        f"/Type /XObject /Subtype /Image /Width 800 /Height {height} /ColorSpace /DeviceGray /BitsPerComponent 8"
        " /Filter /FlateDecode",
    )
    draw = b"".join(b"q 288 0 0 %f 0 %f cm /I Do Q\n" % (360 / count, 360 / count * strip) for strip in range(count))
    return pdf(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            page_object(4, "0 0 288 360", resources="<< /XObject << /I 5 0 R >> >>"),
            stream(draw),
            pixels,
        ]
    )


def test_a_scan_in_strips_keeps_its_pixels(path: Path) -> None:
    path.write_bytes(strips(10))
    found = only(path, Renderer(dpi=72))
    assert (found.width, found.height) == (800, 1000)


@pytest.mark.parametrize(
    ("box", "legible"),
    [
        ("0 0 226 1200", True),  # a receipt of 80 mm by 42 cm
        ("0 0 226 5400", True),  # 1.9 m
        ("0 0 226 8500", False),  # 3 m
        ("0 0 14400 612", False),  # a ledger of 5 m
        ("0 0 2384 3370", True),  # A0: its pixels are the limit, not its sides
    ],
)
def test_long_pages_are_legible_or_say_that_they_are_not(box: str, legible: bool, path: Path) -> None:
    path.write_bytes(text_pdf(2, changes={"page1": page_object(5, box)}))
    first, second = render(path, Renderer(dpi=150))
    assert isinstance(second, PageImage)
    if legible:
        assert isinstance(first, PageImage)
        assert (geometry_of(first).dpi or 0) > 70
    else:
        assert isinstance(first, LostPage)
        assert first.error.reason == "extreme_aspect_ratio"
        assert "Cut it into pieces" in first.error.message


def test_a_long_single_page_is_a_rejected_document(pagewise: Pagewise) -> None:
    document = pagewise.split.upload(pagewise.upload(text_pdf(1, "0 0 226 8500")))
    assert document.reason == "extreme_aspect_ratio"


def saved(path: Path, image_format: str, size: tuple[int, int] = (300, 150), **options: object) -> Path:
    Image.effect_noise(size, 60).convert("RGB").save(path, image_format, **options)
    return path


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "TIFF", "BMP"])
def test_an_image_is_as_large_as_its_file_says(image_format: str, path: Path) -> None:
    found = only(saved(path, image_format, dpi=(150, 150)))
    geometry = geometry_of(found)
    assert geometry.width == pytest.approx(144, rel=1e-3)
    assert geometry.height == pytest.approx(72, rel=1e-3)
    assert geometry.dpi == pytest.approx(150, rel=1e-3)
    assert found.look.reader == "pillow"


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP"])
def test_an_image_that_states_no_resolution_has_no_points(image_format: str, path: Path) -> None:
    geometry = geometry_of(only(saved(path, image_format)))
    assert (geometry.width, geometry.height, geometry.dpi) == (None, None, None)


@pytest.mark.parametrize(("orientation", "turn"), [(1, 0), (3, 180), (6, 90), (8, 270)])
def test_exif_turns_are_told(orientation: int, turn: int, path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    found = only(saved(path, "JPEG", exif=exif, dpi=(150, 150)))
    geometry = geometry_of(found)
    assert geometry.turn == turn
    assert (geometry.width, geometry.height) == (144, 72)
    assert (found.width, found.height) == ((300, 150) if turn % 180 == 0 else (150, 300))
    assert geometry.dpi == pytest.approx(150)


def test_a_smaller_page_image_has_fewer_dots_per_inch(path: Path) -> None:
    found = only(saved(path, "PNG", (3000, 1500), dpi=(300, 300)), Renderer(max_pixels=1_000_000))
    assert (geometry_of(found).dpi or 0) * 10 == pytest.approx(found.width, abs=1)


def test_it_travels_with_the_page_job(path: Path) -> None:
    path.write_bytes(text_pdf(1, changes={"page1": page_object(4, more="/UserUnit 2 /Rotate 270")}))
    look = only(path).look
    assert load_look(dump_look(look)) == look
