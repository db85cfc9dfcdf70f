"""The HTTP server: routes, keys, request ids, and the tests' own requests."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from aiohttp import web

from local.engine import answers, behaviour, identity, images, protocol_compatible, protocol_native, refusal
from local.engine.batch.lines import Replied
from local.engine.batch.routes import BatchApi
from local.engine.page_reader import PageReader
from local.engine.protocol_native import Answer, Call
from local.engine.rate import RateLimit
from local.engine.tasks import Task
from local.engine.uploads import TemporaryFiles

log = logging.getLogger("engine")

HALF = re.compile("[\ud800-\udfff]")
"""Half a pair of surrogates: a reply can hold it as an escape only."""
MOST_BODY_BYTES = 64 * 2**20
"""Room for several images of 10 MB in one request."""
MOST_AT_ONCE = 32
"""Requests with bodies in memory at the same time; further ones wait unread."""


@dataclass(frozen=True, slots=True)
class Settings:
    api_key: str | None = None
    """None: any key is accepted."""
    delay: float = 0.0
    canned: bool = False
    test_controls: bool = False
    requests_per_minute: int = 0
    """0: as many as come."""


class Server:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._reader = PageReader()
        self._script = behaviour.Script()
        self._asked: Counter[str] = Counter()
        self._rate = RateLimit(settings.requests_per_minute)
        self._places = asyncio.Semaphore(MOST_AT_ONCE)
        self._uploads = TemporaryFiles()
        self._batches = BatchApi.of(self._of_a_batch, self._check_key)

    def application(self) -> web.Application:
        application = web.Application(client_max_size=MOST_BODY_BYTES)
        application.router.add_post(protocol_native.PATH, self._generate)
        for path in protocol_compatible.PATHS:
            application.router.add_post(path, self._complete)
        self._uploads.add_routes(application, self._check_key)
        self._batches.add_routes(application, controls=self._settings.test_controls)
        application.router.add_get("/health", self._health)
        application.router.add_get("/requests", self._requests)
        if self._settings.test_controls:
            application.router.add_post("/behaviour", self._set_behaviour)
            application.router.add_delete("/behaviour", self._forget_behaviour)
            application.router.add_delete("/requests", self._forget_requests)
        application.on_startup.append(self._start)
        application.on_cleanup.append(self._stop)
        return application

    async def _start(self, _: web.Application) -> None:
        if not self._settings.canned:
            self._warming = asyncio.create_task(self._warm_up())

    async def _warm_up(self) -> None:
        try:
            await self._reader.warm_up()
        except Exception:
            log.exception("the models could not be loaded")
            return
        from local.engine.recognition import tesseract

        if tesseract.missing():
            packs = " ".join(f"tesseract-ocr-{name}" for name in tesseract.missing())
            log.warning("pages in some scripts will be read badly; install on Debian: apt-get install %s", packs)

    async def _stop(self, _: web.Application) -> None:
        self._batches.close()
        self._reader.close()

    async def _generate(self, request: web.Request) -> web.StreamResponse:
        return await self._served(request, NATIVE)

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        return await self._served(request, COMPATIBLE)

    async def _served(self, request: web.Request, protocol: Protocol) -> web.StreamResponse:
        request_id, began = str(uuid.uuid4()), time.monotonic()
        if not self._rate.admits():
            await request.read()  # a reply before the end of the request would cut the connection
            return _refused(refusal.over_rate(), protocol, request_id, streaming=False)
        async with self._places:
            task, reply = await self._answered(request, protocol, request_id)
        log.info("%s task=%s status=%s seconds=%.2f", request_id, task, reply.status, time.monotonic() - began)
        return reply

    async def _answered(
        self, request: web.Request, protocol: Protocol, request_id: str
    ) -> tuple[str, web.StreamResponse]:
        streaming = request.headers.get("X-DashScope-SSE", "").lower() == "enable"
        task = "none"
        try:
            self._check_key(request)
            call = protocol.read_call(await request.read())
            task = str(call.wish.task)
            self._asked[task] += 1
            step = self._script.next_for(task)
            if step is not None and (disturbed := await _disturbed(step, request, protocol, request_id)) is not None:
                return task, disturbed
            reply = await self._reply(call, request, request_id)
            if step is not None:
                reply = behaviour.spoiled(step.name, reply)
        except refusal.Refusal as error:
            return task, _refused(error, protocol, request_id, streaming)
        except Exception:
            log.exception("%s failed", request_id)
            return task, _refused(refusal.internal(), protocol, request_id, streaming)
        if streaming or call.streaming:
            return task, await _streamed(request, protocol.events(call, reply), request_id)
        return task, _json(protocol.whole_reply(call, reply), 200, request_id)

    def _check_key(self, request: web.Request) -> None:
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        if not key.strip() or scheme.lower() != "bearer":
            raise refusal.no_key()
        if self._settings.api_key is not None and key.strip() != self._settings.api_key:
            raise refusal.wrong_key()

    async def _of_a_batch(self, body: dict[str, Any]) -> Replied:
        """The reply to a line of a batch, which is a body of the compatible protocol."""
        request_id = str(uuid.uuid4())
        try:
            call = COMPATIBLE.read_call(json.dumps(body).encode())
            self._asked["batch"] += 1
            reply = COMPATIBLE.whole_reply(call, await self._reply(call, None, request_id))
        except refusal.Refusal as error:
            return Replied(error.status, request_id, COMPATIBLE.error_body(error, request_id))
        except Exception:
            log.exception("%s failed", request_id)
            return Replied(500, request_id, COMPATIBLE.error_body(refusal.internal(), request_id))
        return Replied(200, request_id, reply)

    async def _reply(self, call: Call, request: web.Request | None, request_id: str) -> dict[str, Any]:
        answers.check_possible(call.wish, len(call.images))
        received = [await self._received(element.source, request) for element in call.images]
        sizes = [(image.height, image.width) for image in received]
        protocol_native.check_input(call, sizes)
        if self._settings.delay:
            await asyncio.sleep(self._settings.delay)
        if self._settings.canned:
            found = _canned(call)
        else:
            sized = [(image, element.max_pixels) for image, element in zip(received, call.images, strict=True)]
            found = await answers.answer(call.wish, sized, self._reader)
        if not call.built_in:
            text = found.text if found.compatible_text is None else found.compatible_text
            found = replace(found, text=text, ocr_result=None)
        return protocol_native.reply(call, found, sizes, request_id)

    async def _received(self, source: str, request: web.Request | None) -> images.SentImage:
        if request is not None and self._uploads.is_meant(source, request):
            return await asyncio.to_thread(images.inspect, self._uploads.content(source), None)
        return await images.receive(source)

    async def _health(self, _: web.Request) -> web.Response:
        body: dict[str, Any] = {"status": "ok", "models": "ready" if self._is_ready() else "loading"}
        body |= {"engine": identity.ENGINE, "model": identity.MODEL}
        if self._reader.ready:
            from local.engine.recognition import tesseract

            body["tesseract_languages"] = list(tesseract.languages())
            body["tesseract_missing"] = list(tesseract.missing())
        return web.json_response(body)

    def _is_ready(self) -> bool:
        return self._settings.canned or self._reader.ready

    async def _requests(self, _: web.Request) -> web.Response:
        asked = {"total": self._asked.total(), "by_task": dict(self._asked), "over_rate": self._rate.refused}
        return web.json_response(asked)

    async def _forget_requests(self, _: web.Request) -> web.Response:
        self._asked.clear()
        return web.Response(status=204)

    async def _set_behaviour(self, request: web.Request) -> web.Response:
        try:
            self._script.set(await request.json())
        except ValueError as error:
            return web.json_response({"message": str(error)}, status=400)
        return web.Response(status=204)

    async def _forget_behaviour(self, _: web.Request) -> web.Response:
        self._script.set([])
        return web.Response(status=204)


@dataclass(frozen=True, slots=True)
class Protocol:
    """The reader of a protocol's requests and the writer of its replies. In between, all is the native protocol."""

    read_call: Callable[[bytes], Call]
    whole_reply: Callable[[Call, dict[str, Any]], dict[str, Any]]
    events: Callable[[Call, dict[str, Any]], Iterator[bytes]]
    error_body: Callable[[refusal.Refusal, str], dict[str, Any]]
    error_event: Callable[[int, dict[str, Any]], bytes]


