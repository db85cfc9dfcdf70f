"""A document's tables: found on its pages, joined over their ends, named."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator

from pagewise import geometry
from pagewise.outputs.blocks import Block, Table, lines_of
from pagewise.outputs.contents import PageContents
from pagewise.outputs.joining import FoundTable, JoinedTable, joined_tables, normal
from pagewise.outputs.page_blocks import PageBlocks, blocks_of, without_running_lines
from pagewise.tasks import Task


def tables_of(pages: Iterable[tuple[PageContents, PageBlocks]], running: frozenset[str]) -> Iterator[JoinedTable]:
    return joined_tables(found for page, blocks in pages for found in found_on(page, blocks, running))


def found_on(page: PageContents, read: PageBlocks, running: frozenset[str]) -> Iterator[FoundTable]:
    """The page's tables; whether text stands before or after one is known where more than tables was recognized."""
    blocks = [block for block in without_running_lines(read, running).blocks if not is_page_number(block)]
    knows = set(read.tasks) != {Task.TABLE_PARSING}
    for place, block in enumerate(blocks):
        if not isinstance(block, Table):
            continue
        bottom, columns_at = places_of(page, block)
        alone = knows or len(blocks) > 1
        yield FoundTable(
            page.number,
            block,
            (place == 0) if alone and (knows or place > 0) else None,
            (place == len(blocks) - 1) if alone and (knows or place < len(blocks) - 1) else None,
            bottom,
            columns_at,
        )


def is_page_number(block: Block) -> bool:
    text = " ".join(lines_of(block)) if not isinstance(block, Table) else "table"
    return len(text) <= 20 and any(map(str.isdigit, text)) and sum(map(str.isalpha, text)) <= 6


def places_of(page: PageContents, table: Table) -> tuple[float | None, tuple[float, ...]]:
    """The table's lower end and its columns' left edges, as shares of the page: from lines that are cells."""
    result, size = page.recognized(Task.ADVANCED_RECOGNITION), page.size
    if result is None or size is None:
        return None, ()
    columns: dict[str, set[int]] = defaultdict(set)
    for cell in table.cells:
        if text := normal(cell.text):
            columns[text].add(cell.column)
    lefts: dict[int, list[float]] = defaultdict(list)
    bottoms = []
    for line in result.output.get("lines") or ():
        corners = geometry.numbers(line.get("location"), 8)
        at = columns.get(normal(str(line.get("text") or "")))
        if corners and at:
            bottoms.append(max(corners[1::2]) / size.height)
            if len(at) == 1:
                lefts[next(iter(at))].append(min(corners[::2]) / size.width)
    found = sum(len(places) for places in lefts.values())
    if found < max(2, table.rows // 2):
        return None, ()
    known = len(lefts) == table.columns
    return max(bottoms), tuple(statistics.median(lefts[column]) for column in sorted(lefts)) if known else ()


def read_pages(pages: Iterable[PageContents]) -> Iterator[tuple[PageContents, PageBlocks]]:
    for page in pages:
        yield page, blocks_of(page)
