"""The text layer, read by poppler, pdfium and pypdf; and what stays of the original."""

from __future__ import annotations

import hashlib
import io
import math
import subprocess
import zlib
from pathlib import Path
from typing import Any

import pikepdf
import pypdfium2
import pytest
from pikepdf import Array, Dictionary, Name, Pdf
from PIL import Image

from pagewise.geometry import Size
from pagewise.model import PageGeometry
from pagewise.outputs.contents import PageContents
from pagewise.outputs.refusal import OutputRefused
from pagewise.outputs.searchable_pdf import Layers, write_searchable
from tests.outputs.making import READERS, in_order, line, page_of, recognized_lines

SCRIPTS = {
    "latin": [
        "The quick brown fox (jumps) over the lazy dog; 50% of 1,234.56 €",
        "Über Größe, Ärger — façade naïve œuvre “quoted”",
        "Łódź Žižkov ñandú ¿qué? fi fl ffi ligature",
        "i.l.j:|! narrow and WWW MMM wide",
        "Invoice no. 00123 due 2024-05-16",
    ],
    "chinese": [
        "国资背景基金情况（二〇二四年）",
        "人民币１２３元，ABC 公司 2024年5月",
        "𠮷野家の漢字 中文混排English text。",
        "《中华人民共和国民法典》第一编",
    ],
    "japanese": [
        "日本語のテキスト、カタカナとひらがな。",
        "東京都渋谷区１−２−３ Tel 03-1234-5678",
        "ガギグゲゴ パピプペポ ｶﾅ",
    ],
    "korean": ["대한민국 서울특별시 강남구", "한국어 텍스트 인식 ABC 123 (테스트)", "가나다라마바사 아자차카타파하"],
    "arabic": [
        "السلام عليكم ورحمة الله وبركاته",
        "فاتورة رقم 12345 بتاريخ 2024/05/16",
        "المملكة العربية السعودية، الرياض",
        "لا إله إلا الله محمد رسول الله.",
        "شركة Microsoft للبرمجيات المحدودة",
        "يولد جميع الناس أحرارا متساوين في الكرامة والحقوق",
    ],
    "hebrew": [
        "שלום עולם, מה שלומך היום?",
        "חשבונית מספר 12345 מיום 16.05.2024",
        'חברת Microsoft ישראל בע"מ, תל אביב',
        "בראשית ברא אלוהים את השמים ואת הארץ.",
        "כל בני אדם נולדו בני חורין ושווים בערכם ובזכויותיהם",
    ],
    "thai": ["ภาษาไทย ทดสอบ"],
    "devanagari": ["हिन्दी परीक्षण क्षेत्र"],
    "emoji": ["smile 😀 and 𝔘𝔫𝔦𝔠𝔬𝔡𝔢"],
}
SCAN = Size(1240, 1754)


def lines_for(texts: list[str], size: Size = SCAN) -> list[dict[str, Any]]:
    wide = size.width - 200
    return [line(text, 100, 100 + 55 * place, min(wide, 18 * len(text) + 40)) for place, text in enumerate(texts)]


def scanned(path: Path, *, turn: int = 0, media: tuple[float, ...] = (0, 0, 595, 842), **keys: Any) -> Path:
    """A PDF of one image that fills the page, as scanners make it."""
    pdf = Pdf.new()
    picture = io.BytesIO()
    Image.new("L", (124, 175), 230).save(picture, "JPEG")
    wide, high = media[2] - media[0], media[3] - media[1]
    page = pdf.add_blank_page(page_size=(wide, high))
    image = pdf.make_stream(
        picture.getvalue(),
        Type=Name.XObject,
        Subtype=Name.Image,
        Width=124,
        Height=175,
        BitsPerComponent=8,
        ColorSpace=Name.DeviceGray,
        Filter=Name.DCTDecode,
    )
    page.obj.MediaBox = Array(media)
    page.obj.Resources = Dictionary(XObject=Dictionary(Im0=image))
    page.obj.Contents = pdf.make_stream(f"q {wide} 0 0 {high} {media[0]} {media[1]} cm /Im0 Do Q".encode())
    if turn:
        page.obj.Rotate = turn
    for name, value in keys.items():
        page.obj[f"/{name}"] = value
    pdf.save(path)
    return path


def written(original: Path | None, pages: list[PageContents], to: Path, expected: int = 1, **more: Any) -> Layers:
    return write_searchable(original, pages, more.pop("image_of", lambda _: None), to, expected=expected, **more)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("script", SCRIPTS)
