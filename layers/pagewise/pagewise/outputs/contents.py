"""The source of the outputs: a document's stored results, page by page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pagewise.geometry import Size
from pagewise.model import JobStatus, PageGeometry, Result
from pagewise.tasks import Task

# Where a page's running text is taken from: the first of these that recognized it.
TEXT_TASKS = (Task.TEXT_RECOGNITION, Task.MULTI_LAN, Task.ADVANCED_RECOGNITION)


@dataclass(frozen=True, slots=True)
class PageContents:
    """A page with all of its results that there are. `image` is the stored page, where one was fetched."""

    number: int
    results: Mapping[Task, Result] = field(default_factory=dict)
    image: Path | None = None

    def recognized(self, task: Task) -> Result | None:
        result = self.results.get(task)
        return result if result is not None and result.status is JobStatus.RECOGNIZED else None

    def first_of(self, *tasks: Task) -> Result | None:
        return next((result for task in tasks if (result := self.recognized(task))), None)

    @property
    def failures(self) -> dict[Task, Result]:
        return {task: result for task, result in self.results.items() if result.status is JobStatus.FAILED}

    @property
    def blank(self) -> bool:
        return any(result.look.blank for result in self.results.values())

    @property
    def size(self) -> Size | None:
        """The size of the page image, in pixels."""
        for result in self.results.values():
            if result.image_width > 0 and result.image_height > 0:
                return Size(result.image_width, result.image_height)
        return None

    @property
    def geometry(self) -> PageGeometry | None:
        return next((result.look.geometry for result in self.results.values() if result.look.geometry), None)


def failure_note(page: PageContents) -> str:
    """The reason why the page has no contents, in words; empty where it has some or is blank."""
    if page.blank or any(page.recognized(task) for task in page.results):
        return ""
    reasons = {result.reason or "unknown": result.message for result in page.failures.values()}
    if not reasons:
        return "not recognized"
    return "; ".join(f"{reason}: {message}" if message else reason for reason, message in reasons.items())
