"""Whether an answer repeats itself instead of reading on.

Equal lines are honest: a ledger has a hundred equal amounts, a form twenty equal rows, a contents page only dots. A
loop is told by the words of its copies and by the lack of other text beside them:

| the answer | the repeated part | a loop from | a warning from |
| --- | --- | --- | --- |
| ended by itself | a block: two or more lines with words, three different words in all | 15 copies | 5 copies |
| | one line, or row of a table, of three different words | 200 copies: more than a page holds | 50 copies |
| | inside one line, three different words | 30 copies | 8 copies |
| | one or two words | 500 copies | |
| | no letters: amounts, rules, dots, empty cells | never | |
| cut by the output limit | at its very end, three different words | 8 copies | |
| | at its very end, fewer words, or digits alone | 30 copies | |

An answer that ended by itself is a loop only where the copies are at least half of it: else the page was read on. In
Chinese, Japanese and Korean two letters count for a word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto

BLOCK_COPIES, LINE_COPIES, INSIDE_COPIES, POOR_COPIES = 15, 200, 30, 500
BLOCK_WARNS, LINE_WARNS, INSIDE_WARNS = 5, 50, 8
CUT_COPIES, CUT_POOR_COPIES, CUT_CHARACTERS = 8, 30, 40
RICH_WORDS = 3
LONGEST_BLOCK = 40
LEAST_SHARE = 0.5
# Rows as long as this, the longest few of them, are looked into: they may be loops without line breaks.
LONG_ROW, MOST_LONG_ROWS, LONGEST_INSIDE, TAIL_INSIDE = 200, 5, 500, 8_000
# Bounds on time: the tail of an answer in characters, a unit in characters, the rows of an answer.
TAIL, LONGEST_UNIT, MOST_ROWS = 24_000, 2_000, 20_000
FENCE = "```"
ROW_ENDS = re.compile(r"</(?:tr|p|li|h\d|caption)\s*>|\\\\|[{}]", re.IGNORECASE)
MARKUP = re.compile(r"<[^<>]{0,1000}>?|\\[a-zA-Z]+|&\w+;")
WORDS = re.compile(r"[^\W\d_]+")
DENSE = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3\uf900-\ufaff]")


class Repetition(Enum):
    NONE = auto()
    SOME = auto()
    """So much that a person should look."""
    LOOP = auto()


@dataclass(frozen=True, slots=True)
class Run:
    """Rows that follow each other over and over. `share` of the answer's characters."""

    unit: tuple[str, ...]
    copies: float
    share: float


def repetition(text: str, *, cut: bool) -> Repetition:
    """`cut`: by the output limit."""
    if cut:
        return Repetition.LOOP if loops_at_the_end(text) else Repetition.NONE
    found = list(rows(text))
    return max((weighed(run) for run in runs(found)), key=lambda weight: weight.value, default=Repetition.NONE)


def weighed(run: Run) -> Repetition:
    words = richness(" ".join(run.unit))
    lines = sum(richness(row) > 0 for row in run.unit)
    if words < RICH_WORDS:
        loops, warns = (POOR_COPIES if words else None), None
    elif lines >= 2:
        loops, warns = BLOCK_COPIES, BLOCK_WARNS
    else:
        loops, warns = LINE_COPIES, LINE_WARNS
    return judged(run, loops, warns)


def judged(run: Run, loops: int | None, warns: int | None) -> Repetition:
    if loops and run.copies >= loops and run.share >= LEAST_SHARE:
        return Repetition.LOOP
    return Repetition.SOME if warns and run.copies >= warns else Repetition.NONE


def richness(text: str) -> int:
    """The number of different words, two dense letters for a word."""
    words = {word.lower() for word in WORDS.findall(DENSE.sub(" ", text))}
    return len(words) + len(set(DENSE.findall(text))) // 2


def rows(text: str) -> Iterator[str]:
    """Lines of a text, rows of a table, objects of a JSON list, without markup and without the empty ones."""
    if "<tr" in text or text.lstrip().removeprefix("```json").lstrip().startswith(("{", "[")):
        text = text.replace("\n", " ")
    for line in ROW_ENDS.sub("\n", text).splitlines()[-MOST_ROWS:]:
        if row := " ".join(MARKUP.sub(" ", line).split()):
            yield row


def runs(found: Sequence[str]) -> Iterator[Run]:
    """The longest run for each length of a block, and those inside of long rows."""
    total = sum(map(len, found)) or 1
    numbers = {row: number for number, row in enumerate(found)}
    sequence = [numbers[row] for row in found]
    for length in range(1, min(LONGEST_BLOCK, len(found) // 2) + 1):
        end, size = longest(sequence, length)
        if size >= 2 * length and is_primitive(sequence[end - length : end]):
            covered = found[end - size : end]
            yield Run(tuple(covered[:length]), size / length, sum(map(len, covered)) / total)
    for row in sorted(found, key=len)[-MOST_LONG_ROWS:]:
        if len(row) >= LONG_ROW and (inside := inside_of(row, total)):
            yield inside


def is_primitive(unit: Sequence[int]) -> bool:
    """Whether a unit is not itself some copies of a shorter one: that is the unit then."""
    shorter = (length for length in range(1, len(unit)) if len(unit) % length == 0)
    return all(list(unit) != list(unit[:length]) * (len(unit) // length) for length in shorter)


def longest(sequence: Sequence[int], length: int) -> tuple[int, int]:
    """End and size of the longest stretch of rows that each equal the one `length` before."""
    best_end = best = same = 0
    for place in range(length, len(sequence)):
        same = same + 1 if sequence[place] == sequence[place - length] else 0
        if same > best:
            best_end, best = place + 1, same
    return best_end, best + length if best else 0


def inside_of(row: str, total: int) -> Run | None:
    """A loop without line breaks counts as one of blocks, at the ratio of the limits."""
    unit, copies = repeated_at_the_end(row[-TAIL_INSIDE:], INSIDE_WARNS, LONGEST_INSIDE)
    if richness(unit) < RICH_WORDS:
        return None
    as_lines = copies * LINE_COPIES / INSIDE_COPIES
    return Run((unit,), as_lines, copies * len(unit) / total)


def loops_at_the_end(text: str) -> bool:
    unit, copies = repeated_at_the_end(text, CUT_COPIES)
    if copies * len(unit) < CUT_CHARACTERS or not has_words(unit):
        return False
    rich = richness(MARKUP.sub(" ", unit)) >= RICH_WORDS
    return copies >= (CUT_COPIES if rich else CUT_POOR_COPIES)


def repeated_at_the_end(text: str, copies: int, longest_unit: int = LONGEST_UNIT) -> tuple[str, float]:
    """The shortest unit with so many copies at the text's end, and their number; empty if there is none."""
    tail = text[-TAIL:].removesuffix(FENCE).rstrip()
    for length in range(1, min(longest_unit, len(tail) // copies) + 1):
        place = len(tail) - 1
        while place >= length and tail[place] == tail[place - length]:
            place -= 1
        run = len(tail) - 1 - place + length
        if run >= copies * length:
            return tail[-length:], run / length
    return "", 0.0


def has_words(text: str) -> bool:
    """Whether there is text of the page: rules, dots and empty cells repeat on honest pages."""
    return any(letter.isalnum() for letter in MARKUP.sub("", text))
