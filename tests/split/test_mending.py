"""Sound pictures in broken files."""

from __future__ import annotations

import io

from PIL import Image

from pagewise.pages.mending import bits_of_jpeg, mended
from tests.split.test_field_images import mean, page_of


def test_a_jpeg_with_an_empty_jfif_segment_is_read() -> None:
    image = page_of("tw105-empty-jfif.jpg")
    assert image.size == (942, 714)
    assert mean(image) > 200


def saved(image_format: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (30, 20), "red").save(buffer, format=image_format)
    return buffer.getvalue()


def test_a_jpeg_keeps_its_picture_without_a_segment_that_says_too_little() -> None:
    content = saved("JPEG")
    broken = content[:2] + b"\xff\xe1\x00\x00" + content[2:]
    image = mended(broken, "JPEG")
    assert image is not None
    assert image.size == (30, 20)
    assert bits_of_jpeg(broken) == 8


def test_a_png_whose_pixels_are_sound_is_mended_and_one_whose_pixels_are_not_is_none() -> None:
    content = saved("PNG")
    at = content.index(b"IDAT")
    length = int.from_bytes(content[at - 4 : at])
    wrong_sum = content[: at + 4 + length] + bytes(4) + content[at + 8 + length :]
    image = mended(wrong_sum, "PNG")
    assert image is not None
    assert image.convert("RGB").getpixel((0, 0)) == (255, 0, 0)
    assert mended(wrong_sum[: at + 8] + b"xxxx" + wrong_sum[at + 12 :], "PNG") is None


def test_other_files_are_not_mended() -> None:
    assert mended(saved("BMP"), "BMP") is None
    assert mended(b"", "JPEG") is None
