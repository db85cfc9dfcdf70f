"""Large pictures become as small as their page image before any other step, a band of lines at a time.

A splitter has 3,008 MB. Pillow keeps four bytes a pixel of every mode but grey, so that a picture of 150 MP takes
600 MB, and each conversion of the whole of it as much again: five of them at once took 2,954 MB.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pagewise.geometry import Size
from pagewise.pages import limits
from pagewise.pages.mending import EXIF_ORIENTATION
from pagewise.pages.reading import orientation_of

if TYPE_CHECKING:
    from PIL.Image import Image, Resampling

# Pixels of the source; converted in four bytes a pixel and once more for resizing they take 64 MB each.
BAND_PIXELS = 16_000_000
# LANCZOS reads three pixels of the smaller picture beyond a band's edge, and reduction rounds to whole ones.
MARGIN = 4
# Ratios of resolutions: beyond any scanner, where a tag is wrong, and below the visible.
LEAST_RATIO, MOST_RATIO, ALIKE = 1 / 3, 3.0, 0.1


def ratio_of(image: Image) -> float:
    """The factor that a pixel must be widened by; 1 for square ones. Faxes scan with fewer lines than columns."""
    horizontal, vertical = (float(dots) for dots in image.info.get("dpi", (0, 0)))
    if not (horizontal and vertical):
        return 1.0
    ratio = horizontal / vertical
    return ratio if LEAST_RATIO < ratio < MOST_RATIO and abs(ratio - 1) >= ALIKE else 1.0


def page_size(image: Image, max_pixels: int) -> Size:
    """The size of the page image that a picture becomes: of square pixels, and within the limits."""
    ratio = ratio_of(image)
    width, height = image.width / min(1.0, ratio), image.height * max(1.0, ratio)
    scale = min(1.0, math.sqrt(min(max_pixels, limits.MAX_PIXELS) / (width * height)))
    scale = min(scale, max(limits.EIGHT_K) / max(width, height), min(limits.EIGHT_K) / min(width, height))
    return Size(max(limits.MIN_SIDE, int(width * scale)), max(limits.MIN_SIDE, int(height * scale)))


def manageable(image: Image, max_pixels: int, band_pixels: int = BAND_PIXELS) -> Image:
    """The picture in the size of its page image, if it is large; its colours as deep, and as transparent, as before."""
    size = page_size(image, max_pixels)
    if max(image.width * image.height, size.width * size.height) <= band_pixels:
        return image
    smaller = in_bands(image, size, band_pixels)
    smaller.info = {name: value for name, value in image.info.items() if name not in ("transparency", "dpi")}
    smaller.getexif()[EXIF_ORIENTATION] = orientation_of(image)  # a TIFF says it elsewhere
    return smaller


def in_bands(image: Image, size: Size, band_pixels: int) -> Image:
    from PIL import Image as Pillow

    step = image.height / size.height
    lines = max(1, int(band_pixels / image.width / step))
    margin = math.ceil(MARGIN * max(1.0, step))
    smaller: Image | None = None
    for top in range(0, size.height, lines):
        bottom = min(size.height, top + lines)
        first = max(0, math.floor(top * step) - margin)
        last = min(image.height, math.ceil(bottom * step) + margin)
        band = resizable(image.crop((0, first, image.width, last)), image)
        box = (0.0, top * step - first, float(image.width), min(bottom * step - first, float(band.height)))
        part = band.resize((size.width, bottom - top), filter_for(band), box, reducing_gap=3.0)
        smaller = smaller or Pillow.new(part.mode, (size.width, size.height))
        smaller.paste(part, (0, top))
    if smaller is None:
        raise ValueError("a picture without lines")
    return smaller


def filter_for(band: Image) -> Resampling:
    """LANCZOS overshoots at edges. 8 bits cut that off; deep grey, scaled by its extremes, would not."""
    from PIL.Image import Resampling

    return Resampling.HAMMING if band.mode in ("I", "F") else Resampling.LANCZOS


def resizable(band: Image, whole: Image) -> Image:
    """A band in a mode whose values may be mixed: indices of a palette may not, nor may bits."""
    if "transparency" in whole.info:
        band.info["transparency"] = whole.info["transparency"]
        return band.convert("RGBA")
    if whole.mode == "P":
        return band.convert("RGB")
    if whole.mode == "1":
        return band.convert("L")
    if whole.mode in ("PA", "La", "RGBa"):
        return band.convert("LA" if whole.mode == "La" else "RGBA")
    if whole.mode.startswith("I;16"):
        from pagewise.pages.colours import native

        return native(band).convert("I")
    return band
