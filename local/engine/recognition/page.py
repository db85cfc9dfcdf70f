"""The return value of recognition: a page of lines, upright, and the way back to the image that was sent."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]
Point = tuple[float, float]
Quad = tuple[Point, Point, Point, Point]
"""Four corners, clockwise from the text's top-left."""


@dataclass(frozen=True, slots=True)
class Box:
    """An upright rectangle."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def height(self) -> float:
        return self.bottom - self.top

    @property
    def centre(self) -> Point:
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2


def around(boxes: list[Box]) -> Box:
    return Box(
        min(box.left for box in boxes),
        min(box.top for box in boxes),
        max(box.right for box in boxes),
        max(box.bottom for box in boxes),
    )


@dataclass(frozen=True, slots=True)
class Line:
    """One line of text (or one cell's part of it) where it stands on the upright page."""

    text: str
    quad: Quad
    confidence: float
    recognizer: str = "rapidocr"
    box: Box = field(init=False)

    def __post_init__(self) -> None:
        xs, ys = [x for x, _ in self.quad], [y for _, y in self.quad]
        object.__setattr__(self, "box", Box(min(xs), min(ys), max(xs), max(ys)))


@dataclass(frozen=True, slots=True)
class Page:
    """An upright page. `turns` quarter turns counter-clockwise made it upright."""

    width: int
    height: int
    turns: int
    skew: float
    rows: tuple[tuple[Line, ...], ...]
    """In reading order; lines that stand side by side share a row."""

    @property
    def lines(self) -> list[Line]:
        return [line for row in self.rows for line in row]

    @property
    def text(self) -> str:
        return "\n".join(" ".join(line.text for line in row) for row in self.rows)

    def on_sent_image(self, quad: Quad) -> Quad:
        """The same corners in pixels of the image that was sent."""
        a, b, c, d = (self._turned_back(x, y) for x, y in quad)
        return a, b, c, d

    def _turned_back(self, x: float, y: float) -> Point:
        if self.turns == 1:
            return self.height - y, x
        if self.turns == 2:
            return self.width - x, self.height - y
        if self.turns == 3:
            return y, self.width - x
        return x, y


def edge_lengths(quad: Quad) -> tuple[float, float]:
    """Length along the text, and across it."""
    (ax, ay), (bx, by), (cx, cy), _ = quad
    return math.hypot(bx - ax, by - ay), math.hypot(cx - bx, cy - by)


def tilt(quad: Quad) -> float:
    """Angle of the text in degrees, clockwise positive."""
    (ax, ay), (bx, by) = quad[0], quad[1]
    return math.degrees(math.atan2(by - ay, bx - ax))


def rotated(quad: Quad, degrees: float, centre: Point) -> Quad:
    """The quad turned clockwise by `degrees` around `centre`."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    ox, oy = centre
    a, b, c, d = ((ox + (x - ox) * cos - (y - oy) * sin, oy + (x - ox) * sin + (y - oy) * cos) for x, y in quad)
    return a, b, c, d
