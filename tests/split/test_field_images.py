"""Images of public bug reports, by the facts of corpus/field/cases.csv, and made ones of the same kinds."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageStat

from pagewise.errors import DocumentRejected
from pagewise.model import PageRange
from pagewise.pages.images import PageImage
from pagewise.pages.rendering import LostPage, Renderer, inspect
from tests.pictures import picture
from tests.split.corpus import FOLDER

FIELD = FOLDER / "field"


def page_of(name: str) -> Image.Image:
    path = FIELD / name
    if not path.exists():
        pytest.skip(f"the field's cases are not there ({name})")
    assert inspect(path).pages == 1
    (page,) = Renderer().render(path, inspect(path), PageRange(1, 1))
    assert isinstance(page, PageImage)
    assert not page.look.blank
    return Image.open(io.BytesIO(page.content))


def mean(image: Image.Image) -> float:
    return ImageStat.Stat(image.convert("L")).mean[0]


def test_a_colour_map_of_8_bit_values_is_no_black_page() -> None:
    assert mean(page_of("tw73-colormap8.tiff")) > 200


def test_white_type_on_transparency_differs_from_its_ground() -> None:
    image = page_of("rapid158-white-on-transparent.png").convert("L")
    assert image.getextrema() == (0, 255)
    assert 5 < mean(image) < 120


def test_16_bit_grey_of_the_other_byte_order_is_read() -> None:
    image = page_of("gray16-bigendian.tiff")
    assert image.size == (157, 151)
    assert 40 < mean(image) < 215


def test_a_photo_is_turned_as_its_exif_says() -> None:
    assert page_of("rapid542-exif.jpg").size == (752, 306)


# ── Broken frames ────────────────────────────────────────────────────────────────────────────────────────────────────


# ── Messages ─────────────────────────────────────────────────────────────────────────────────────────────────────────

IDENTIFIER = re.compile(r"[A-Za-z]+(Error|Exception|Warning)\b|\b[a-z]+_[a-z_]+\b|\bNone\b|<[\w.]+|0x[0-9a-f]+|\w\(\)")


def damaged(content: bytes) -> list[bytes]:
    """A file cut off at some places, and with a few bytes changed at others."""
    step = max(1, len(content) // 24)
    cut = [content[:end] for end in range(12, len(content), step)]
    changed = [content[:at] + b"\xff\x00\x80\x7f" + content[at + 4 :] for at in range(8, len(content) - 4, step)]
    return cut + changed


@pytest.mark.parametrize(
    ("image_format", "mode", "options"),
    [
        ("PNG", "RGB", {}),
        ("PNG", "P", {}),
        ("JPEG", "RGB", {}),
        ("JPEG", "CMYK", {}),
        ("TIFF", "RGB", {"compression": "tiff_lzw"}),
        ("TIFF", "I;16", {}),
        ("TIFF", "1", {"compression": "group4"}),
        ("TIFF", "RGB", {"compression": "jpeg"}),
        ("BMP", "RGB", {}),
        ("BMP", "1", {}),
        ("WEBP", "RGB", {}),
        ("HEIF", "RGB", {}),
    ],
)
def test_no_message_about_a_damaged_picture_speaks_python(
    image_format: str, mode: str, options: dict[str, Any], tmp_path: Path
) -> None:
    import pillow_heif

    pillow_heif.register_heif_opener()
    whole = picture(mode="L" if mode == "I;16" else mode, image_format=image_format, **options)
    if mode == "I;16":
        buffer = io.BytesIO()
        Image.new("I;16", (200, 100), 30_000).save(buffer, "TIFF")
        whole = buffer.getvalue()
    path = tmp_path / "document"
    messages: list[str] = []
    for content in damaged(whole):
        path.write_bytes(content)
        try:
            contents = inspect(path)
            pages = list(Renderer().render(path, contents, PageRange(1, min(contents.pages, 3))))
            messages.extend(page.error.message for page in pages if isinstance(page, LostPage))
        except DocumentRejected as rejected:
            messages.append(rejected.message)
    assert messages
    assert [message for message in messages if IDENTIFIER.search(message)] == []
    assert all(message.endswith(".") and message.count(". ") >= 1 for message in messages)
