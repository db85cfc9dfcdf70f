"""Qwen-OCR's seven built-in tasks, with the words of the service's documentation ("Call built-in tasks")."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class Task(StrEnum):
    """A built-in task, by the service's own name."""

    TEXT_RECOGNITION = "text_recognition"
    ADVANCED_RECOGNITION = "advanced_recognition"
    KEY_INFORMATION_EXTRACTION = "key_information_extraction"
    TABLE_PARSING = "table_parsing"
    DOCUMENT_PARSING = "document_parsing"
    FORMULA_RECOGNITION = "formula_recognition"
    MULTI_LAN = "multi_lan"


class Output(StrEnum):
    """The field of a result that is specific to its task and holds the recognized output."""

    TEXT = "text"
    LINES = "lines"
    FIELDS = "fields"
    HTML = "html"
    LATEX = "latex"


OUTPUTS: dict[Task, Output] = {
    Task.TEXT_RECOGNITION: Output.TEXT,
    Task.ADVANCED_RECOGNITION: Output.LINES,
    Task.KEY_INFORMATION_EXTRACTION: Output.FIELDS,
    Task.TABLE_PARSING: Output.HTML,
    Task.DOCUMENT_PARSING: Output.LATEX,
    Task.FORMULA_RECOGNITION: Output.LATEX,
    Task.MULTI_LAN: Output.TEXT,
}


# Tasks that can ask about several pages in one call: fields and tables go on from page to page.
OVER_PAGES = frozenset({Task.KEY_INFORMATION_EXTRACTION, Task.TABLE_PARSING})
# Tasks that a page's own text answers in full: it has no structure, and no fields.
ANSWERED_BY_TEXT_LAYER = frozenset({Task.TEXT_RECOGNITION, Task.ADVANCED_RECOGNITION})


def output_field(task: Task, *, prompted: bool = False) -> Output:
    """The field of the task's result that holds the recognized output. The answer to an uploader's own prompt is known
    to hold its text alone, or the fields that were to be extracted."""
    field = OUTPUTS[task]
    return Output.TEXT if prompted and field is not Output.FIELDS else field


TASK_NAMES = frozenset(str(task) for task in Task)


def parse_tasks(names: Iterable[str], deployed: Iterable[Task] = Task) -> tuple[Task, ...]:
    """The tasks of these names, each once, in the order given; `all` means every one that is deployed.

    Raises ValueError, with the offending name as its only argument, for a name that is no task.
    """
    tasks: dict[Task, None] = {}
    for name in (name.strip().lower() for name in names):
        if name == "all":
            tasks.update(dict.fromkeys(deployed))
        elif name in TASK_NAMES:
            tasks[Task(name)] = None
        elif name:
            raise ValueError(name)
    return tuple(tasks)
