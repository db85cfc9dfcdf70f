"""A page's results as blocks: the richest of its tasks' outputs, each part once."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pagewise.model import Result
from pagewise.outputs.blocks import (
    Block,
    Formula,
    Heading,
    Paragraph,
    Span,
    Table,
    TooManyCells,
    Verbatim,
    lines_of,
    paragraphs,
    plain,
)
from pagewise.outputs.contents import TEXT_TASKS, PageContents
from pagewise.outputs.html_reader import HtmlTooLarge, blocks_of_html
from pagewise.outputs.latex_reader import blocks_of_latex, inside
from pagewise.tasks import Task

MOST_FORMULA = 20_000
# Share of a page's characters. A list of one column on a page with a heading has fewer.
REPEATED = 0.9


@dataclass(frozen=True, slots=True)
class PageBlocks:
    """`tasks`: those with results in the blocks. `notes`: the unreadable parts, in words."""

    number: int
    blocks: tuple[Block, ...] = ()
    tasks: tuple[Task, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class Read:
    blocks: list[Block] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def blocks_of(page: PageContents) -> PageBlocks:
    """document_parsing has all parts in place. Without it: the text, with recognized tables in the place of their
    lines, then formulas and fields where there is nothing else."""
    read = Read()
    if parsed := page.recognized(Task.DOCUMENT_PARSING):
        attempt(read, parsed, "latex")
    if not read.blocks:
        text_and_tables(page, read)
    if not read.blocks and (formula := page.recognized(Task.FORMULA_RECOGNITION)):
        read.blocks = formulas_of(text_of(formula, "latex"))
        read.tasks = [Task.FORMULA_RECOGNITION]
    if not read.blocks and (fields := page.recognized(Task.KEY_INFORMATION_EXTRACTION)):
        read.blocks = fields_of(fields)
        read.tasks = [Task.KEY_INFORMATION_EXTRACTION]
    return PageBlocks(page.number, tuple(read.blocks), tuple(dict.fromkeys(read.tasks)), tuple(read.notes))


def text_and_tables(page: PageContents, read: Read) -> None:
    if tables := page.recognized(Task.TABLE_PARSING):
        attempt(read, tables, "html")
    text = page.first_of(*TEXT_TASKS)
    if text is None or not text_of(text, "text").strip():
        return
    shown = text_of(text, "text")
    own = paragraphs(shown)
    found = [block for block in read.blocks if not repeats(block, shown)]
    read.blocks = placed_in(own, found) if found else own
    read.tasks.append(text.task)


def with_tables(page: PageContents, read: PageBlocks) -> PageBlocks:
    """The page's blocks with table_parsing's tables after them, where document_parsing has the text and no table."""
    tables = page.recognized(Task.TABLE_PARSING)
    if tables is None or Task.DOCUMENT_PARSING not in read.tasks or any(isinstance(one, Table) for one in read.blocks):
        return read
    more = Read()
    attempt(more, tables, "html")
    found = [block for block in more.blocks if isinstance(block, Table)]
    tasks = (*read.tasks, *more.tasks) if found else read.tasks
    return PageBlocks(read.number, (*read.blocks, *found), tasks, (*read.notes, *more.notes))


def repeats(block: Block, text: str) -> bool:
    """Whether a table is the page's text over again, in one column: engines answer so about pages without any table."""
    if not isinstance(block, Table) or block.columns > 1:
        return False
    cells = sum(len("".join(cell.text.split())) for cell in block.cells)
    return cells >= REPEATED * len("".join(text.split()))


def attempt(read: Read, result: Result, name: str) -> None:
    """A result's markup as blocks; as it is, with a note, where it is too large to be read."""
    source = text_of(result, name)
    try:
        if name not in result.output:  # the answer to an own prompt, in no markup that is known
            read.blocks += paragraphs(source)
        else:
            read.blocks += blocks_of_latex(source) if name == "latex" else blocks_of_html(source)
    except (HtmlTooLarge, TooManyCells) as error:
        read.notes.append(f"The table of page {result.page} is too large to be read ({error}).")
        return
    read.tasks.append(result.task)


def text_of(result: Result, name: str) -> str:
    return str(result.output.get(name) or result.output.get("text") or "")


def formulas_of(source: str) -> list[Block]:
    source = source.strip()
    if not source:
        return []
    parts = re.split(r"\n\s*\n", source) if len(source) < MOST_FORMULA else [source]
    return [
        Formula(inside(part.strip())) if len(part) < MOST_FORMULA else Verbatim(part) for part in parts if part.strip()
    ]