def test_every_script_comes_back_in_order(script: str, reader: str, tmp_path: Path) -> None:
    to = tmp_path / "out.pdf"
    written(scanned(tmp_path / "in.pdf"), [page_of(1, recognized_lines(1, lines_for(SCRIPTS[script])))], to)
    assert in_order("\n".join(SCRIPTS[script]), READERS[reader](to)) >= 0.995


@pytest.mark.parametrize(("reader", "least"), [("pdftotext", 0.97), ("pdfium", 0.94), ("pypdf", 0.995)])
def test_signs_between_directions_can_go_astray_in_readers(reader: str, least: float, tmp_path: Path) -> None:
    """poppler puts a colon before a number behind it; pdfium mirrors brackets. Words and numbers stay in order."""
    texts = ["المبلغ الإجمالي: 1,250.00 ريال", "شركة (ABC) للتجارة - الرياض", 'חברת ABC בע"מ (תל אביב)']
    to = tmp_path / "out.pdf"
    written(scanned(tmp_path / "in.pdf"), [page_of(1, recognized_lines(1, lines_for(texts)))], to)
    got = READERS[reader](to)
    assert in_order("\n".join(texts), got) >= least
    letters = ["".join(letter for letter in text if letter.isalnum()) for text in ("\n".join(texts), got)]
    assert letters[0] == letters[1]


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
@pytest.mark.parametrize("media", [(0, 0, 595, 842), (-100, 50, 495, 892)])
def test_lines_stand_where_they_were_read(turn: int, media: tuple[float, ...], tmp_path: Path) -> None:
    size = SCAN if turn % 180 == 0 else Size(SCAN.height, SCAN.width)
    lines = lines_for(SCRIPTS["latin"], size)
    to = tmp_path / "out.pdf"
    written(scanned(tmp_path / "in.pdf", turn=turn, media=media), [page_of(1, recognized_lines(1, lines, size))], to)
    assert least_overlap(to, lines, size) >= 0.8
    assert in_order("\n".join(SCRIPTS["latin"]), READERS["pdfium"](to)) >= 0.995


def test_a_crop_box_and_user_units_are_taken_in(tmp_path: Path) -> None:
    crop = Array([97.5, 121, 395, 542])
    lines = lines_for(SCRIPTS["latin"])
    shapes: tuple[dict[str, Any], ...] = ({"CropBox": crop}, {"CropBox": crop, "UserUnit": 2.0}, {"UserUnit": 2.0})
    for number, keys in enumerate(shapes):
        to = tmp_path / f"out{number}.pdf"
        written(scanned(tmp_path / "in.pdf", **keys), [page_of(1, recognized_lines(1, lines))], to)
        assert least_overlap(to, lines, SCAN) >= 0.8


def test_geometry_says_where_the_image_lies(tmp_path: Path) -> None:
    """The image shows the whole sheet, though the file has a crop box of the same proportions."""
    crop, sheet = Array([0, 0, 297.5, 421]), PageGeometry(595, 842, 0, 0, 0, 150)
    lines = lines_for(SCRIPTS["latin"])
    to = tmp_path / "out.pdf"
    written(scanned(tmp_path / "in.pdf", CropBox=crop), [page_of(1, recognized_lines(1, lines, geometry=sheet))], to)
    with Pdf.open(to, allow_overwriting_input=True) as pdf:
        del pdf.pages[0].obj.CropBox
        pdf.save(to)
    assert least_overlap(to, lines, SCAN) >= 0.8


@pytest.mark.parametrize("angle", [0.8, -0.8, 3, -7, 90, 180, 270])
def test_tilted_and_standing_lines_are_read_in_the_order_of_the_engine(angle: float, tmp_path: Path) -> None:
    """The result has angles up to a half turn only: 180 and 270 are told by the order of the lines."""
    texts = [f"The quick brown fox jumps over the lazy dog {name}" for name in ("one", "two", "three", "four", "five")]
    tilt = math.radians(angle)
    lines = [
        {
            "text": text,
            "rotate_rect": [
                620 - math.sin(tilt) * 40 * n,
                800 + math.cos(tilt) * 40 * n,
                900,
                30,
                90 - (90 - angle) % 180,
            ],
        }
        for n, text in enumerate(texts)
    ]
    to = tmp_path / "out.pdf"
    written(scanned(tmp_path / "in.pdf"), [page_of(1, recognized_lines(1, lines))], to)
    for name, reader in READERS.items():
        # pdftotext sorts by places, and loses the line of text that falls by more than half its height. pdfium takes
        # standing lines from left to right, whichever way they read.
        if (name, abs(angle)) not in {("pdftotext", 3), ("pdftotext", 7), ("pdfium", 90)}:
            assert in_order("\n".join(texts), reader(to)) >= 0.995
    with pypdfium2.PdfDocument(to) as pdf:
        text = pdf[0].get_textpage()
        place = text.get_text_range().index(texts[2])
        (x1, y1), (x2, y2) = (text.get_charbox(place + index)[:2] for index in (0, 20))
    towards = math.degrees(math.atan2(y1 - y2, x2 - x1)) % 360
    assert abs((towards - angle + 180) % 360 - 180) < 3


