"""Tables: their structure from the printed rules, or from the alignment of the text where there are none."""

from __future__ import annotations

import html
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from img2table.document import Image as RuledImage

from local.engine.recognition import rapid
from local.engine.recognition.joining import joined
from local.engine.recognition.page import Box, Line, Page, Picture, around, rotated
from local.engine.recognition.rotation import cut_out

MOST_TILT = 0.5
"""Degrees; a page tilted further is straightened first: the rules are looked for along rows of pixels."""
STRADDLING = 0.75
"""A line with less of its width than this in one cell is cut at the rules between the cells."""
SURE = 0.8
"""From this confidence on a mark in an empty cell is taken for text."""
LEAST_ROWS, LEAST_COLUMNS, LEAST_FILLED = 3, 3, 0.6
"""Rows of text aligned in columns are a table from here on; the labels of a chart leave more places empty."""


@dataclass(frozen=True, slots=True)
class Cell:
    row: int
    column: int
    row_span: int
    column_span: int
    text: str


@dataclass(frozen=True, slots=True)
class Table:
    cells: tuple[Cell, ...]
    lines: frozenset[int]
    """Places of its lines in the page's reading order."""

    @property
    def columns(self) -> int:
        return max((cell.column + cell.column_span for cell in self.cells), default=0)

    def rows(self) -> list[list[Cell]]:
        count = max((cell.row + cell.row_span for cell in self.cells), default=0)
        rows: list[list[Cell]] = [[] for _ in range(count)]
        for cell in sorted(self.cells, key=lambda one: (one.row, one.column)):
            rows[cell.row].append(cell)
        return rows

    def html(self) -> str:
        lines = ["<table>"]
        for row in self.rows():
            lines.append("  <tr>")
            lines += [f"    <td{_spans(cell)}>{html.escape(cell.text, quote=False)}</td>" for cell in row]
            lines.append("  </tr>")
        return "\n".join([*lines, "</table>"])


def _spans(cell: Cell) -> str:
    rows = f' rowspan="{cell.row_span}"' if cell.row_span > 1 else ""
    return rows + (f' colspan="{cell.column_span}"' if cell.column_span > 1 else "")


def find_tables(picture: Picture, page: Page) -> list[Table]:
    """The tables of an upright page, in reading order."""
    lines = page.lines
    if abs(page.skew) > MOST_TILT:
        picture, lines = _straightened(picture, page)
    tables = [_filled(grid, lines, picture) for grid in _ruled_grids(picture)]
    taken = {place for table in tables for place in table.lines}
    tables += _aligned_tables(page, lines, taken)
    return sorted((table for table in tables if table.lines), key=lambda table: min(table.lines))


def whole_page(page: Page) -> Table:
    """The page's rows as one table, for a page that is asked for a table and shows none."""
    rows = [list(row) for row in page.rows]
    return _aligned(rows, frozenset(range(len(page.lines))))


def _straightened(picture: Picture, page: Page) -> tuple[Picture, list[Line]]:
    centre = (page.width / 2, page.height / 2)
    turn = cv2.getRotationMatrix2D(centre, page.skew, 1.0)
    level = cv2.warpAffine(picture, turn, (page.width, page.height), borderMode=cv2.BORDER_REPLICATE)
    lines = [replace(line, quad=rotated(line.quad, -page.skew, centre)) for line in page.lines]
    return level.astype(np.uint8), lines


# Ruled tables


@dataclass(slots=True)
class Slot:
    """A cell of a grid while it is filled."""

    box: Box
    row: int
    column: int
    row_span: int
    column_span: int
    lines: list[Line]


def _ruled_grids(picture: Picture) -> list[list[Slot]]:
    encoded, bitmap = cv2.imencode(".bmp", picture)
    tables = RuledImage(src=bitmap.tobytes()).extract_tables() if encoded else []
    return [_slots([list(row) for row in table.content.values()]) for table in tables]


def _slots(content: list[list[object]]) -> list[Slot]:
    """img2table repeats a merged cell at each place that it covers."""
    places: dict[tuple[int, int, int, int], list[tuple[int, int]]] = {}
    for row, cells in enumerate(content):
        for column, cell in enumerate(cells):
            box = cell.bbox  # type: ignore[attr-defined]
            places.setdefault((box.x1, box.y1, box.x2, box.y2), []).append((row, column))
    slots = []
    for corners, covered in places.items():
        rows, columns = [row for row, _ in covered], [column for _, column in covered]
        slots.append(
            Slot(
                Box(*map(float, corners)),
                min(rows),
                min(columns),
                max(rows) - min(rows) + 1,
                max(columns) - min(columns) + 1,
                [],
            )
        )
    return _with_true_boxes(slots)


