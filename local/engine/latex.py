"""A page as a LaTeX document: headings, paragraphs, tables."""

from __future__ import annotations

import re
import statistics
from collections.abc import Sequence

from local.engine.recognition.page import Line, Page, edge_lengths
from local.engine.tables import Cell, Table

HEADING = 1.3
"""A heading's letters are at least this many times as high as those of the running text."""
TITLE = 1.8
HEADING_LETTERS = 80
PARAGRAPH_GAP = 0.7
"""White space between lines, in line heights, that starts a new paragraph."""
INDENT = 0.8
SHORT = 0.85
"""A line that ends before this share of its column ends a paragraph."""

SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
}


def escaped(text: str) -> str:
    return "".join(SPECIAL.get(letter, letter) for letter in text)


def document(page: Page, tables: Sequence[Table]) -> str:
    chinese = any("\u2e80" <= letter <= "\uffef" and not "가" <= letter <= "힣" for letter in page.text)
    other = any(letter > "\u024f" and letter.isalpha() for letter in page.text) and not chinese
    head = [r"\documentclass{ctexart}" if chinese else r"\documentclass{article}"]
    head += [r"\usepackage{multirow}"] if tables else []
    # Other scripts and signs need an engine that reads Unicode.
    head += [r"\usepackage{fontspec}"] if other else []
    return "\n".join([*head, r"\begin{document}", "", *_body(page, tables), r"\end{document}"])


def _body(page: Page, tables: Sequence[Table]) -> list[str]:
    blocks: list[str] = []
    paragraph: list[Sequence[Line]] = []
    usual = _usual_height(page)
    place, begun = 0, set[int]()

    def close() -> None:
        if paragraph:
            blocks.extend([_paragraph(paragraph), ""])
            paragraph.clear()

    for row in page.rows:
        table = next((number for number, one in enumerate(tables) if place in one.lines), None)
        place += len(row)
        if table is not None:
            close()
            if table not in begun:
                begun.add(table)
                blocks.extend([_tabular(tables[table]), ""])
        elif (command := _heading(row, usual)) is not None:
            close()
            blocks.extend([f"\\{command}{{{escaped(_row_text(row))}}}", ""])
        else:
            if paragraph and _starts_paragraph(paragraph, row):
                close()
            paragraph.append(row)
    close()
    return blocks


def _usual_height(page: Page) -> float:
    heights = [_height(line) for line in page.lines for _ in line.text]
    return statistics.median(heights) if heights else 1.0


def _height(line: Line) -> float:
    """Across the text: the upright box of a tilted line is higher than its letters."""
    return edge_lengths(line.quad)[1]


def _heading(row: Sequence[Line], usual: float) -> str | None:
    height = max(map(_height, row))
    text = _row_text(row)
    if len(row) > 1 or len(text) > HEADING_LETTERS or not text[0].isalnum() or text.isdigit():
        return None
    if height >= TITLE * usual:
        return "section*"
    return "subsection*" if height >= HEADING * usual else None


def _starts_paragraph(paragraph: Sequence[Sequence[Line]], row: Sequence[Line]) -> bool:
    before, line = paragraph[-1][0].box, row[0].box
    height = min(before.height, line.height)
    if line.top < before.top or line.top - before.bottom > PARAGRAPH_GAP * height:
        return True
    if len(row) > 1 or len(paragraph[-1]) > 1:
        return True
    right = max(one.box.right for lines in paragraph for one in lines)
    left = min(one.box.left for lines in paragraph for one in lines)
    ended_short = before.right - left < SHORT * (max(right, line.right) - left)
    return ended_short or (len(paragraph) > 1 and line.left - left > INDENT * height)


def _row_text(row: Sequence[Line]) -> str:
    return " ".join(line.text for line in row)


def _paragraph(rows: Sequence[Sequence[Line]]) -> str:
    text = "\n".join(r" \quad ".join(escaped(line.text) for line in row) for row in rows)
    # LaTeX breaks words by itself.
    return re.sub(r"(?<=[a-zß-ÿ])-\n(?=[a-zß-ÿ])", "", text)


def _tabular(table: Table) -> str:
    lines = [rf"\begin{{tabular}}{{|{'l|' * table.columns}}}", r"\hline"]
    rows = table.rows()
    under: dict[int, int] = {}
    for number, row in enumerate(rows):
        cells, column = [], 0
        for cell in [*row, None]:
            stop = cell.column if cell is not None else table.columns
            while column < stop:
                # The place below a merged cell stays empty.
                cells.append("")
                column += 1
            if cell is not None:
                cells.append(_cell(cell))
                column += cell.column_span
                under |= dict.fromkeys(range(cell.column, column), cell.row + cell.row_span)
        lines.append(" & ".join(cells) + r" \\")
        lines.append(_rules(number + 1, under, table.columns, last=number + 1 == len(rows)))
    return "\n".join([*lines, r"\end{tabular}"])


def _cell(cell: Cell) -> str:
    text = escaped(cell.text)
    if cell.row_span > 1:
        text = rf"\multirow{{{cell.row_span}}}{{*}}{{{text}}}"
    if cell.column_span > 1:
        border = "|l|" if cell.column == 0 else "l|"
        text = rf"\multicolumn{{{cell.column_span}}}{{{border}}}{{{text}}}"
    return text


def _rules(row: int, under: dict[int, int], columns: int, *, last: bool) -> str:
    """Rules below a row, but not through the cells that reach further down."""
    free = [column for column in range(columns) if last or under.get(column, 0) <= row]
    if len(free) == columns:
        return r"\hline"
    return " ".join(rf"\cline{{{column + 1}-{column + 1}}}" for column in free)
