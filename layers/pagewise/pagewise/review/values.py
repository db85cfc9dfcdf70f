"""A page as review shows it: each value that can be looked at and corrected, the doubtful ones first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from pagewise import geometry
from pagewise.model import JobStatus, Result
from pagewise.review.corrections import PageCorrections, corrected
from pagewise.review.doubts import Doubt, DoubtCode, lines_in, of_page, placed
from pagewise.review.pointers import Scalar, found, parts_of, pointer, scalars
from pagewise.tasks import OUTPUTS, Output, Task

if TYPE_CHECKING:
    from pagewise.outputs.grounding import Line

# The fields first: they are what most reviews are about.
ORDER = (
    Task.KEY_INFORMATION_EXTRACTION, Task.TABLE_PARSING, Task.DOCUMENT_PARSING, Task.FORMULA_RECOGNITION,
    Task.TEXT_RECOGNITION, Task.MULTI_LAN, Task.ADVANCED_RECOGNITION,
)  # fmt: skip


class State(StrEnum):
    DOUBTFUL = "doubtful"
    SURE = "sure"
    ACCEPTED = "accepted"
    CORRECTED = "corrected"


@dataclass(frozen=True, slots=True)
class Value:
    """`box` has four corners in pixels of the page image; None: no place is known."""

    task: Task
    pointer: str
    machine: Scalar
    value: Scalar
    state: State
    doubts: tuple[Doubt, ...] = ()
    confidence: float | None = None
    box: tuple[float, ...] | None = None

    def shown(self) -> dict[str, Any]:
        return {
            "task": self.task,
            "pointer": self.pointer,
            "name": name_of(self.pointer),
            "kind": kind_of(self.pointer),
            "machine": self.machine,
            "value": self.value,
            "confidence": self.confidence,
            "reasons": [doubt.shown() for doubt in self.doubts],
            "box": list(self.box) if self.box else None,
            "state": self.state,
        }


@dataclass(frozen=True, slots=True)
class PageValues:
    """`doubts` are those of the page as a whole, and of values that it does not have."""

    values: tuple[Value, ...]
    doubts: tuple[Doubt, ...]


def of_page_values(
    machine: Mapping[Task, Result], judged: Mapping[Task, Result], said: PageCorrections, schema: Any = None
) -> PageValues:
    """`judged`: the results with the corrections in them, validated by the document's rules. `schema`: the fields that
    were asked for, where none was recognized."""
    doubts = of_page(judged)
    lines = lines_in(machine)
    by_place: dict[tuple[Task, str], list[Doubt]] = {}
    for doubt in doubts:
        if doubt.pointer and doubt.task:
            by_place.setdefault((doubt.task, doubt.pointer), []).append(doubt)
    values = [
        valued(task, place, judged[task], machine[task], by_place.pop((task, place), []), said, lines)
        for task in ORDER
        if task in machine
        for place in places(machine[task], judged[task], schema, {at for of, at in by_place if of is task})
    ]
    left = [doubt for found_there in by_place.values() for doubt in found_there]
    of_the_page = (*(doubt for doubt in doubts if not doubt.pointer), *left)
    return PageValues(tuple(sorted(values, key=lambda value: value.state is not State.DOUBTFUL)), of_the_page)


def places(machine: Result, judged: Result, schema: Any, doubtful: set[str]) -> Iterator[str]:
    """What there is to look at of a result; of fields that are missing, those that a rule or the schema asks for."""
    output = OUTPUTS[judged.task]
    if output is Output.FIELDS:
        fields = judged.output.get("fields")
        known = [pointer(("fields", *parts)) for parts, _ in scalars({} if fields is None else fields)]
        asked = [pointer(("fields", *parts)) for parts, _ in scalars(schema or {})] if not known else []
        missing = [place for place in sorted(doubtful) if place not in known and place not in asked]
        yield from (*known, *asked, *missing)
    elif output is Output.LINES and judged.output.get("lines"):
        yield from (pointer(("lines", number, "text")) for number in range(len(judged.output["lines"])))
    elif output in judged.output:
        yield pointer((str(output),))
    elif "text" in judged.output or machine.status is JobStatus.FAILED:
        yield "/text"


def valued(
    task: Task,
    place: str,
    judged: Result,
    machine: Result,
    doubts: list[Doubt],
    said: PageCorrections,
    lines: list[Line] | None,
) -> Value:
    correction = next((one for one in said.of(task) if one.pointer == place), None)
    # Whether a person's value keeps the rules is still to be told; how the machine read it is not.
    left = [doubt for doubt in doubts if correction is None or doubt.code is DoubtCode.RULE]
    state = State.DOUBTFUL if left else State.SURE
    if correction:
        state = State.ACCEPTED if correction.accepts else State.CORRECTED
    return Value(
        task=task,
        pointer=place,
        machine=found(machine.output, place),
        value=found(judged.output, place),
        state=state,
        doubts=tuple(left),
        confidence=confidence_of(machine, place),
        box=box_of(machine, place, lines),
    )


def confidence_of(result: Result, place: str) -> float | None:
    root, *parts = parts_of(place)
    if root == "fields":
        sure = (result.output.get("field_confidences") or {}).get("/".join(parts))
    else:
        sures = result.output.get("line_confidences") or ()
        number = int(parts[0]) if root == "lines" else len(sures)
        sure = sures[number] if number < len(sures) else None
    return float(sure) if isinstance(sure, int | float) else None


def box_of(result: Result, place: str, lines: list[Line] | None) -> tuple[float, ...] | None:
    root, *parts = parts_of(place)
    if root == "lines":
        return corners(result.output["lines"][int(parts[0])].get("location"))
    if root != "fields" or not lines:
        return None
    value = found(result.output, place)
    where = placed(tuple(int(part) if part.isdecimal() else part for part in parts), value, lines)
    return tuple(where.location) if where else None


def corners(location: Any) -> tuple[float, ...] | None:
    numbers = geometry.numbers(location, 8)
    return tuple(numbers) if numbers else None


def name_of(place: str) -> str:
    """A value's name for people."""
    root, *parts = parts_of(place)
    if root == "fields":
        return " › ".join(str(int(part) + 1) if part.isdecimal() else part for part in parts) or "Fields"
    if root == "lines":
        return f"Line {int(parts[0]) + 1}"
    return {"text": "Text", "html": "Table", "latex": "Formula"}.get(root, root)


def kind_of(place: str) -> str:
    return {"fields": "field", "lines": "line", "html": "table"}.get(parts_of(place)[0], parts_of(place)[0])


def as_said(results: Mapping[Task, Result], said: PageCorrections) -> dict[Task, Result]:
    return {task: corrected(result, said.corrections) for task, result in results.items()}