def _with_true_boxes(slots: list[Slot]) -> list[Slot]:
    """img2table gives some merged cells no width: a cell's box is that of the columns and rows that it covers."""
    columns, rows = _edges(slots, horizontally=True), _edges(slots, horizontally=False)
    for slot in slots:
        left, right = columns.get(slot.column), columns.get(slot.column + slot.column_span - 1)
        top, bottom = rows.get(slot.row), rows.get(slot.row + slot.row_span - 1)
        if min(slot.box.width, slot.box.height) < 2 and left and right and top and bottom:
            slot.box = Box(left[0], top[0], right[1], bottom[1])
    return slots


def _edges(slots: Sequence[Slot], *, horizontally: bool) -> dict[int, tuple[float, float]]:
    """Both edges of each column (or row), from a cell that covers it alone."""
    if horizontally:
        return {slot.column: (slot.box.left, slot.box.right) for slot in slots if slot.column_span == 1}
    return {slot.row: (slot.box.top, slot.box.bottom) for slot in slots if slot.row_span == 1}


def _filled(slots: list[Slot], lines: Sequence[Line], picture: Picture) -> Table:
    table = around([slot.box for slot in slots])
    taken = set()
    for place, line in enumerate(lines):
        if not _holds(table, line.box.centre):
            continue
        taken.add(place)
        for part, slot in _parts(line, slots, picture):
            slot.lines.append(part)
    _read_marks([slot for slot in slots if not slot.lines], picture)
    return Table(tuple(_cells(slots)), frozenset(taken))


def _holds(box: Box, point: tuple[float, float]) -> bool:
    return box.left <= point[0] <= box.right and box.top <= point[1] <= box.bottom


def _parts(line: Line, slots: Iterable[Slot], picture: Picture) -> list[tuple[Line, Slot]]:
    """The line in its cell, or cut at the rules and read again where it runs through several."""
    touched = [(share, slot) for slot in slots if (share := _share_in(line, slot.box)) > 0.1]
    if not touched:
        return []
    share, best = max(touched, key=lambda pair: pair[0])
    if share >= STRADDLING or len(touched) == 1:
        return [(line, best)]
    pieces = []
    for _, slot in touched:
        left, right = max(line.box.left, slot.box.left), min(line.box.right, slot.box.right)
        quad = ((left, line.box.top), (right, line.box.top), (right, line.box.bottom), (left, line.box.bottom))
        ((text, confidence),) = rapid.read_lines([cut_out(picture, quad)])
        if text:
            pieces.append((Line(text, quad, confidence), slot))
    return pieces


def _share_in(line: Line, box: Box) -> float:
    if not box.top <= line.box.centre[1] <= box.bottom:
        return 0.0
    return (min(line.box.right, box.right) - max(line.box.left, box.left)) / max(1.0, line.box.width)


def _read_marks(empty: Sequence[Slot], picture: Picture) -> None:
    """Single digits and signs that are too small to be found on the page."""
    found = [(slot, crop) for slot in empty if (crop := _mark(slot.box, picture)) is not None]
    for (slot, _), (text, confidence) in zip(found, rapid.read_lines([crop for _, crop in found]), strict=True):
        if text and confidence >= SURE:
            box = slot.box
            quad = ((box.left, box.top), (box.right, box.top), (box.right, box.bottom), (box.left, box.bottom))
            slot.lines.append(Line(text, quad, confidence))


