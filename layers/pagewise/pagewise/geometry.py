"""The positions of lines of text: the service's several conventions, brought into one.

The one convention of a result's `lines`, in pixels of the stored page, the origin at its top left, y downwards:

- `rotate_rect` is [cx, cy, width, height, angle]: width is the longer side, and angle its direction in degrees,
  clockwise, over -90 and at most 90. A level line has angle 0, one that climbs to the right a negative one.
- `location` is [x1, y1, … x4, y4]: the four corners clockwise, from the one nearest to the page's top left. It can be a
  parallelogram. Coordinates beyond the page's edge, negative ones too, stay as they are.

The service's own values stay beside them as `raw`. Its angles vary within one reply: at about ±90 it swaps width and
height, so that [150, 80, 49, 197, -89] is 197 wide, 49 high and tilted by 1° (observed on 12 live boxes).
If it left out one of `rotate_rect` and `location`, the other gives it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pagewise.strict_json import TooDeep, as_text, sound

Rect = tuple[float, float, float, float, float]
Point = tuple[float, float]

# The text of advanced_recognition counts in thousandths of the image's sides.
THOUSAND = 1000.0
# Boxes may lie a little over the edge; by more than this part of a side they are counted in another way.
OVER_THE_EDGE = 0.05
# No image has as many pixels a side; farther away there is no page, and arithmetic overflows.
FARTHEST = 1_000_000
# A location is a list of numbers, or of points.
RAW_LAYERS = 3


@dataclass(frozen=True, slots=True)
class Size:
    """The size of an image, in pixels."""

    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Scaling:
    """From pixels of the image that was sent to those of the stored page."""

    x: float = 1.0
    y: float = 1.0

    @classmethod
    def between(cls, sent: Size, page: Size) -> Scaling:
        return cls(page.width / sent.width, page.height / sent.height)

    def point(self, point: Point) -> Point:
        return point[0] * self.x, point[1] * self.y

    def rect(self, rect: Rect) -> Rect:
        if self.x == self.y == 1.0:
            return rect
        return rect_around([self.point(corner) for corner in corners_of(rect)])


def located(word: Mapping[str, Any], scaling: Scaling, raw: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A line of `words_info` in the one convention, with the service's own values as `raw`."""
    location, rect = numbers(word.get("location"), 8), numbers(word.get("rotate_rect"), 5)
    corners = [scaling.point(corner) for corner in pairs(location)] if location else None
    if rect and min(rect[2], rect[3]) >= 0:
        along: Rect | None = scaling.rect(longer_side_first(as_rect(rect)))
    else:
        along = rect_around(corners) if corners else None
    if corners is None and along is not None:
        corners = corners_of(along)
    return {
        "text": as_text(word.get("text")),
        "location": shown([number for corner in clockwise(corners) for number in corner]) if corners else None,
        "rotate_rect": shown(along) if along else None,
        "raw": raw or {name: as_said(word[name]) for name in ("location", "rotate_rect") if name in word},
    }


def as_said(place: Any) -> Any:
    """A place as the service said it, usable or not; null if no reader would take it."""
    try:
        return sound(place, layers=RAW_LAYERS)
    except TooDeep:
        return None


def from_thousandths(rects: Sequence[Sequence[float]], sent: Size) -> list[Rect]:
    """Rectangles of the task's text in pixels of the image that was sent.

    Documented are thousandths, each side measured along its own direction; the documentation's own sample has pixels.
    The rectangles of one answer are counted alike: in thousandths, unless one of them then leaves the image by more
    than a twentieth of its side, and as pixels all stay closer. Pixels that as thousandths stay inside, as all do of an
    image of less than a thousand a side, cannot be told.
    """
    pixels = [as_rect(rect) for rect in rects]
    scaled = [in_pixels(rect, sent) for rect in pixels]
    over = overshoot(scaled, sent)
    return pixels if over > OVER_THE_EDGE and overshoot(pixels, sent) < over else scaled


