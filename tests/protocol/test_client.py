"""The client's own part of a call: time, retries, directed delays, a refusing account, and the request's body."""

from __future__ import annotations

import asyncio
import gc
import gzip
import json
import time
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest

from pagewise.errors import Configuration, Permanent, Throttled, Transient
from pagewise.qwen.client import KEPT_BYTES, MOST_REPLY_BYTES, EngineClient, RequestBody, queue_backoff, timeouts
from pagewise.qwen.dashscope import DashScope
from pagewise.qwen.fitting import Inline
from tests.engine.asking import Engine
from tests.protocol.conftest import PAGE, Pieces, Served, address, asked, behave, engine_client, key, question

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


# ── the reply's size ─────────────────────────────────────────────────────────────────────────────────────────────────


def packed(megabytes: int, beginning: bytes = b'{"output": "') -> Iterator[bytes]:
    """A reply as gzip, piece by piece: a thousandth of it on the wire."""
    deflater = zlib.compressobj(9, wbits=31)
    yield deflater.compress(beginning)
    for _ in range(megabytes):
        if piece := deflater.compress(b"a" * 1_000_000):
            yield piece
    yield deflater.flush()


def reply_of(
    pieces: Iterable[bytes], headers: Mapping[str, str] | None = None, status: int = 200
) -> Callable[[httpx.Request], httpx.Response]:
    return lambda _: httpx.Response(status, headers=headers, stream=Pieces(pieces))


def encoded_as(encoding: str) -> dict[str, str]:
    return {"content-encoding": encoding}


@PROTOCOLS
@pytest.mark.parametrize("status", [200, 500])
def test_a_reply_that_inflates_without_end_takes_bounded_memory(protocol: str, status: int) -> None:
    """600 KB on the wire, 600 MB inflated: one piece holds them all."""
    wire = b"".join(packed(600))
    assert len(wire) < 700_000
    calls: list[int] = []

    def reply(request: httpx.Request) -> httpx.Response:
        calls.append(1)
        return reply_of([wire], encoded_as("gzip"), status)(request)

    tracemalloc.start()
    try:
        if status == 200:
            answer = asked(reply, question(), protocol)
            assert (answer.problem, len(answer.text)) == ("oversized", KEPT_BYTES)
        else:
            with pytest.raises(Transient):
                asked(reply, question(), protocol)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * MOST_REPLY_BYTES
    assert len(calls) == (1 if status == 200 else 3)


def test_a_reply_without_end_is_not_listened_to_any_longer() -> None:
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        yield b'{"output": "'
        while True:
            sent += 65_536
            yield b"a" * 65_536

    assert asked(reply_of(endless()), question()).problem == "oversized"
    assert sent < MOST_REPLY_BYTES + 200_000


@pytest.mark.parametrize("size", [1, 7, 65_536])
def test_a_packed_reply_is_read_in_whatever_pieces_it_comes(size: int) -> None:
    wire = gzip.compress(json.dumps(RESULT).encode())
    pieces = [wire[start : start + size] for start in range(0, len(wire), size)]
    assert asked(reply_of(pieces, encoded_as("gzip")), question()).text == "read"
    assert (
        asked(reply_of([zlib.compress(json.dumps(RESULT).encode())], encoded_as("deflate")), question()).text == "read"
    )


def test_a_reply_that_cannot_be_inflated_was_paid_for_all_the_same() -> None:
    answer = asked(reply_of([b"no gzip at all"], encoded_as("gzip")), question())
    assert answer.problem == "malformed"


@PROTOCOLS
@pytest.mark.parametrize("body", ["{}", "[]", "5", "null", '"text"', '{"output": 1, "choices": 1}', '{"output": '])
def test_json_that_is_no_answer_is_not_asked_for_again(protocol: str, body: str) -> None:
    answer = asked(lambda _: httpx.Response(200, text=body), question(), protocol)
    assert (answer.problem, answer.text, answer.requests) == ("malformed", body, 1)


def test_what_came_in_an_answers_place_never_holds_the_key() -> None:
    answer = asked(lambda _: httpx.Response(200, text='{"echo": "Bearer sk-any"}'), question())
    assert "sk-any" not in answer.text