def _mark(box: Box, picture: Picture) -> Picture | None:
    """The ink within the cell's frame."""
    margin = 4
    left, top, right, bottom = (round(edge) for edge in (box.left, box.top, box.right, box.bottom))
    inside = picture[top + margin : bottom - margin, left + margin : right - margin]
    if min(inside.shape[:2]) < 8:
        return None
    grey = cv2.cvtColor(inside, cv2.COLOR_BGR2GRAY)
    level = float(np.median(grey))
    rows, columns = np.nonzero(np.abs(grey.astype(float) - level) > 60)
    if len(rows) < 12:
        return None
    height, width = rows.max() - rows.min() + 1, columns.max() - columns.min() + 1
    if height < 6 or height > 80 or width > 20 * height:
        return None
    pad = max(3, int(height) // 4)
    return np.ascontiguousarray(
        inside[max(0, rows.min() - pad) : rows.max() + pad, max(0, columns.min() - pad) : columns.max() + pad]
    )


def _cells(slots: Sequence[Slot]) -> list[Cell]:
    """Cells with their text; a row of cells that hold several aligned lines each is several rows."""
    cells, shift = [], 0
    for number in range(max(slot.row + slot.row_span for slot in slots)):
        row = [slot for slot in slots if slot.row == number]
        levels = _levels(row) if all(slot.row_span == 1 for slot in row) else 1
        for slot in row:
            if levels == 1:
                cells.append(_cell(slot, slot.row + shift, slot.lines))
                continue
            for level, lines in enumerate(_by_level(row, slot, levels)):
                cells.append(_cell(slot, slot.row + shift + level, lines))
        shift += levels - 1
    return cells


def _cell(slot: Slot, row: int, lines: Sequence[Line]) -> Cell:
    return Cell(row, slot.column, slot.row_span, slot.column_span, joined(lines))


def _levels(row: Sequence[Slot]) -> int:
    """The number of text rows in a row of the grid that has no rules between them; 1 if it is a true row."""
    tops = _level_tops(row)
    counts = [len(slot.lines) for slot in row]
    several = sum(count >= 3 and count >= 0.6 * len(tops) for count in counts)
    return len(tops) if several >= 2 and several >= 0.5 * len(row) else 1


def _level_tops(row: Sequence[Slot]) -> list[float]:
    lines = sorted((line for slot in row for line in slot.lines), key=lambda line: line.box.centre[1])
    if not lines:
        return []
    pitch = 0.5 * statistics.median(line.box.height for line in lines)
    levels = [[lines[0].box.centre[1]]]
    for line in lines[1:]:
        if line.box.centre[1] - statistics.fmean(levels[-1]) > pitch:
            levels.append([])
        levels[-1].append(line.box.centre[1])
    return [statistics.fmean(level) for level in levels]


def _by_level(row: Sequence[Slot], slot: Slot, levels: int) -> list[list[Line]]:
    tops = _level_tops(row)
    sorted_lines: list[list[Line]] = [[] for _ in range(levels)]
    for line in slot.lines:
        nearest = min(range(levels), key=lambda level: abs(tops[level] - line.box.centre[1]))
        sorted_lines[nearest].append(line)
    return sorted_lines


# Tables without rules


def _aligned_tables(page: Page, lines: Sequence[Line], taken: set[int]) -> list[Table]:
    """Consecutive rows with several cells that stand under each other."""
    tables: list[Table] = []
    run: list[list[Line]] = []
    places: list[int] = []
    place = 0
    for row in [*page.rows, ()]:
        here = range(place, place + len(row))
        place += len(row)
        if len(row) >= LEAST_COLUMNS and not taken.intersection(here):
            run.append([lines[number] for number in here])
            places.extend(here)
            continue
        if len(run) >= LEAST_ROWS and _is_aligned(run):
            tables.append(_aligned(run, frozenset(places)))
        run, places = [], []
    return tables


def _is_aligned(run: Sequence[Sequence[Line]]) -> bool:
    columns = _columns(run)
    widest = max(len(row) for row in run)
    filled = sum(map(len, run)) / (len(run) * max(1, len(columns)))
    return LEAST_COLUMNS <= len(columns) <= widest + 1 and filled >= LEAST_FILLED


def _columns(rows: Sequence[Sequence[Line]]) -> list[tuple[float, float]]:
    """Spans of the columns: the cells of the rows with the most of them, widened by cells that overlap one span."""
    most = max(len(row) for row in rows)
    spans: list[tuple[float, float]] = []
    for row in sorted(rows, key=lambda one: -len(one)):
        if len(row) < max(2, most * 0.6):
            break
        for line in row:
            over = [span for span in spans if min(span[1], line.box.right) > max(span[0], line.box.left)]
            if not over:
                spans.append((line.box.left, line.box.right))
            elif len(over) == 1:
                spans.remove(over[0])
                spans.append((min(over[0][0], line.box.left), max(over[0][1], line.box.right)))
    return sorted(spans)


def _aligned(rows: Sequence[Sequence[Line]], places: frozenset[int]) -> Table:
    # Rows of one cell each are one column.
    columns = _columns(rows) if rows else []
    columns = columns or [(0.0, max((line.box.right for row in rows for line in row), default=0.0))]
    cells = []
    for number, row in enumerate(rows):
        filled: dict[int, tuple[int, list[Line]]] = {}
        for line in row:
            first, last = _columns_under(line, columns)
            span, lines = filled.get(first, (1, []))
            filled[first] = max(span, last - first + 1), [*lines, line]
        column = 0
        while column < len(columns):
            span, lines = filled.get(column, (1, []))
            span = min([span, *(other - column for other in filled if other > column)])
            cells.append(Cell(number, column, 1, span, joined(lines)))
            column += span
    return Table(tuple(cells), places)


def _columns_under(line: Line, columns: Sequence[tuple[float, float]]) -> tuple[int, int]:
    touched = [
        number
        for number, (left, right) in enumerate(columns)
        if min(right, line.box.right) - max(left, line.box.left) > 0.2 * min(right - left, line.box.width)
    ]
    if touched:
        return touched[0], touched[-1]
    nearest = min(range(len(columns)), key=lambda number: abs(sum(columns[number]) / 2 - line.box.centre[0]))
    return nearest, nearest
