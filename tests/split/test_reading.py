"""From a file to its picture: upright, whatever reads it."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image, ImageChops

from pagewise.pages.reading import orientation_of, upright
from tests.split.test_images import drawn, page_of, saved

# How the stored pixels lie for each orientation: what turns them upright, undone.
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


@pytest.mark.parametrize("orientation", TURNS)
@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_a_turned_picture_is_upright(orientation: int, image_format: str, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    lying = drawn().transpose(TURNS[orientation])
    options = {"lossless": True} if image_format == "WEBP" else {}
    _, image = page_of(saved(lying, image_format, exif=exif, **options), tmp_path)
    assert image.size == (120, 80)
    difference = ImageChops.difference(image.convert("RGB"), drawn())
    box = (8, 8, 32, 32)
    assert max(high for _, high in difference.crop(box).getextrema()) < 8  # type: ignore[misc]
    assert max(high for _, high in difference.crop((60, 0, 120, 80)).getextrema()) < 8  # type: ignore[misc]


def test_an_orientation_that_is_none_leaves_the_picture_as_it_lies() -> None:
    image = Image.new("L", (4, 3))
    for senseless in (0, 9, 700):
        image.getexif()[0x0112] = senseless
        assert orientation_of(image) == 1
        assert upright(image) is image


def test_a_turned_picture_s_resolution_turns_with_it() -> None:
    image = Image.new("L", (4, 3))
    image.getexif()[0x0112] = 6
    image.info["dpi"] = (200, 100)
    turned = upright(image)
    assert (turned.size, turned.info["dpi"]) == ((3, 4), (100, 200))
