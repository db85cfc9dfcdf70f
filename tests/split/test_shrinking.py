"""Pictures that are shrunk in bands."""

from __future__ import annotations

import pytest
from PIL import Image, ImageDraw

from pagewise.pages import images
from pagewise.pages.colours import opaque
from pagewise.pages.shrinking import manageable, page_size


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "F"])
def test_a_picture_in_bands_is_the_picture_as_a_whole(mode: str) -> None:
    drawn = Image.new("L", (900, 1_200), 255)
    ImageDraw.Draw(drawn).multiline_text((40, 40), "Bands meet\nwithout a seam\n" * 8, fill=0, font_size=60)
    whole = drawn.convert(mode) if mode != "I;16" else drawn.convert("I").point(lambda value: value * 257).convert(mode)
    plain = images.within_limits(drawn, 200_000)
    found = opaque(manageable(whole, 200_000, band_pixels=40_000)).convert("L")
    assert found.size == plain.size
    difference = [abs(one - other) for one, other in zip(found.tobytes(), plain.tobytes(), strict=True)]
    assert sum(difference) / len(difference) < 3
    assert max(difference) < (60 if mode not in ("I;16", "F") else 100)  # of another filter


@pytest.mark.parametrize(
    ("dpi", "expected"), [((290, 100), (600, 1740)), ((100, 290), (1740, 600)), ((72, 72), (600, 600))]
)
def test_the_size_of_a_page_image_is_known_beforehand(dpi: tuple[int, int], expected: tuple[int, int]) -> None:
    image = Image.new("L", (600, 600))
    image.info["dpi"] = dpi
    size = page_size(image, 8_388_608)
    assert (size.width, size.height) == pytest.approx(expected, abs=1)
