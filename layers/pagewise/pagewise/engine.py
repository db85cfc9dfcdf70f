"""What is asked of an engine and what it answers, whichever protocol carries it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pagewise.model import Usage
from pagewise.tasks import Task

# Qwen-OCR documentation, "Availability" and its smart_resize sample: 32 × 32 × 3 and 8192 × 32 × 32.
DEFAULT_MIN_PIXELS = 3_072
DEFAULT_MAX_PIXELS = 8_388_608


@dataclass(frozen=True, slots=True)
class Question:
    """One image and what is wanted of it.

    `image` is a data URL or an http(s) URL. With a `task` the service uses its own fixed prompt; with a `prompt`
    it uses that one ("Call built-in tasks"). `parameters` are sampling parameters such as temperature, max_tokens.
    """

    model: str
    image: str
    task: Task | None = None
    prompt: str | None = None
    result_schema: Mapping[str, Any] | None = None
    min_pixels: int | None = DEFAULT_MIN_PIXELS
    max_pixels: int | None = DEFAULT_MAX_PIXELS
    enable_rotate: bool | None = False
    parameters: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, before it is read as a task's result.

    `text` is the service's `processed_text` where it sent one, else its `text`.
    `finish_reason` "length" means truncated.
    """

    text: str
    words: Sequence[Mapping[str, Any]] | None
    fields: Any
    finish_reason: str | None
    usage: Usage
    request_id: str | None
    requests: int = 1
