"""Pictures of every kind become what OCR reads best: upright, opaque, 8 bits a channel, of square pixels."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageChops, ImageDraw
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


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB"])
@pytest.mark.parametrize("image_format", ["PNG", "TIFF", "BMP"])
def test_pixels_are_kept_in_the_fewest_channels(mode: str, image_format: str, tmp_path: Path) -> None:
    _, image = page_of(saved(drawn(mode), image_format), tmp_path)
    assert image.convert("RGB").tobytes() == drawn(mode).convert("RGB").tobytes()
    assert image.mode in {"1": "1", "L": "L", "P": "RGB", "RGB": "RGB"}[mode]


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


def test_every_frame_of_a_tiff_is_a_page_of_its_own_kind(pagewise: Pagewise) -> None:
    frames = [drawn("1"), drawn("L").resize((90, 60)), drawn("RGB").resize((60, 90))]
    content = saved(frames[0], "TIFF", save_all=True, append_images=frames[1:])
    document = pagewise.split.upload(pagewise.upload(content))
    assert document.pages == 3
    sizes = [(job.page, job.image.width, job.image.height) for job in pagewise.queues.jobs]
    assert sizes == [(1, 120, 80), (2, 90, 60), (3, 60, 90)]


def test_a_tiff_with_a_bad_frame_loses_that_page_alone(pagewise: Pagewise) -> None:
    frames = [drawn("RGB").resize((300, 300)) for _ in range(3)]
    content = saved(frames[0], "TIFF", save_all=True, append_images=frames[1:], compression="tiff_adobe_deflate")
    with Image.open(io.BytesIO(content)) as image:
        image.seek(1)
        offset = image.tag_v2[273][0]  # type: ignore[attr-defined]
    damaged = content[:offset] + bytes(20) + content[offset + 20 :]
    document = pagewise.split.upload(pagewise.upload(damaged))
    assert document.pages == 3
    assert [job.page for job in pagewise.queues.jobs] == [1, 3]
    (failed,) = pagewise.publisher.named("PageFailed")
    assert failed["page"] == 2


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
