"""Reading order: recursive cuts along white space, columns before rows where they are columns of prose.

A region is split into bands by horizontal white space. Consecutive bands that share a vertical gap form a group; a
group with prose on both sides is read column by column, any other (tables, forms, receipts) row by row. A caption
that stands in the gap, with text on both sides, does not end the columns: it is read after them.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from local.engine.recognition.page import Box, Line, around, rotated
from local.engine.recognition.rules import Rules

Span = tuple[float, float]
SLACK = 0.25
"""Share of a box's height cut off above and below: boxes are a little larger than their text."""
LEAST_GAP = 0.5
"""Width of a gap between columns, in line heights."""
PROSE = ((8.0, 0.4), (5.0, 0.75))
"""The median line of prose is so many times as long as high (8: about 16 Latin letters, or 8 Chinese ones) and fills
this share of its column; lines of much the same length may be shorter."""
GRID_SHARE = 0.6
"""Share of the columns that must be at least half filled, and of the rows with more than one cell."""

TABLE_RULES = 2
"""So many horizontal rules from one column into the next make them columns of a table."""
MOST = 0.95
"""Share of the lines that a spread's fold must part; fewer are no page."""
HEADING_STEP = 1.5
"""From the last line of columns to the heading below, in steps from line to line."""
SPREAD, SPREAD_BANDS = 1.15, 8
"""Two facing pages are at least this many times as wide as high, with so many rows of text."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A line with its box on the straightened page."""

    line: Line
    box: Box


Row = list[Line]


def rows_in_reading_order(lines: Sequence[Line], skew: float, width: int, height: int, rules: Rules) -> list[Row]:
    """Lines that stand side by side share a row."""
    centre = (width / 2, height / 2)
    placed = [Placed(line, _slackened(_straightened(line, skew, centre))) for line in lines]
    if not placed:
        return []
    if _is_right_to_left(lines):
        # Mirrored, the page's rules no longer fit; right-to-left tables go without their help.
        placed, rules = [Placed(one.line, _mirrored(one.box, width)) for one in placed], Rules()
    return [row for page in _facing_pages(placed, rules) for row in _region(page, rules)]


def _is_right_to_left(lines: Sequence[Line]) -> bool:
    """Whether most letters are Hebrew or Arabic."""
    letters = [letter for line in lines for letter in line.text if letter.isalpha()]
    return sum("\u0590" <= letter <= "\u08ff" for letter in letters) > len(letters) / 2


def _mirrored(box: Box, width: int) -> Box:
    return Box(width - box.right, box.top, width - box.left, box.bottom)


def _facing_pages(placed: list[Placed], rules: Rules) -> list[list[Placed]]:
    """The two pages of a spread, or the one page."""
    group = max(_groups(_bands(placed), placed), key=lambda one: len(one.placed))
    extent = around([one.box for one in placed])
    if len(group.placed) < MOST * len(placed) or extent.width < SPREAD * extent.height:
        return [placed]
    folds = [gap for gap in group.gaps if min(map(len, _sides(placed, gap))) > (1 - MOST) * len(placed)]
    for fold in folds:
        left, right = _sides(placed, fold)
        crossing = rules.crossing(_middle(left), _middle(right), extent.top, extent.bottom)
        # A table has several gaps, and rules through them. A fold is one gap about the middle, or has its own rule.
        alone = len(folds) == 1 and 0.4 <= (sum(fold) / 2 - extent.left) / extent.width <= 0.6
        if crossing < TABLE_RULES and (rules.divided(*fold) or (alone and len(group.bands) >= SPREAD_BANDS)):
            return [left, right]
    return [placed]


def _sides(placed: Sequence[Placed], gap: Span) -> tuple[list[Placed], list[Placed]]:
    left = [one for one in placed if one.box.centre[0] <= sum(gap) / 2]
    return left, [one for one in placed if one not in left]


def _straightened(line: Line, skew: float, centre: tuple[float, float]) -> Box:
    if not skew:
        return line.box
    quad = rotated(line.quad, -skew, centre)
    xs, ys = [x for x, _ in quad], [y for _, y in quad]
    return Box(min(xs), min(ys), max(xs), max(ys))


def _slackened(box: Box) -> Box:
    slack, beside = box.height * SLACK, min(box.height * 0.15, box.width * 0.15)
    return Box(box.left + beside, box.top + slack, box.right - beside, box.bottom - slack)


def _region(region: Sequence[Placed], rules: Rules) -> Iterable[Row]:
    if len(region) < 2:
        return [[placed.line] for placed in region]
    rows: list[Row] = []
    for group in _groups(_bands(region), region):
        rows.extend(_columns(group, rules) or _by_rows(group.bands))
    return rows


def _bands(region: Sequence[Placed]) -> list[list[Placed]]:
    """Parts of the region with white space between them from edge to edge, from the top."""
    return _clusters(region, lambda placed: (placed.box.top, placed.box.bottom))


def _clusters(region: Sequence[Placed], extent: Callable[[Placed], Span]) -> list[list[Placed]]:
    clusters: list[list[Placed]] = []
    end = float("-inf")
    for placed in sorted(region, key=extent):
        start, stop = extent(placed)
        if start >= end:
            clusters.append([])
        clusters[-1].append(placed)
        end = max(end, stop)
    return clusters


@dataclass(slots=True)
class Group:
    """Consecutive bands with the vertical gaps that they have in common."""

    bands: list[list[Placed]]
    gaps: list[Span]
    insets: list[Placed]

    @property
    def placed(self) -> list[Placed]:
        return [placed for band in self.bands for placed in band]