def overshoot(rects: Sequence[Rect], size: Size) -> float:
    """The farthest that a corner lies outside of the image, as a part of its side."""
    across = [(x / size.width, y / size.height) for rect in rects for x, y in corners_of(rect)]
    return max((max(-part, part - 1, 0.0) for corner in across for part in corner), default=0.0)


def in_pixels(rect: Rect, size: Size) -> Rect:
    cx, cy, width, height, angle = rect
    return (
        cx * size.width / THOUSAND,
        cy * size.height / THOUSAND,
        width * unit(angle, size),
        height * unit(angle + 90, size),
        angle,
    )


def in_thousandths(rect: Rect, size: Size) -> Rect:
    cx, cy, width, height, angle = rect
    return (
        cx * THOUSAND / size.width,
        cy * THOUSAND / size.height,
        width / unit(angle, size),
        height / unit(angle + 90, size),
        angle,
    )


def unit(angle: float, size: Size) -> float:
    """Pixels to a thousandth in this direction: of the width when level, of the height when upright."""
    along, across = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    return 1 / math.hypot(along * THOUSAND / size.width, across * THOUSAND / size.height)


def longer_side_first(rect: Rect) -> Rect:
    """The same rectangle with its longer side as width, and the angle of that side."""
    cx, cy, width, height, angle = rect
    if width < height:
        width, height, angle = height, width, angle - 90
    return cx, cy, width, height, half_turn(angle)


def half_turn(angle: float) -> float:
    """The same direction over -90 and at most 90: a line has no sense of its own."""
    return 90 - (90 - angle) % 180


def corners_of(rect: Rect) -> list[Point]:
    cx, cy, width, height, angle = rect
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    return [
        (
            cx + across * width / 2 * cos - down * height / 2 * sin,
            cy + across * width / 2 * sin + down * height / 2 * cos,
        )
        for across, down in ((-1, -1), (1, -1), (1, 1), (-1, 1))
    ]


def rect_around(corners: Sequence[Point]) -> Rect:
    """The rectangle that four corners stand for: sides as long as the opposite edges in the mean."""
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = corners
    first = (math.hypot(bx - ax, by - ay) + math.hypot(cx - dx, cy - dy)) / 2
    second = (math.hypot(dx - ax, dy - ay) + math.hypot(cx - bx, cy - by)) / 2
    angle = math.degrees(math.atan2((by - ay) + (cy - dy), (bx - ax) + (cx - dx)))
    return longer_side_first(((ax + bx + cx + dx) / 4, (ay + by + cy + dy) / 4, first, second, angle))


def clockwise(corners: Sequence[Point]) -> list[Point]:
    """The corners clockwise, from the one nearest to the page's top left."""
    turn = sum(
        here[0] * following[1] - following[0] * here[1]
        for here, following in zip(corners, [*corners[1:], corners[0]], strict=True)
    )
    around = list(corners) if turn >= 0 else list(reversed(corners))
    first = min(range(len(around)), key=lambda place: (around[place][0] + around[place][1], around[place]))
    return around[first:] + around[:first]


def numbers(values: Any, count: int) -> list[float] | None:
    """So many numbers that can be a position; None otherwise, where the service left them out or broke them."""
    if not isinstance(values, Sequence) or isinstance(values, str) or len(values) != count:
        return None
    plain = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    return plain if len(plain) == count and all(abs(value) <= FARTHEST for value in plain) else None


def as_rect(values: Sequence[float]) -> Rect:
    cx, cy, width, height, angle = values
    return cx, cy, width, height, angle


def pairs(values: Sequence[float]) -> list[Point]:
    return list(zip(values[::2], values[1::2], strict=True))


def shown(values: Sequence[float]) -> list[float]:
    """To a tenth of a pixel or degree, whole numbers as such."""
    rounded = [round(value, 1) for value in values]
    return [int(value) if value == int(value) else value for value in rounded]
