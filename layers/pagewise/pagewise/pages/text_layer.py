"""A PDF page's own text, where it is sound: all that the page shows, drawn as text, in characters that mean its glyphs.

Nothing here reads the picture; so any sign against the text leaves the page to the engine:

| fault | sign |
| --- | --- |
| part of it is a picture, a drawing, a form's field | a picture, a curve or slanted line, an annotation but a link |
| an earlier OCR under a scan, hidden text | render mode, no opacity, no contrast in the page image behind a glyph |
| covered text (a black bar) | no contrast there |
| glyphs without a meaning | no code known, private use, control and replacement characters |
| glyphs with a wrong meaning | letters' heights, vowels, scripts mixed in words, rare ideographs |
| text that lies sideways, upside down or askew | characters that do not follow each other to the right |
| writing that runs to the left, and scripts without such a check | refused |
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from statistics import median
from typing import TYPE_CHECKING, Any

from pagewise.geometry import corners_of, longer_side_first, shown
from pagewise.pages.png import Raster

if TYPE_CHECKING:
    from PIL.Image import Image

GRID = 100_000
UNKNOWN, UNSEEN, ADDED, HYPHEN = 1, 2, 4, 8
# On less text the checks of letters are worth nothing.
FEWEST = 30
# Grey levels: light grey on white, the palest that a reader prints.
CONTRAST = 40
# Parts of all characters, or words, that may be out of order: a raised mark, a stroke thinner than a pixel.
STRAY = 0.01
GAP, SPACE, STRIP = 1.5, 0.25, 0.7  # in heights of the line: to another piece, to another word, between columns
OVERLAP = 0.35  # of the height: slanted letters reach into each other
SENTENCE = 20  # characters of a line in a column of text, in the middle
SHARED_ROWS = 4  # of a head over all columns, and of a foot under them
MOST_BESIDE = 3
ENOUGH = 20  # letters: from here on a share of them can be judged
# Part of the letters that may be of fonts with fewer: a headline of other letters than it shows would not be noticed.
UNJUDGED = 0.02
VOWELS = frozenset("aeiouyаеёиоуыэюяіїєαεηιουω")
VOWEL_SHARES = (0.22, 0.62)
# Vietnamese has a third; a Cyrillic text that was taken for Latin-1 has no other letters.
MOST_ACCENTED = 0.4
UTF8_AS_LATIN = re.compile(r"[ÃÂâ][\u0080-\u00bf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]")
LOW = frozenset("acemnorsuvwxzасегкмнопстхяωαεοσυν")
HIGH = frozenset("bdhklABCDEFGHIKLMNOPRSTUVWXYZАБВГЕЖЗИКЛМНОПРСТУХЧШЯ0123456789")
DEEP = frozenset("gpqyру")
HIGHER, DEEPER = 1.08, 0.12  # than low letters: by times, and by parts of their height
COMMON = ("gb2312", "big5", "shift_jis", "euc_kr")


@dataclass(frozen=True, slots=True)
class Glyph:
    """A character where it is shown, in pixels of the page image."""

    text: str
    left: float
    top: float
    right: float
    bottom: float
    font: int

    @property
    def height(self) -> float:
        return self.bottom - self.top

    @property
    def middle(self) -> float:
        return (self.top + self.bottom) / 2


@dataclass(frozen=True, slots=True)
class TextLine:
    text: str
    left: float
    top: float
    right: float
    bottom: float

    def shown(self) -> dict[str, Any]:
        """The line in the form of advanced_recognition."""
        width, height = self.right - self.left, self.bottom - self.top
        rect = (self.left + width / 2, self.top + height / 2, width, height, 0.0)
        corners = [side for corner in corners_of(rect) for side in corner]
        return {"text": self.text, "location": shown(corners), "rotate_rect": shown(longer_side_first(rect))}


def sound_lines(found: Mapping[str, Any], raster: Raster) -> tuple[TextLine, ...] | None:
    """The page's lines in reading order, or None with any sign against them. `found` as pdfium.py has it."""
    if any(found["others"][name] for name in ("annotations", "pictures", "drawings")):
        return None
    rows = found["characters"]
    drawn = [row for row in rows if not row[7] & ADDED and not chr(row[0]).isspace()]
    if len(drawn) < FEWEST or any(row[7] & (UNKNOWN | UNSEEN) or row[5] % 90 for row in drawn):
        return None
    runs = [list(run) for run in runs_of(rows, raster)]
    glyphs = [glyph for run in runs for glyph in run]
    if not (means_something(glyphs) and is_shown(glyphs, raster) and runs_right(runs)):
        return None
    rows = rows_of([word_of(piece) for run in runs for piece in pieces_of(run)])
    if any(map(overlaps, rows)):
        return None
    lines = in_order([line for row in rows for line in parted(row)])
    return tuple(lines) if lines and reads(lines) and fonts_are_sound(runs) else None


