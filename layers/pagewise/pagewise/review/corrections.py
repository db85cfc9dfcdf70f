"""What a person says of a page, kept beside what the machine said.

A correction that says the same as the machine is an acceptance. The machine's result is never changed: the person's
values are put in where results are shown, validated and assembled.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pagewise.model import JobStatus, Result
from pagewise.review.pointers import NoSuchPlace, Scalar, found, parts_of, put
from pagewise.tasks import OUTPUTS, Output, Task

# What may be corrected of a result: its text, one of its lines, a field, a table, a formula.
ROOTS = frozenset({"text", "lines", "fields", "html", "latex"})


@dataclass(frozen=True, slots=True)
class Person:
    """`id` tells persons apart, `name` is for others to read."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Correction:
    """`pointer` is a JSON Pointer into the task's result; `at` the moment at which `by` said `value`."""

    task: Task
    pointer: str
    machine: Scalar
    value: Scalar
    by: str
    at: str

    @property
    def accepts(self) -> bool:
        return same(self.machine, self.value)

    def shown(self) -> dict[str, Any]:
        return {
            "task": self.task,
            "pointer": self.pointer,
            "machine": self.machine,
            "value": self.value,
            "by": self.by,
            "at": self.at,
        }


@dataclass(frozen=True, slots=True)
class PageCorrections:
    """A page's corrections as they are stored, all of them; `version` 0: nobody has saved any."""

    version: int = 0
    corrections: tuple[Correction, ...] = ()
    saved: str | None = None
    by: str | None = None

    @property
    def changed(self) -> int:
        return sum(not correction.accepts for correction in self.corrections)

    @property
    def values(self) -> list[tuple[Task, str, Scalar]]:
        """What is said, without its authors and moments."""
        return [(correction.task, correction.pointer, correction.value) for correction in self.corrections]

    def of(self, task: Task) -> tuple[Correction, ...]:
        return tuple(correction for correction in self.corrections if correction.task is task)

    def shown(self) -> dict[str, Any]:
        corrections = [correction.shown() for correction in self.corrections]
        return {"version": self.version, "corrections": corrections, "saved": self.saved, "by": self.by}


NOBODYS = PageCorrections()


def load_correction(shown: Mapping[str, Any]) -> Correction:
    return Correction(Task(shown["task"]), shown["pointer"], shown["machine"], shown["value"], shown["by"], shown["at"])


def same(one: Scalar, other: Scalar) -> bool:
    """1 and true are two values, and 1 and 1.0 are one."""
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def machines(result: Result | None, place: str) -> Scalar:
    """What the machine says there. Raises NoSuchPlace for what is no part of a result that a person can correct."""
    root = parts_of(place)[0]
    if result and root not in (OUTPUTS[result.task], "text"):
        raise NoSuchPlace(place)
    if root not in ROOTS or (root == "lines" and not is_text_of_line(result, place)):
        raise NoSuchPlace(place)
    output = result.output if result else {}
    put(output, place, None)
    return found(output, place)


def is_text_of_line(result: Result | None, place: str) -> bool:
    """A line's place is the machine's; its number must be one of those that there are."""
    parts = parts_of(place)
    lines = result.output.get("lines") if result else None
    fits = len(parts) == 3 and parts[1].isdecimal() and parts[2] == "text"
    return fits and isinstance(lines, list) and int(parts[1]) < len(lines)


def corrected(result: Result, corrections: Iterable[Correction]) -> Result:
    """The result as the person has it. A page job that failed is recognized once a person has said what is there."""
    output: Mapping[str, Any] = result.output
    said = [correction for correction in corrections if correction.task is result.task]
    for correction in said:
        output = put(output, correction.pointer, correction.value)
    if OUTPUTS[result.task] is Output.FIELDS and said:
        output = {"fields": {}, **output}
    if not any(correction.value is not None for correction in said):
        return replace(result, output=output) if said else result
    return replace(
        result,
        status=JobStatus.RECOGNIZED,
        reason=None,
        message=None,
        output={"text": "", **output} | text_of(result.output, output),
        warnings=() if result.status is JobStatus.FAILED else result.warnings,
    )


def text_of(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, str]:
    """`text` where it says the same as what was corrected beside it."""
    for root in ("html", "latex"):
        if before.get(root) != after.get(root) and before.get("text") in (before.get(root), None):
            return {"text": str(after.get(root) or "")}
    lines = after.get("lines")
    if lines is not None and lines != before.get("lines"):
        return {"text": "\n".join(str(line.get("text") or "") for line in lines)}
    return {}
