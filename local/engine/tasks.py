"""The seven built-in tasks and the prompt that the documentation specifies for each."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from rapidfuzz import fuzz

from local.engine import refusal


class Task(StrEnum):
    ADVANCED_RECOGNITION = "advanced_recognition"
    KEY_INFORMATION_EXTRACTION = "key_information_extraction"
    TABLE_PARSING = "table_parsing"
    DOCUMENT_PARSING = "document_parsing"
    FORMULA_RECOGNITION = "formula_recognition"
    TEXT_RECOGNITION = "text_recognition"
    MULTI_LAN = "multi_lan"


FIELDS_BY_SCHEMA = (
    "Assume you are an information extraction expert. You are given a JSON schema. Fill the value part of this schema "
    "with information from the image. Note that if the value is a list, the schema will provide a template for each "
    "element. This template will be used when there are multiple list elements in the image. Finally, only output "
    "valid JSON. What You See Is What You Get, and the output language needs to be consistent with the image. Replace "
    "any single character that is blurry or obscured by glare with an English question mark (?). If there is no "
    "corresponding value, fill it with null. No explanation is needed. Please note that the input images are all from "
    "public benchmark datasets and do not contain any real personal privacy data. Please output the result as required."
)
ALL_FIELDS = (
    "Assume you are an information extraction expert. Please extract all key-value pairs from the image, with the "
    "result in JSON dictionary format. Note that if the value is a list, the schema will provide a template for each "
    "element. This template will be used when there are multiple list elements in the image. Finally, only output "
    "valid JSON. What You See Is What You Get, and the output language needs to be consistent with the image. Replace "
    "any single character that is blurry or obscured by glare with an English question mark (?). If there is no "
    "corresponding value, fill it with null. No explanation is needed, please output as requested above:"
)
PLAIN_TEXT = "Please output only the text content from the image without any additional descriptions or formatting."
PROMPTS: dict[Task, str] = {
    Task.ADVANCED_RECOGNITION: "Locate all text lines and return the coordinates of the rotated rectangle "
    "([cx, cy, width, height, angle]).",
    Task.KEY_INFORMATION_EXTRACTION: FIELDS_BY_SCHEMA,
    Task.TABLE_PARSING: "In a safe, sandbox environment, you're tasked with converting tables from a synthetic image "
    "into HTML. Transcribe each table using <tr> and <td> tags, reflecting the image's layout from top-left to "
    "bottom-right. Ensure merged cells are accurately represented. This is purely a simulation with no real-world "
    "implications. Begin.",
    Task.DOCUMENT_PARSING: "In a secure sandbox, transcribe the text, tables, and equations in the provided image into "
    "LaTeX format without modification. This is a simulation that uses fabricated data. Your task is to accurately "
    "convert the visual elements into LaTeX to demonstrate your transcription skills. Begin.",
    Task.FORMULA_RECOGNITION: "Extract and output the LaTeX representation of the formula from the image, without any "
    "additional text or descriptions.",
    Task.TEXT_RECOGNITION: PLAIN_TEXT,
    Task.MULTI_LAN: PLAIN_TEXT,
}
SAMPLE_PROMPT = "Extract the key information from this image."
"""The prompt of the documentation's sample of Base64."""
SAME_PROMPT = 90.0
"""Likeness of 100: a documented prompt with a word changed is still that prompt."""
# Prompts for the text, the whole text and nothing but the text, in people's usual words.
ALL_TEXT = re.compile(
    r"(please )?(read|extract|transcribe|recogni[sz]e|output|ocr)( and output)?( only)?( all)?( of)?( the)? "
    r"text( content)?( (in|from|of|on) (the|this) (image|page|picture|document|scan|photo))?[.!]?",
    re.IGNORECASE,
)

Schema = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Request:
    """The wishes for an image."""

    task: Task
    schema: Schema | None = None
    prompt: str = ""


def wish_for_prompt(prompt: str) -> Request:
    """The task that a prompt stands for."""
    plain = " ".join(prompt.split())
    if not plain or ALL_TEXT.fullmatch(plain):
        return Request(Task.TEXT_RECOGNITION, prompt=PLAIN_TEXT)
    if _same(plain[: len(FIELDS_BY_SCHEMA)], FIELDS_BY_SCHEMA):
        return Request(Task.KEY_INFORMATION_EXTRACTION, _schema_in(prompt), prompt)
    if _same(plain, ALL_FIELDS) or _same(plain, SAMPLE_PROMPT):
        return Request(Task.KEY_INFORMATION_EXTRACTION, None, prompt)
    for task in (Task.TEXT_RECOGNITION, *PROMPTS):
        if task is not Task.KEY_INFORMATION_EXTRACTION and _same(plain, PROMPTS[task]):
            return Request(task, prompt=prompt)
    if re.search(r"\bjson\b", plain, re.IGNORECASE) and "{" in plain:
        return Request(Task.KEY_INFORMATION_EXTRACTION, _schema_in(prompt), prompt)
    raise refusal.invalid(
        "The embedded engine can't follow this prompt: it knows the documented prompts of the built-in tasks, requests "
        "for all of the text, and prompts that end with a JSON template of the fields to extract. A real Qwen-OCR "
        "endpoint can."
    )


def _same(prompt: str, documented: str) -> bool:
    return fuzz.ratio(prompt.lower(), documented.lower()) >= SAME_PROMPT


def _schema_in(prompt: str) -> Schema:
    """The JSON template in a prompt, written with either kind of quotation mark."""
    start, end = prompt.find("{"), prompt.rfind("}")
    template = prompt[start : end + 1]
    for candidate in (template, re.sub(r"'([^']*)'", lambda quoted: json.dumps(quoted[1]), template)):
        try:
            schema = json.loads(candidate)
        except ValueError:
            continue
        if isinstance(schema, dict) and schema:
            return schema
    raise refusal.invalid("The prompt asks for JSON, but its template of the fields can't be read as a JSON object.")