# ── from characters to lines ─────────────────────────────────────────────────────────────────────────────────────────


def runs_of(rows: Sequence[Sequence[int]], raster: Raster) -> Iterator[Iterator[Glyph]]:
    """Glyphs that follow each other in the file without a blank between."""
    across, down = raster.width / GRID, raster.height / GRID
    for blank, run in groupby(rows, key=lambda row: bool(row[7] & ADDED) or chr(row[0]).isspace()):
        if not blank:
            yield (
                Glyph("-" if row[7] & HYPHEN else chr(row[0]), row[1] * across, row[2] * down, row[3] * across,
                      row[4] * down, row[6])
                for row in run
            )  # fmt: skip


def pieces_of(run: Sequence[Glyph]) -> Iterator[list[Glyph]]:
    """A run, parted where a glyph does not follow the one before it."""
    piece: list[Glyph] = []
    for glyph in run:
        if piece and not follows(piece[-1], glyph):
            yield piece
            piece = []
        piece.append(glyph)
    if piece:
        yield piece


def follows(one: Glyph, other: Glyph) -> bool:
    size = max(one.height, other.height)
    level = min(one.bottom, other.bottom) - max(one.top, other.top) > -0.6 * size
    return level and -0.2 * size < other.left - one.right < SPACE * 2 * size


def overlaps(row: Sequence[TextLine]) -> bool:
    """Whether words stand on each other: one of them is not seen, or neither can be read."""
    return any(word.left < before.right - OVERLAP * (word.bottom - word.top) for before, word in pairwise(row))


def word_of(piece: Sequence[Glyph]) -> TextLine:
    text = "".join(glyph.text for glyph in piece)
    return TextLine(text, piece[0].left, min(glyph.top for glyph in piece), max(glyph.right for glyph in piece),
                    max(glyph.bottom for glyph in piece))  # fmt: skip


def is_level(one: TextLine, other: TextLine) -> bool:
    common = min(one.bottom, other.bottom) - max(one.top, other.top)
    return common > 0.4 * min(one.bottom - one.top, other.bottom - other.top)


def parted(row: Sequence[TextLine]) -> Iterator[TextLine]:
    """A row as lines: parted at gaps that no line has."""
    height = max(word.bottom - word.top for word in row)
    line = [row[0]]
    for before, word in pairwise(row):
        if word.left - before.right > GAP * height:
            yield line_of(line)
            line = []
        line.append(word)
    yield line_of(line)


def line_of(words: Sequence[TextLine]) -> TextLine:
    height = median(word.bottom - word.top for word in words)
    text = words[0].text
    for before, word in pairwise(words):
        apart = word.left - before.right > 0.08 * height and not (is_wide(before.text[-1]) and is_wide(word.text[0]))
        text += (" " if apart else "") + word.text
    return TextLine(
        text,
        words[0].left,
        min(word.top for word in words),
        max(word.right for word in words),
        max(word.bottom for word in words),
    )


