"""The engine's client: one kept connection pool, retries inside the time left, errors as one typed tree.

The protocol is a part of it: DashScope or OpenAICompatible. A page is turned into Base64 piece by piece while it is
sent, so that a call holds the page once and never its text. A reply is read up to a limit, inflated piece by piece.

A reply of HTTP 200 that is JSON was paid for. With any content, it is an answer, unless it says that it is an error:
nothing in it leads to a second call. A reply that is no JSON at all comes from a gateway; the client asks again.
"""

from __future__ import annotations

import asyncio
import binascii
import random
import time
import uuid
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Protocol
from urllib.parse import urlsplit

import httpx

from pagewise import strict_json
from pagewise.errors import Configuration, PagewiseError, Permanent, Throttled, Transient
from pagewise.qwen.dashscope import salvaged_usage
from pagewise.qwen.fitting import Inline
from pagewise.qwen.question import Again, Answer, Question, unlimited

CONNECT_SECONDS = 10.0
# Silence, not duration: most answers take two to seven seconds, a long tail takes minutes, unstreamed all the while.
READ_SECONDS = 120.0
# A page of 10 MB at 1 Mbit/s takes 80 s; this is for one piece of it.
WRITE_SECONDS = 30.0
# The service itself gives up after 300 s.
TOTAL_SECONDS = 300.0
# The vendor's SDKs retry twice, from 0.5 s to 8 s.
MAX_RETRIES = 2
FIRST_BACKOFF = 0.5
LONGEST_BACKOFF = 8.0
# Waiting inside an invocation is billed: a longer delay, also a server-directed one, is left to the queue.
LONGEST_WAIT = 8.0
# A call that cannot get this long is not worth starting.
LEAST_CALL_SECONDS = 2.0
# After a refusal of the account nothing is asked for this long: the other page jobs of the batch, and the next ones.
STOPPED_SECONDS = 60.0
# SQS hides a message for at most 12 hours and delays one for 15 minutes; the shorter bounds a server's Retry-After.
LONGEST_QUEUE_WAIT = 900.0
# Bytes of the page for one piece of the request: a multiple of 3, so that each piece is whole Base64.
PIECE_BYTES = 3 * 64 * 1024
# Of an inflated reply. The largest honest one, 8,192 tokens of output with a box for each line, has about 1 MB.
MOST_REPLY_BYTES = 4 * 1024 * 1024
# The part of an unreadable reply that is kept for a person.
KEPT_BYTES = 200_000
ENCODINGS = ("gzip", "x-gzip", "deflate")
# Headers of an engine that is not the service itself: the service sends neither.
ENGINE_HEADER, MODEL_HEADER = "x-engine", "x-model"
NAME_CHARACTERS = 100


def timeouts() -> httpx.Timeout:
    return httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS, write=WRITE_SECONDS)


class WireProtocol(Protocol):
    """The form of a question to an engine, and of its replies."""

    @property
    def path(self) -> str:
        """Behind the base URL."""

    def headers(self) -> dict[str, str]:
        """Beside the key's."""

    def body(self, question: Question, *images: str) -> dict[str, Any]:
        """The request's body, with these texts as the images. Raises Permanent if no engine could answer it."""

    def answer(self, reply: Mapping[str, Any]) -> Answer | None:
        """The answer in a reply of HTTP 200; None if it is not in the protocol's form. Raises the error that it is."""

    def refusal(self, status: int, reply: Mapping[str, Any], retry_after: float | None) -> PagewiseError:
        """The error that a reply of another status is."""


