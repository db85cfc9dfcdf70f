"""From an engine's answer to a task's result."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from pagewise.engine import Answer
from pagewise.errors import ResultUnusable
from pagewise.tasks import OUTPUTS, Output, Task

# A fence around the whole text; the closing one may be missing where the model forgot it.
FENCE = re.compile(r"\A\s*```[A-Za-z]*[ \t]*\n?(?P<inside>.*?)(?:\n?```\s*)?\Z", re.DOTALL)


def output_of(task: Task, answer: Answer) -> dict[str, Any]:
    """What the result stores: `text` always, and the task's own field.

    Raises ResultUnusable: `truncated`, `malformed`.
    """
    if answer.finish_reason == "length":
        raise ResultUnusable(
            "truncated",
            "The text is longer than the model may write for one page. Upload the page in parts, or larger.",
        )
    text = unfenced(answer.text)
    field = OUTPUTS[task]
    if field is Output.LINES:
        return lines_output(answer)
    if field is Output.FIELDS:
        return {"text": text, "fields": fields(answer, text)}
    if field in (Output.HTML, Output.LATEX):
        return {"text": text, field.value: text}
    return {"text": text}


def unfenced(text: str) -> str:
    """The text without its outer code fence, should it have one."""
    match = FENCE.match(text)
    return match["inside"].strip("\n") if match else text


def lines_output(answer: Answer) -> dict[str, Any]:
    """Lines from `words_info`, which is in pixels of the image; the text of this task holds scaled numbers only."""
    if answer.words is None:
        raise ResultUnusable("malformed", "The engine answered without the lines of the page.")
    lines = [line(word) for word in answer.words]
    return {"text": "\n".join(str(line["text"]) for line in lines), "lines": lines}


def line(word: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "text": str(word.get("text", "")),
        "location": numbers(word.get("location"), 8),
        "rotate_rect": numbers(word.get("rotate_rect"), 5),
    }


def numbers(values: Any, count: int) -> list[float] | None:
    """Coordinates as they came; None where the service left them out."""
    if not isinstance(values, Sequence) or isinstance(values, str) or len(values) != count:
        return None
    return [value for value in values if isinstance(value, int | float)] if all_numbers(values) else None


def all_numbers(values: Sequence[Any]) -> bool:
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)


def fields(answer: Answer, text: str) -> Any:
    """`kv_result`, or the same read from the text; the string "null" stands for null."""
    found = answer.fields
    if found is None:
        try:
            found = json.loads(text)
        except ValueError:
            raise ResultUnusable("malformed", "The engine's fields are not valid JSON.") from None
    if not isinstance(found, dict | list):
        raise ResultUnusable("malformed", "The engine answered without fields.")
    return without_null_strings(found)


def without_null_strings(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_null_strings(member) for name, member in value.items()}
    if isinstance(value, list):
        return [without_null_strings(member) for member in value]
    return None if value == "null" else value
