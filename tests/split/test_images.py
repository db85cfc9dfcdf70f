"""Pictures of every kind become what OCR reads best: upright, opaque, 8 bits a channel, of square pixels."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw
from pillow_heif import register_heif_opener

from pagewise.model import PageRange
from pagewise.pages.images import PageImage
from pagewise.pages.rendering import Renderer, inspect
from tests.pictures import picture
from tests.split.corpus import original
from tests.unit.conftest import Pagewise

register_heif_opener()
RED, WHITE = (255, 0, 0), (255, 255, 255)


def page_of(content: bytes, folder: Path, renderer: Renderer | None = None) -> tuple[PageImage, Image.Image]:
    path = folder / "picture"
    path.write_bytes(content)
    (page,) = (renderer or Renderer()).render(path, inspect(path), PageRange(1, 1))
    assert isinstance(page, PageImage)
    image = Image.open(io.BytesIO(page.content))
    image.load()
    return page, image


def saved(image: Image.Image, image_format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format=image_format, **options)
    return buffer.getvalue()


def drawn(mode: str = "RGB") -> Image.Image:
    """White, with a red square in the upper left corner."""
    image = Image.new("RGB", (120, 80), WHITE)
    ImageDraw.Draw(image).rectangle((0, 0, 39, 39), fill=RED)
    return image.convert(mode)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB"])
@pytest.mark.parametrize("image_format", ["PNG", "TIFF", "BMP"])
def test_pixels_are_kept_in_the_fewest_channels(mode: str, image_format: str, tmp_path: Path) -> None:
    _, image = page_of(saved(drawn(mode), image_format), tmp_path)
    assert image.convert("RGB").tobytes() == drawn(mode).convert("RGB").tobytes()
    assert image.mode in {"1": "1", "L": "L", "P": "RGB", "RGB": "RGB"}[mode]


def test_oblong_pixels_of_a_fax_become_square(tmp_path: Path) -> None:
    fax = Image.new("1", (1728, 1000), 1)
    page, _ = page_of(saved(fax, "TIFF", compression="group4", dpi=(204, 98)), tmp_path)
    assert (page.width, page.height) == (1728, round(1000 * 204 / 98))


@pytest.mark.parametrize("image_format", ["WEBP", "PNG"])
def test_of_an_animation_the_first_picture_counts(image_format: str, tmp_path: Path, pagewise: Pagewise) -> None:
    frames = [Image.new("RGB", (60, 40), colour) for colour in (RED, (0, 255, 0), (0, 0, 255))]
    content = saved(frames[0], image_format, save_all=True, append_images=frames[1:], lossless=True)
    page, image = page_of(content, tmp_path)
    assert page.page == 1
    assert image.convert("RGB").getpixel((30, 20)) == RED
    assert pagewise.split.upload(pagewise.upload(content)).pages == 1


def test_a_gif_is_refused_animated_or_not(pagewise: Pagewise) -> None:
    document = pagewise.split.upload(pagewise.upload(picture(mode="P", image_format="GIF")))
    assert document.reason == "unsupported_type"
    assert "PDF, TIFF, JPEG, PNG, BMP, WEBP or HEIC" in str(document.message)


def test_a_fitting_jpeg_is_stored_to_the_byte(tmp_path: Path) -> None:
    content = saved(drawn(), "JPEG")
    page, _ = page_of(content, tmp_path)
    assert (page.content, page.media_type) == (content, "image/jpeg")


def test_a_large_picture_is_scaled_to_what_the_model_can_use(tmp_path: Path) -> None:
    page, _ = page_of(saved(Image.new("RGB", (4000, 3000), WHITE), "JPEG"), tmp_path, Renderer(max_pixels=3_000_000))
    assert (page.width, page.height) == (2000, 1500)


def test_a_phone_photo_in_heic_is_read(tmp_path: Path) -> None:
    _, image = page_of(original("A19").read_bytes(), tmp_path)
    assert image.size == (595, 842)
