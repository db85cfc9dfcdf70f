"""The document as Markdown (CommonMark with GitHub's tables). Formulas stay LaTeX between dollars. A table with merged
cells is HTML: Markdown has no form for it, and takes HTML."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from pagewise.outputs.blocks import Block, Formula, Heading, Inline, Listing, Paragraph, Style, Table, Verbatim, mark_of
from pagewise.outputs.page_blocks import PageBlocks

SPECIAL = re.compile(r"([\\`*_\[\]$~])")
ENTITY = re.compile(r"&(?=#?\w+;)")
LINE_START = re.compile(r"^(\s*)(#{1,6}(?=\s|$)|[-+>=](?=\s|$)|={2,}|-{2,}|>)", re.MULTILINE)
NUMBERED = re.compile(r"^(\s*\d{1,9})([.)])(?=\s|$)", re.MULTILINE)
STYLES = {Style.BOLD: "**", Style.ITALIC: "*"}


def begin(title: str) -> str:
    del title
    return ""


def page_start(number: int) -> str:
    return f"<!-- page {number} -->\n\n"


def page_note(number: int, note: str) -> str:
    return f"> **Page {number}:** {escaped(note)}\n\n"


def page(read: PageBlocks) -> Iterator[str]:
    for block in read.blocks:
        yield block_text(block) + "\n\n"


def end() -> str:
    return ""


def block_text(block: Block) -> str:
    match block:
        case Heading():
            return "#" * min(block.level, 6) + " " + " ".join(inline_text(block.inline).split())
        case Paragraph():
            return inline_text(block.inline).replace("\n", "  \n")
        case Listing():
            return listing(block)
        case Formula():
            return f"$$\n{block.latex.replace('$$', '')}\n$$"
        case Verbatim():
            return fenced(block.text)
        case Table():
            return table_text(block)


def inline_text(inline: Inline) -> str:
    parts = []
    for span in inline:
        if span.style is Style.FORMULA:
            parts.append(f"${span.text}$")
        elif span.style is Style.CODE:
            ticks = "`" * (longest_ticks(span.text) + 1)
            parts.append(f"{ticks} {span.text} {ticks}" if "`" in span.text else f"`{span.text}`")
        else:
            text = escaped(span.text)
            mark = STYLES.get(span.style, "")
            inner = text.strip()
            parts.append(text.replace(inner, f"{mark}{inner}{mark}", 1) if mark and inner else text)
    return "".join(parts)


def escaped(text: str) -> str:
    text = ENTITY.sub("&amp;", SPECIAL.sub(r"\\\1", text)).replace("<", "&lt;")
    return NUMBERED.sub(r"\1\\\2", LINE_START.sub(r"\1\\\2", text))


def longest_ticks(text: str) -> int:
    return max(map(len, re.findall(r"`+", text)), default=0)


def fenced(text: str) -> str:
    fence = "`" * max(3, longest_ticks(text) + 1)
    return f"{fence}\n{text}\n{fence}"


def listing(block: Listing) -> str:
    lines = []
    for number, entry in enumerate(block.entries):
        mark = f"{number + 1}." if block.ordered else "-"
        label = f"**{escaped(mark_of(block, number))}** " if block.labels and block.labels[number] else ""
        text = "\n\n".join(map(block_text, entry))
        first, *rest = (label + text).splitlines() or [""]
        lines.append(f"{mark} {first}".rstrip())
        lines += [(" " * (len(mark) + 1) + line).rstrip() for line in rest]
    return "\n".join(lines)


def table_text(table: Table) -> str:
    caption = f"**{' '.join(escaped(table.caption).split())}**\n\n" if table.caption else ""
    if any(cell.row_span > 1 or cell.column_span > 1 for cell in table.cells):
        return caption + html_table(table)
    rows = [[cell_text(text) for text in row] for row in table.grid()]
    ruled = [rows[0], ["---"] * table.columns, *rows[1:]]
    return caption + "\n".join("| " + " | ".join(row) + " |" for row in ruled)


def cell_text(text: str) -> str:
    return "<br>".join(
        re.sub(r"\\\$(.+?)\\\$", r"$\1$", escaped(line)).replace("|", r"\|") for line in text.splitlines()
    )


def html_table(table: Table) -> str:
    lines = ["<table>"]
    for row in table.by_row():
        cells = []
        for cell in row:
            name = "th" if cell.header else "td"
            spans = f' rowspan="{cell.row_span}"' * (cell.row_span > 1) + f' colspan="{cell.column_span}"' * (
                cell.column_span > 1
            )
            cells.append(f"<{name}{spans}>{'<br>'.join(map(html.escape, cell.text.splitlines()))}</{name}>")
        lines.append(f"<tr>{''.join(cells)}</tr>")
    return "\n".join([*lines, "</table>"])
