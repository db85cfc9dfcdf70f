"""The vendor's SDKs' requests (../shared/wire-captures), each with the question that it puts, or why we put none."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pagewise.qwen.fitting import Inline
from pagewise.qwen.question import Question
from pagewise.tasks import Task

FOLDER = Path(__file__).parents[3] / "shared/wire-captures"

STREAMED = "a streamed task comes without its result: Pagewise never streams"
UPLOADED = (
    "the SDK uploads a local file to the vendor's storage; over HTTP the FAQ wants Base64 or a URL, which we send"
)
BATCHED = "of the batch lane, no part of a call: test_sdk_batches.py has the embedded engine answer it"
NOT_OURS: Mapping[str, str] = {
    "dashscope-local-file": UPLOADED,
    "dashscope-local-file-missing": "the SDK sends nothing",
    "dashscope-local-file-plain-path": UPLOADED,
    "dashscope-local-file-two-images": UPLOADED,
    "dashscope-oss-url": UPLOADED,
    "dashscope-text-is-a-local-path": UPLOADED,
    "dashscope-stream-default": STREAMED,
    "dashscope-stream-incremental": STREAMED,
    "dashscope-stream-incremental-false": STREAMED,
    "dashscope-stream-with-ocr-options": STREAMED,
    "dashscope-stream-error-event": STREAMED,
    "dashscope-stream-error-event-live-shape": STREAMED,
    "dashscope-error-400-sse": STREAMED,
    "openai-stream-include-usage": STREAMED,
    "openai-extra-body-ocr-options-UNDOCUMENTED": "a probe: the protocol has no ocr_options",
    "openai-files-content": BATCHED,
    "openai-files-create-batch": BATCHED,
    "openai-batches-create": BATCHED,
    "openai-batches-retrieve": BATCHED,
    "openai-batches-list": BATCHED,
    "openai-batches-cancel": BATCHED,
}
# These send the same request up to three times; each of them is compared.
SDK_ONLY_HEADERS = "user-agent, x-dashscope-sdk-*, x-stainless-*, accept"


def names() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def capture(name: str) -> dict[str, Any]:
    return dict(json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8")))


def is_streamed(request: Mapping[str, Any]) -> bool:
    headers = {name.lower(): value for name, value in request["headers"]}
    return headers.get("x-dashscope-sse") == "enable" or bool((request.get("body") or {}).get("stream"))


def question_of(name: str, request: Mapping[str, Any]) -> Question:
    """The question behind a request. A compatible one names no task: the capture's name does."""
    return native(request["body"]) if name.startswith("dashscope") else compatible(name, request["body"])


def native(body: Mapping[str, Any]) -> Question:
    (message,) = body["input"]["messages"]
    images = [element for element in message["content"] if "image" in element]
    image, texts = images[0], message["content"][len(images) :]
    parameters = dict(body["parameters"])
    options = parameters.pop("ocr_options", {})
    return Question(
        model=body["model"],
        image=image_of(image["image"]),
        further_images=tuple(image_of(other["image"]) for other in images[1:]),
        task=Task(options["task"]) if options else None,
        prompt=texts[0]["text"] if texts else None,
        result_schema=options.get("task_config", {}).get("result_schema"),
        min_pixels=image.get("min_pixels"),
        max_pixels=image.get("max_pixels"),
        enable_rotate=image.get("enable_rotate"),
        parameters=parameters,
    )


def compatible(name: str, body: Mapping[str, Any]) -> Question:
    (message,) = body["messages"]
    image, *texts = message["content"]
    _, _, named = name.partition("-task-")
    task = Task(named.split("-")[0]) if named else None
    schema = None
    if named.endswith("-schema"):
        text = texts[0]["text"]
        schema = json.loads(text[text.index("{") : text.rindex("}") + 1])
    return Question(
        model=body["model"],
        image=image_of(image["image_url"]["url"]),
        task=task,
        prompt=None if task or not texts else texts[0]["text"],
        result_schema=schema,
        min_pixels=image.get("min_pixels"),
        max_pixels=image.get("max_pixels"),
        parameters={name: value for name, value in body.items() if name not in ("model", "messages")},
    )


def image_of(source: str) -> Inline | str:
    if not source.startswith("data:"):
        return source
    media_type, _, encoded = source.removeprefix("data:").partition(";base64,")
    return Inline(base64.b64decode(encoded), media_type)
