"""Text of mixed directions, as the runs of a PDF.

Readers of PDFs take right-to-left text as it stands, unshaped characters from left to right, and turn it round again.
Runs are given in reading order, each with its position, so that a reader that follows the order of the file and one
that follows positions find the same. Characters that have no direction of their own, at the end of a right-to-left
run, are a run of theirs: pypdf would count them to the run before.

Levels are those of Unicode's bidirectional algorithm (UAX 9), by python-bidi. Brackets keep their character: poppler
and pypdf do not mirror them back. (pdfium does, and gives such a bracket as its counterpart.)
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from bidi import algorithm

from pagewise.outputs.invisible_font import width

RIGHT_TO_LEFT = frozenset({"R", "AL", "RLE", "RLO", "RLI"})
STRONG = frozenset({"L", "R", "AL", "EN", "AN"})


@dataclass(frozen=True, slots=True)
class Run:
    """Characters from left to right, and the width to their left on the line, in thousandths of an em."""

    text: str
    before: int


def runs_of(text: str) -> list[Run]:
    """In reading order; one run where nothing is written from right to left."""
    if text.isascii() or not any(unicodedata.bidirectional(letter) in RIGHT_TO_LEFT for letter in text):
        return [Run(text, 0)]
    text = "".join(letter for letter in text if unicodedata.category(letter) != "Cf" or letter in "\u200c\u200d")
    levels = levels_of(text)
    places: dict[int, int] = {}
    before = 0
    for index in visual_order(levels):
        places[index] = before
        before += width(text[index])
    runs = []
    for run in parted(text, levels):
        shown = reversed(run) if levels[run[0]] % 2 else run
        runs.append(Run("".join(text[index] for index in shown), min(places[index] for index in run)))
    return runs


def levels_of(text: str) -> list[int]:
    storage = algorithm.get_empty_storage()
    storage["base_level"] = algorithm.get_base_level(text)
    storage["base_dir"] = "LR"[storage["base_level"]]
    algorithm.get_embedding_levels(text, storage)
    algorithm.explicit_embed_and_overrides(storage)
    algorithm.resolve_weak_types(storage)
    algorithm.resolve_neutral_types(storage, debug=False)
    algorithm.resolve_implicit_levels(storage, debug=False)
    levels = [int(character["level"]) for character in storage["chars"]]
    # Characters that the algorithm takes out (none are left by now) would shift the rest.
    return levels if len(levels) == len(text) else [storage["base_level"]] * len(text)


def visual_order(levels: Sequence[int]) -> list[int]:
    """Indices from left to right (rule L2): from the highest level down, each stretch of at least that is turned."""
    order = list(range(len(levels)))
    for level in range(max(levels, default=0), 0, -1):
        start = 0
        while start < len(order):
            if levels[order[start]] < level:
                start += 1
                continue
            end = start
            while end < len(order) and levels[order[end]] >= level:
                end += 1
            order[start:end] = reversed(order[start:end])
            start = end
    return order


def parted(text: str, levels: Sequence[int]) -> list[list[int]]:
    """Indices of characters of one level, in reading order; a right-to-left run's neutral end apart."""
    parts: list[list[int]] = []
    for index, level in enumerate(levels):
        if parts and levels[parts[-1][-1]] == level:
            parts[-1].append(index)
        else:
            parts.append([index])
    split: list[list[int]] = []
    for part in parts:
        end = len(part)
        while (
            levels[part[0]] % 2 and end > 0 and unicodedata.bidirectional(text[part[end - 1]]) not in STRONG | {"NSM"}
        ):
            end -= 1
        split += [piece for piece in (part[:end], part[end:]) if piece]
    return split
