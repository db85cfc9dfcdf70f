"""The positions of a page's lines, and the reading direction of each.

A result's `rotate_rect` says the direction only up to a half turn. The engine gives lines in reading order, and that
order tells: lines of upright text follow each other downwards, those of text turned to the right from right to left
(as do vertical Chinese and Japanese), to the left from left to right, upside down upwards.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from pagewise import geometry
from pagewise.geometry import Point, Rect, Size

# Beyond these degrees from level a line counts as standing.
STANDING = 45.0
# No type on a page is smaller than this many pixels; a box that is gets this size.
LEAST_SIDE = 1.0


@dataclass(frozen=True, slots=True)
class PlacedLine:
    """A line's text, and its rectangle: `angle` in degrees clockwise is where it reads to, over the full turn.

    `corners` are the quadrilateral as the result has it, in pixels of the page image.
    """

    number: int
    text: str
    center: Point
    length: float
    height: float
    angle: float
    corners: tuple[Point, ...]


def placed_lines(lines: Sequence[Mapping[str, Any]], page: Size) -> list[PlacedLine]:
    """Lines that have text and a position, in their order; `number` is the line's in the result, from 1."""
    found: list[tuple[int, str, Rect, tuple[Point, ...]]] = []
    for number, line in enumerate(lines, 1):
        place = placed(line, page)
        text = " ".join(str(line.get("text") or "").split())
        if place and text:
            found.append((number, text, downwards(place[0]), place[1]))
    turned = {
        standing: reads_backwards([rect for _, _, rect, _ in found if is_standing(rect) is standing])
        for standing in (False, True)
    }
    return [
        PlacedLine(
            number,
            text,
            (rect[0], rect[1]),
            max(rect[2], LEAST_SIDE),
            max(rect[3], LEAST_SIDE),
            rect[4] + (180 if turned[is_standing(rect)] else 0),
            corners,
        )
        for number, text, rect, corners in found
    ]


def placed(line: Mapping[str, Any], page: Size) -> tuple[Rect, tuple[Point, ...]] | None:
    """A line's rectangle and corners, within the page; None where it has neither."""
    location = geometry.numbers(line.get("location"), 8)
    numbers = geometry.numbers(line.get("rotate_rect"), 5)
    rect = geometry.longer_side_first(geometry.as_rect(numbers)) if numbers and min(numbers[2:4]) >= 0 else None
    corners = tuple(geometry.pairs(location)) if location else None
    if rect is None and corners:
        rect = geometry.rect_around(corners)
    if rect is None:
        return None
    return brought_in(upright_if_square(rect, line), page), corners or tuple(geometry.corners_of(rect))


def upright_if_square(rect: Rect, line: Mapping[str, Any]) -> Rect:
    """A single character is as often higher than wide: its longer side is no direction."""
    cx, cy, width, height, angle = rect
    if len(str(line.get("text") or "").strip()) <= 1 and is_standing(rect):
        return cx, cy, height, width, angle - 90 if angle > 0 else angle + 90
    return rect


def brought_in(rect: Rect, page: Size) -> Rect:
    """Boxes beyond the page, as models give them, end at its edge: readers leave out text that lies outside."""
    cx, cy, width, height, angle = rect
    cx, cy = min(max(cx, 0.0), page.width), min(max(cy, 0.0), page.height)
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    start, end = (reach(cx, cy, sign * cos, sign * sin, width / 2, page) for sign in (-1, 1))
    above, below = (reach(cx, cy, -sign * sin, sign * cos, height / 2, page) for sign in (-1, 1))
    along, across = (end - start) / 2, (below - above) / 2
    return (
        cx + cos * along - sin * across,
        cy + sin * along + cos * across,
        max(start + end, LEAST_SIDE),
        max(above + below, LEAST_SIDE),
        angle,
    )


def reach(x: float, y: float, dx: float, dy: float, wanted: float, page: Size) -> float:
    """The distance from a point to the page's edge in this direction, at most the wanted one."""
    for place, step, end in ((x, dx, page.width), (y, dy, page.height)):
        if abs(step) > 1e-9:
            wanted = min(wanted, ((end if step > 0 else 0) - place) / step)
    return max(wanted, 0.0)


def downwards(rect: Rect) -> Rect:
    """A standing line as one that reads down, within 45° of it."""
    return (*rect[:4], rect[4] + 180) if rect[4] < -STANDING else rect


def is_standing(rect: Rect) -> bool:
    return abs(rect[4]) > STANDING


def reads_backwards(rects: Sequence[Rect]) -> bool:
    """Whether the order of lines shows that they read against their rectangle's direction.

    Level ones are given as reading to the right, standing ones as reading down. A line is a step further
    when it clears the one before it.
    """
    votes = 0
    for before, line in pairwise(rects):
        along = math.radians(before[4] + 90)
        step = (line[0] - before[0]) * math.cos(along) + (line[1] - before[1]) * math.sin(along)
        if abs(step) > before[3] / 2:
            votes += 1 if step > 0 else -1
    return votes < 0