NATIVE = Protocol(
    protocol_native.read_call,
    lambda _, reply: reply,
    protocol_native.events,
    protocol_native.error_body,
    protocol_native.error_event,
)
COMPATIBLE = Protocol(
    protocol_compatible.read_call,
    protocol_compatible.reply,
    protocol_compatible.events,
    protocol_compatible.error_body,
    protocol_compatible.error_event,
)


def _canned(call: Call) -> Answer:
    """An answer without recognition, of the task's form, for benchmarks."""
    text = "Canned answer of the embedded engine: no recognition took place."
    match call.wish.task:
        case Task.ADVANCED_RECOGNITION:
            word = {"rotate_rect": [60, 20, 20, 100, -90], "location": [10, 10, 110, 10, 110, 30, 10, 30], "text": text}
            position = {"rotate_rect": [500, 500, 100, 500, -90], "text": text}
            listing = f"```json\n{json.dumps([{'pos_list': [position]}])}```"
            return Answer('```json\n[{"pos_list": []}]```', {"words_info": [word]}, listing)
        case Task.KEY_INFORMATION_EXTRACTION:
            return Answer(f"```json\n{json.dumps({'canned': text})}\n```", {"kv_result": {"canned": text}})
        case Task.TABLE_PARSING:
            return Answer(f"```html\n<table>\n  <tr>\n    <td>{text}</td>\n  </tr>\n</table>\n```")
        case Task.DOCUMENT_PARSING:
            return Answer(f"```latex\n{text}\n```")
        case _:
            return Answer(text)


