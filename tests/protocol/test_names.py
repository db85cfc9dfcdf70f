"""A result names what answered, as it says of itself; the service's native replies say nothing."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest

from pagewise.qwen.client import EngineClient, WireProtocol
from pagewise.qwen.dashscope import DashScope
from pagewise.qwen.fitting import Inline
from pagewise.qwen.openai_compatible import OpenAICompatible
from pagewise.qwen.question import Answer, Question
from pagewise.tasks import Task
from tests.engine.asking import MODEL, Engine
from tests.protocol.conftest import PAGE, key

NATIVE: dict[str, Any] = {
    "output": {"choices": [{"finish_reason": "stop", "message": {"role": "assistant", "content": [{"text": "t"}]}}]}
}
COMPATIBLE: dict[str, Any] = {"choices": [{"finish_reason": "stop", "message": {"content": "t"}}]}


def asked(protocol: WireProtocol, reply: dict[str, Any], headers: dict[str, str] | None = None) -> Answer:
    content = json.dumps(reply).encode()
    transport = httpx.MockTransport(lambda _: httpx.Response(200, stream=httpx.ByteStream(content), headers=headers))
    client = EngineClient(httpx.AsyncClient(transport=transport), protocol, "https://user:pw@host.example:8443/v1", key)
    question = Question(MODEL, Inline(b"image", "image/png"), Task.TEXT_RECOGNITION)
    return asyncio.run(client.recognize(question, 60))


@pytest.mark.parametrize(
    ("protocol", "reply", "headers", "engine", "model"),
    [
        (DashScope(), NATIVE, {}, "host.example", None),
        (DashScope(), NATIVE, {"x-engine": "own", "x-model": "m-1"}, "own", "m-1"),
        (OpenAICompatible(), COMPATIBLE | {"model": "Qwen/Qwen3-VL-8B"}, {}, "host.example", "Qwen/Qwen3-VL-8B"),
        (OpenAICompatible(), COMPATIBLE | {"model": "\x1b[2J" + "m" * 10_000}, {}, "host.example", "[2J" + "m" * 97),
        (OpenAICompatible(), COMPATIBLE | {"model": ["m"]}, {}, "host.example", None),
        (OpenAICompatible(), COMPATIBLE | {"model": " "}, {}, "host.example", None),
        (OpenAICompatible(), COMPATIBLE | {"model": "half \ud83d"}, {}, "host.example", "half"),
    ],
)
def test_an_answer_names_what_gave_it(
    protocol: WireProtocol, reply: dict[str, Any], headers: dict[str, str], engine: str, model: str | None
) -> None:
    answer = asked(protocol, reply, headers)
    assert (answer.engine, answer.model) == (engine, model)


@pytest.mark.parametrize("path", ["/api/v1", "/compatible-mode/v1"])
def test_the_embedded_engine_is_not_qwen_ocr_in_either_protocol(canned: Engine, path: str) -> None:
    protocol: WireProtocol = DashScope() if path == "/api/v1" else OpenAICompatible()

    async def answer() -> Answer:
        async with httpx.AsyncClient() as http:
            client = EngineClient(http, protocol, str(canned.http.base_url).rstrip("/") + path, key)
            return await client.recognize(Question(MODEL, Inline(PAGE, "image/png"), Task.TEXT_RECOGNITION), 60)

    found = asyncio.run(answer())
    assert found.engine == "pagewise-embedded"
    assert found.model is not None
    assert found.model.startswith("rapidocr-")
