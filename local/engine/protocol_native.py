"""The service's own protocol (DashScope): request body to call, answer to reply."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from local.engine import refusal, tokens
from local.engine.tasks import PROMPTS, Request, Task, wish_for_prompt

PATH = "/api/v1/services/aigc/multimodal-generation/generation"
OF_PROMPTS_ALONE = "qwen-vl-ocr-2024-10-28"
MODELS = frozenset(
    {
        "qwen-vl-ocr",
        "qwen-vl-ocr-latest",
        "qwen-vl-ocr-2025-11-20",
        "qwen-vl-ocr-2025-08-28",
        "qwen-vl-ocr-2025-04-13",
        OF_PROMPTS_ALONE,
        "qwen3.5-ocr",
    }
)
MOST_SCHEMA_LAYERS = 3
SYSTEM_TOKENS = 20
"""The fixed system message and the chat template, roughly."""


@dataclass(frozen=True, slots=True)
class ImageElement:
    source: str
    min_pixels: int
    max_pixels: int


@dataclass(frozen=True, slots=True)
class Call:
    model: str
    images: tuple[ImageElement, ...]
    wish: Request
    max_tokens: int
    incremental: bool
    built_in: bool = False
    """The task is named by ocr_options; a prompt gets text alone, with any wish."""
    streaming: bool = False
    """The compatible protocol's wish for streaming: its body says so."""
    usage_at_end: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """A task's findings: the text, and `ocr_result` where the task has one."""

    text: str
    ocr_result: dict[str, Any] | None = None
    compatible_text: str | None = None
    """The text where there is no `ocr_result` beside it; None: the same."""


def read_call(body: bytes) -> Call:
    try:
        request = json.loads(body)
    except ValueError:
        raise refusal.not_json() from None
    if not isinstance(request, dict):
        raise refusal.not_json()
    for name, kind in (("model", str), ("input", dict), ("parameters", dict)):
        if not isinstance(request.get(name), kind) or (name != "parameters" and not request[name]):
            raise refusal.missing(name)
    if request["model"] not in MODELS:
        raise refusal.model_not_found()
    elements = last_question(request["input"].get("messages"))
    parameters = request["parameters"]
    if request["model"] == OF_PROMPTS_ALONE and parameters.get("ocr_options") is not None:
        raise refusal.invalid(f"{OF_PROMPTS_ALONE} has no built-in tasks: ask by a prompt, without ocr_options.")
    return Call(
        model=request["model"],
        images=_images(elements),
        wish=_wish(parameters.get("ocr_options"), elements),
        max_tokens=whole(parameters, "max_tokens", tokens.MOST_OUTPUT_TOKENS, tokens.MOST_OUTPUT_TOKENS),
        incremental=parameters.get("incremental_output") is True,
        built_in=parameters.get("ocr_options") is not None,
    )


def last_question(messages: Any) -> list[dict[str, Any]]:
    """The last user message: the service knows no system message and no turns."""
    if not isinstance(messages, list) or not messages:
        raise refusal.missing("input")
    questions = [one for one in messages if isinstance(one, dict) and one.get("role") == "user"]
    content = questions[-1].get("content") if questions else None
    if not isinstance(content, list) or not all(isinstance(element, dict) for element in content):
        raise refusal.invalid("The content of a user message must be a list with an image.")
    return content


def _images(elements: list[dict[str, Any]]) -> tuple[ImageElement, ...]:
    found = tuple(image_element(element) for element in elements if "image" in element)
    if not found:
        raise refusal.invalid("The request has no image: the last user message must have an image element.")
    return found


def image_element(element: dict[str, Any]) -> ImageElement:
    if not isinstance(element["image"], str):
        raise refusal.invalid_url()
    if not isinstance(element.get("enable_rotate", False), bool):
        raise refusal.invalid("enable_rotate must be true or false.")
    least = whole(element, "min_pixels", tokens.DEFAULT_MIN_PIXELS, tokens.MOST_PIXELS)
    most = whole(element, "max_pixels", tokens.DEFAULT_MAX_PIXELS, tokens.MOST_PIXELS)
    if least > most:
        raise refusal.invalid(f"min_pixels ({least}) must not exceed max_pixels ({most}).")
    return ImageElement(element["image"], least, most)


def whole(given: dict[str, Any], name: str, default: int, most: int) -> int:
    number = given.get(name)
    if number is None:
        return default
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= most:
        raise refusal.invalid(f"Range of {name} should be [1, {most}].")
    return number


