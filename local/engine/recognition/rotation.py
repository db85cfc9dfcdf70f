"""A page's turn by quarters, and its tilt."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import cv2
import numpy as np

from local.engine.recognition import rapid, tesseract
from local.engine.recognition.choice import mean_confidence
from local.engine.recognition.page import Picture, Quad, edge_lengths, tilt

SAMPLE = 5
CONFIDENT = 0.85
"""From this mean confidence on the page is not tried the other way round."""
LONG = 2.0
"""Lines at least this many times as long as thick tell the direction of the text."""


def quarter_turns(picture: Picture, quads: Sequence[Quad]) -> int:
    """1 or 3 (counter-clockwise) for a page with lines on end, else 0."""
    return _surer_way(picture, quads, 1, 3) if _mostly_upended(quads) else 0


def is_upside_down(picture: Picture, quads: Sequence[Quad]) -> bool:
    """For a level page that could hardly be read: it may be upside down, or in a script that RapidOCR lacks."""
    sample = _longest(quads)
    return _confidence(picture, sample, 2) >= CONFIDENT or tesseract.orientation(picture) == 2


def _surer_way(picture: Picture, quads: Sequence[Quad], first: int, second: int) -> int:
    """Of two ways that are upside down to each other, the one that reads the longest lines more surely."""
    sample = _longest(quads)
    confidence = _confidence(picture, sample, first)
    if confidence >= CONFIDENT:
        return first
    other = _confidence(picture, sample, second)
    if max(confidence, other) < CONFIDENT and (told := tesseract.orientation(picture)) in (first, second):
        return int(told)
    return first if confidence >= other else second


def _longest(quads: Sequence[Quad]) -> list[Quad]:
    return sorted(quads, key=lambda quad: -max(edge_lengths(quad)))[:SAMPLE]


def _mostly_upended(quads: Sequence[Quad]) -> bool:
    upright = upended = 0.0
    for along, across in map(edge_lengths, quads):
        upright += along if along > LONG * across else 0
        upended += across if across > LONG * along else 0
    return upended > upright


def _confidence(picture: Picture, quads: Sequence[Quad], turns: int) -> float:
    crops = [np.ascontiguousarray(np.rot90(cut_out(picture, quad), turns)) for quad in quads]
    return mean_confidence(rapid.read_lines(crops))


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
