"""The client's own part of a call: time, retries, directed delays, a refusing account, and the request's body."""

from __future__ import annotations

import asyncio
import gc
import time
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest

from pagewise.client import EngineClient, RequestBody, queue_backoff, timeouts
from pagewise.dashscope import DashScope
from pagewise.errors import Configuration, Permanent, Throttled, Transient
from pagewise.transport import Inline
from tests.engine.asking import Engine
from tests.protocol.conftest import PAGE, Served, address, asked, behave, engine_client, key, question

RESULT = {
    "output": {"choices": [{"finish_reason": "stop", "message": {"content": [{"text": "read"}]}}]},
    "usage": {"input_tokens": 10, "output_tokens": 2},
    "request_id": "r",
}
PROTOCOLS = pytest.mark.parametrize("protocol", ["native", "compatible"])


@PROTOCOLS
def test_what_passes_at_the_second_try_is_an_answer(canned: Engine, protocol: str) -> None:
    for name in ("internal_error", "cut", "bad_gateway", "inspection_download"):
        behave(canned, {"name": name})
        answer = asked(address(canned), question(), protocol)
        assert "Canned answer" in answer.text
        assert answer.requests == 2


def test_a_slow_engine_ends_with_the_invocations_time(canned: Engine) -> None:
    behave(canned, {"name": "slow", "seconds": 30, "times": None})
    began = time.monotonic()
    with pytest.raises(Transient) as raised:
        asked(address(canned), question(), seconds=2.5)
    assert raised.value.reason == "timeout"
    assert time.monotonic() - began < 15  # half of what the engine takes


def test_silence_connection_and_total_time_have_limits_of_their_own() -> None:
    limits = timeouts()
    assert (limits.connect, limits.read, limits.write) == (10, 120, 30)
    with pytest.raises(Transient, match="cannot be reached"):
        asked("http://127.0.0.1:9", question(), seconds=5)


def test_no_time_is_no_call() -> None:
    with pytest.raises(Transient) as raised:
        asked(lambda _: httpx.Response(200, json=RESULT), question(), seconds=1.0)
    assert raised.value.reason == "out_of_time"


def directed(seconds: str) -> Callable[[httpx.Request], httpx.Response]:
    """An engine that is away once, and says for how long."""
    replies = [
        httpx.Response(503, json={"code": "ModelUnavailable"}, headers={"retry-after": seconds}),
        httpx.Response(200, json=RESULT),
    ]
    return lambda _: replies.pop(0)


def test_a_short_directed_delay_is_waited_for() -> None:
    assert asked(directed("0"), question()).requests == 2


def test_a_long_directed_delay_is_left_to_the_queue_within_a_bound() -> None:
    with pytest.raises(Transient) as raised:
        asked(directed("3600"), question())
    assert raised.value.retry_after == 3600
    assert queue_backoff(raised.value, 1) == 900


def test_a_directed_delay_can_be_a_date() -> None:
    moment = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    for value, low, high in ((moment, 90, 101), ("Wed, 21 Oct 2015 07:28:00 GMT", 0, 0)):
        reply = httpx.Response(429, json={"code": "Throttling"}, headers={"retry-after": value})
        with pytest.raises(Throttled) as raised:
            asked(lambda _, reply=reply: reply, question())  # type: ignore[misc]
        assert raised.value.retry_after is not None
        assert low <= raised.value.retry_after <= high
    nonsense = httpx.Response(429, json={"code": "Throttling"}, headers={"retry-after": "soon"})
    with pytest.raises(Throttled) as raised:
        asked(lambda _: nonsense, question())
    assert raised.value.retry_after is None


def test_backoff_is_full_jitter_up_to_a_bound_that_doubles() -> None:
    client = EngineClient(httpx.AsyncClient(), DashScope(), "http://engine", key, jitter=lambda: 1.0)
    assert [client.backoff(attempt) for attempt in range(6)] == [0.5, 1, 2, 4, 8, 8]
    client.jitter = lambda: 0.0
    assert client.backoff(3) == 0


