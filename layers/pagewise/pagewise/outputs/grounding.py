"""The position of a field's value: the line, or the lines, of advanced_recognition that hold it.

A value that no line holds has no position: none is ever made up. Numbers are compared as numbers and dates as dates, so
that 7.00 is found in RM7.00 and 2018-05-14 in 14 MAY 2018. Where several lines hold it, the one beside or below words
of the field's name is taken, then the one that holds little else.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from typing import Any

from rapidfuzz import fuzz

from pagewise import geometry
from pagewise.geometry import Point

# Scores of a hundred. A word with one misread letter in eight is still the same; a shorter one with it is another.
ALIKE, ALIKE_IF_SHORT = 88.0, 95.0
SHORT = 8
LONGEST_DATE = 30  # a part of an address can look like one
MOST_LINES = 12  # that a value stands on
MOST_DOCUMENT_LINES = 2_000
MOST_VALUE = 2_000

MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "january jan januar janvier enero gennaio januari",
            "february feb februar février febrero febbraio februari",
            "march mar märz mars marzo maart", "april apr avril abril aprile", "may mai mayo maggio mei",
            "june jun juni juin junio giugno", "july jul juli juillet julio luglio",
            "august aug août agosto augustus", "september sep sept septembre septiembre settembre",
            "october oct oktober okt octobre octubre ottobre", "november nov novembre noviembre",
            "december dec dezember dez décembre diciembre dicembre",
        ),
        1,
    )
    for name in names.split()
}  # fmt: skip
NUMBER = re.compile(r"\d{1,3}(?: \d{3})+(?:[.,]\d+)?(?!\d)|\d[\d.,'’]*\d|\d")
DATE_NUMBERS = re.compile(r"(?<!\d)(\d{1,4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,4})(?!\d)")
DATE_WORDS = re.compile(r"(?<!\d)(\d{1,2})(?:st|nd|rd|th|\.)?[\s\-/.]*([^\W\d_]{3,10})\.?[\s,\-/.]*(\d{4}|\d{2})(?!\d)")
DATE_WORDS_FIRST = re.compile(r"([^\W\d_]{3,10})\.?\s*(\d{1,2})(?:st|nd|rd|th)?\s*,?\s+(\d{4})(?!\d)")

Date = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Line:
    number: int
    text: str
    normal: str
    corners: tuple[Point, ...] | None

    @property
    def box(self) -> tuple[float, float, float, float]:
        xs, ys = [x for x, _ in self.corners or ((0, 0),)], [y for _, y in self.corners or ((0, 0),)]
        return min(xs), min(ys), max(xs), max(ys)


@dataclass(frozen=True, slots=True)
class Place:
    """Lines by number, their text, the quadrilateral around them; `score` of a hundred; `match`: its evidence."""

    lines: tuple[int, ...]
    text: str
    location: tuple[float, ...]
    score: float
    match: str


def lines_of(lines: Sequence[Mapping[str, Any]]) -> list[Line]:
    found = []
    for number, line in enumerate(lines[:MOST_DOCUMENT_LINES], 1):
        text = str(line.get("text") or "")
        location = geometry.numbers(line.get("location"), 8)
        found.append(Line(number, text, normal(text), tuple(geometry.pairs(location)) if location else None))
    return [line for line in found if line.normal and line.corners]


def normal(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(re.sub(r"[^\w]+", " ", folded).split())


def place_of(name: str, value: Any, lines: Sequence[Line]) -> Place | None:
    text = str(value).strip()
    if isinstance(value, bool) or not text or len(text) > MOST_VALUE or not normal(text):
        return None
    return within_one_line(name, text, lines) or over_lines(text, lines)


# ── In one line ──────────────────────────────────────────────────────────────────────────────────────────────────────


def within_one_line(name: str, value: str, lines: Sequence[Line]) -> Place | None:
    wanted, amount = normal(value), amount_of(value)
    dates = dates_in(value) if len(wanted) <= LONGEST_DATE else set()
    found: list[tuple[float, str, Line]] = []
    for line in lines:
        if told := held(wanted, dates, amount, line):
            found.append((*told, line))  # noqa: PERF401  # as a comprehension it is a riddle
    if not found:
        return None
    best = max(score for score, _, _ in found)
    close = [one for one in found if one[0] >= best - 3]
    score, match, line = max(
        close, key=lambda one: (near_name(name, one[2], lines), one[0], fullness(wanted, one[2]), -one[2].number)
    )
    return placed([line], score, match)


def held(  # noqa: PLR0911  # a list of tests, each with its answer
    wanted: str, dates: set[Date], amount: str | None, line: Line
) -> tuple[float, str] | None:
    # 7 00 within 17 00, or 1 7 00 out of 1.7.00, is another number.
    whole = not amount or has_letters(wanted) or amount in amounts_in(line.text)
    if whole and f" {wanted} " in f" {line.normal} ":
        return 100.0, "text"
    if dates:
        return (99.0, "date") if dates & dates_in(line.text) else None
    if amount:
        return (98.0, "number") if amount in amounts_in(line.text) else None
    if unspaced(wanted) and unspaced(wanted) in unspaced(line.normal):
        return (97.0, "text") if len(unspaced(wanted)) >= 4 or not wanted.isascii() else None
    if any(map(str.isdigit, wanted)) and digits(wanted) not in digits(line.normal):
        return None  # alike, but another number
    if len(wanted) < 4 or len(line.normal) < 0.8 * len(wanted):
        return None
    score = fuzz.partial_ratio(wanted, line.normal)
    return (min(score, 96.0), "alike") if score >= (ALIKE_IF_SHORT if len(wanted) < SHORT else ALIKE) else None


def has_letters(text: str) -> bool:
    return any(map(str.isalpha, text))


def unspaced(text: str) -> str:
    return text.replace(" ", "")


def digits(text: str) -> str:
    return "".join(filter(str.isdigit, text))


def fullness(wanted: str, line: Line) -> float:
    return min(len(wanted), len(line.normal)) / max(len(wanted), len(line.normal), 1)


def near_name(name: str, line: Line, lines: Sequence[Line]) -> float:
    """The likeness of the line, or one left of it in its row or right above it, to the field's name: 0 to 100."""
    label = normal(re.sub(r"(?<=[a-z])(?=[A-Z])|[_\-.]|\[\d+\]", " ", name))
    if not label:
        return 0.0
    left, top, right, bottom = line.box
    high = max(bottom - top, 1.0)
    best = label_score(label, line.normal)
    for other in lines:
        if other is line:
            continue
        x1, y1, x2, y2 = other.box
        beside = x1 < left and min(bottom, y2) - max(top, y1) > 0.4 * min(high, max(y2 - y1, 1.0))
        above = y2 <= top + high * 0.4 and top - y2 < 1.2 * high and min(right, x2) - max(left, x1) > 0
        if beside or above:
            best = max(best, label_score(label, other.normal) - (0 if beside else 5))
    return best if best >= 70 else 0.0


