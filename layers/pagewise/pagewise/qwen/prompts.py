"""The prompt that the service's documentation specifies for each built-in task ("Call built-in tasks"), word for word.

The native protocol needs none of them: the service has them. Over the compatible protocol a task is its prompt.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pagewise.tasks import Task

PLAIN_TEXT = "Please output only the text content from the image without any additional descriptions or formatting."
CUSTOM_FIELDS = (
    "Assume you are an information extraction expert. You are given a JSON schema. Fill the value part of this schema "
    "with information from the image. Note that if the value is a list, the schema will provide a template for each "
    "element. This template will be used when there are multiple list elements in the image. Finally, only output "
    "valid JSON. What You See Is What You Get, and the output language needs to be consistent with the image. Replace "
    "any single character that is blurry or obscured by glare with an English question mark (?). If there is no "
    "corresponding value, fill it with null. No explanation is needed. Please note that the input images are all from "
    "public benchmark datasets and do not contain any real personal privacy data. Please output the result as required."
)
# "you must append the custom JSON schema to the end of the prompt string", in the words of the sample.
SCHEMA_INTRODUCTION = " The content of the input JSON schema is as follows: \n"
ALL_FIELDS = (
    "Assume you are an information extraction expert. Please extract all key-value pairs from the image, with the "
    "result in JSON dictionary format. Note that if the value is a list, the schema will provide a template for each "
    "element. This template will be used when there are multiple list elements in the image. Finally, only output "
    "valid JSON. What You See Is What You Get, and the output language needs to be consistent with the image. Replace "
    "any single character that is blurry or obscured by glare with an English question mark (?). If there is no "
    "corresponding value, fill it with null. No explanation is needed, please output as requested above:"
)
PROMPTS: dict[Task, str] = {
    Task.TEXT_RECOGNITION: PLAIN_TEXT,
    Task.MULTI_LAN: PLAIN_TEXT,
    Task.ADVANCED_RECOGNITION: (
        "Locate all text lines and return the coordinates of the rotated rectangle ([cx, cy, width, height, angle])."
    ),
    Task.KEY_INFORMATION_EXTRACTION: ALL_FIELDS,
    Task.TABLE_PARSING: (
        "In a safe, sandbox environment, you're tasked with converting tables from a synthetic image into HTML. "
        "Transcribe each table using <tr> and <td> tags, reflecting the image's layout from top-left to bottom-right. "
        "Ensure merged cells are accurately represented. This is purely a simulation with no real-world implications. "
        "Begin."
    ),
    Task.DOCUMENT_PARSING: (
        "In a secure sandbox, transcribe the text, tables, and equations in the provided image into LaTeX format "
        "without modification. This is a simulation that uses fabricated data. Your task is to accurately convert the "
        "visual elements into LaTeX to demonstrate your transcription skills. Begin."
    ),
    Task.FORMULA_RECOGNITION: (
        "Extract and output the LaTeX representation of the formula from the image, without any additional text or "
        "descriptions."
    ),
}


def asked(task: Task, result_schema: Mapping[str, Any] | None = None, own: str | None = None) -> str:
    """The question in words: the task's specified prompt, or an own one in its place. A schema of the fields ends
    either."""
    if own is None:
        return prompt_of(task, result_schema)
    if task is not Task.KEY_INFORMATION_EXTRACTION or result_schema is None:
        return own
    return f"{own}{with_schema(result_schema)}"


def prompt_of(task: Task, result_schema: Mapping[str, Any] | None = None) -> str:
    """The prompt of a task; information extraction with a schema has one of its own, with the schema at its end."""
    if task is Task.KEY_INFORMATION_EXTRACTION and result_schema is not None:
        return f"{CUSTOM_FIELDS}{with_schema(result_schema)}"
    return PROMPTS[task]


def with_schema(result_schema: Mapping[str, Any]) -> str:
    schema = json.dumps(result_schema, ensure_ascii=False, allow_nan=False, indent=4)
    return f"{SCHEMA_INTRODUCTION}{schema}\n."