def test_a_refused_account_stops_the_batch() -> None:
    """Ten page jobs of a batch: those under way come back, the others ask nothing more."""
    requests = 0

    def refuse(_: httpx.Request) -> httpx.Response:
        nonlocal requests
        requests += 1
        return httpx.Response(401, json={"code": "InvalidApiKey", "message": "Invalid API-key provided."})

    async def batch() -> list[BaseException | object]:
        async with httpx.AsyncClient(transport=Served(refuse)) as http:
            client = engine_client(http, "http://engine")
            first = await asyncio.gather(client.recognize(question(), 10), return_exceptions=True)
            rest = (client.recognize(question(), 10) for _ in range(9))
            later = await asyncio.gather(*rest, return_exceptions=True)
            client.stopped_until = 0.0  # the minute is over
            return [*first, *later, *await asyncio.gather(client.recognize(question(), 10), return_exceptions=True)]

    outcomes = asyncio.run(batch())
    assert {type(outcome) for outcome in outcomes} == {Configuration}
    assert {getattr(outcome, "reason", None) for outcome in outcomes} == {"InvalidApiKey"}
    assert requests == 2


@pytest.mark.parametrize("value", ["", "sk-1\n", "sk—1", "sk 1"])
def test_a_key_that_no_header_can_carry_is_a_wrong_key(value: str) -> None:
    async def bad() -> str:
        return value

    def client(http: httpx.AsyncClient) -> EngineClient:
        return EngineClient(http, DashScope(), "http://engine", bad)

    with pytest.raises(Configuration) as raised:
        asked(lambda _: httpx.Response(200, json=RESULT), question(), client=client)
    assert raised.value.reason == "api_key_malformed"
    assert not value or value not in raised.value.message


def test_a_base_url_that_is_none_is_a_matter_of_configuration() -> None:
    def client(http: httpx.AsyncClient) -> EngineClient:
        return EngineClient(http, DashScope(), "engine.example/api/v1", key)

    async def ask() -> None:
        async with httpx.AsyncClient() as http:
            await client(http).recognize(question(), 10)

    with pytest.raises(Configuration) as raised:
        asyncio.run(ask())
    assert raised.value.reason == "base_url_invalid"


def test_an_image_that_the_engine_cannot_fetch_is_tried_twice_and_never_again(canned: Engine) -> None:
    with pytest.raises(Permanent) as raised:
        asked(address(canned), question(image="http://127.0.0.1:9/page.png"))
    assert raised.value.reason == "InvalidParameter.DataInspection"
    assert canned.http.get("/requests").json()["total"] == 2


async def pieces(body: RequestBody) -> AsyncIterator[bytes]:
    async for piece in body:
        yield piece


def test_a_call_holds_the_page_once_and_never_its_text() -> None:
    """7 MB of page: the vendor's SDK holds some 40 MB, this one less than one besides the page."""
    page = bytes(7_000_000)

    async def longest(body: RequestBody) -> tuple[int, int]:
        total = most = 0
        async for piece in pieces(body):
            total, most = total + len(piece), max(most, len(piece))
        return total, most

    tracemalloc.start()
    try:
        body = RequestBody.of(question(image=Inline(page, "image/png")), DashScope())
        total, most = asyncio.run(longest(body))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert total == len(body) > 9_333_000
    assert most <= 262_144
    assert peak < 1_500_000


def test_pages_do_not_pile_up_until_the_garbage_collector_runs(canned: Engine) -> None:
    async def calls() -> int:
        async with httpx.AsyncClient() as http:
            client = engine_client(http, address(canned))
            for _ in range(10):
                page = PAGE[:-12] + comment(1_000_000) + PAGE[-12:]
                await client.recognize(question(image=Inline(page, "image/png")), 10)
                del page
            return tracemalloc.get_traced_memory()[0]

    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        assert asyncio.run(calls()) < 3_000_000
    finally:
        tracemalloc.stop()
        gc.enable()


def comment(size: int) -> bytes:
    """A chunk of a PNG that is no part of the picture."""
    chunk = b"tEXtComment\0" + b" " * size
    return (len(chunk) - 4).to_bytes(4) + chunk + zlib.crc32(chunk).to_bytes(4)


def test_it_asks_again_only_where_the_accounts_rate_lets_it() -> None:
    asked = []

    def broken(request: httpx.Request) -> httpx.Response:
        asked.append(request.url)
        return httpx.Response(500, json={"code": "InternalError", "message": "m"})

    async def once_more() -> bool:
        return len(asked) < 2

    async def ask() -> None:
        async with httpx.AsyncClient(transport=Served(broken)) as http:
            with pytest.raises(Transient):
                await EngineClient(http, DashScope(), "http://engine", key, jitter=lambda: 0.0).recognize(
                    question(), 10, once_more
                )

    asyncio.run(ask())
    assert len(asked) == 2
