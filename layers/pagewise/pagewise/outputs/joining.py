"""Tables that go on over a page's end, joined where that is certain. A wrong join spoils two tables; a missed one costs
a reader little: in doubt they stay apart.

Two tables of consecutive pages are one if nothing speaks against it, and one of these speaks for it:
- the first is the last on its page, the second the first on its, and the header is repeated;
- the same without a header, with columns of the same kinds, and rows that continue the numbering or columns at the
  positions of the first's;
- wherever they lie on their pages: numbering that goes on from one to the other, with the same header or none;
- the second says that it is continued.
Against it: another number of columns, a caption of its own, a total at the first's end, numbering that begins anew, a
header of its own, text between them, room left under the first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from pagewise.outputs.blocks import Cell, Table

LEAST_ROWS = 2
MOST_HEADER_ROWS = 4
# Share of a page's height: a table that ends above it was not cut by the page's end.
LOWEST = 0.62
ALIGNED = 0.012  # of the page's width
TOTAL = re.compile(
    r"^\W*(grand |sub)?total"
    r"|^\W*(sum|balance due|amount due|summe|gesamt\w*|total\w*|итого|всего)\b"
    r"|^\W*(合\s*计|合計|总计|總計|小计|小計|합계|총계)\b",
    re.IGNORECASE,
)
CONTINUED = re.compile(
    r"\b(cont(inued|['’]?d|\.)?|fortsetzung|suite|continuaci[oó]n|continua(zione)?)\b|续表|續表|（续）|\(续\)|続き|계속",
    re.IGNORECASE,
)
NUMBERED = re.compile(r"^\W*(\d{1,6})\W*$")
NUMBER = re.compile(r"^[\s(]*[-+−]?[$€£¥₹]?\s*\d[\d\s.,'’%]*[)\s%€$]*$")


@dataclass(frozen=True, slots=True)
class FoundTable:
    """A table with its position: `first` and `last` on its page, None where it is not known whether text stands there.

    `bottom` is the position of its last line, as a share of the page's height; `columns_at` are its columns' left
    edges as shares of its width; both where lines are known.
    """

    page: int
    table: Table
    first: bool | None = None
    last: bool | None = None
    bottom: float | None = None
    columns_at: tuple[float, ...] = ()


@dataclass(slots=True)
class JoinedTable:
    """A table as it goes out: `pages` it lies on, `why` its parts were joined."""

    table: Table
    pages: list[int]
    why: list[str] = field(default_factory=list)


def joined_tables(found: Iterable[FoundTable]) -> Iterator[JoinedTable]:
    """Each as soon as the next one does not belong to it."""
    table: JoinedTable | None = None
    before: FoundTable | None = None
    head: Table | None = None  # of a joined table, its first page's part: there the header stands
    for part in found:
        why = reason_to_join(before, part, head) if before is not None and head is not None else None
        if why and table is not None and head is not None:
            table.table = appended(table.table, part.table, repeated_rows(head, part.table))
            table.pages.append(part.page)
            table.why.append(why)
        else:
            if table is not None:
                yield table
            table, head = JoinedTable(part.table, [part.page]), part.table
        before = part
    if table is not None:
        yield table


def reason_to_join(before: FoundTable, after: FoundTable, head: Table) -> str | None:
    """The reason why they are certainly one table; None in any doubt."""
    one, two = before.table, after.table
    if after.page != before.page + 1 or one.columns != two.columns or one.columns < 2:
        return None
    repeated = repeated_rows(head, two)
    body = two.by_row()[repeated:]
    counting = goes_on(one, body) if body else None
    if speaks_against(before, after, head, repeated, counting):
        return None
    proofs = {
        "continued_caption": bool(CONTINUED.search(two.caption)),
        "numbering_goes_on": bool(counting),
        "repeated_header": bool(before.last and after.first and repeated),
        "aligned_columns": bool(before.last and after.first)
        and aligned(before.columns_at, after.columns_at)
        and one.rows >= LEAST_ROWS
        and is_body(body, one.columns),
    }
    return next((why for why, holds in proofs.items() if holds), None)


def speaks_against(before: FoundTable, after: FoundTable, head: Table, repeated: int, counting: bool | None) -> bool:
    one, two = before.table, after.table
    body = two.by_row()[repeated:]
    return any(
        (
            not body,
            before.last is False or after.first is False,
            bool(two.caption) and not CONTINUED.search(two.caption) and normal(two.caption) != normal(head.caption),
            ends_with_total(one),
            header_rows(two) > 0 and repeated == 0,
            counting is False,
            before.bottom is not None and before.bottom < LOWEST and not counting,
            not same_kinds(one, head, body),
        )
    )


def normal(text: str) -> str:
    return " ".join(re.sub(r"\W+", " ", text.lower()).split())


def header_rows(table: Table) -> int:
    """Rows at the top that are all header cells."""
    count = 0
    for row in table.by_row():
        if not row or not all(cell.header for cell in row):
            break
        count += 1
    return count


def repeated_rows(head: Table, after: Table) -> int:
    """The number of rows at the second's top that repeat the first's top rows: a header, and no row of numbers."""
    count = named = 0
    ones, twos = head.by_row(), after.by_row()
    for one, two in zip(ones[:-1], twos[:-1], strict=False):
        texts = [normal(cell.text) for cell in one]
        if texts != [normal(cell.text) for cell in two] or not any(texts):
            break
        if not all(cell.header for cell in one) and any(NUMBER.match(cell.text) for cell in one):
            break
        count += 1
        named += sum(map(bool, texts))
    return count if count <= MOST_HEADER_ROWS and named >= 2 else 0


def ends_with_total(table: Table) -> bool:
    rows = [row for row in table.by_row() if any(cell.text.strip() for cell in row)]
    return bool(rows) and any(TOTAL.search(cell.text.strip()) for cell in rows[-1][:2])


def numbering(rows: Sequence[Sequence[Cell]]) -> list[int] | None:
    """The first column, where every row that has one begins with the next number."""
    counted = []
    for row in rows:
        first = next((cell for cell in row if cell.column == 0), None)
        if first is None or not first.text.strip():
            continue
        match = NUMBERED.match(first.text)
        if not match:
            return None
        counted.append(int(match[1]))
    steady = all(after == before + 1 for before, after in pairwise(counted))
    return counted if len(counted) >= LEAST_ROWS and steady else None


def goes_on(one: Table, body: Sequence[Sequence[Cell]]) -> bool | None:
    """Whether the second's numbering goes on where the first's ends; None where either has none."""
    rows = one.by_row()
    before = next((counted for skip in range(min(3, len(rows))) if (counted := numbering(rows[skip:]))), None)
    after = numbering(body) or single_number(body)
    if before is None or after is None:
        return None
    return after[0] == before[-1] + 1


def single_number(body: Sequence[Sequence[Cell]]) -> list[int] | None:
    match = NUMBERED.match(body[0][0].text) if len(body) == 1 and body[0] and body[0][0].column == 0 else None
    return [int(match[1])] if match else None


def same_kinds(one: Table, head: Table, body: Sequence[Sequence[Cell]]) -> bool:
    """Whether columns of numbers are columns of numbers again, and others not."""
    skip = max(header_rows(head), 1) if one is head else 0
    first, second = numeric_share(one.by_row()[skip:], one.columns), numeric_share(body, one.columns)
    for share, other in zip(first, second, strict=True):
        if share is not None and other is not None and abs(share - other) > 0.6:
            return False
    return True


def numeric_share(rows: Sequence[Sequence[Cell]], columns: int) -> list[float | None]:
    filled, numeric = [0] * columns, [0] * columns
    for row in rows:
        for cell in row:
            if cell.text.strip() and cell.column_span == 1:
                filled[cell.column] += 1
                numeric[cell.column] += bool(NUMBER.match(cell.text))
    return [numeric[column] / filled[column] if filled[column] else None for column in range(columns)]


def is_body(rows: Sequence[Sequence[Cell]], columns: int) -> bool:
    """Whether the first row is one of numbers as those after it are: no header that could be the start of a table."""
    top, rest = numeric_share(rows[:1], columns), numeric_share(rows[1:], columns)
    return any(share == 1.0 for share in top) and not any(
        here == 0.0 and share is not None and share > 0.5 for here, share in zip(top, rest, strict=True)
    )


def aligned(one: Sequence[float], two: Sequence[float]) -> bool:
    return len(one) == len(two) > 1 and all(abs(a - b) <= ALIGNED for a, b in zip(one, two, strict=True))


def appended(table: Table, after: Table, skip: int) -> Table:
    """The second's rows under the first's, without its repeated header."""
    shift = table.rows - skip
    moved = tuple(
        Cell(cell.row + shift, cell.column, cell.text, cell.row_span, cell.column_span, cell.header)
        for cell in after.cells
        if cell.row >= skip
    )
    return Table(table.rows + after.rows - skip, table.columns, table.cells + moved, table.caption)