def label_score(label: str, text: str) -> float:
    if len(text) < 2:
        return 0.0
    words, there = label.split(), text.split()
    whole = sum(any(fuzz.ratio(word, other) >= 85 for other in there) for word in words) / len(words)
    # "total" is nearer to TOTAL than to TOTAL DISCOUNT ITEMS.
    return 100.0 * whole - min(len(there), 8)


# ── Over several lines ───────────────────────────────────────────────────────────────────────────────────────────────


def over_lines(value: str, lines: Sequence[Line]) -> Place | None:
    """Lines that follow each other and together are the value, such as an address."""
    wanted = normal(value)
    if len(wanted) < 6:
        return None
    parts = [line for line in lines if is_part(line, wanted)]
    best: tuple[float, list[Line]] | None = None
    for start, end in product(range(len(parts)), range(2, MOST_LINES + 1)):
        run = parts[start : start + end]
        if len(run) < end or not adjoining(run):
            continue
        score = fuzz.ratio(unspaced(wanted), unspaced("".join(line.normal for line in run)))
        if best is None or score > best[0]:
            best = score, run
    if best is None or best[0] < ALIKE:
        return None
    return placed(best[1], round(best[0], 1), "lines")


def is_part(line: Line, wanted: str) -> bool:
    """Whether all of the line is in the value, but for some of its first or last line."""
    text, whole = unspaced(line.normal), unspaced(wanted)
    if text in whole:
        return True
    return len(text) >= 4 and fuzz.partial_ratio(text, whole) >= 80


