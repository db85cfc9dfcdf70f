"""Several lines as one text."""

from __future__ import annotations

from collections.abc import Iterable

from local.engine.recognition.page import Line


def joined(lines: Iterable[Line]) -> str:
    """Lines as one text, from the top; Chinese and Japanese go on without a space."""
    text = ""
    ordered = sorted(lines, key=lambda line: line.box.centre[1])
    rows: list[list[Line]] = []
    for line in ordered:
        if rows and line.box.centre[1] - rows[-1][0].box.centre[1] < 0.5 * line.box.height:
            rows[-1].append(line)
        else:
            rows.append([line])
    for line in (line for row in rows for line in sorted(row, key=lambda one: one.box.left)):
        spaceless = not text or (text[-1] > "\u2e80" and line.text[:1] > "\u2e80" and not "가" <= text[-1] <= "힣")
        text += ("" if spaceless else " ") + line.text
    return text
