"""The documentation's examples, run by the vendor's own SDKs: a script for the environment .venvs/sdk.

    .venvs/sdk/bin/python tests/protocol/sdk_examples.py http://127.0.0.1:4567 ticket.png [http://…/ticket.png]

Prints one JSON object: by example, the SDK's status or error code and what it read. The images of the documentation are
on hosts that a test does not reach: one of ours stands for them, by its URL, as Base64, and as a file.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

MODEL = "qwen-vl-ocr-2025-11-20"
PIXELS = {"min_pixels": 3072, "max_pixels": 8388608}
KEY = "sk-any"
SCHEMA = {
    "Invoice Number": "Extract the number from the invoice, usually composed of only digits.",
    "Train Number": "The number of the train",
}
TICKET = (
    "Extract the invoice number and the train number from the train ticket image. Return the data in JSON format: "
    "{'Invoice Number': 'xxx', 'Train Number': 'xxx'}"
)
TASKS = (
    "advanced_recognition",
    "table_parsing",
    "document_parsing",
    "formula_recognition",
    "text_recognition",
    "multi_lan",
)


def main() -> None:
    address, file, url = sys.argv[1], Path(sys.argv[2]).resolve(), (sys.argv[3:] or [""])[0]
    os.environ["DASHSCOPE_HTTP_BASE_URL"] = f"{address}/api/v1"
    results = {f"dashscope: {name}": got(example) for name, example in dashscope_examples(address, file, url).items()}
    results |= {f"openai: {name}": got(example) for name, example in openai_examples(address, file, url).items()}
    sys.stdout.write(json.dumps(results, ensure_ascii=False))


def got(example: Callable[[], Any]) -> dict[str, Any]:
    try:
        return dict(example())
    except Exception as error:  # noqa: BLE001  whatever the SDK raises is the result
        return {"error": type(error).__name__, "code": getattr(error, "code", None), "message": str(error)[:300]}


def data_url(file: Path) -> str:
    return f"data:image/png;base64,{base64.b64encode(file.read_bytes()).decode()}"


def dashscope_examples(address: str, file: Path, url: str) -> dict[str, Callable[[], Any]]:
    import dashscope

    dashscope.base_http_api_url = f"{address}/api/v1"
    image = url or data_url(file)

    def ask(source: str, prompt: str | None = None, **options: Any) -> dict[str, Any]:
        element = {"image": source, **PIXELS, "enable_rotate": False}
        content = [element, {"text": prompt}] if prompt else [element]
        messages = [{"role": "user", "content": content}]
        return shown(dashscope.MultiModalConversation.call(api_key=KEY, model=MODEL, messages=messages, **options))

    def streamed() -> dict[str, Any]:
        messages = [{"role": "user", "content": [{"image": image, **PIXELS}]}]
        options = {"stream": True, "incremental_output": True, "ocr_options": {"task": "text_recognition"}}
        parts = list(dashscope.MultiModalConversation.call(api_key=KEY, model=MODEL, messages=messages, **options))
        return {"status": parts[-1].status_code, "text": "".join(shown(part)["text"] for part in parts)}

    async def asynchronous() -> dict[str, Any]:
        messages = [{"role": "user", "content": [{"image": image, **PIXELS}]}]
        options = {"ocr_options": {"task": "text_recognition"}}
        reply = await dashscope.AioMultiModalConversation.call(api_key=KEY, model=MODEL, messages=messages, **options)
        return shown(reply)

    examples: dict[str, Callable[[], Any]] = {task: partial(ask, image, ocr_options={"task": task}) for task in TASKS}
    schema = {"task": "key_information_extraction", "task_config": {"result_schema": SCHEMA}}
    return examples | {
        "key_information_extraction, custom": lambda: ask(image, ocr_options=schema),
        "key_information_extraction, full": lambda: ask(image, ocr_options={"task": "key_information_extraction"}),
        "local file as Base64": lambda: ask(data_url(file), ocr_options={"task": "text_recognition"}),
        "local file by path, file://": lambda: ask(f"file://{file}", TICKET),
        "own prompt": lambda: ask(image, TICKET),
        "no prompt, no task": lambda: ask(image),
        "stream": streamed,
        "asynchronous": lambda: asyncio.run(asynchronous()),
    }


def shown(reply: Any) -> dict[str, Any]:
    if reply.status_code != 200:
        return {"status": reply.status_code, "code": reply.code, "message": reply.message}
    choice = reply["output"]["choices"][0]
    content = choice["message"].content[0]
    return {
        "status": reply.status_code,
        "finish_reason": choice["finish_reason"],
        "text": content.get("text"),
        "ocr_result": content.get("ocr_result"),
        "usage": dict(reply.usage),
    }


def openai_examples(address: str, file: Path, url: str) -> dict[str, Callable[[], Any]]:
    from openai import OpenAI

    sys.path[:0] = [str(Path(__file__).parents[2] / "layers/pagewise")]
    from pagewise.qwen.prompts import prompt_of
    from pagewise.tasks import Task

    client = OpenAI(api_key=KEY, base_url=f"{address}/compatible-mode/v1", max_retries=0)
    image = url or data_url(file)

    def messages(source: str, prompt: str | None) -> list[Any]:
        element = {"type": "image_url", "image_url": {"url": source}, **PIXELS}
        content = [element, {"type": "text", "text": prompt}] if prompt else [element]
        return [{"role": "user", "content": content}]

    def ask(source: str, prompt: str | None = None) -> dict[str, Any]:
        reply = client.chat.completions.create(model=MODEL, messages=messages(source, prompt))
        choice = reply.choices[0]
        usage = reply.usage.model_dump() if reply.usage else {}
        return {
            "status": 200,
            "finish_reason": choice.finish_reason,
            "text": choice.message.content,
            "usage": usage,
        }

    def streamed() -> dict[str, Any]:
        chunks = list(
            client.chat.completions.create(
                model=MODEL, messages=messages(image, None), stream=True, stream_options={"include_usage": True}
            )
        )
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
        return {"status": 200, "text": text, "usage": chunks[-1].usage.model_dump()}

    tasks: dict[str, Callable[[], Any]] = {task: partial(ask, image, prompt_of(Task(task))) for task in TASKS}
    return tasks | {
        "key_information_extraction, custom": lambda: ask(image, prompt_of(Task("key_information_extraction"), SCHEMA)),
        "key_information_extraction, full": lambda: ask(image, prompt_of(Task("key_information_extraction"))),
        "Base64, its own prompt": lambda: ask(data_url(file), "Extract the key information from this image."),
        "own prompt": lambda: ask(image, TICKET),
        "no prompt": lambda: ask(image),
        "stream": streamed,
    }


if __name__ == "__main__":
    main()
