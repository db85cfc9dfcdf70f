"""table_parsing's HTML as blocks. Nothing but text, cells, spans and headings is taken from it: scripts, styles,
attributes and links stay behind.

libxml2 reads it with its own limits on; a table within a cell becomes that cell's text, so that the time grows with
the length alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from lxml import etree

from pagewise.outputs.blocks import Block, DrawnCell, Heading, Span, Table, laid_out, paragraphs

# Eight thousand tokens make 40 KB; libxml2's tree takes about fifteen times the text.
MOST_CHARACTERS = 4_000_000
# libxml2 stops at 256 elements, four to a nested table, and says nothing; no page nests ten.
MOST_DEPTH = 60
SILENT = frozenset({"script", "style", "head", "template", "noscript", "iframe", "object", "svg", "math", "select"})
BREAKS = frozenset(
    {"br", "p", "div", "li", "tr", "table", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "hr", "caption"}
)
CELLS = frozenset({"td", "th"})
TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)")
OPEN_ENDED = frozenset({"br", "hr", "img", "input", "meta", "link", "col", "wbr", "p", "li", "td", "th", "tr"})


class HtmlTooLarge(ValueError):
    """More HTML than any page has, or nested deeper."""


def blocks_of_html(source: str) -> list[Block]:
    """In the order of the source: tables, headings, and the text around them.

    Raises HtmlTooLarge, TooManyCells.
    """
    if len(source) > MOST_CHARACTERS:
        raise HtmlTooLarge(f"{len(source)} characters")
    if deepest(source) > MOST_DEPTH:
        raise HtmlTooLarge(f"nested more than {MOST_DEPTH} deep")
    if not source.strip():
        return []
    parser = etree.HTMLParser(
        encoding="utf-8", recover=True, no_network=True, remove_comments=True, remove_pis=True, huge_tree=False
    )
    clean = re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]", "", source)
    root = etree.fromstring(clean.encode(), parser)
    return list(blocks_in(root)) if root is not None else []


def deepest(source: str) -> int:
    """The depth of nested elements, whether or not they are closed in order."""
    depth = most = 0
    for closing, name in TAG.findall(source):
        if name.lower() in OPEN_ENDED:
            continue
        depth = max(0, depth - 1) if closing else depth + 1
        most = max(most, depth)
    return most


def blocks_in(root: etree._Element) -> Iterator[Block]:
    text: list[str] = []
    stack: list[tuple[etree._Element, bool]] = [(root, False)]
    while stack:
        element, left = stack.pop()
        name = name_of(element)
        if left:
            text.append("\n" if name in BREAKS else "")
            text.append(element.tail or "")
            continue
        table = table_of(element) if name == "table" else None
        if table is not None or (name[:1] == "h" and name[1:].isdigit()):
            yield from gathered(text)
            text = [element.tail or ""]
            if table is not None:
                yield table
            elif heading := text_in(element):
                yield Heading(min(int(name[1:]), 6), (Span(heading),))
            continue
        if name in SILENT:
            text.append(element.tail or "")
            continue
        text += ["\n" if name in BREAKS else "", element.text or ""]
        stack.append((element, True))
        stack.extend((child, False) for child in reversed(element))
    yield from gathered(text)


def gathered(text: list[str]) -> list[Block]:
    lines = [" ".join(line.split()) for line in "".join(text).splitlines()]
    return paragraphs("\n\n".join(line for line in lines if line))


def name_of(element: etree._Element) -> str:
    return element.tag.lower() if isinstance(element.tag, str) else ""


def table_of(element: etree._Element) -> Table | None:
    rows: list[list[DrawnCell]] = []
    caption = ""
    stack = [(part, False) for part in reversed(element)]
    while stack:
        part, head = stack.pop()
        name = name_of(part)
        if name == "caption":
            caption = text_in(part)
        elif name == "tr":
            rows.append([cell_of(cell, head) for cell in part if name_of(cell) in CELLS])
        elif name in CELLS:  # a cell without a row, as models write them
            rows[-1:] = [[*(rows[-1] if rows else []), cell_of(part, head)]]
        elif name in {"thead", "tbody", "tfoot"}:
            stack.extend((child, name == "thead") for child in reversed(part))
    rows = [row for row in rows if row]
    return laid_out(rows, caption) if rows else None


def cell_of(element: etree._Element, head: bool) -> DrawnCell:
    return DrawnCell(
        text_in(element), span(element.get("rowspan")), span(element.get("colspan")), head or name_of(element) == "th"
    )


def span(value: str | None) -> int:
    digits = (value or "").strip().strip("\"'")
    return int(digits) if digits.isdecimal() and len(digits) < 7 else 1


def text_in(element: etree._Element) -> str:
    """Its text and its children's, with line breaks where they begin."""
    parts: list[str] = []
    stack: list[tuple[etree._Element, bool]] = [(element, False)]
    while stack:
        part, left = stack.pop()
        name = name_of(part)
        if left:
            parts.append(("\n" if name in BREAKS and name != "br" else "") + (" " if name in CELLS else ""))
            if part is not element:
                parts.append(part.tail or "")
            continue
        if name in BREAKS:
            parts.append("\n")
        stack.append((part, True))
        if name not in SILENT:
            parts.append(part.text or "")
            stack.extend((child, False) for child in reversed(part))
    lines = (" ".join(line.split()) for line in "".join(parts).splitlines())
    return "\n".join(line for line in lines if line)