def adjoining(run: Sequence[Line]) -> bool:
    """Whether each is beside or right below the one before."""
    for before, line in pairwise(run):
        _, top, _, bottom = before.box
        x1, y1, _, y2 = line.box
        high = max(bottom - top, y2 - y1, 1.0)
        if y1 - bottom > 1.5 * high or top - y1 > 1.5 * high:
            return False
        del x1
    return True


def placed(lines: Sequence[Line], score: float, match: str) -> Place:
    text = "\n".join(line.text for line in lines)
    numbers = tuple(line.number for line in lines)
    if len(lines) == 1 and lines[0].corners:
        return Place(numbers, text, tuple(value for corner in lines[0].corners for value in corner), score, match)
    boxes = [line.box for line in lines]
    left, top = min(box[0] for box in boxes), min(box[1] for box in boxes)
    right, bottom = max(box[2] for box in boxes), max(box[3] for box in boxes)
    return Place(numbers, text, (left, top, right, top, right, bottom, left, bottom), score, match)


# ── Numbers and dates ────────────────────────────────────────────────────────────────────────────────────────────────


def amount_of(value: str) -> str | None:
    """The one number that a value is, with at most a currency or unit around it; None if it is more."""
    found = amounts_in(value)
    if len(found) != 1 or len(NUMBER.findall(value)) != 1:
        return None
    around = re.sub(NUMBER, "", unicodedata.normalize("NFKC", value))
    return next(iter(found)) if sum(map(str.isalpha, around)) <= 4 else None


def amounts_in(text: str) -> set[str]:
    """Every number in a text as plain digits with a point, without needless zeros."""
    found = set()
    for match in NUMBER.findall(unicodedata.normalize("NFKC", text)):
        for part in {match, *match.split(" ")}:
            if number := plain_number(part):
                found.add(number)
    return found


def plain_number(text: str) -> str | None:
    text = re.sub(r"['’ ]", "", text).strip(".,")
    if not text:
        return None
    separators = re.findall(r"[.,]", text)
    last = re.split(r"[.,]", text)[-1]
    decimal = bool(separators) and (len(set(separators)) == 2 or (len(separators) == 1 and len(last) != 3))
    whole = re.sub(r"[.,]", "", text[: -len(last)]) if decimal else re.sub(r"[.,]", "", text)
    whole, part = whole.lstrip("0") or "0", last.rstrip("0") if decimal else ""
    return f"{whole}.{part}" if part else whole


def dates_in(text: str) -> set[Date]:
    """Every date that a text can mean: 03/04/2018 is two."""
    text = unicodedata.normalize("NFKC", text).casefold()
    found: set[Date] = set()
    for one, two, three in DATE_NUMBERS.findall(text):
        found.update(readings(int(one), int(two), int(three), len(one)))
    for day, month, year in DATE_WORDS.findall(text):
        if month in MONTHS:
            found.update(valid(full_year(int(year)), MONTHS[month], int(day)))
    for month, day, year in DATE_WORDS_FIRST.findall(text):
        if month in MONTHS:
            found.update(valid(int(year), MONTHS[month], int(day)))
    return found


def readings(one: int, two: int, three: int, length: int) -> Iterator[Date]:
    if length == 4:
        yield from valid(one, two, three)
        return
    yield from valid(full_year(three), two, one)
    yield from valid(full_year(three), one, two)


def valid(year: int, month: int, day: int) -> Iterator[Date]:
    if 1 <= month <= 12 and 1 <= day <= 31 and 1000 <= year <= 9999:
        yield year, month, day


def full_year(year: int) -> int:
    return year if year > 99 else 2000 + year if year < 70 else 1900 + year
