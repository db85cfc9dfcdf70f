"""The document as plain text."""

from __future__ import annotations

from collections.abc import Iterator

from pagewise.outputs.blocks import lines_of
from pagewise.outputs.page_blocks import PageBlocks


def begin(title: str) -> str:
    del title
    return ""


def page_start(number: int) -> str:
    return f"--- page {number} ---\n\n"


def page_note(number: int, note: str) -> str:
    return f"[page {number}: {note}]\n\n"


def page(read: PageBlocks) -> Iterator[str]:
    for block in read.blocks:
        yield "\n".join(lines_of(block)) + "\n\n"


def end() -> str:
    return ""