def test_boxes_beyond_the_page_stay_findable(tmp_path: Path) -> None:
    lines = [
        line("far to the right of it all", 1000, 100, 900),
        line("negative", -300, 200, 400),
        line("below", 100, 1700, 300, 300),
        {"text": "no size", "location": None, "rotate_rect": [500, 500, 0, 0, 0]},
        {"text": "nowhere", "location": None, "rotate_rect": None},
    ]
    to = tmp_path / "out.pdf"
    layers = written(scanned(tmp_path / "in.pdf"), [page_of(1, recognized_lines(1, lines))], to)
    assert layers.lines_without_place == 1
    for reader in READERS.values():
        assert sorted("".join(reader(to).split())) == sorted("fartotherightofitallnegativebelownosize")


def test_pages_with_text_of_their_own_stay_as_they_are(tmp_path: Path) -> None:
    with Pdf.new() as pdf:
        for text in (
            b"BT /F1 12 Tf 72 700 Td (Own text) Tj ET",
            b"BT /F1 12 Tf 3 Tr (older layer) Tj ET",
            b"BT /F1 1 Tf (  ) Tj ET",
        ):
            page = pdf.add_blank_page()
            page.obj.Contents = pdf.make_stream(text)
            page.obj.Resources = Dictionary(
                Font=Dictionary(F1=Dictionary(Type=Name.Font, Subtype=Name.Type1, BaseFont=Name.Helvetica))
            )
        with_form = pdf.add_blank_page()
        form = pdf.make_stream(b"BT (in a form) Tj ET", Type=Name.XObject, Subtype=Name.Form, BBox=Array([0, 0, 9, 9]))
        with_form.obj.Resources = Dictionary(XObject=Dictionary(Fm0=form))
        with_form.obj.Contents = pdf.make_stream(b"/Fm0 Do")
        pdf.save(tmp_path / "in.pdf")
    pages = [page_of(number, recognized_lines(number, [line("recognized", 100, 100, 300)])) for number in (1, 2, 3, 4)]
    to = tmp_path / "out.pdf"
    layers = written(tmp_path / "in.pdf", pages, to, expected=4)
    assert (layers.own_text, layers.layered) == ([1, 2, 4], [3])
    assert READERS["pdftotext"](to).count("recognized") == 1


def test_images_stay_bit_for_bit_and_forms_and_annotations_too(tmp_path: Path) -> None:
    original = scanned(tmp_path / "plain.pdf")
    with Pdf.open(original) as pdf:
        field = pdf.make_indirect(
            Dictionary(FT=Name.Tx, T="name", V="filled in", Subtype=Name.Widget, Rect=Array([0, 0, 9, 9]))
        )
        pdf.pages[0].obj.Annots = Array([field])
        pdf.Root.AcroForm = Dictionary(Fields=Array([field]))
        pdf.save(tmp_path / "in.pdf")
    to = tmp_path / "out.pdf"
    written(tmp_path / "in.pdf", [page_of(1, recognized_lines(1, lines_for(SCRIPTS["latin"])))], to)
    with Pdf.open(tmp_path / "in.pdf") as before, Pdf.open(to) as after:
        one, two = (pdf.pages[0].obj.Resources.XObject.Im0.read_raw_bytes() for pdf in (before, after))
        assert hashlib.sha256(one).digest() == hashlib.sha256(two).digest()
        assert str(after.Root.AcroForm.Fields[0].V) == "filled in"
    drawn = [pypdfium2.PdfDocument(path)[0].render(scale=1).to_pil().tobytes() for path in (original, to)]
    assert drawn[0] == drawn[1]