@dataclass(slots=True)
class EngineClient:
    """Asks the engine at `base_url`.

    Parameters
    ----------
    http: shared by all calls; its pool outlives an invocation.
    api_key: called before each request, so that a rotated key is taken up.
    """

    http: httpx.AsyncClient
    protocol: WireProtocol
    base_url: str
    api_key: Callable[[], Awaitable[str]]
    jitter: Callable[[], float] = random.random
    stopped_until: float = field(default=0.0, init=False)
    stopped_by: Configuration | None = field(default=None, init=False)

    async def recognize(self, question: Question, seconds: float, again: Again = unlimited) -> Answer:
        """Ask, and ask again after failures that may pass, all within `seconds`, as far as the account's rate lets it.

        Raises Throttled at once (its wait belongs into the queue, where it costs nothing), Transient when retries or
        time run out, Permanent, and Configuration: then nothing more is asked for a while.
        """
        deadline = time.monotonic() + seconds
        fetches = 0
        for attempt in range(MAX_RETRIES + 1):
            self.refuse_if_stopped()
            try:
                return replace(await self.ask(question, deadline), requests=attempt + 1)
            except Configuration as error:
                self.stopped_until, self.stopped_by = time.monotonic() + STOPPED_SECONDS, error
                raise
            except Transient as error:
                fetches += error.once
                if fetches > 1:
                    raise Permanent(error.reason, error.message) from error
                wait = self.backoff(attempt) if error.retry_after is None else error.retry_after
                remaining = deadline - time.monotonic() - wait
                if attempt == MAX_RETRIES or wait > LONGEST_WAIT or remaining < LEAST_CALL_SECONDS:
                    raise
                await asyncio.sleep(wait)
                if not await again():
                    raise
        raise AssertionError("unreachable")

    def refuse_if_stopped(self) -> None:
        if self.stopped_by and time.monotonic() < self.stopped_until:
            raise Configuration(self.stopped_by.reason, self.stopped_by.message)

    def backoff(self, attempt: int) -> float:
        """Full jitter: any time up to a bound that doubles."""
        bound: float = min(LONGEST_BACKOFF, FIRST_BACKOFF * 2**attempt)
        return self.jitter() * bound

    async def ask(self, question: Question, deadline: float) -> Answer:
        seconds = deadline - time.monotonic()
        if seconds < LEAST_CALL_SECONDS:
            raise Transient("out_of_time", "The invocation's time ran out before the engine was asked.")
        body = RequestBody.of(question, self.protocol)
        key = checked_key(await self.api_key())
        headers = self.protocol.headers() | {
            "Authorization": f"Bearer {key}",
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            "Accept-Encoding": "gzip",
        }
        try:
            async with asyncio.timeout(min(seconds, TOTAL_SECONDS)):
                response, said = await self.exchange(body, headers)
        except (TimeoutError, httpx.TimeoutException) as error:
            raise Transient("timeout", f"The engine did not answer in time ({type(error).__name__}).") from error
        except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
            raise Configuration("base_url_invalid", "The engine's base URL is no http or https URL.") from error
        except httpx.HTTPError as error:
            # The type is enough: the message of a connection error can hold the URL and nothing else of use.
            raise Transient("connection", f"The engine cannot be reached ({type(error).__name__}).") from error
        finally:
            body.release()
        try:
            return named(
                read(self.protocol, response, replace(said, text=said.text.replace(key, "…"))), response, self.base_url
            )
        except PagewiseError as error:
            # Servers quote the key that they refuse, and an error's message goes into receipts, events and logs.
            error.message = error.message.replace(key, "…")
            error.args = (error.message,)
            raise

    async def exchange(self, body: RequestBody, headers: Mapping[str, str]) -> tuple[httpx.Response, Said]:
        url = self.base_url + self.protocol.path
        async with self.http.stream("POST", url, content=body, headers=headers) as response:
            return response, await listened(response)


def checked_key(key: str) -> str:
    """A key that an HTTP header can carry: one with a line break or a dash of a word processor is a wrong one."""
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise Configuration("api_key_malformed", "The engine's API key is empty or has characters that no key has.")
    return key


