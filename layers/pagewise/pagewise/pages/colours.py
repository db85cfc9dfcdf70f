"""From the many forms of a picture's colours to the two that OCR needs: grey or RGB, 8 bits a channel, opaque.

ICC profiles are not applied but for Lab: they move a shade, and no letter's contrast.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

TRANSPARENT_MODES = ("LA", "La", "PA", "RGBA", "RGBa")
# Type is legible if it differs from the paper by a quarter of the range.
LEGIBLE = 64
# Paper other than white must leave this much more of the type legible.
CLEARLY_MORE = 0.2
# Pixels that are looked at to choose the paper.
PAPER_SAMPLE = 2_000_000
WHITE, BLACK, GREY = 255, 0, 128


def opaque(image: Image) -> Image:
    """8-bit L or RGB (or 1-bit as it is), without transparency."""
    from PIL import Image as Pillow

    if image.mode.startswith(("I", "F")):
        return eight_bit(image)
    if image.mode in TRANSPARENT_MODES or "transparency" in image.info:
        return on_paper(straight(image))
    if image.mode in ("1", "L", "RGB"):
        return image
    if image.mode == "P":
        return image.convert("L" if is_grey(image.getpalette()) else "RGB")
    if image.mode == "LAB":
        return lab_as_rgb(image)
    return image.convert("L" if Pillow.getmodebands(image.mode) == 1 else "RGB")


def is_grey(palette: list[int] | None) -> bool:
    return palette is not None and palette[0::3] == palette[1::3] == palette[2::3]


def straight(image: Image) -> Image:
    """RGBA, its colours as they are without the alpha channel."""
    if image.mode == "La":
        image = image.convert("LA")
    return image.convert("RGBA")


def on_paper(image: Image) -> Image:
    """The picture on the paper that leaves its type legible: white, unless another does so clearly better."""
    from PIL import Image as Pillow

    shade = paper_for(image)
    paper = Pillow.new("RGBA", image.size, (shade, shade, shade, 255))
    paper.alpha_composite(image)
    return paper.convert("RGB")


def paper_for(image: Image) -> int:
    """White, black or grey: the paper from which most of its bordering pixels differ."""
    from PIL import Image as Pillow
    from PIL import ImageChops, ImageFilter

    share = math.sqrt(min(1.0, PAPER_SAMPLE / (image.width * image.height)))
    if share < 1:
        size = max(1, round(image.width * share)), max(1, round(image.height * share))
        image = image.resize(size, Pillow.Resampling.NEAREST)
    visible = image.getchannel("A").point(lambda alpha: 255 * (alpha >= 128))
    if visible.getextrema() in ((0, 0), (255, 255)):
        return WHITE
    # The surroundings of the picture are no paper: the filter repeats the outermost pixels.
    border = ImageChops.subtract(visible, visible.filter(ImageFilter.MinFilter(3)))
    counts = image.convert("L").histogram(border)
    total = sum(counts)
    if not total:
        return WHITE
    legible = {
        paper: sum(count for shade, count in enumerate(counts) if abs(shade - paper) >= LEGIBLE) / total
        for paper in (WHITE, BLACK, GREY)
    }
    best = max((BLACK, GREY), key=legible.__getitem__)
    return best if legible[best] > legible[WHITE] + CLEARLY_MORE else WHITE


def eight_bit(image: Image, declared: float | None = None) -> Image:
    """Deeper grey as 8-bit, scaled by the range that the file declares, else by the picture's own.

    A picture that stays below an eighth of the declared range has fewer bits than its samples: 12 in 16, 8 in 32.
    """
    image = native(image)
    low, high = (float(extreme) for extreme in image.getextrema())  # type: ignore[arg-type]
    if declared is None:
        declared = {"I;16": 65_535.0, "I": 65_535.0, "F": 255.0}[image.mode]
        declared = 1.0 if image.mode == "F" and high <= 1 else declared
    if not (math.isfinite(low) and math.isfinite(high)):
        low, high = 0.0, 1.0
    elif low >= 0 and high <= declared:
        low, high = 0.0, declared if high >= declared / 8 else min(declared, fewest_bits(high))
    scale = 255.0 / (high - low) if high > low else 1.0
    # Half a step: Pillow cuts off the fraction.
    return image.convert("F").point(lambda value: value * scale + (0.5 - low * scale)).convert("L")


def fewest_bits(high: float) -> float:
    return float(max(255, 2 ** math.ceil(high).bit_length() - 1))


def native(image: Image) -> Image:
    """16-bit grey in the byte order of I;16: Pillow finds the extremes in no other."""
    from PIL import Image as Pillow

    if image.mode in ("I;16B", "I;16N"):
        return Pillow.frombytes("I;16", image.size, image.tobytes(), "raw", image.mode)
    return image


def lab_as_rgb(image: Image) -> Image:
    """CIE L*a*b* of D50, as TIFF has it, in sRGB."""
    from PIL import ImageCms

    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    found = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB")
    if found is None:
        raise ValueError("Lab")
    return found


def inverted(image: Image) -> Image:
    from PIL import ImageChops

    return ImageChops.invert(image)
