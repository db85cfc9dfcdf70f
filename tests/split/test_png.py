"""PNG files of our own writing: the pixels to the bit, in the fewest channels."""

from __future__ import annotations

import io
import random
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pagewise.pages.png import Raster, png, raster_of
from tests.pictures import picture


def decoded(content: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(content))
    image.load()
    return image


@given(st.data(), st.integers(1, 40), st.integers(1, 200), st.sampled_from((1, 3)))
def test_every_pixel_is_kept(data: st.DataObject, width: int, height: int, channels: int) -> None:
    palette = data.draw(st.sampled_from((b"\x00\xff", b"\x00\x80\xff", bytes(range(256)))))
    pixels = bytes(random.Random(data.draw(st.integers())).choices(palette, k=width * height * channels))
    image = decoded(png(Raster(width, height, channels, pixels)))
    assert image.size == (width, height)
    assert image.convert("L" if channels == 1 else "RGB").tobytes() == pixels


@pytest.mark.parametrize(
    ("colours", "mode"),
    [(((0, 0, 0), (255, 255, 255)), "1"), (((0, 0, 0), (254, 254, 254)), "L"), (((0, 0, 0), (255, 255, 254)), "RGB")],
)
def test_channels_and_bits_that_say_nothing_are_left_out(colours: tuple[tuple[int, int, int], ...], mode: str) -> None:
    image = Image.new("RGB", (300, 700), colours[0])
    image.putpixel((299, 699), colours[1])  # beyond the first blocks that are compared
    kept = decoded(png(raster_of(image)))
    assert kept.mode == mode
    assert kept.convert("RGB").tobytes() == image.tobytes()


def test_pictures_are_filtered_and_text_is_not() -> None:
    shaded = Image.radial_gradient("L")
    text = decoded(picture(512, 512)).convert("L")
    assert zlib.decompress(idat(png(raster_of(shaded))))[0] in {1, 2}
    assert zlib.decompress(idat(png(raster_of(text))))[0] == 0


def idat(content: bytes) -> bytes:
    start = content.index(b"IDAT")
    return content[start + 4 : content.index(b"IEND") - 8]


def test_damage_to_a_stored_page_is_noticed() -> None:
    content = bytearray(png(raster_of(decoded(picture()))))
    content[content.index(b"IDAT") + 20] ^= 1
    with pytest.raises((OSError, SyntaxError)):
        decoded(bytes(content))
