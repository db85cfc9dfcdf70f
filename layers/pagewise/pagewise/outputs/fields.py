"""fields.json: the fields of key_information_extraction, each with its position, and the document's from all pages.

A field that pages give different values for is in `conflicts` with all of them; the document's value is the first.
Lists go on from page to page.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pagewise.outputs.contents import PageContents
from pagewise.outputs.grounding import Line, Place, lines_of, normal, place_of
from pagewise.tasks import Task

SCHEMA_VERSION = "1"
MOST_FIELDS = 2_000  # of a page
MOST_DEPTH = 12


@dataclass(frozen=True, slots=True)
class GroundedField:
    """A scalar of a page's fields. `path` is its name, with those around it: `items[0].price`. `page` is None where the
    call asked about several pages, and no line of theirs holds the value."""

    path: str
    value: Any
    page: int | None
    place: Place | None

    def dump(self) -> dict[str, Any]:
        place = self.place
        return {
            "value": self.value,
            "page": self.page,
            "location": list(place.location) if place else None,
            "lines": list(place.lines) if place else None,
            "text": place.text if place else None,
            "score": place.score if place else None,
            "match": place.match if place else None,
        }


def grounded(page: PageContents, group: Sequence[PageContents] = ()) -> list[GroundedField]:
    """The page's scalar fields that have a value. `group`: all pages that the call asked about, if there are others."""
    result = page.recognized(Task.KEY_INFORMATION_EXTRACTION)
    fields = result.output.get("fields") if result else None
    if not isinstance(fields, Mapping | list):
        return []
    lines = {one.number: recognized_lines(one) for one in group or (page,)}
    found = []
    for number, (path, value) in enumerate(scalars(fields, "", 0)):
        if number >= MOST_FIELDS:
            break
        found.append(GroundedField(path, value, *place(path, value, lines)))
    return found


def recognized_lines(page: PageContents) -> list[Line]:
    recognized = page.recognized(Task.ADVANCED_RECOGNITION)
    return lines_of(list(recognized.output.get("lines") or ())) if recognized else []


def place(path: str, value: Any, lines: Mapping[int, Sequence[Line]]) -> tuple[int | None, Place | None]:
    """The page that holds the value best, the first of equals, and its lines."""
    found: dict[int, Place] = {}
    for number, of in lines.items():
        if of and (here := place_of(last(path), value, of)):
            found[number] = here
    if found:
        page = max(found, key=lambda number: found[number].score)
        return page, found[page]
    return (next(iter(lines)) if len(lines) == 1 else None), None


def last(path: str) -> str:
    return path.rpartition(".")[2]


def by_call(pages: Iterable[PageContents]) -> Iterator[tuple[PageContents, list[PageContents]]]:
    """Each page with all that its fields' call asked about, once these have come."""
    waiting: list[PageContents] = []
    end = 0
    for page in pages:
        waiting.append(page)
        result = page.recognized(Task.KEY_INFORMATION_EXTRACTION)
        if result and result.group:
            end = max(end, *result.group.pages)
        if page.number >= end:
            yield from asked_together(waiting)
            waiting = []
    yield from asked_together(waiting)


def asked_together(pages: Sequence[PageContents]) -> Iterator[tuple[PageContents, list[PageContents]]]:
    for page in pages:
        result = page.recognized(Task.KEY_INFORMATION_EXTRACTION)
        members = result.group.pages if result and result.group else (page.number,)
        yield page, [one for one in pages if one.number in members]


def scalars(fields: Any, path: str, depth: int) -> Iterator[tuple[str, Any]]:
    if depth > MOST_DEPTH:
        return
    if isinstance(fields, Mapping):
        for name, value in fields.items():
            yield from scalars(value, f"{path}.{name}" if path else str(name), depth + 1)
    elif isinstance(fields, list):
        for place, value in enumerate(fields):
            yield from scalars(value, f"{path}[{place}]", depth + 1)
    elif not is_missing(fields):
        yield path, fields


def is_missing(value: Any) -> bool:
    """The service says `null`, as a word too, or nothing, where a page has no such field."""
    return value is None or (isinstance(value, str) and value.strip().lower() in {"", "null"})


@dataclass(slots=True)
class Merged:
    """One field, merged from the document's pages."""

    values: list[GroundedField] = field(default_factory=list)

    @property
    def differ(self) -> bool:
        return len({same(one.value) for one in self.values}) > 1


def same(value: Any) -> str:
    return normal(str(value)) or str(value)


def fields_json(document_id: str, pages: Iterable[PageContents]) -> dict[str, Any]:
    """The whole file."""
    merged: dict[str, Merged] = {}
    shown_pages, lists = [], dict[str, int]()
    for page, group in by_call(pages):
        found = grounded(page, group)
        if found:
            shown_pages.append({"page": page.number, "fields": {one.path: one.dump() for one in found}})
        longest: dict[str, int] = {}
        for one in found:
            path = moved(one.path, lists, longest)
            merged.setdefault(path, Merged()).values.append(one)
        for name, count in longest.items():
            lists[name] = lists.get(name, 0) + count
    return {
        "schema_version": SCHEMA_VERSION,
        "document_id": document_id,
        "fields": {path: {**one.values[0].dump(), "conflict": one.differ} for path, one in merged.items()},
        "conflicts": [
            {"field": path, "values": [{"value": value.value, "page": value.page} for value in one.values]}
            for path, one in merged.items()
            if one.differ
        ],
        "pages": shown_pages,
    }


def moved(path: str, lists: Mapping[str, int], longest: dict[str, int]) -> str:
    """The path in the document: an outermost list's places count on from the pages before."""
    name, bracket, rest = path.partition("[")
    if not bracket:
        return path
    number, _, after = rest.partition("]")
    place = int(number)
    longest[name] = max(longest.get(name, 0), place + 1)
    return f"{name}[{place + lists.get(name, 0)}]{after}"
