"""The outputs there are, and the tasks that each needs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from pagewise.tasks import Task


class WantedOutput(StrEnum):
    TEXT = "text"
    MARKDOWN = "markdown"
    HTML = "html"
    LATEX = "latex"
    TABLES = "tables"
    PDF = "pdf"
    BOXES = "boxes"
    FIELDS = "fields"


OUTPUT_NAMES = frozenset(str(output) for output in WantedOutput)
DEFAULT = (WantedOutput.TEXT, WantedOutput.MARKDOWN)
ALIASES = {
    "xlsx": WantedOutput.TABLES,
    "csv": WantedOutput.TABLES,
    "md": WantedOutput.MARKDOWN,
    "txt": WantedOutput.TEXT,
    "tex": WantedOutput.LATEX,
}

# Any one task of each set; without it the output is empty.
NEEDS: dict[WantedOutput, tuple[frozenset[Task], ...]] = {
    WantedOutput.TABLES: (frozenset({Task.TABLE_PARSING, Task.DOCUMENT_PARSING}),),
    WantedOutput.PDF: (frozenset({Task.ADVANCED_RECOGNITION}),),
    WantedOutput.BOXES: (frozenset({Task.ADVANCED_RECOGNITION}),),
    WantedOutput.FIELDS: (frozenset({Task.KEY_INFORMATION_EXTRACTION}), frozenset({Task.ADVANCED_RECOGNITION})),
}


@dataclass(frozen=True, slots=True)
class Options:
    """`running_lines`: whether headers and footers that come on every page stay in text, markdown, html and latex."""

    running_lines: bool = True


def parse_outputs(names: Iterable[str]) -> tuple[WantedOutput, ...]:
    """The outputs of these names, each once, in the order of WantedOutput; `all` means every one.

    Raises ValueError, with the offending name as its only argument.
    """
    chosen: set[WantedOutput] = set()
    for name in (name.strip().lower() for name in names):
        if name == "all":
            chosen.update(WantedOutput)
        elif name in OUTPUT_NAMES or name in ALIASES:
            chosen.add(ALIASES.get(name) or WantedOutput(name))
        elif name:
            raise ValueError(name)
    return tuple(output for output in WantedOutput if output in chosen)


def tasks_for(
    outputs: Iterable[WantedOutput], asked: Iterable[Task], deployed: Iterable[Task] = tuple(Task)
) -> tuple[Task, ...]:
    """The tasks that outputs need beyond those that were asked: of each set the least, by its place in NEEDS' order.

    One that is not deployed is taken only where none of its set is.
    """
    have, runs = set(asked), set(deployed)
    needed: list[Task] = []
    for output in outputs:
        for any_of in NEEDS.get(output, ()):
            if not have & any_of:
                task = next(task for task in (Task.TABLE_PARSING, *Task) if task in (any_of & runs or any_of))
                needed.append(task)
                have.add(task)
    return tuple(needed)
