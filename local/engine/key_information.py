"""Key information: labels and the values that stand by them, found by geometry and fuzzy matching.

A value is always text of the page as it was read; one that is not found is null.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from rapidfuzz import fuzz

from local.engine import till_receipts
from local.engine.glossary import TRANSLATIONS
from local.engine.recognition.joining import joined
from local.engine.recognition.page import Box, Line, Page, around

Schema = dict[str, Any]
Row = Sequence[Line]

LABEL_LETTERS = 48
"""Text before a colon is a label if it is at most so long."""
SIMILAR = 80.0
"""The least likeness of a label to the key, of 100."""
BELOW, BESIDE = 2.5, 25.0
"""The largest distance of a value from its label, in line heights."""
STEP = 4.0
RATE = re.compile(r"[\d.,]+\s*%")
"""A part of the label: "VAT 7 %"."""
HEADING_LETTERS = 24
STACKED_LETTERS = 12
DATE = re.compile(r"(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})")
SEPARATED = re.compile(r"^(?P<label>[^:：]*[^\W\d_][^:：]*)(?!(?<=\d):\d)[:：](?!//)\s*(?P<value>.*)$")


@dataclass(frozen=True, slots=True)
class Pair:
    label: str
    value: str
    row: int


def all_fields(page: Page) -> dict[str, Any]:
    """Every label with its value; a label that comes again has the list of its values."""
    found: dict[str, Any] = {}
    for pair in _pairs(page.rows):
        before = found.get(pair.label)
        if before is None:
            found[pair.label] = pair.value
        elif isinstance(before, list):
            before.append(pair.value)
        else:
            found[pair.label] = [before, pair.value]
    return found


def fields_by_schema(page: Page, schema: Schema) -> dict[str, Any]:
    """The schema with its values filled in."""
    found = _filled(schema, page.rows)
    return found | dict(_without_labels(found, schema, page.rows))


def _without_labels(found: dict[str, Any], schema: Schema, rows: Sequence[Row]) -> Iterator[tuple[str, str]]:
    """A receipt's values without a label: shop, address, and its day, if one day is asked for."""
    shop, address = till_receipts.head(rows)
    days = [key for key, wanted in schema.items() if isinstance(wanted, str) and "YYYY-MM-DD" in wanted]
    for key in [key for key, value in found.items() if value is None]:
        name = till_receipts.plain(key)
        if shop and name in till_receipts.SHOP:
            yield key, shop
        elif address and name in till_receipts.ADDRESS:
            yield key, address
        elif [key] == days and (day := DATE.search(" ".join(line.text for row in rows for line in row))):
            yield key, _in_form(day[0], schema[key])


def _filled(schema: Schema, rows: Sequence[Row]) -> dict[str, Any]:
    leaves = [key for key, wanted in schema.items() if not isinstance(wanted, dict | list)]
    values = _values(leaves, schema, rows)
    filled: dict[str, Any] = {}
    for key, wanted in schema.items():
        if isinstance(wanted, dict):
            filled[key] = _section(key, wanted, schema, rows)
        elif isinstance(wanted, list):
            filled[key] = _elements(key, wanted, rows)
        else:
            filled[key] = values[key]
    return filled


# Pairs


def _pairs(rows: Sequence[Row]) -> list[Pair]:
    names = {_plain(parts[0]) for row in rows for line in row if (parts := _separated(line.text)) is not None}
    lines = [(number, part) for number, row in enumerate(rows) for line in row for part in _parted(line, names)]
    labels = {id(line): parts for _, line in lines if (parts := _separated(line.text)) is not None}
    taken = set(labels)
    pairs: list[Pair] = []
    # Values beside their labels come first: a value below one label often stands beside another.
    for find in (_value_beside, _value_below):
        for number, line in lines:
            if id(line) not in labels:
                continue
            label, value = labels[id(line)]
            found = None
            if not value and (found := find(line, [other for _, other in lines], taken)) is not None:
                taken.add(id(found))
                value = found.text
            if value and not any(letter.isalnum() for letter in value):
                # A currency sign: its amount stands further on.
                amount = _value_beside(found or line, [other for _, other in lines], taken)
                taken.update([id(amount)] if amount else [])
                value = f"{value} {amount.text}" if amount else value
            if value:
                del labels[id(line)]
                pairs.append(Pair(label, value, number))
    pairs += _pairs_of_stacks(lines, taken)
    pairs += _pairs_of_headings(rows, taken)
    pairs += _pairs_of_two(rows, taken)
    return sorted(pairs, key=lambda pair: pair.row)


