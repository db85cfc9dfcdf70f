"""From a picture to a page: find the lines, turn the page upright, read each line, put them in reading order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from local.engine.recognition import rapid
from local.engine.recognition.choice import choose, mean_confidence
from local.engine.recognition.page import Line, Page, Picture, Quad
from local.engine.recognition.reading_order import rows_in_reading_order
from local.engine.recognition.rotation import CONFIDENT, cut_out, is_upside_down, quarter_turns, skew
from local.engine.recognition.rules import find_rules

LEAST_CONFIDENCE = 0.5


def read_page(picture: Picture) -> Page:
    """`picture` has three channels, blue first."""
    height, width = picture.shape[:2]
    quads = rapid.find_lines(picture)
    if not quads:
        return Page(width, height, 0, 0.0, ())
    turns = quarter_turns(picture, quads)
    if turns:
        picture, quads = _turned(picture, turns)
    crops, readings = _read(picture, quads)
    if not turns and mean_confidence(readings) < CONFIDENT and is_upside_down(picture, quads):
        turns = 2
        picture, quads = _turned(picture, turns)
        crops, readings = _read(picture, quads)
    lines = [
        Line(choice.text, quad, choice.confidence, choice.recognizer)
        for quad, choice in zip(quads, choose(crops, readings), strict=True)
        if choice.text and choice.confidence >= LEAST_CONFIDENCE
    ]
    height, width = picture.shape[:2]
    tilt = skew(quads)
    rows = rows_in_reading_order(lines, tilt, width, height, find_rules(picture))
    return Page(width, height, turns, tilt, tuple(map(tuple, rows)))


def _turned(picture: Picture, turns: int) -> tuple[Picture, list[Quad]]:
    """The page turned counter-clockwise, and its lines: they are found more surely on an upright page."""
    upright = np.ascontiguousarray(np.rot90(picture, turns))
    return upright, rapid.find_lines(upright)


def _read(picture: Picture, quads: Sequence[Quad]) -> tuple[list[Picture], list[tuple[str, float]]]:
    crops = [_lying(cut_out(picture, quad)) for quad in quads]
    return crops, rapid.read_lines(crops)


def _lying(crop: Picture) -> Picture:
    """A line that stands on end is read from bottom to top, as labels of an axis are."""
    return np.ascontiguousarray(np.rot90(crop)) if crop.shape[0] >= 1.5 * crop.shape[1] else crop
