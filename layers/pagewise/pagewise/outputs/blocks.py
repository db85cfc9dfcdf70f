"""A page's contents as blocks, from any task: the one form that every reader here makes and every writer takes. Blocks
hold plain text: no markup of the engine's goes through them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Style(StrEnum):
    PLAIN = "plain"
    BOLD = "bold"
    ITALIC = "italic"
    CODE = "code"
    FORMULA = "formula"


@dataclass(frozen=True, slots=True)
class Span:
    """Text in one style. A formula's is LaTeX without its dollars. Line breaks are newlines."""

    text: str
    style: Style = Style.PLAIN


Inline = tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Heading:
    """`level` 1 is a title, 2 a section."""

    level: int
    inline: Inline


@dataclass(frozen=True, slots=True)
class Paragraph:
    inline: Inline


@dataclass(frozen=True, slots=True)
class Listing:
    """Entries hold blocks: a paragraph, and lists within. `labels` is empty unless entries are named."""

    ordered: bool
    entries: tuple[tuple[Block, ...], ...]
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Formula:
    """Displayed; LaTeX without its delimiters, or a whole math environment."""

    latex: str


@dataclass(frozen=True, slots=True)
class Verbatim:
    """Text with intended spaces and line breaks."""

    text: str


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell and the rows and columns that it covers, from its top left, numbered from 0."""

    row: int
    column: int
    text: str
    row_span: int = 1
    column_span: int = 1
    header: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Cells in order of their rows. None overlap, all lie within `rows` × `columns`."""

    rows: int
    columns: int
    cells: tuple[Cell, ...]
    caption: str = ""

    def grid(self) -> list[list[str]]:
        """Rows of texts; where a merged cell covers, only its top left holds the text."""
        grid = [[""] * self.columns for _ in range(self.rows)]
        for cell in self.cells:
            grid[cell.row][cell.column] = cell.text
        return grid

    def by_row(self) -> list[list[Cell]]:
        rows: list[list[Cell]] = [[] for _ in range(self.rows)]
        for cell in self.cells:
            rows[cell.row].append(cell)
        return rows


Block = Heading | Paragraph | Listing | Formula | Verbatim | Table


@dataclass(frozen=True, slots=True)
class DrawnCell:
    """A cell as its source wrote it: its row and column follow from the cells before it."""

    text: str
    row_span: int = 1
    column_span: int = 1
    header: bool = False


# A page holds a few thousand cells at most; a table that claims more is an attack or a loop.
MOST_CELLS = 200_000
MOST_COLUMNS = 1_000  # HTML's own limit for colspan


class TooManyCells(ValueError):
    """The table is larger than any page."""


def laid_out(rows: Sequence[Sequence[DrawnCell]], caption: str = "") -> Table:
    """The table that drawn rows make, by HTML's rules: a cell takes the next free column, spans end with the table.

    Raises TooManyCells.
    """
    cells: list[Cell] = []
    taken: dict[int, int] = {}  # column → its first free row
    columns = area = 0
    for number, row in enumerate(rows):
        column = 0
        for drawn in row:
            while taken.get(column, 0) > number:
                column += 1
            width = 1
            wanted = max(1, min(drawn.column_span, MOST_COLUMNS))
            while width < wanted and taken.get(column + width, 0) <= number:
                width += 1
            height = max(1, min(drawn.row_span, len(rows) - number))
            area += width * height
            if area > MOST_CELLS or column + width > MOST_COLUMNS:
                raise TooManyCells(f"more than {MOST_CELLS} cells or {MOST_COLUMNS} columns")
            taken.update(dict.fromkeys(range(column, column + width), number + height))
            cells.append(Cell(number, column, drawn.text, height, width, drawn.header))
            column += width
        columns = max(columns, column)
    if len(rows) * columns > MOST_CELLS:
        raise TooManyCells(f"more than {MOST_CELLS} cells")
    return Table(len(rows), columns, tuple(cells), caption)


def plain(inline: Inline) -> str:
    return "".join(span.text for span in inline)


def joined(spans: Sequence[Span]) -> Inline:
    """Neighbours of one style as one span, without empty ones, blank at neither end."""
    merged: list[Span] = []
    for span in spans:
        if merged and merged[-1].style is span.style and span.style is not Style.FORMULA:
            merged[-1] = Span(merged[-1].text + span.text, span.style)
        elif span.text:
            merged.append(span)
    if merged:
        merged[0] = Span(merged[0].text.lstrip(), merged[0].style)
        merged[-1] = Span(merged[-1].text.rstrip(), merged[-1].style)
    return tuple(span for span in merged if span.text)


def paragraphs(text: str) -> list[Block]:
    """Plain text, parted where a line is blank; its line breaks stay."""
    parts: list[list[str]] = [[]]
    for line in text.splitlines():
        if line.strip():
            parts[-1].append(line.rstrip())
        elif parts[-1]:
            parts.append([])
    return [Paragraph((Span("\n".join(part)),)) for part in parts if part]


def lines_of(block: Block) -> Iterator[str]:
    """A block as lines of plain text; a table's cells are parted by tabs."""
    match block:
        case Heading() | Paragraph():
            yield from plain(block.inline).splitlines()
        case Formula():
            yield from block.latex.splitlines()
        case Verbatim():
            yield from block.text.splitlines()
        case Listing():
            yield from entry_lines(block)
        case Table():
            if block.caption:
                yield block.caption
            for row in block.grid():
                yield "\t".join(" ".join(text.split()) for text in row).rstrip("\t")


def entry_lines(listing: Listing) -> Iterator[str]:
    for number, entry in enumerate(listing.entries):
        mark = mark_of(listing, number)
        lines = [line for block in entry for line in lines_of(block)] or [""]
        yield f"{mark} {lines[0]}".rstrip()
        yield from (" " * (len(mark) + 1) + line for line in lines[1:])


def mark_of(listing: Listing, number: int) -> str:
    if number < len(listing.labels) and listing.labels[number]:
        return listing.labels[number]
    return f"{number + 1}." if listing.ordered else "-"
