"""The Qwen-OCR documentation's steps for poor scans ("Going live"): smoothing, evening out the light, turning
upright. Off unless a setting asks for them: on a good page each costs a little sharpness.

Pillow's own operations in C, put together: OpenCV with numpy would be 212 MB unzipped, of the 250 MB that Lambda takes
of a function with its layers.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import pairwise
from typing import TYPE_CHECKING

from pagewise.model import Step
from pagewise.pages.png import Raster, raster_of

if TYPE_CHECKING:
    from PIL.Image import Image


STEP_NAMES = frozenset(str(step) for step in Step)
NONE = "none"


def parse_steps(names: Iterable[str]) -> tuple[Step, ...]:
    """The steps of these names, each once. Raises ValueError, with the offending name as its only argument."""
    chosen = set(names)
    if unknown := sorted(chosen - STEP_NAMES):
        raise ValueError(unknown[0])
    return tuple(step for step in Step if step in chosen)


def listed_steps(text: str) -> tuple[Step, ...]:
    """Steps by their names, comma-separated, or `none`. Raises ValueError as `parse_steps` does."""
    return parse_steps({name.strip().lower() for name in text.split(",")} - {"", NONE})


# Adaptive equalisation: as many tiles each way, and how many times the mean a brightness may count, so that plain
# paper does not become noise. The values are those of CLAHE's common implementations.
TILES = 8
CLIP = 4.0

# Deskewing: scans lie askew by a few degrees; a larger turn is on purpose.
MOST_DEGREES = 8.0
COARSE_DEGREES, FINE_DEGREES = 1.0, 0.1
LEAST_DEGREES = 0.2  # turning costs sharpness; less than this is no hindrance
PROFILE_SIDE = 1000  # lines of text are still apart at this size


def preprocessed(raster: Raster, steps: Iterable[Step]) -> Raster:
    """The page after these steps: always in the order turn, smooth, even out."""
    chosen = set(steps)
    if not chosen:
        return raster
    image = raster.image()
    if Step.DESKEW in chosen:
        image = deskewed(image)
    image = smoothed(image, chosen)
    if Step.EQUALIZE in chosen:
        image = equalized(image)
    return raster_of(image)


def smoothed(image: Image, steps: set[Step]) -> Image:
    from PIL import ImageFilter

    if Step.MEDIAN in steps:
        image = image.filter(ImageFilter.MedianFilter(3))
    if Step.MEAN in steps:
        image = image.filter(ImageFilter.BoxBlur(1))
    return image


def deskewed(image: Image) -> Image:
    from PIL.Image import Resampling

    degrees = skew(image)
    if abs(degrees) < LEAST_DEGREES:
        return image
    white = 255 if image.mode == "L" else (255, 255, 255)
    return image.rotate(degrees, Resampling.BICUBIC, fillcolor=white)


def skew(image: Image) -> float:
    """The degrees to turn a page by so that its lines lie level, counter-clockwise.

    Level lines make the rows of a page differ most: ink, gap, ink, gap.
    """
    from PIL import ImageOps

    ink = ImageOps.invert(image.convert("L"))
    ink.thumbnail((PROFILE_SIDE, PROFILE_SIDE), reducing_gap=2.0)
    coarse = max(degrees_around(0.0, MOST_DEGREES, COARSE_DEGREES), key=lambda degrees: unevenness(ink, degrees))
    return max(degrees_around(coarse, COARSE_DEGREES, FINE_DEGREES), key=lambda degrees: unevenness(ink, degrees))


def degrees_around(middle: float, reach: float, step: float) -> list[float]:
    count = round(reach / step)
    return sorted((middle + number * step for number in range(-count, count + 1)), key=abs)


def unevenness(ink: Image, degrees: float) -> float:
    from PIL.Image import Resampling

    turned = ink.rotate(degrees, Resampling.BILINEAR).convert("F")
    rows = memoryview(turned.resize((1, turned.height), Resampling.BOX).tobytes()).cast("f")
    return math.fsum((below - above) ** 2 for above, below in pairwise(rows))


def equalized(image: Image) -> Image:
    """Contrast-limited adaptive histogram equalisation of the brightness; colours stay."""
    from PIL import Image as Pillow

    if image.mode == "L":
        return evened(image)
    brightness, blue, red = image.convert("YCbCr").split()
    return Pillow.merge("YCbCr", (evened(brightness), blue, red)).convert("RGB")


def evened(grey: Image) -> Image:
    """Each pixel by the curves of the four tiles around it, the nearer the more."""
    across = centres(grey.width)
    down = centres(grey.height)
    curves = [[curve(grey.crop(tile(column, row, grey.size))) for column in range(TILES)] for row in range(TILES)]
    result = grey.copy()
    for row, (top, bottom) in enumerate(pairwise([0, *down, grey.height])):
        for column, (left, right) in enumerate(pairwise([0, *across, grey.width])):
            if left == right or top == bottom:
                continue
            part = grey.crop((left, top, right, bottom))
            columns = max(column - 1, 0), min(column, TILES - 1)
            rows = max(row - 1, 0), min(row, TILES - 1)
            upper, lower = (blended(part, curves[line][columns[0]], curves[line][columns[1]]) for line in rows)
            result.paste(mixed(upper, lower, ramp(part.size, upright=True)), (left, top))
    return result


def centres(length: int) -> list[int]:
    return [(2 * number + 1) * length // (2 * TILES) for number in range(TILES)]


def tile(column: int, row: int, size: tuple[int, int]) -> tuple[int, int, int, int]:
    width, height = size
    return (
        column * width // TILES,
        row * height // TILES,
        max((column + 1) * width // TILES, column * width // TILES + 1),
        max((row + 1) * height // TILES, row * height // TILES + 1),
    )


def curve(part: Image) -> list[int]:
    """The new value of each brightness: in proportion to the number of darker pixels, no step steeper than CLIP."""
    counts = part.histogram()
    limit = max(1.0, CLIP * sum(counts) / 256)
    excess = sum(max(0.0, count - limit) for count in counts) / 256
    total, found = 0.0, []
    for count in counts:
        total += min(count, limit) + excess
        found.append(total)
    return [min(255, round(255 * darker / total)) for darker in found]


def blended(part: Image, left: list[int], right: list[int]) -> Image:
    return mixed(part.point(left), part.point(right), ramp(part.size, upright=False))


def mixed(first: Image, second: Image, share: Image) -> Image:
    from PIL import Image as Pillow

    return Pillow.composite(second, first, share)


def ramp(size: tuple[int, int], *, upright: bool) -> Image:
    """From 0 to 255, left to right or top to bottom."""
    from PIL import Image as Pillow

    gradient = Pillow.linear_gradient("L")
    return (gradient if upright else gradient.transpose(Pillow.Transpose.TRANSPOSE)).resize(size)