def fields_of(result: Result) -> list[Block]:
    fields = result.output.get("fields")
    if not isinstance(fields, dict):
        return paragraphs(text_of(result, "text"))
    return (
        [Paragraph((Span("\n".join(f"{name}: {shown(value)}" for name, value in fields.items())),))] if fields else []
    )


def shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, allow_nan=False)


# ── Tables among lines of text ───────────────────────────────────────────────────────────────────────────────────────


def placed_in(text: Sequence[Block], found: Sequence[Block]) -> list[Block]:
    """The text, with each table in place of the lines that are its cells; after it the tables without such lines.

    Lines are replaced only where the table holds all their words, and they hold most of the table's.
    """
    lines = [line for block in text for line in [*lines_of(block), ""]]
    placed: list[tuple[int, int, Block]] = []
    after: list[Block] = []
    start = 0
    for block in found:
        if not isinstance(block, Table):
            continue  # the text has it
        span = lines_of_table(lines, block, start)
        if span is None:
            after.append(block)
        else:
            placed.append((*span, block))
            start = span[1]
    blocks: list[Block] = []
    done = 0
    for first, last, table in placed:
        blocks += paragraphs("\n".join(lines[done:first]))
        blocks.append(table)
        done = last
    return [*blocks, *paragraphs("\n".join(lines[done:])), *after]


def words(text: str) -> list[str]:
    """Letters and digits of a text as words; characters of scripts without spaces each."""
    return re.findall(
        r"[\u2e80-\u9fff\uac00-\ud7af\u3040-\u30ff]|[^\W_\u2e80-\u9fff\uac00-\ud7af\u3040-\u30ff]+", text.lower()
    )


def lines_of_table(lines: Sequence[str], table: Table, start: int) -> tuple[int, int] | None:
    """The run of lines that holds the table: from one of its words' lines to the last that adds to it."""
    wanted = Counter(word for cell in table.cells for word in words(cell.text))
    total = sum(wanted.values())
    if not total:
        return None
    best: tuple[int, int, int] | None = None
    place = start
    while place < len(lines):
        if not within(lines[place], wanted):
            place += 1
            continue
        left, covered, end = Counter(wanted), 0, place
        while end < len(lines) and (not lines[end].strip() or within(lines[end], left)):
            here = words(lines[end])
            left.subtract(here)
            covered += len(here)
            end += 1
        if best is None or covered > best[2]:
            best = (place, end, covered)
        place = end + 1
    if best is None or best[2] < MOSTLY * total:
        return None
    return best[0], best[1]


MOSTLY = 0.8


def within(line: str, wanted: Counter[str]) -> bool:
    here = Counter(words(line))
    return bool(here) and all(wanted.get(word, 0) >= count for word, count in here.items())


# ── Running headers and footers ──────────────────────────────────────────────────────────────────────────────────────

EDGE_LINES = 2  # at either end of a page
LEAST_PAGES = 3


def running_lines(pages: Iterable[PageBlocks]) -> frozenset[str]:
    """Lines at the edges of pages that come again on at least three of them and at least half: page numbers aside."""
    counts: Counter[str] = Counter()
    seen = 0
    for page in pages:
        if page.blocks:
            seen += 1
            counts.update(set(edges(page)))
    return frozenset(line for line, count in counts.items() if count >= max(LEAST_PAGES, seen / 2))


def edges(page: PageBlocks) -> list[str]:
    lines = [line for block in page.blocks if not isinstance(block, Table) for line in lines_of(block)]
    return [normal for line in [*lines[:EDGE_LINES], *lines[-EDGE_LINES:]] if (normal := without_digits(line))]


def without_digits(line: str) -> str:
    return " ".join(re.sub(r"\d+", "#", line.lower()).split())


def without_running_lines(page: PageBlocks, running: frozenset[str]) -> PageBlocks:
    """Blocks at the page's edges without lines that come on every page; headings and paragraphs only."""
    blocks = list(page.blocks)
    for side in (0, -1):
        for _ in range(EDGE_LINES):
            if not blocks or not isinstance(blocks[side], Heading | Paragraph):
                break
            lines = plain(blocks[side].inline).splitlines()  # type: ignore[union-attr]
            if len(lines) > 1 and isinstance(blocks[side], Paragraph) and without_digits(lines[side]) in running:
                rest = lines[1:] if side == 0 else lines[:-1]
                blocks[side] = Paragraph((Span("\n".join(rest)),))
            elif len(lines) == 1 and without_digits(lines[0]) in running:
                blocks.pop(side)
            else:
                break
    return PageBlocks(page.number, tuple(blocks), page.tasks, page.notes)
