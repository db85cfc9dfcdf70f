"""From a picture to a page: find the lines, turn the page upright, read each line, put them in reading order."""

from __future__ import annotations

import numpy as np

from local.engine.recognition import rapid
from local.engine.recognition.choice import choose
from local.engine.recognition.page import Line, Page, Picture, Quad, edge_lengths, turned
from local.engine.recognition.reading_order import rows_in_reading_order
from local.engine.recognition.rotation import cut_out, quarter_turns, skew
from local.engine.recognition.rules import find_rules

LEAST_CONFIDENCE = 0.5


def read_page(picture: Picture) -> Page:
    """`picture` has three channels, blue first."""
    height, width = picture.shape[:2]
    quads = rapid.find_lines(picture)
    if not quads:
        return Page(width, height, 0, 0.0, ())
    turns = quarter_turns(picture, quads)
    upright = np.ascontiguousarray(np.rot90(picture, turns))
    quads = [_from_top_left(turned(quad, turns, width, height)) for quad in quads]
    height, width = upright.shape[:2]
    lines = read_quads(upright, quads)
    tilt = skew(quads)
    rows = rows_in_reading_order(lines, tilt, width, height, find_rules(upright))
    return Page(width, height, turns, tilt, tuple(map(tuple, rows)))


def read_quads(picture: Picture, quads: list[Quad]) -> list[Line]:
    crops = [_lying(cut_out(picture, quad)) for quad in quads]
    choices = choose(crops, rapid.read_lines(crops))
    return [
        Line(choice.text, quad, choice.confidence, choice.recognizer)
        for quad, choice in zip(quads, choices, strict=True)
        if choice.text and choice.confidence >= LEAST_CONFIDENCE
    ]


def _lying(crop: Picture) -> Picture:
    """A line that stands on end is read from bottom to top, as labels of an axis are."""
    if crop.shape[0] >= 1.5 * crop.shape[1]:
        return np.ascontiguousarray(np.rot90(crop))
    return crop


def _from_top_left(quad: Quad) -> Quad:
    """The same corners, clockwise from the top-left one."""
    a, b, c, d = quad
    first = min(range(4), key=lambda number: quad[number][0] + quad[number][1])
    if edge_lengths(quad)[0] == 0:
        return quad
    order = (a, b, c, d, a, b, c)[first : first + 4]
    return order[0], order[1], order[2], order[3]