def _parted(line: Line, names: set[str]) -> list[Line]:
    """A value and the next label in one line, parted: "ANNA Last Name: MAY", if "Last Name" is a label elsewhere."""
    parts = _separated(line.text)
    words = parts[0].split() if parts is not None else []
    for count in range(1, len(words)):
        value, label = " ".join(words[:count]), " ".join(words[count:])
        if _plain(label) in names and _plain(value) not in names and label in line.text:
            rest = line.text[line.text.index(label, len(value)) :]
            return _cut(line, value, rest)
    return [line]


def _cut(line: Line, before: str, after: str) -> list[Line]:
    """The line as two, each as long as its text."""
    a, b, c, d = line.quad
    share = len(before) / (len(before) + len(after))
    above = a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1])
    below = d[0] + share * (c[0] - d[0]), d[1] + share * (c[1] - d[1])
    return [replace(line, text=before, quad=(a, above, below, d)), replace(line, text=after, quad=(above, b, c, below))]


def _separated(text: str) -> tuple[str, str] | None:
    parts = SEPARATED.match(text)
    if parts is None or len(parts["label"]) > LABEL_LETTERS:
        return None
    return parts["label"].strip(" *•·-"), parts["value"].strip()


def _value_beside(label: Line, lines: Sequence[Line], taken: set[int]) -> Line | None:
    """The next line to the right, if it is no label."""
    right = [line for line in lines if line.box.left > label.box.centre[0] and _is_level(label.box, line.box)]
    nearest = min(right, key=lambda line: _way(label.box, line.box), default=None)
    if nearest is None or id(nearest) in taken or nearest.box.left - label.box.right > BESIDE * label.box.height:
        return None
    return nearest


def _way(label: Box, value: Box) -> float:
    """Distance to the right, a step up or down counted for more: handwriting reaches into the rows beside its own."""
    return max(0.0, value.left - label.right) + STEP * abs(value.centre[1] - label.centre[1])


def _is_level(one: Box, other: Box) -> bool:
    common = min(one.bottom, other.bottom) - max(one.top, other.top)
    return common > 0.4 * min(one.height, other.height)


def _value_below(label: Line, lines: Sequence[Line], taken: set[int]) -> Line | None:
    """The next line below, if it is no label and not the value of another."""
    under = [
        line
        for line in lines
        if _covers(label, line) and 0 < line.box.centre[1] - label.box.centre[1] <= BELOW * label.box.height
    ]
    nearest = min(under, key=lambda line: line.box.top, default=None)
    return nearest if nearest is not None and id(nearest) not in taken else None


def _pairs_of_stacks(lines: Sequence[tuple[int, Line]], taken: set[int]) -> Iterator[Pair]:
    """A label in two short lines with its value to the right, half-way between them."""
    for number, upper in lines:
        free = [line for _, line in lines if id(line) not in taken]
        lower = next((line for line in free if _is_stacked(upper, line)), None)
        if lower is None or id(upper) in taken:
            continue
        stack, top, bottom = around([upper.box, lower.box]), upper.box.centre[1], lower.box.centre[1]
        between = [
            line
            for line in free
            if stack.right - upper.box.height / 2 <= line.box.left < stack.right + 2 * stack.height
            and abs(line.box.centre[1] - (top + bottom) / 2) < 0.3 * (bottom - top)
            and _has_digit(line.text)
        ]
        value = min(between, key=lambda line: line.box.left, default=None)
        if value is not None:
            taken.update(map(id, (upper, lower, value)))
            yield Pair(joined([upper, lower]), value.text, number)