def in_order(lines: Sequence[TextLine]) -> list[TextLine] | None:
    """From top to bottom; columns of sentences one after the other, under the head and over the foot that they share.
    None where sentences stand side by side and no strip parts them: their order would be a guess."""
    rows = rows_of(lines)
    for above in range(min(SHARED_ROWS, len(rows) - 1) + 1):
        for below in range(min(SHARED_ROWS, len(rows) - 1 - above) + 1):
            inner = [line for row in rows[above : len(rows) - below] for line in row]
            columns = columns_of(inner)
            if len(columns) > 1:
                parts = [in_order(column) for column in columns]
                if None in parts:
                    return None
                head = [line for row in rows[:above] for line in row]
                foot = [line for row in rows[len(rows) - below :] for line in row]
                return [*head, *(line for part in parts for line in part or ()), *foot]
    beside = [sum(len(line.text) >= SENTENCE for line in row) > 1 for row in rows]
    return None if sum(beside) >= MOST_BESIDE else [line for row in rows for line in row]


def rows_of(lines: Sequence[TextLine]) -> list[list[TextLine]]:
    rows: list[list[TextLine]] = []
    for line in sorted(lines, key=lambda line: (line.top + line.bottom) / 2):
        if rows and is_level(rows[-1][0], line):
            rows[-1].append(line)
        else:
            rows.append([line])
    return [sorted(row, key=lambda line: line.left) for row in rows]


def columns_of(lines: Sequence[TextLine]) -> list[list[TextLine]]:
    """The groups of lines on the sides of an empty strip, if each has sentences: a table's columns have none."""
    height = median(line.bottom - line.top for line in lines)
    ranged = sorted(lines, key=lambda line: line.left)
    groups, end = [[ranged[0]]], ranged[0].right
    for line in ranged[1:]:
        if line.left - end > STRIP * height:
            groups.append([])
        groups[-1].append(line)
        end = max(end, line.right)
    sentences = all(median(map(letters_of, rows_of(group))) >= SENTENCE for group in groups)
    return groups if sentences else [list(lines)]


def letters_of(row: Sequence[TextLine]) -> int:
    return sum(len(line.text) for line in row)


def as_text(lines: Sequence[TextLine]) -> str:
    """A row's pieces in one line, as the engine reads them."""
    text = lines[0].text if lines else ""
    for before, line in pairwise(lines):
        text += (" " if line.left >= before.right and is_level(before, line) else "\n") + line.text
    return text


# ── signs against it ─────────────────────────────────────────────────────────────────────────────────────────────────


def means_something(glyphs: Sequence[Glyph]) -> bool:
    """Whether all are characters of a script that is judged here."""
    return all(
        unicodedata.category(glyph.text)[0] != "C" and glyph.text != "\ufffd" and script(glyph.text) for glyph in glyphs
    )


def script(letter: str) -> str | None:
    """None: of a script without a check."""
    code = ord(letter)
    if not letter.isalpha():
        return "none" if unicodedata.bidirectional(letter) not in {"R", "AL", "AN"} else None
    for name, first, last in SCRIPTS:
        if first <= code <= last:
            return name
    return None


SCRIPTS = (
    ("latin", 0x41, 0x24F),
    ("greek", 0x370, 0x3FF),
    ("cyrillic", 0x400, 0x52F),
    ("latin", 0x1E00, 0x1EFF),
    ("wide", 0x3005, 0x30FF),
    ("wide", 0x3400, 0x9FFF),
    ("wide", 0xAC00, 0xD7A3),
    ("latin", 0xFB00, 0xFB06),
    ("wide", 0xFF66, 0xFF9F),
)


def is_wide(letter: str) -> bool:
    return script(letter) == "wide" or unicodedata.east_asian_width(letter) in {"W", "F"}


def is_shown(glyphs: Sequence[Glyph], raster: Raster) -> bool:
    """Whether the page image has a mark where each glyph should be."""
    grey = grey_of(raster)
    unseen = [not has_contrast(grey, glyph) for glyph in glyphs]
    return sum(unseen) <= STRAY * len(glyphs) and not any(one and other for one, other in pairwise(unseen))


def grey_of(raster: Raster) -> Image:
    return raster.image().convert("L")