@dataclass(slots=True)
class RequestBody:
    """A JSON body with images in its middle. These are turned into Base64 while they are sent.

    Peak memory of a call is the pages themselves and one piece. A body built as one string would take the Base64 text
    three times over: as text, inside the JSON, and encoded. `parts` is JSON as text and images in turn.
    """

    parts: list[tuple[bytes, bytes]]

    @classmethod
    def of(cls, question: Question, protocol: WireProtocol) -> RequestBody:
        inline = [image for image in question.images if isinstance(image, Inline)]
        mark = f"image-{uuid.uuid4().hex}"  # in no prompt
        texts = [mark if isinstance(image, Inline) else image for image in question.images]
        *heads, tail = dumped(protocol.body(question, *texts)).split(mark.encode())
        images = [(head + image.prefix.encode(), image.content) for head, image in zip(heads, inline, strict=True)]
        return cls([*images, (tail, b"")])

    def __len__(self) -> int:
        return sum(len(text) + -(-len(image) // 3) * 4 for text, image in self.parts)

    def release(self) -> None:
        """Let go of the pages. The HTTP library's request and response refer to each other and to this body, so that
        without it a dozen pages pile up until the garbage collector looks for circles."""
        self.parts = []

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for text, image in self.parts:
            yield text
            content = memoryview(image)
            for start in range(0, len(content), PIECE_BYTES):
                yield binascii.b2a_base64(content[start : start + PIECE_BYTES], newline=False)


def dumped(body: Mapping[str, Any]) -> bytes:
    return strict_json.dumped(body).encode()


@dataclass(frozen=True, slots=True)
class Said:
    """The text of a reply's body. `problem`, why it is only the beginning: `oversized`, or `malformed` where the rest
    cannot be inflated."""

    text: str
    problem: str | None = None

    @property
    def is_answer(self) -> bool:
        """Whether a body that is no JSON means to be some. Gateways answer in HTML or plain words."""
        return self.problem == "malformed" or self.text.lstrip().startswith(("{", "["))


async def listened(response: httpx.Response) -> Said:
    """Read a body up to the limit, never inflating more of it than that."""
    content, problem = bytearray(), None
    inflate = inflation(response.headers.get("content-encoding", ""))
    try:
        async for piece in response.aiter_raw():
            content += inflate(piece, MOST_REPLY_BYTES + 1 - len(content))
            if len(content) > MOST_REPLY_BYTES:
                del content[KEPT_BYTES:]
                problem = "oversized"
                break
    except zlib.error:
        problem = "malformed"
    return Said(content.decode("utf-8", "replace").removeprefix("\ufeff"), problem)


def inflation(encoding: str) -> Callable[[bytes, int], bytes]:
    """From a piece of a body as it comes to its content, of so many bytes at most."""
    if encoding.strip().lower() not in ENCODINGS:
        return lambda piece, _most: piece
    # 32 more than the largest window: gzip or zlib, as the stream itself says.
    inflater = zlib.decompressobj(zlib.MAX_WBITS | 32)
    return inflater.decompress


def read(protocol: WireProtocol, response: httpx.Response, said: Said) -> Answer:
    """The answer in an HTTP response, or the error that it is. A reply of HTTP 200 in JSON is never asked for again,
    unless it calls itself an error that may pass."""
    status = response.status_code
    try:
        reply, readable = strict_json.parsed(said.text), True
    except ValueError:
        reply, readable = None, False
    if status == httpx.codes.OK and (readable or said.is_answer):
        return (answered(protocol, reply) if isinstance(reply, dict) else None) or unread(said)
    # Gateways answer in HTML; a 200 of that kind is no result either.
    status = httpx.codes.BAD_GATEWAY if status == httpx.codes.OK else status
    shown = reply if isinstance(reply, dict) else {"message": "a body that is no JSON object"}
    raise protocol.refusal(status, shown, retry_after(response))


def answered(protocol: WireProtocol, reply: Mapping[str, Any]) -> Answer | None:
    """The answer; None if the reply is in no form that is known. Raises the error that the reply calls itself."""
    try:
        return protocol.answer(reply)
    except PagewiseError:
        raise
    except Exception:  # noqa: BLE001 - it was paid for: a form that the protocol did not foresee must not ask again
        return None


def unread(said: Said) -> Answer:
    """A reply that was paid for and is in no form that is known."""
    return Answer(
        text=strict_json.fit(said.text[:KEPT_BYTES]),
        words=None,
        fields=None,
        finish_reason=None,
        usage=salvaged_usage(said.text),
        request_id=None,
        problem=said.problem or "malformed",
    )


def named(answer: Answer, response: httpx.Response, base_url: str) -> Answer:
    """The answer with the names of its engine and model. The service's native replies name neither: then the host and
    the model of the request stand for them."""
    engine = stated(response.headers.get(ENGINE_HEADER)) or urlsplit(base_url).hostname
    return replace(answer, engine=engine, model=stated(response.headers.get(MODEL_HEADER)) or stated(answer.model))


def stated(name: Any) -> str | None:
    """A name that a server gives itself, short and on one line."""
    if not isinstance(name, str):
        return None
    return "".join(character for character in name if character.isprintable())[:NAME_CHARACTERS].strip() or None


def retry_after(response: httpx.Response) -> float | None:
    """Seconds of a Retry-After header of seconds or a date (RFC 9110, 10.2.3); None without a valid one."""
    value = response.headers.get("retry-after", "").strip()
    if value.isascii() and value.isdecimal():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return max(0.0, (moment - datetime.now(UTC)).total_seconds())
    except (ValueError, OverflowError):
        return None


def queue_backoff(error: PagewiseError, attempts: int) -> float:
    """Seconds that a page job stays in its queue before the next attempt.

    Throttling recovers within about a minute; other failures back off from ten seconds, doubling.
    """
    directed = error.retry_after if isinstance(error, Throttled | Transient) else None
    if directed is not None:
        return min(LONGEST_QUEUE_WAIT, max(1.0, directed))
    if isinstance(error, Throttled):
        return 15.0 + random.random() * 45.0
    doubled = 10.0 * float(2 ** min(10, max(0, attempts - 1)))
    return min(LONGEST_QUEUE_WAIT, doubled * (0.5 + random.random() / 2))
