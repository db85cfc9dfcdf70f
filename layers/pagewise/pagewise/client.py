"""The engine's client: one kept connection pool, retries inside the time that is left, errors as one typed tree."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import httpx

from pagewise import dashscope
from pagewise.engine import Answer, Question
from pagewise.errors import PagewiseError, Throttled, Transient

# The service gives up after 300 s; most answers take two to seven seconds, a long tail takes minutes.
READ_SECONDS = 120.0
CONNECT_SECONDS = 10.0
# The vendor's SDKs retry twice, from 0.5 s to 8 s.
MAX_RETRIES = 2
FIRST_BACKOFF = 0.5
LONGEST_BACKOFF = 8.0
# Waiting inside an invocation is billed: a longer delay, also a server-directed one, is left to the queue.
LONGEST_WAIT = 8.0
# A call that cannot get this long is not worth starting.
LEAST_CALL_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class DashScopeClient:
    """Speaks the native protocol to `base_url` (`…/api/v1`).

    Parameters
    ----------
    http: shared by all calls; its pool outlives an invocation.
    api_key: called before each request, so that a rotated key is taken up.
    """

    http: httpx.AsyncClient
    base_url: str
    api_key: Callable[[], Awaitable[str]]
    workspace: str | None = None
    jitter: Callable[[], float] = random.random

    async def recognize(self, question: Question, seconds: float) -> Answer:
        """Ask, and ask again after failures that may pass, all within `seconds`.

        Raises Throttled at once (its wait belongs into the queue, where it costs nothing), Transient when retries or
        time run out, Permanent and Configuration.
        """
        content = dashscope.body(question)
        deadline = time.monotonic() + seconds
        for attempt in range(MAX_RETRIES + 1):
            try:
                return replace(await self.ask(content, deadline), requests=attempt + 1)
            except Transient as error:
                wait = error.retry_after or self.backoff(attempt)
                remaining = deadline - time.monotonic() - wait
                if attempt == MAX_RETRIES or wait > LONGEST_WAIT or remaining < LEAST_CALL_SECONDS:
                    raise
                await asyncio.sleep(wait)
        raise AssertionError("unreachable")

    def backoff(self, attempt: int) -> float:
        """Full jitter: any time up to a bound that doubles."""
        bound: float = min(LONGEST_BACKOFF, FIRST_BACKOFF * 2**attempt)
        return self.jitter() * bound

    async def ask(self, content: Mapping[str, Any], deadline: float) -> Answer:
        seconds = deadline - time.monotonic()
        if seconds < LEAST_CALL_SECONDS:
            raise Transient("out_of_time", "The invocation's time ran out before the engine was asked.")
        try:
            async with asyncio.timeout(min(seconds, READ_SECONDS)):
                response = await self.http.post(
                    self.base_url + dashscope.PATH,
                    json=content,
                    headers=dashscope.headers(await self.api_key(), self.workspace),
                )
        except TimeoutError as error:
            raise Transient("timeout", "The engine did not answer in time.") from error
        except httpx.HTTPError as error:
            # The type says what happened; the message of a connection error can hold the URL and nothing else of use.
            raise Transient("connection", f"The engine cannot be reached ({type(error).__name__}).") from error
        return read(response)


def read(response: httpx.Response) -> Answer:
    """The answer in an HTTP response, or the error that it is."""
    try:
        reply = response.json()
    except ValueError:
        reply = None
    if not isinstance(reply, dict):
        # Gateways answer in HTML; a 200 of that kind is no result either.
        status = response.status_code if response.status_code != httpx.codes.OK else httpx.codes.BAD_GATEWAY
        raise dashscope.refusal(status, {"message": "a body that is not JSON"}, retry_after(response))
    if response.status_code != httpx.codes.OK:
        raise dashscope.refusal(response.status_code, reply, retry_after(response))
    return dashscope.answer(reply)


def retry_after(response: httpx.Response) -> float | None:
    """Seconds of a Retry-After header, if there is one in that form."""
    value = response.headers.get("retry-after", "")
    return float(value) if value.isdecimal() else None


def queue_backoff(error: PagewiseError, attempts: int) -> float:
    """Seconds for which a page job stays in its queue before the next attempt.

    Throttling recovers within about a minute; other failures back off from ten seconds, doubling.
    """
    directed = error.retry_after if isinstance(error, Throttled | Transient) else None
    if directed is not None:
        return min(900.0, max(1.0, directed))
    if isinstance(error, Throttled):
        return 15.0 + random.random() * 45.0
    doubled = 10.0 * float(2 ** max(0, attempts - 1))
    return min(900.0, doubled * (0.5 + random.random() / 2))