def has_contrast(grey: Image, glyph: Glyph) -> bool:
    left, top, right, bottom = int(glyph.left) - 1, int(glyph.top) - 1, int(glyph.right) + 2, int(glyph.bottom) + 2
    if left < -2 or top < -2 or right > grey.width + 2 or bottom > grey.height + 2:
        return False
    part = grey.crop((max(left, 0), max(top, 0), min(right, grey.width), min(bottom, grey.height)))
    levels = [level for level, pixels in enumerate(part.histogram()) if pixels]
    return levels[-1] - levels[0] >= CONTRAST if levels else False


def runs_right(runs: Sequence[Sequence[Glyph]]) -> bool:
    """Whether letters follow each other to the right, none on top of another."""
    pairs = [pair for run in runs for pair in pairwise(run)]
    upright = sum(follows(one, other) for one, other in pairs)
    return upright >= (1 - STRAY) * len(pairs) - 1


def reads(lines: Sequence[TextLine]) -> bool:
    """Whether the words are such as people write."""
    text = " ".join(line.text for line in lines)
    words = text.split()
    letters = [letter for letter in text if letter.isalpha()]
    if len(letters) < 0.3 * len(text.replace(" ", "")) or UTF8_AS_LATIN.search(text):
        return False
    if sum(is_mixed(word) for word in words) > STRAY * len(words):
        return False
    latin = [letter for letter in letters if script(letter) == "latin"]
    if sum(not letter.isascii() for letter in latin) > MOST_ACCENTED * len(latin):
        return False
    wide = [letter for letter in letters if script(letter) == "wide"]
    return not wide or any(sum(has_code(letter, code) for letter in wide) >= 0.97 * len(wide) for code in COMMON)


def is_mixed(word: str) -> bool:
    """Letters of two scripts in one word."""
    return len({script(letter) for letter in word if letter.isalpha()} - {"wide"}) > 1


def has_code(letter: str, code: str) -> bool:
    try:
        return bool(letter.encode(code))
    except UnicodeEncodeError:
        return False


def fonts_are_sound(runs: Sequence[Sequence[Glyph]]) -> bool:
    """Each font by itself: one may be right and another not."""
    fonts: dict[int, list[list[Glyph]]] = {}
    for run in runs:
        for font, part in groupby(run, key=lambda glyph: glyph.font):
            fonts.setdefault(font, []).append(list(part))
    letters = {font: sum(glyph.text.isalpha() for part in parts for glyph in part) for font, parts in fonts.items()}
    unjudged = sum(count for count in letters.values() if count < ENOUGH)
    if unjudged > UNJUDGED * sum(letters.values()):
        return False
    return all(vowels_are_sound(parts) and heights_are_sound(parts) for parts in fonts.values())


def vowels_are_sound(parts: Sequence[Sequence[Glyph]]) -> bool:
    plain = [unicodedata.normalize("NFD", glyph.text.lower())[0] for part in parts for glyph in part]
    letters = [letter for letter in plain if letter.isalpha() and script(letter) != "wide"]
    if len(letters) < ENOUGH:
        return True
    least, most = VOWEL_SHARES
    return least <= sum(letter in VOWELS for letter in letters) / len(letters) <= most


def heights_are_sound(parts: Sequence[Sequence[Glyph]]) -> bool:
    """Whether letters are as high and as deep as they are written: a `b` higher than an `a`, a `p` deeper."""
    right = wrong = 0
    for part in parts:
        low = [glyph for glyph in part if glyph.text in LOW]
        if not low:
            continue
        height, base = median(glyph.height for glyph in low), median(glyph.bottom for glyph in low)
        for glyph in part:
            if glyph.text in HIGH and glyph not in low:
                tall = base - glyph.top > HIGHER * height
                right, wrong = right + tall, wrong + (not tall)
            elif glyph.text in DEEP:
                deep = glyph.bottom - base > DEEPER * height
                right, wrong = right + deep, wrong + (not deep)
    return wrong <= 0.06 * (right + wrong) + 1