def test_pages_that_share_their_resources_get_each_its_own_layer(tmp_path: Path) -> None:
    with Pdf.new() as pdf:
        shared = pdf.make_indirect(
            Dictionary(XObject=Dictionary(PwText=pdf.make_stream(b"", Subtype=Name.Form, BBox=Array([0, 0, 1, 1]))))
        )
        for _ in range(2):
            pdf.add_blank_page(page_size=(595, 842)).obj.Resources = shared
        pdf.save(tmp_path / "in.pdf")
    pages = [page_of(number, recognized_lines(number, [line(f"page {number}", 100, 100, 300)])) for number in (1, 2)]
    to = tmp_path / "out.pdf"
    written(tmp_path / "in.pdf", pages, to, expected=2)
    assert [text.strip() for text in READERS["pdftotext"](to).split("\x0c")[:2]] == ["page 1", "page 2"]


def test_an_owner_encrypted_pdf_is_read_and_said_to_be_plain_now(tmp_path: Path) -> None:
    with Pdf.open(scanned(tmp_path / "plain.pdf")) as pdf:
        pdf.save(tmp_path / "in.pdf", encryption=pikepdf.Encryption(owner="owner", user="", R=6))
        pdf.save(tmp_path / "locked.pdf", encryption=pikepdf.Encryption(owner="owner", user="user", R=6))
    pages = [page_of(1, recognized_lines(1, [line("recognized", 100, 100, 300)]))]
    layers = written(tmp_path / "in.pdf", pages, tmp_path / "out.pdf")
    assert layers.notes == ["encryption_removed"]
    assert "recognized" in READERS["pdftotext"](tmp_path / "out.pdf")
    with pytest.raises(OutputRefused, match="password"):
        written(tmp_path / "locked.pdf", pages, tmp_path / "out.pdf")
    written(tmp_path / "locked.pdf", pages, tmp_path / "opened.pdf", password="user")  # noqa: S106
    assert "recognized" in READERS["pdftotext"](tmp_path / "opened.pdf")


def test_a_signed_pdf_is_left_alone_and_an_empty_signature_field_is_not(tmp_path: Path) -> None:
    for name, signed in (("signed", True), ("unsigned", False)):
        with Pdf.open(scanned(tmp_path / "plain.pdf")) as pdf:
            field = Dictionary(FT=Name.Sig, T="signature")
            if signed:
                field.V = Dictionary(Type=Name.Sig, ByteRange=Array([0, 1, 2, 3]), Contents=pikepdf.String(b"\0" * 8))
            pdf.Root.AcroForm = Dictionary(
                Fields=Array([Dictionary(Kids=Array([pdf.make_indirect(field)]))]), SigFlags=3
            )
            pdf.save(tmp_path / f"{name}.pdf")
    pages = [page_of(1, recognized_lines(1, [line("recognized", 100, 100, 300)]))]
    with pytest.raises(OutputRefused) as refused:
        written(tmp_path / "signed.pdf", pages, tmp_path / "out.pdf")
    assert refused.value.reason == "signed"
    assert written(tmp_path / "unsigned.pdf", pages, tmp_path / "out.pdf").layered == [1]


