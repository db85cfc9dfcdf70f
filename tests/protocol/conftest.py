"""The engine as a process of its own: one that answers at once and misbehaves on demand, and one that really reads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from pagewise.qwen.client import EngineClient, WireProtocol, timeouts
from pagewise.qwen.dashscope import DashScope
from pagewise.qwen.fitting import Inline
from pagewise.qwen.openai_compatible import OpenAICompatible
from pagewise.qwen.question import Answer, Question
from pagewise.tasks import Task
from tests.engine.asking import MODEL, Engine, drawn, encode, running_engine, wait_until_ready

PROTOCOLS: dict[str, WireProtocol] = {"native": DashScope(), "compatible": OpenAICompatible()}
BASE_PATHS = {"native": "/api/v1", "compatible": "/compatible-mode/v1"}
PAGE = encode(drawn("Hello"))


@pytest.fixture(scope="session")
def _canned() -> Iterator[Engine]:
    with running_engine("--canned", "--test-controls") as started:
        yield started


@pytest.fixture
def canned(_canned: Engine) -> Engine:
    """Answers at once; its script and its counters are empty."""
    _canned.http.delete("/behaviour")
    _canned.http.delete("/requests")
    return _canned


@pytest.fixture(scope="session")
def reading() -> Iterator[Engine]:
    with running_engine() as started:
        wait_until_ready(started)
        yield started


def question(task: Task | None = Task.TEXT_RECOGNITION, **changes: Any) -> Question:
    return Question(**{"model": MODEL, "image": Inline(PAGE, "image/png"), "task": task, **changes})


async def key() -> str:
    return "sk-any"


class Served(httpx.MockTransport):
    """Replies as a network brings them: not read before the client reads them."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        reply = await super().handle_async_request(request)
        if not reply.is_stream_consumed:
            return reply
        return httpx.Response(reply.status_code, headers=reply.headers, stream=Pieces([reply.content]))


@dataclass(frozen=True)
class Pieces(httpx.AsyncByteStream):
    """A body as it is on the wire."""

    content: Iterable[bytes]

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self.content:
            yield piece


def asked(
    transport: Callable[[httpx.Request], Any] | str,
    asking: Question,
    protocol: str = "native",
    seconds: float = 30.0,
    client: Callable[[httpx.AsyncClient], EngineClient] | None = None,
) -> Answer:
    """The answer of an engine at this address, or of a function in its place; retries wait for hardly a moment."""

    async def ask() -> Answer:
        handler = None if isinstance(transport, str) else Served(transport)
        base = transport if isinstance(transport, str) else "http://engine"
        async with httpx.AsyncClient(transport=handler, timeout=timeouts()) as http:
            made = client(http) if client else engine_client(http, base, protocol)
            return await made.recognize(asking, seconds)

    return asyncio.run(ask())


def engine_client(http: httpx.AsyncClient, base: str, protocol: str = "native") -> EngineClient:
    return EngineClient(http, PROTOCOLS[protocol], base + BASE_PATHS[protocol], key, jitter=lambda: 0.01)


def address(engine: Engine) -> str:
    return str(engine.http.base_url).rstrip("/")


def behave(engine: Engine, *steps: dict[str, Any]) -> None:
    assert engine.http.post("/behaviour", json=list(steps)).status_code == 204