def _groups(bands: list[list[Placed]], region: Sequence[Placed]) -> list[Group]:
    whole = around([placed.box for placed in region])
    least = LEAST_GAP * statistics.median(placed.box.height / (1 - 2 * SLACK) for placed in region)
    groups: list[Group] = []
    for band in bands:
        gaps = _gaps(band, whole, least)
        shared = _shared(groups[-1].gaps, gaps, least) if groups else []
        if any(_has_sides([*groups[-1].placed, *band], start, stop) for start, stop in shared):
            groups[-1].bands.append(band)
            groups[-1].gaps = shared
        elif groups and (inset := _inset(groups[-1], band, whole, least)):
            groups[-1].bands.append([placed for placed in band if placed not in inset])
            groups[-1].insets.extend(inset)
        else:
            groups.append(Group([band], gaps, []))
    return [part for group in groups for part in _without_heading_at_end(group)]


def _without_heading_at_end(group: Group) -> list[Group]:
    """A line alone at the end, set off from columns that end together, is the next part's heading."""
    levels = [around([placed.box for placed in band]).centre[1] for band in group.bands]
    steps = [below - above for above, below in pairwise(levels)]
    if len(steps) < 3 or len(group.bands[-1]) > 1 or len(group.bands[-2]) < 2:
        return [group]
    if steps[-1] < HEADING_STEP * statistics.median(steps):
        return [group]
    return [Group(group.bands[:-1], group.gaps, group.insets), Group(group.bands[-1:], group.gaps, [])]


def _gaps(band: Sequence[Placed], whole: Box, least: float) -> list[Span]:
    """White spans across the band, those at its sides included."""
    gaps, end = [], whole.left
    for placed in sorted(band, key=lambda one: one.box.left):
        if placed.box.left - end >= least or end == whole.left:
            gaps.append((end, placed.box.left))
        end = max(end, placed.box.right)
    return [*gaps, (end, whole.right)]


def _shared(one: Sequence[Span], other: Sequence[Span], least: float) -> list[Span]:
    crossings = [(max(a, c), min(b, d)) for a, b in one for c, d in other]
    return [(start, stop) for start, stop in crossings if stop - start >= least]


def _inset(group: Group, band: Sequence[Placed], whole: Box, least: float) -> list[Placed]:
    """Lines of the band that stand in the group's gap with text on both sides."""
    for start, stop in group.gaps:
        if not _has_sides(group.placed, start, stop):
            continue
        standing = [placed for placed in band if placed.box.left < stop and placed.box.right > start]
        others = [placed for placed in band if placed not in standing]
        if (
            standing
            and _has_sides(others, start, stop)
            and _shared([(start, stop)], _gaps(others, whole, least), least)
        ):
            return standing
    return []


def _has_sides(placed: Sequence[Placed], start: float, stop: float) -> bool:
    return any(one.box.right <= start for one in placed) and any(one.box.left >= stop for one in placed)


def _columns(group: Group, rules: Rules) -> list[Row]:
    """The group read column by column, or nothing if it has no columns of prose."""
    for _, stop in sorted(group.gaps, key=lambda gap: gap[0] - gap[1]):
        left = [placed for placed in group.placed if placed.box.right <= stop]
        right = [placed for placed in group.placed if placed not in left]
        if not left or not right:
            continue
        extent = around([placed.box for placed in group.placed])
        ruled = rules.crossing(_middle(left), _middle(right), extent.top, extent.bottom) >= TABLE_RULES
        if not ruled and _is_prose(left) and _is_prose(right):
            return [*_region(left, rules), *_region(right, rules), *_region(group.insets, rules)]
    return []


def _middle(side: Sequence[Placed]) -> float:
    return statistics.median(placed.box.centre[0] for placed in side)


def _is_prose(side: Sequence[Placed]) -> bool:
    if len(side) < 3:
        return False
    width = around([placed.box for placed in side]).width
    lengths = [placed.box.width * (1 - 2 * SLACK) / max(1.0, placed.box.height) for placed in side]
    fills = [placed.box.width / max(1.0, width) for placed in side]
    length, fill = statistics.median(lengths), statistics.median(fills)
    return any(length >= least_length and fill >= least_fill for least_length, least_fill in PROSE)


def _by_rows(bands: Iterable[Sequence[Placed]]) -> list[Row]:
    rows: list[Row] = []
    for band in bands:
        stacks = _clusters(band, lambda placed: (placed.box.left, placed.box.right))
        if all(len(stack) == 1 for stack in stacks):
            rows.append([stack[0].line for stack in stacks])
        elif len(stacks) == 1:
            rows.extend([placed.line] for placed in sorted(stacks[0], key=lambda one: (one.box.top, one.box.left)))
        else:
            rows.extend(_grid(band, stacks) or (row for stack in stacks for row in _by_rows(_bands(stack))))
    return rows


def _grid(band: Sequence[Placed], stacks: Sequence[Sequence[Placed]]) -> list[Row]:
    """The rows of a table set so tightly that no white space parts them; nothing if the band is no table."""
    rows: list[list[Placed]] = []
    for placed in sorted(band, key=lambda one: one.box.left):
        level = max(rows, key=lambda row: _overlap(row[-1].box, placed.box), default=None)
        if level is not None and _overlap(level[-1].box, placed.box) >= 0.5:
            level.append(placed)
        else:
            rows.append([placed])
    filled = sum(len(stack) >= len(rows) / 2 for stack in stacks)
    if filled < GRID_SHARE * len(stacks) or sum(len(row) > 1 for row in rows) < GRID_SHARE * len(rows):
        return []
    rows.sort(key=lambda row: statistics.fmean(placed.box.centre[1] for placed in row))
    return [[placed.line for placed in row] for row in rows]


def _overlap(one: Box, other: Box) -> float:
    """The overlap as a share of the lower one's height."""
    common = min(one.bottom, other.bottom) - max(one.top, other.top)
    return common / max(1.0, min(one.height, other.height))