async def _disturbed(
    step: behaviour.Behaviour, request: web.Request, protocol: Protocol, request_id: str
) -> web.StreamResponse | None:
    """The reply that a behaviour puts in the answer's place, if it does."""
    await asyncio.sleep(step.seconds)
    if step.name == "cut":
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=500)
    if step.name in behaviour.HTML:
        page = "<html><head><title>502 Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>"
        return web.Response(status=behaviour.HTML[step.name], text=page, content_type="text/html")
    error = (step.status, step.code, step.message) if step.name == "error" else behaviour.ERRORS.get(step.name)
    if error is None:
        return None
    status, code, message = error
    reply = _json(protocol.error_body(refusal.Refusal(status, code, message), request_id), status, request_id)
    if step.retry_after is not None:
        reply.headers["Retry-After"] = step.retry_after
    return reply


def _refused(error: refusal.Refusal, protocol: Protocol, request_id: str, streaming: bool) -> web.Response:
    body = protocol.error_body(error, request_id)
    if streaming:
        return web.Response(
            body=protocol.error_event(error.status, body),
            status=error.status,
            content_type="text/event-stream",
            headers={"x-request-id": request_id},
        )
    return _json(body, error.status, request_id)


def _json(body: dict[str, Any], status: int, request_id: str) -> web.Response:
    text = json.dumps(body, ensure_ascii=False)
    return web.Response(
        text=json.dumps(body) if HALF.search(text) else text,
        status=status,
        content_type="application/json",
        headers={"x-request-id": request_id, **identity.HEADERS},
    )


async def _streamed(request: web.Request, events: Iterator[bytes], request_id: str) -> web.StreamResponse:
    stream = web.StreamResponse(
        headers={"Content-Type": "text/event-stream", "x-request-id": request_id, **identity.HEADERS}
    )
    await stream.prepare(request)
    for event in events:
        await stream.write(event)
    await stream.write_eof()
    return stream
