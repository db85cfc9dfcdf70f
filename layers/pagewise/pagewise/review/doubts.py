"""Why a result is doubtful: what the account knows of a page job, and what its values say themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from pagewise.errors import CANCELLED
from pagewise.model import JobAccount, JobStatus, PageAccount, Result
from pagewise.review.pointers import Scalar, pointer, scalars
from pagewise.tasks import OUTPUTS, Output, Task

if TYPE_CHECKING:
    from pagewise.outputs.grounding import Line, Place

# Below it the service's probability of a value is no certainty. A letter in ten of a value at 0.8 is a guess.
SURE = 0.8
# Marks of what could not be read: the model's own, and those of its repaired bytes.
MARKS = ("?", "？", "�", "[unclear]", "[illegible]", "[unreadable]")
# `*` in a problem's path stands for a name that was read off the page (options/rules.py).
SOME_FIELD = "*"


class DoubtCode(StrEnum):
    RULE = "rule"
    UNCLEAR = "unclear"
    NO_PLACE = "no_place"
    CONFIDENCE = "confidence"
    FAILED = "failed"
    WARNING = "warning"
    SAMPLE = "sample"
    ALWAYS = "always"
    UNREAD = "unread"


@dataclass(frozen=True, slots=True)
class Doubt:
    """`pointer` is of the value that is doubtful; None: the page's, or the document's. `detail` says which rule,
    warning or reason."""

    code: DoubtCode
    task: Task | None = None
    detail: str | None = None
    pointer: str | None = None

    def shown(self) -> dict[str, Any]:
        return {"code": self.code, "task": self.task, "detail": self.detail}


@dataclass(frozen=True, slots=True)
class Counted:
    """How often a document has this doubt."""

    code: DoubtCode
    detail: str | None
    count: int

    def shown(self) -> dict[str, Any]:
        return {"code": self.code, "detail": self.detail, "count": self.count}


def counted(doubts: Iterable[Doubt]) -> tuple[Counted, ...]:
    """Confidences are counted together: each is a number of its own."""
    numbers = Counter((doubt.code, None if doubt.code is DoubtCode.CONFIDENCE else doubt.detail) for doubt in doubts)
    return tuple(Counted(code, detail, count) for (code, detail), count in sorted(numbers.items(), key=str))


def of_account(page: PageAccount) -> list[Doubt]:
    """What a page's account knows, without a look at its results. That a person has cancelled it is no doubt."""
    return [doubt for job in page.jobs for doubt in of_job(job)]


def of_job(job: JobAccount) -> Iterator[Doubt]:
    if job.status is JobStatus.FAILED and job.reason != CANCELLED:
        yield Doubt(DoubtCode.FAILED, job.task, job.reason)
    if job.valid is False:
        yield Doubt(DoubtCode.RULE, job.task)
    for code in job.warnings:
        yield Doubt(DoubtCode.WARNING, job.task, code)


def of_result(result: Result, lines: list[Line] | None) -> Iterator[Doubt]:
    """What is doubtful in a result, value by value. `lines`: where fields may have their place; None: not known."""
    if result.status is JobStatus.FAILED:
        if result.reason != CANCELLED:
            yield Doubt(DoubtCode.FAILED, result.task, result.reason)
        return
    for code in result.warnings:
        yield Doubt(DoubtCode.WARNING, result.task, code)
    for problem in result.validation.problems if result.validation else ():
        known = problem.field and SOME_FIELD not in problem.field.split("/")
        at = pointer(("fields", *problem.field.split("/"))) if known and problem.field else None
        yield Doubt(DoubtCode.RULE, result.task, problem.rule, at)
    if OUTPUTS[result.task] is Output.FIELDS and "fields" in result.output:
        # A field of a group may lie on any of its pages.
        yield from of_fields(result, None if result.group else lines)
    else:
        yield from of_lines(result)


def of_fields(result: Result, lines: list[Line] | None) -> Iterator[Doubt]:
    confidences: Mapping[str, Any] = result.output.get("field_confidences") or {}
    for parts, value in scalars(result.output["fields"]):
        at = pointer(("fields", *parts))
        if isinstance(value, str) and any(mark in value for mark in MARKS):
            yield Doubt(DoubtCode.UNCLEAR, result.task, None, at)
        if lines and not is_missing(value) and placed(parts, value, lines) is None:
            yield Doubt(DoubtCode.NO_PLACE, result.task, None, at)
        yield from of_confidence(result.task, confidences.get("/".join(map(str, parts))), at)


def of_lines(result: Result) -> Iterator[Doubt]:
    for number, confidence in enumerate(result.output.get("line_confidences") or ()):
        at = pointer(("lines", number, "text")) if "lines" in result.output else pointer(("text",))
        yield from of_confidence(result.task, confidence, at)


def of_confidence(task: Task, confidence: Any, at: str) -> Iterator[Doubt]:
    if isinstance(confidence, int | float) and confidence < SURE:
        yield Doubt(DoubtCode.CONFIDENCE, task, f"{confidence:.2f}", at)


def placed(parts: tuple[str | int, ...], value: Scalar, lines: list[Line]) -> Place | None:
    """Where a field's value was read."""
    # Of documents that nobody reviews, no function pays for the import.
    from pagewise.outputs.grounding import place_of

    name = next((part for part in reversed(parts) if isinstance(part, str)), "")
    return place_of(name, value, lines)


def is_missing(value: Scalar) -> bool:
    """As outputs/fields.py has it; and a yes or no, which stands on no page as such."""
    return (
        value is None or isinstance(value, bool) or (isinstance(value, str) and value.strip().lower() in {"", "null"})
    )


def lines_in(results: Mapping[Task, Result]) -> list[Line] | None:
    """The lines that were recognized with their places; None if nobody asked for them."""
    recognized = results.get(Task.ADVANCED_RECOGNITION)
    if recognized is None or recognized.status is not JobStatus.RECOGNIZED:
        return None
    from pagewise.outputs.grounding import lines_of

    return lines_of(list(recognized.output.get("lines") or ()))


def of_page(results: Mapping[Task, Result]) -> list[Doubt]:
    lines = lines_in(results)
    return [doubt for result in results.values() for doubt in of_result(result, lines)]