def _wish(options: Any, elements: list[dict[str, Any]]) -> Request:
    if options is None:
        return wish_for_prompt("\n".join(str(element["text"]) for element in elements if "text" in element))
    if not isinstance(options, dict) or not isinstance(options.get("task"), str):
        raise refusal.invalid("ocr_options must be an object with a task.")
    try:
        task = Task(options["task"])
    except ValueError:
        raise refusal.invalid(f"Unknown ocr_options.task: it must be one of {', '.join(Task)}.") from None
    schema = (options.get("task_config") or {}).get("result_schema")
    if task is not Task.KEY_INFORMATION_EXTRACTION or not schema:
        return Request(task, prompt=PROMPTS[task])
    if not isinstance(schema, dict):
        raise refusal.invalid("ocr_options.task_config.result_schema must be a JSON object.")
    if _layers(schema) > MOST_SCHEMA_LAYERS:
        raise refusal.invalid(f"result_schema supports up to {MOST_SCHEMA_LAYERS} nested layers.")
    return Request(task, schema, PROMPTS[task] + json.dumps(schema, ensure_ascii=False))


def _layers(schema: Any) -> int:
    if isinstance(schema, dict):
        return 1 + max((_layers(part) for part in schema.values()), default=0)
    if isinstance(schema, list):
        return max((_layers(part) for part in schema), default=0)
    return 0


def reply(call: Call, answer: Answer, sizes: list[tuple[int, int]], request_id: str) -> dict[str, Any]:
    """The reply to a call on images of these (height, width) sizes."""
    text = tokens.cut_to_tokens(answer.text, call.max_tokens)
    content: dict[str, Any] = {"text": text}
    if answer.ocr_result is not None:
        content["ocr_result"] = answer.ocr_result
    return {
        "output": {
            "choices": [
                {
                    "finish_reason": "stop" if text == answer.text else "length",
                    "message": {"role": "assistant", "content": [content]},
                }
            ]
        },
        "usage": _usage(call, text, sizes),
        "request_id": request_id,
    }


def check_input(call: Call, sizes: list[tuple[int, int]]) -> None:
    """Refuse a call that exceeds the model's input, all images of these (height, width) sizes counted."""
    if _image_tokens(call, sizes) + _prompt_tokens(call) > tokens.MOST_INPUT_TOKENS:
        raise refusal.invalid(f"Range of input length should be [1, {tokens.MOST_INPUT_TOKENS}]")


def _image_tokens(call: Call, sizes: list[tuple[int, int]]) -> int:
    return sum(
        tokens.image_tokens(height, width, image.min_pixels, image.max_pixels)
        for image, (height, width) in zip(call.images, sizes, strict=True)
    )


def _prompt_tokens(call: Call) -> int:
    return SYSTEM_TOKENS + tokens.text_tokens(call.wish.prompt)


def _usage(call: Call, text: str, sizes: list[tuple[int, int]]) -> dict[str, Any]:
    image_tokens, prompt_tokens = _image_tokens(call, sizes), _prompt_tokens(call)
    output_tokens = tokens.text_tokens(text)
    return {
        "input_tokens_details": {"text_tokens": prompt_tokens, "image_tokens": image_tokens},
        "total_tokens": prompt_tokens + image_tokens + output_tokens,
        "output_tokens": output_tokens,
        "input_tokens": prompt_tokens + image_tokens,
        "output_tokens_details": {"text_tokens": output_tokens},
        "image_tokens": image_tokens,
    }


def events(call: Call, whole: dict[str, Any]) -> Iterator[bytes]:
    """The reply as a stream. It has no `ocr_result`: the service leaves it out there, too."""
    choice = whole["output"]["choices"][0]
    text = choice["message"]["content"][0]["text"]
    steps = [*range(80, len(text), 80), len(text)]
    for number, end in enumerate(steps, start=1):
        part = text[steps[number - 2] if number > 1 else 0 : end] if call.incremental else text[:end]
        last = number == len(steps)
        message = {"role": "assistant", "content": [{"text": part}]}
        output = {"choices": [{"finish_reason": choice["finish_reason"] if last else "null", "message": message}]}
        body = {"output": output, "usage": whole["usage"], "request_id": whole["request_id"]}
        yield _event(number, "result", 200, body)


def error_event(status: int, body: dict[str, Any]) -> bytes:
    return _event(1, "error", status, body)


def _event(number: int, kind: str, status: int, body: dict[str, Any]) -> bytes:
    return f"id:{number}\nevent:{kind}\n:HTTP_STATUS/{status}\ndata:{json.dumps(body, ensure_ascii=False)}\n\n".encode()


def error_body(error: refusal.Refusal, request_id: str) -> dict[str, Any]:
    return {"code": error.code, "message": error.message, "request_id": request_id}
