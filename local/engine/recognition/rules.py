"""The long straight lines printed on a page: frames of tables, lines between columns."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from local.engine.recognition.page import Box, Picture

WORKING_SIDE = 1200
LEAST_LENGTH = 0.05
"""A rule's least length, as a share of the page's longer side."""
DIVIDING = 0.7
"""The fold of a spread is at least this share of the page's height; the columns of a table have no such rule."""


@dataclass(frozen=True, slots=True)
class Rules:
    horizontal: tuple[Box, ...] = ()
    vertical: tuple[Box, ...] = ()
    page_height: float = 1.0

    def crossing(self, start: float, stop: float, top: float, bottom: float) -> int:
        """The number of horizontal rules that reach from `start` to `stop`."""
        return sum(
            rule.left <= start and rule.right >= stop and top <= rule.centre[1] <= bottom for rule in self.horizontal
        )

    def divided(self, start: float, stop: float) -> bool:
        """Whether the fold of a spread stands in the span: a vertical rule along most of the page."""
        standing = [rule.height for rule in self.vertical if rule.right >= start and rule.left <= stop]
        return sum(standing) >= DIVIDING * self.page_height


def find_rules(picture: Picture) -> Rules:
    scale = min(1.0, WORKING_SIDE / max(picture.shape[:2]))
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)
    ink = cv2.adaptiveThreshold(grey, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY_INV, 25, 15).astype(np.uint8)
    length = max(20, round(LEAST_LENGTH * max(grey.shape)))
    return Rules(_found(ink, (length, 1), scale), _found(ink, (1, length), scale), picture.shape[0])


def _found(ink: Picture, kernel: tuple[int, int], scale: float) -> tuple[Box, ...]:
    opened = cv2.morphologyEx(ink, cv2.MORPH_OPEN, np.ones(kernel[::-1], np.uint8))
    _, _, stats, _ = cv2.connectedComponentsWithStats(opened)
    return tuple(
        Box(left / scale, top / scale, (left + width) / scale, (top + height) / scale)
        for left, top, width, height, _ in stats[1:].tolist()
    )
