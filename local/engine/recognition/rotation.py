"""Which way up a page is, and how it is tilted."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import cv2
import numpy as np

from local.engine.recognition import rapid, tesseract
from local.engine.recognition.page import Picture, Quad, edge_lengths, tilt

SAMPLE = 5
CONFIDENT = 0.85
LONG = 2.0
"""Lines at least this many times as long as thick tell the direction of the text."""


def quarter_turns(picture: Picture, quads: Sequence[Quad]) -> int:
    """Quarter turns counter-clockwise that make the page upright."""
    first, second = (1, 3) if _mostly_upended(quads) else (0, 2)
    sample = sorted(quads, key=lambda quad: -max(edge_lengths(quad)))[:SAMPLE]
    confidence = _confidence(picture, sample, first)
    if confidence >= CONFIDENT:
        return first
    other = _confidence(picture, sample, second)
    if max(confidence, other) >= CONFIDENT:
        return first if confidence >= other else second
    turns = tesseract.orientation(picture) if (first, second) == (1, 3) or other > confidence else first
    return turns if turns in (first, second) else first if confidence >= other else second


def _mostly_upended(quads: Sequence[Quad]) -> bool:
    upright = upended = 0.0
    for along, across in map(edge_lengths, quads):
        upright += along if along > LONG * across else 0
        upended += across if across > LONG * along else 0
    return upended > upright


def _confidence(picture: Picture, quads: Sequence[Quad], turns: int) -> float:
    readings = rapid.read_lines([np.ascontiguousarray(np.rot90(cut_out(picture, quad), turns)) for quad in quads])
    letters = sum(len(text) for text, _ in readings)
    return sum(confidence * len(text) for text, confidence in readings) / letters if letters else 0.0


def skew(quads: Sequence[Quad]) -> float:
    """The page's tilt in degrees, clockwise positive: the median of its long lines."""
    tilts = [tilt(quad) for quad in quads if edge_lengths(quad)[0] > 5 * edge_lengths(quad)[1]]
    return statistics.median(tilts) if tilts else 0.0


def cut_out(picture: Picture, quad: Quad) -> Picture:
    """The line's own picture, straightened."""
    along, across = (max(1, round(length)) for length in edge_lengths(quad))
    corners = np.array([[0, 0], [along, 0], [along, across], [0, across]], np.float32)
    straighten = cv2.getPerspectiveTransform(np.array(quad, np.float32), corners)
    cut = cv2.warpPerspective(
        picture, straighten, (along, across), borderMode=cv2.BORDER_REPLICATE, flags=cv2.INTER_CUBIC
    )
    return cut.astype(np.uint8)
