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
    """A scalar of a page's fields. `path` is its name, with those around it: `items[0].price`."""

    path: str
    value: Any
    page: int
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


def grounded(page: PageContents) -> list[GroundedField]:
    """The page's scalar fields that have a value."""
    result = page.recognized(Task.KEY_INFORMATION_EXTRACTION)
    fields = result.output.get("fields") if result else None
    if not isinstance(fields, Mapping | list):
        return []
    recognized = page.recognized(Task.ADVANCED_RECOGNITION)
    lines = lines_of(list(recognized.output.get("lines") or ())) if recognized else []
    found = []
    for number, (path, value) in enumerate(scalars(fields, "", 0)):
        if number >= MOST_FIELDS:
            break
        found.append(GroundedField(path, value, page.number, place(path, value, lines)))
    return found


def place(path: str, value: Any, lines: Sequence[Line]) -> Place | None:
    return place_of(path.rpartition(".")[2], value, lines) if lines else None


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
    for page in pages:
        found = grounded(page)
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
