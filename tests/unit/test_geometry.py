"""Rectangles and corners in the one convention, and between pixels and thousandths."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagewise import geometry
from pagewise.geometry import Rect, Scaling, Size

sides = st.integers(11, 5_000)


rects = st.tuples(
    st.floats(-100, 5_000), st.floats(-100, 5_000), st.floats(1, 3_000), st.floats(1, 3_000), st.floats(-90, 90)
)


def same_corners(one: Rect, other: Rect) -> bool:
    def sort(rect: Rect) -> list[tuple[float, float]]:
        return geometry.clockwise(geometry.corners_of(rect))

    return all(min(math.dist(corner, candidate) for candidate in sort(other)) < 0.01 for corner in sort(one))


@given(rects)
def test_the_one_convention_is_the_same_rectangle_whatever_the_services_own(rect: Rect) -> None:
    cx, cy, width, height, angle = rect
    told = geometry.longer_side_first(rect)
    assert told[2] >= told[3]
    assert -90 < told[4] <= 90
    assert same_corners(rect, told)
    swapped = (cx, cy, height, width, angle - 90 if angle > 0 else angle + 90)
    assert same_corners(geometry.longer_side_first(swapped), told)
    assert geometry.longer_side_first(told) == told


@given(rects)
def test_corners_and_rectangle_say_the_same(rect: Rect) -> None:
    corners = geometry.clockwise(geometry.corners_of(rect))
    assert same_corners(geometry.rect_around(corners), rect)
    nearest = min(x + y for x, y in corners)
    assert corners[0][0] + corners[0][1] == nearest
    around = geometry.clockwise([corners[2], corners[1], corners[0], corners[3]])  # the other way round
    assert [pytest.approx(corner) for corner in corners] == around or len(set(corners)) < 4 or ties(corners)


def ties(corners: list[tuple[float, float]]) -> bool:
    sums = sorted(x + y for x, y in corners)
    return sums[1] - sums[0] < 1e-6


@given(rects, sides, sides)
def test_thousandths_and_pixels_are_inverse(rect: Rect, width: int, height: int) -> None:
    size = Size(width, height)
    assert geometry.in_pixels(geometry.in_thousandths(rect, size), size) == pytest.approx(rect)


@given(rects, sides, sides, sides, sides)
def test_scaling_keeps_the_centre_and_whole_scaling_keeps_all(rect: Rect, a: int, b: int, c: int, d: int) -> None:
    scaling = Scaling.between(Size(a, b), Size(c, d))
    scaled = scaling.rect(rect)
    assert scaled[:2] == pytest.approx((rect[0] * c / a, rect[1] * d / b), abs=1e-3)
    assert Scaling.between(Size(a, b), Size(a, b)).rect(rect) == rect
    twice = Scaling.between(Size(a, b), Size(2 * a, 2 * b)).rect(geometry.longer_side_first(rect))
    assert twice[2:4] == pytest.approx(tuple(2 * side for side in geometry.longer_side_first(rect)[2:4]))
