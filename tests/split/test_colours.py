"""Colours of a picture become grey or RGB on white paper."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from pagewise.pages.colours import eight_bit, inverted, opaque
from tests.split.test_images import RED, WHITE, drawn, page_of, saved


def test_cmyk_is_shown_as_colours(tmp_path: Path) -> None:
    _, image = page_of(saved(drawn("CMYK"), "JPEG", quality=95), tmp_path)
    assert image.mode == "RGB"
    assert image.getpixel((20, 20)) == pytest.approx(RED, abs=6)
    assert image.getpixel((100, 60)) == pytest.approx(WHITE, abs=6)


@pytest.mark.parametrize("image_format", ["PNG", "TIFF"])
def test_sixteen_bits_become_eight(image_format: str, tmp_path: Path) -> None:
    deep = Image.new("I;16", (100, 50))
    deep.putdata([257 * (x * 255 // 99) for _ in range(50) for x in range(100)])
    _, image = page_of(saved(deep, image_format), tmp_path)
    assert image.mode == "L"
    assert [image.getpixel((x, 25)) for x in (0, 50, 99)] == pytest.approx([0, 128, 255], abs=1)


def test_sixteen_bits_of_a_dark_scan_stay_dark(tmp_path: Path) -> None:
    """The format's own range counts, not the picture's: stretched, paper noise would look like text."""
    deep = Image.new("I;16", (100, 50), 65_535)
    deep.putpixel((15, 15), 60_000)
    _, image = page_of(saved(deep, "PNG"), tmp_path)
    assert image.getpixel((15, 15)) == pytest.approx(233, abs=1)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_transparency_shows_white_paper(mode: str, tmp_path: Path) -> None:
    clear = Image.new("RGBA", (120, 80), (0, 0, 0, 0))
    ImageDraw.Draw(clear).rectangle((0, 0, 39, 39), fill=(0, 0, 0, 255))
    content = saved(clear.convert(mode), "PNG") if mode != "PA" else saved(clear.quantize(4), "PNG")
    _, image = page_of(content, tmp_path)
    assert image.mode == "1"
    assert image.getpixel((20, 20)) == 0
    assert image.getpixel((100, 60)) == 255


def test_a_transparent_colour_shows_white_paper(tmp_path: Path) -> None:
    image = Image.new("RGB", (120, 80), (1, 2, 3))
    image.paste((0, 0, 0), (0, 0, 40, 40))
    _, page = page_of(saved(image, "PNG", transparency=(1, 2, 3)), tmp_path)
    assert page.convert("RGB").getpixel((100, 60)) == WHITE


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "F"])
def test_what_is_opaque_has_no_alpha_and_eight_bits(mode: str) -> None:
    assert opaque(Image.new(mode, (5, 5))).mode in ("1", "L", "RGB")


def test_a_declared_range_is_what_white_is() -> None:
    grey = Image.new("I", (2, 1))
    grey.putpixel((0, 0), 4095)
    assert list(eight_bit(grey, 4095).tobytes()) == [255, 0]


def test_inverting_twice_changes_nothing() -> None:
    assert inverted(inverted(drawn("RGB"))).tobytes() == drawn("RGB").tobytes()
