"""Both clients in front of one served Pagewise: a test says `client`, and runs with each."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest

from pagewise_client import AsyncPagewise, Pace, Pagewise, Patience
from tests.client.serving import Served, serving

QUICK = {"pace": Pace(0.01, 0.02), "patience": Patience(4, 0.01, 0.02, longest=5)}
Opened = Callable[..., Pagewise]


class Blocking:
    """The asynchronous client, called as the other is."""

    def __init__(self, *words: Any, **named: Any) -> None:
        self.loop = asyncio.new_event_loop()
        self.client = AsyncPagewise(*words, **named)

    def __getattr__(self, name: str) -> Any:
        def call(*words: Any, **named: Any) -> Any:
            answer = getattr(self.client, name)(*words, **named)
            return self.each(answer) if inspect.isasyncgen(answer) else self.loop.run_until_complete(answer)

        return call

    def each(self, answers: Any) -> Iterator[Any]:
        while True:
            try:
                yield self.loop.run_until_complete(anext(answers))
            except StopAsyncIteration:
                return

    def close(self) -> None:
        self.loop.run_until_complete(self.client.close())
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()


@pytest.fixture
def served() -> Iterator[Served]:
    with serving() as pagewise:
        yield pagewise


@pytest.fixture(params=[Pagewise, Blocking], ids=["sync", "async"])
def opened(request: pytest.FixtureRequest) -> Iterator[Opened]:
    """Opens a client, quick to ask again."""
    clients: list[Any] = []

    def open_client(*words: Any, **named: Any) -> Pagewise:
        clients.append(request.param(*words, **{**QUICK, **named}))
        return cast(Pagewise, clients[-1])

    yield open_client
    for client in clients:
        client.close()


@pytest.fixture
def client(opened: Opened, served: Served) -> Pagewise:
    return opened(served.address)