def _is_stacked(upper: Line, lower: Line) -> bool:
    short = max(len(upper.text), len(lower.text)) <= STACKED_LETTERS
    close = 0 < lower.box.centre[1] - upper.box.centre[1] < 1.3 * upper.box.height
    return short and close and _covers(upper, lower) and not _has_digit(upper.text + lower.text)


def _pairs_of_headings(rows: Sequence[Row], taken: set[int]) -> Iterator[Pair]:
    """A row of headings without digits over a row of values with some."""
    for number, (headings, values) in enumerate(pairwise(rows)):
        free = len(headings) >= 2 and len(values) >= 2 and not any(id(line) in taken for line in [*headings, *values])
        named = all(len(line.text) <= HEADING_LETTERS and not _has_digit(line.text) for line in headings)
        if not free or not named or not any(_has_digit(v.text) for v in values):
            continue
        for heading in headings:
            under = [line for line in values if _covers(heading, line)]
            # A value under two headings belongs to neither: its parts cannot be told apart.
            if under and sum(_covers(other, under[0]) for other in headings) == 1:
                taken.update((id(heading), id(under[0])))
                yield Pair(heading.text, under[0].text, number)


def _covers(heading: Line, line: Line) -> bool:
    common = min(heading.box.right, line.box.right) - max(heading.box.left, line.box.left)
    return common > 0.3 * min(heading.box.width, line.box.width)


def _pairs_of_two(rows: Sequence[Row], taken: set[int]) -> Iterator[Pair]:
    """A name and an amount alone in their row, as on receipts."""
    for number, row in enumerate(rows):
        if len(row) == 2 and not any(id(line) in taken for line in row):
            name, amount = row[0].text, row[1].text
            if any(letter.isalpha() for letter in name) and _has_digit(amount):
                yield Pair(name, amount, number)


def _has_digit(text: str) -> bool:
    return any(letter.isdigit() for letter in text)


# Values by key


def _values(keys: Sequence[str], schema: Schema, rows: Sequence[Row]) -> dict[str, str | None]:
    """Each key's value. The most alike key and label are matched first, and a label serves one key."""
    pairs = _pairs(rows) + list(_pairs_by_prefix(keys, rows))
    ranked = sorted(
        ((_likeness(key, pair.label), -place, key, pair) for key in keys for place, pair in enumerate(pairs)),
        key=lambda match: match[:2],
        reverse=True,
    )
    values: dict[str, str | None] = dict.fromkeys(keys)
    used: set[int] = set()
    for likeness, _, key, pair in ranked:
        if likeness >= SIMILAR and values[key] is None and id(pair) not in used:
            used.add(id(pair))
            values[key] = _in_form(pair.value, str(schema[key]))
    return values


def _pairs_by_prefix(keys: Sequence[str], rows: Sequence[Row]) -> Iterator[Pair]:
    """Labels without a colon: "Total 7.00" for the key "Total"."""
    for number, row in enumerate(rows):
        for line in row:
            words = line.text.split()
            for key in keys:
                for name in _names(key):
                    length = len(name.split())
                    label, value = " ".join(words[:length]), " ".join(words[length:])
                    alike = fuzz.ratio(_plain(label), _plain(name)) >= SIMILAR
                    if value and _has_digit(value) and not RATE.fullmatch(value) and alike:
                        yield Pair(label, value, number)


def _likeness(key: str, label: str) -> float:
    return max(_likeness_of_names(_plain(name), _plain(label)) for name in _names(key))


def _likeness_of_names(name: str, label: str) -> float:
    words, others = set(name.split()), set(label.split())
    if not words or not others:
        return 0.0
    likeness = fuzz.token_sort_ratio(name, label)
    if words < others or others < words:
        shorter, longer = sorted((len(words), len(others)))
        likeness = max(likeness, 70 + 25 * shorter / longer)
    return float(likeness)


def _names(key: str) -> list[str]:
    """Its own, in other words too: "Receipt 4817" has the number of the receipt."""
    short = re.sub(r"\s+(number|no\.?)$", "", key, flags=re.IGNORECASE)
    return [*dict.fromkeys([key, short]), *TRANSLATIONS.get(_plain(key), ())]


