"""A page's text layer: a form XObject with text in no colour (render mode 3) at the positions of the lines.

Its space is the page image's, in pixels, with y upwards; its matrix lays that onto the page of the file. A line is one
text object (one for each run where directions mix) in one scale, so that its ends are the line's: words within stand in
proportion to their lengths, an approximation, since the engine gives lines and not words.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pagewise.geometry import Size
from pagewise.outputs.directions import runs_of
from pagewise.outputs.invisible_font import ASCENT, DESCENT, InvisibleFont, length
from pagewise.outputs.placement import PlacedLine

EM = ASCENT - DESCENT
Matrix = tuple[float, float, float, float, float, float]


@dataclass(frozen=True, slots=True)
class Region:
    """The part of a file's page that the page image shows, in the file's units, and by how many degrees clockwise the
    image is turned against it: 0, 90, 180 or 270."""

    left: float
    bottom: float
    width: float
    height: float
    turn: int = 0


def matrix_onto(region: Region, image: Size) -> Matrix:
    """From pixels of the page image, y upwards, to the file's page."""
    right, top = region.left + region.width, region.bottom + region.height
    across = (region.width if region.turn % 180 == 0 else region.height) / image.width
    up = (region.height if region.turn % 180 == 0 else region.width) / image.height
    match region.turn % 360:
        case 90:
            return (0, across, -up, 0, right, region.bottom)
        case 180:
            return (-across, 0, 0, -up, right, top)
        case 270:
            return (0, -across, up, 0, region.left, top)
        case _:
            return (across, 0, 0, up, region.left, region.bottom)


def content(lines: Sequence[PlacedLine], image: Size, font: InvisibleFont, name: str) -> bytes:
    """The form's content stream, with the font under this name of its resources."""
    parts = ["q", "3 Tr"]
    parts += [drawn(line, image, font, name) for line in lines]
    return "\n".join([*parts, "Q"]).encode("ascii")


def drawn(line: PlacedLine, image: Size, font: InvisibleFont, name: str) -> str:
    angle = math.radians(line.angle)
    cos, sin = math.cos(angle), math.sin(angle)
    size = line.height * 1000 / EM
    # From the line's middle back to its start, and down to the baseline.
    down = line.height / 2 + size * DESCENT / 1000
    x = line.center[0] - cos * line.length / 2 - sin * down
    y = line.center[1] - sin * line.length / 2 + cos * down
    em = line.length / max(length(line.text), 1)  # a thousandth of one, stretched to the line
    scale = number(100 * em * 1000 / size)
    drawn = []
    for run in runs_of(line.text):
        along = run.before * em
        matrix = " ".join(map(number, (cos, -sin, sin, cos, x + cos * along, image.height - y - sin * along)))
        drawn.append(f"BT /{name} {number(size)} Tf {scale} Tz {matrix} Tm {font.encoded(run.text)} Tj ET")
    return "\n".join(drawn)


def number(value: float) -> str:
    return f"{value:.4f}".rstrip("0").rstrip(".") if abs(value) >= 0.00005 else "0"