def test_the_same_results_give_the_same_bytes(tmp_path: Path) -> None:
    original = scanned(tmp_path / "in.pdf")
    pages = [page_of(1, recognized_lines(1, lines_for(SCRIPTS["arabic"] + SCRIPTS["emoji"])))]
    for name in ("one", "two"):
        written(original, pages, tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


@pytest.mark.parametrize("kind", ["jpeg", "png", "tiff", "tiff_pages", "palette", "exif"])
def test_images_become_a_pdf_without_being_coded_again(kind: str, tmp_path: Path) -> None:
    path, lines = tmp_path / "in", lines_for(SCRIPTS["latin"])
    picture = Image.effect_noise((124, 175), 60)
    expected = 2 if kind == "tiff_pages" else 1
    match kind:
        case "jpeg":
            picture.save(path, "JPEG", dpi=(150, 150))
        case "exif":
            exif = Image.Exif()
            exif[0x0112] = 6
            picture.transpose(Image.Transpose.ROTATE_90).save(path, "JPEG", exif=exif)
        case "png":
            picture.convert("RGB").save(path, "PNG")
        case "palette":
            picture.convert("P").save(path, "PNG")
        case "tiff":
            picture.convert("1").save(path, "TIFF", compression="group4")
        case "tiff_pages":
            picture.save(path, "TIFF", save_all=True, append_images=[picture.convert("RGB")])
    geometry = PageGeometry(turn=90) if kind == "exif" else None
    pages = [page_of(number, recognized_lines(number, lines, geometry=geometry)) for number in range(1, expected + 1)]
    to = tmp_path / "out.pdf"
    layers = written(path, pages, to, expected)
    assert layers.made == "image"
    assert least_overlap(to, lines, SCAN) >= 0.8
    with Image.open(path) as original, Pdf.open(to) as pdf:
        image = next(iter(pdf.pages[0].get_images().values()))
        assert isinstance(image, pikepdf.Stream)
        held = pikepdf.PdfImage(image)
        if kind in {"jpeg", "exif"}:
            assert held.obj.read_raw_bytes() == path.read_bytes()
        else:
            assert held.as_pil_image().convert("RGB").tobytes() == original.convert("RGB").tobytes()


def test_where_there_is_no_original_page_images_are_taken(tmp_path: Path) -> None:
    Image.new("RGB", (124, 175), "white").save(tmp_path / "page.png")
    lines = lines_for(SCRIPTS["latin"])
    to, geometry = tmp_path / "out.pdf", PageGeometry(turn=90)
    pages = [page_of(1, recognized_lines(1, lines, geometry=geometry))]
    layers = written(None, pages, to, image_of=lambda _: tmp_path / "page.png")
    assert layers.made == "page_images"
    assert least_overlap(to, lines, SCAN) >= 0.8
    with pytest.raises(OutputRefused):
        written(None, [], to, expected=0)


def test_a_bomb_as_a_page_is_not_unpacked(tmp_path: Path) -> None:
    """A gigabyte of blanks in a megabyte, and the same packed twice."""
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(b" " * 1_000_000) for _ in range(1000)) + packer.flush()
    with Pdf.new() as pdf:
        for content, filters in (
            (packed, Name.FlateDecode),
            (zlib.compress(packed, 9), Array([Name.FlateDecode, Name.FlateDecode])),
        ):
            page = pdf.add_blank_page()
            page.obj.Contents = pdf.make_stream(content, Filter=filters)
        pdf.save(tmp_path / "in.pdf", stream_decode_level=pikepdf.StreamDecodeLevel.none, compress_streams=False)
    pages = [page_of(number, recognized_lines(number, [line("recognized", 100, 100, 300)])) for number in (1, 2)]
    layers = written(tmp_path / "in.pdf", pages, tmp_path / "out.pdf", expected=2)
    assert layers.unreadable == [1, 2]
    assert (tmp_path / "out.pdf").stat().st_size < 3_000_000


def test_nothing_of_the_layer_is_seen(tmp_path: Path) -> None:
    to = tmp_path / "out.pdf"
    written(scanned(tmp_path / "in.pdf"), [page_of(1, recognized_lines(1, lines_for(SCRIPTS["latin"])))], to)
    seen = [
        subprocess.run(["pdftoppm", "-r", "50", path], capture_output=True, check=True).stdout
        for path in (tmp_path / "in.pdf", to)
    ]
    assert seen[0] == seen[1]


def least_overlap(path: Path, lines: list[dict[str, Any]], size: Size) -> float:
    """Of a line's box and of that around its characters by pdfium, which turns and crops as readers do."""
    least = 1.0
    with pypdfium2.PdfDocument(path) as pdf:
        page = pdf[0]
        text = page.get_textpage()
        wide, high = page.get_size()
        content = text.get_text_range()
        for one in lines:
            start = content.index(one["text"])
            boxes = [text.get_charbox(index) for index in range(start, start + len(one["text"]))]
            corners = [
                shown_at(page, x, y, wide, high)
                for left, bottom, right, top in boxes
                for x, y in ((left, bottom), (right, top))
            ]
            xs, ys = [x * size.width for x, _ in corners], [y * size.height for _, y in corners]
            got = min(xs), min(ys), max(xs), max(ys)
            box = one["location"]
            least = min(least, overlap(got, (box[0], box[1], box[4], box[5])))
    return least


def shown_at(page: pypdfium2.PdfPage, x: float, y: float, wide: float, high: float) -> tuple[float, float]:
    """A point of the page as a share of what is shown of it, from the top left."""
    left, bottom, right, top = page.get_cropbox()
    across, up = (x - left) / (right - left), (y - bottom) / (top - bottom)
    del wide, high
    return {0: (across, 1 - up), 90: (up, across), 180: (1 - across, up), 270: (1 - up, 1 - across)}[
        page.get_rotation()
    ]


def overlap(one: tuple[float, ...], two: tuple[float, ...]) -> float:
    wide = min(one[2], two[2]) - max(one[0], two[0])
    high = min(one[3], two[3]) - max(one[1], two[1])
    shared = max(wide, 0) * max(high, 0)
    return shared / ((one[2] - one[0]) * (one[3] - one[1]) + (two[2] - two[0]) * (two[3] - two[1]) - shared)