def _plain(text: str) -> str:
    text = unicodedata.normalize("NFKC", text).lower()
    text = re.sub(r"\b(no|num|nr)\b\.?|#|№", " number ", text)
    return " ".join(re.sub(r"[^\w]+|_", " ", text).split())


def _in_form(value: str, description: str) -> str:
    """The part of the value in the form that the description names."""
    if "YYYY-MM-DD" in description and (date := DATE.search(value)):
        return f"{date[1]}-{date[2]:0>2}-{date[3]:0>2}"
    if re.search(r"only digits|digits only", description) and (digits := re.search(r"\d+", value)):
        return digits[0]
    return value


# Sections and lists


def _section(key: str, wanted: Schema, schema: Schema, rows: Sequence[Row]) -> dict[str, Any]:
    """A nested object: from the line that is like its key to the next section; else each field by both names."""
    start = _row_like(key, rows)
    if start is None:
        both = {f"{key} {name}": part for name, part in wanted.items()}
        return dict(zip(wanted, _filled(both, rows).values(), strict=True))
    others = [_row_like(name, rows) for name, part in schema.items() if isinstance(part, dict | list) and name != key]
    end = min((row for row in others if row is not None and row > start), default=len(rows))
    return _filled(wanted, rows[start:end])


def _row_like(key: str, rows: Sequence[Row]) -> int | None:
    ranked = [(_likeness(key, line.text), -number) for number, row in enumerate(rows) for line in row]
    likeness, number = max(ranked, default=(0.0, 0))
    return -number if likeness >= SIMILAR else None


def _elements(key: str, template: list[Any], rows: Sequence[Row]) -> list[Any]:
    """A list: the rows under the headings that are like the template's keys, or the lines under the list's name."""
    if not template:
        return []
    if isinstance(template[0], dict):
        return _records(template[0], rows)
    start = _row_like(key, rows)
    if start is None:
        return []
    heading = max(rows[start], key=lambda line: _likeness(key, line.text))
    values: list[Any] = []
    for row in rows[start + 1 :]:
        under = [line.text for line in row if _covers(heading, line)]
        if not under or _separated(under[0]) is not None:
            break
        values += under
    return values


def _records(template: Schema, rows: Sequence[Row]) -> list[dict[str, Any]]:
    found = _headings(template, rows)
    if found is None:
        return till_receipts.lines_bought(list(template), rows)
    start, headings = found
    records: list[dict[str, Any]] = []
    for row in rows[start + 1 :]:
        cells = _cells_by_column(row, rows[start])
        record = {key: cells.get(id(headings[key])) if key in headings else None for key in template}
        filled = sum(value is not None for value in record.values())
        if filled < max(1, len(headings) / 2):
            if records:
                break
            continue
        records.append(record)
    return records


def _headings(template: Schema, rows: Sequence[Row]) -> tuple[int, dict[str, Line]] | None:
    """The row with the most headings that are like the template's keys, at least two or all of them."""
    best: tuple[int, dict[str, Line]] | None = None
    for number, row in enumerate(rows):
        headings: dict[str, Line] = {}
        for key in template:
            free = [line for line in row if line not in headings.values()]
            like = max(free, key=lambda line: _likeness(key, line.text), default=None)
            if like is not None and _likeness(key, like.text) >= SIMILAR:
                headings[key] = like
        if len(headings) >= min(2, len(template)) and (best is None or len(headings) > len(best[1])):
            best = number, headings
    return best


def _cells_by_column(row: Row, headings: Sequence[Line]) -> dict[int, str]:
    """Each cell's text under the nearest heading."""
    cells: dict[int, str] = {}
    for line in row:
        heading = min(headings, key=lambda one: _distance(one, line))
        if _distance(heading, line) < heading.box.height * 3:
            cells[id(heading)] = f"{cells[id(heading)]} {line.text}" if id(heading) in cells else line.text
    return cells


def _distance(heading: Line, line: Line) -> float:
    return max(0.0, heading.box.left - line.box.right, line.box.left - heading.box.right)
