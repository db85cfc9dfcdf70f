"""The Batch API over HTTP: files and batches under the compatible protocol's base."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import BodyPartReader, web

from local.engine import identity, protocol_compatible, refusal
from local.engine.batch import lines
from local.engine.batch.batches import Answering, Batch, Batches
from local.engine.batch.behaviour import BatchBehaviour
from local.engine.batch.files import Files, StoredFile
from local.engine.rate import RateLimit

BASES = ("/compatible-mode/v1", "/api/v1", "/v1")
PIECE_BYTES = 2**20
SHORTEST_WINDOW_HOURS, LONGEST_WINDOW_HOURS = 24, 336
MOST_LISTED = 100
MOST_NAME_CHARACTERS = 256
# Requests a minute.
CREATES, QUERIES, LISTS, CANCELS = 1_000, 1_000, 100, 1_000

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(slots=True)
class BatchApi:
    batches: Batches
    check_key: Callable[[web.Request], None]

    @classmethod
    def of(cls, answer: Answering, check_key: Callable[[web.Request], None]) -> BatchApi:
        return cls(Batches(Files(), answer), check_key)

    @property
    def files(self) -> Files:
        return self.batches.files

    def add_routes(self, application: web.Application, *, controls: bool) -> None:
        creates, queries, lists, cancels = (
            RateLimit(most, each_second=False) for most in (CREATES, QUERIES, LISTS, CANCELS)
        )
        for base in BASES:
            add = application.router.add_route
            add("POST", f"{base}/files", self.served(self.upload))
            add("GET", f"{base}/files", self.served(self.list_files))
            add("GET", f"{base}/files/{{id}}", self.served(self.file))
            add("DELETE", f"{base}/files/{{id}}", self.served(self.delete))
            add("GET", f"{base}/files/{{id}}/content", self.served(self.content))
            add("POST", f"{base}/batches", self.served(self.create, creates))
            add("GET", f"{base}/batches", self.served(self.list_batches, lists))
            add("GET", f"{base}/batches/{{id}}", self.served(self.batch, queries))
            add("POST", f"{base}/batches/{{id}}/cancel", self.served(self.cancel, cancels))
        if controls:
            application.router.add_post("/batch-behaviour", self.set_behaviour)
            application.router.add_post("/batch-clock", self.hurry)

    def served(self, handler: Handler, rate: RateLimit | None = None) -> Handler:
        async def serve(request: web.Request) -> web.StreamResponse:
            try:
                self.check_key(request)
                if rate and not rate.admits():
                    raise refusal.over_rate()
                return await handler(request)
            except refusal.Refusal as error:
                body = protocol_compatible.error_body(error, str(uuid.uuid4()))
                return web.json_response(body, status=error.status, headers=identity.HEADERS)

        return serve

    # ── files ────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def upload(self, request: web.Request) -> web.Response:
        if request.content_type != "multipart/form-data":
            raise refusal.invalid("A file comes as multipart/form-data.")
        purpose, stored = "", None
        async for part in await request.multipart():
            if not isinstance(part, BodyPartReader):
                continue
            if part.name == "purpose":
                purpose = await part.text()
            elif part.name == "file":
                stored = await self.files.receive(
                    part.filename or "", "batch", pieces_of(part), self.batches.clock.now()
                )
        if stored is None:
            raise refusal.missing("file")
        if purpose != "batch" or not stored.name.endswith(".jsonl"):
            self.files.delete(stored.id)
            raise refusal.invalid("The purpose must be batch, and the file's name end with .jsonl.")
        return web.json_response(stored.shown())

    async def list_files(self, request: web.Request) -> web.Response:
        purpose = request.query.get("purpose")
        kept = [file for file in self.files.stored.values() if purpose in (None, file.purpose)]
        return web.json_response(page_of(kept, request))

    async def file(self, request: web.Request) -> web.Response:
        return web.json_response(self.files.file(request.match_info["id"]).shown())

    async def delete(self, request: web.Request) -> web.Response:
        file_id = request.match_info["id"]
        self.files.delete(file_id)
        return web.json_response({"id": file_id, "object": "file", "deleted": True})

    async def content(self, request: web.Request) -> web.StreamResponse:
        file = self.files.file(request.match_info["id"])
        if not self.batches.behaviour.cuts_download():
            return web.FileResponse(file.path, chunk_size=PIECE_BYTES)
        stream = web.StreamResponse(headers={"Content-Length": str(file.size)})
        await stream.prepare(request)
        with file.path.open("rb") as content:
            await stream.write(content.read(file.size // 2))
        if request.transport is not None:
            request.transport.abort()
        return stream

    # ── batches ──────────────────────────────────────────────────────────────────────────────────────────────────────

    async def create(self, request: web.Request) -> web.Response:
        wanted = await body_of(request)
        if self.batches.behaviour.refuses_create():
            raise refusal.over_rate()
        file_id, endpoint = wanted.get("input_file_id"), wanted.get("endpoint")
        if not isinstance(file_id, str) or self.files.file(file_id).purpose != "batch":
            raise refusal.missing("input_file_id")
        if endpoint not in (lines.CHAT, lines.TEST_ENDPOINT):
            raise refusal.invalid("The endpoint is not supported by the Batch API.")
        window, metadata = wanted.get("completion_window"), wanted.get("metadata")
        batch = self.batches.create(file_id, endpoint, str(window), hours_of(window), checked(metadata))
        return web.json_response(batch.shown())

    async def list_batches(self, request: web.Request) -> web.Response:
        newest_first = [*reversed(self.batches.all.values())]
        return web.json_response(page_of([one for one in newest_first if fits(one, request)], request))

    async def batch(self, request: web.Request) -> web.Response:
        return web.json_response(self.found(request).shown())

    async def cancel(self, request: web.Request) -> web.Response:
        batch = self.found(request)
        self.batches.cancel(batch)
        return web.json_response(batch.shown())

    def found(self, request: web.Request) -> Batch:
        batch = self.batches.all.get(request.match_info["id"])
        if batch is None:
            raise refusal.Refusal(404, "BatchNotFound", f"No batch found with id {request.match_info['id']}.")
        return batch

    # ── what a test asks for ─────────────────────────────────────────────────────────────────────────────────────────

    async def set_behaviour(self, request: web.Request) -> web.Response:
        """Of batches that are created from now on."""
        try:
            self.batches.behaviour = BatchBehaviour.read(await request.json())
        except ValueError as error:
            return web.json_response({"message": str(error)}, status=400)
        return web.Response(status=204)

    async def hurry(self, request: web.Request) -> web.Response:
        self.batches.clock.hurry(float((await request.json())["seconds"]))
        return web.Response(status=204)

    def close(self) -> None:
        self.batches.close()
        self.files.close()


async def pieces_of(part: BodyPartReader) -> AsyncIterator[bytes]:
    while piece := await part.read_chunk(PIECE_BYTES):
        yield piece


async def body_of(request: web.Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.read())
    except ValueError:
        raise refusal.not_json() from None
    if not isinstance(body, dict):
        raise refusal.not_json()
    return body


def hours_of(window: Any) -> int:
    found = re.fullmatch(r"(\d{1,4})([hd])", window) if isinstance(window, str) else None
    hours = int(found[1]) * (24 if found[2] == "d" else 1) if found else 0
    if not SHORTEST_WINDOW_HOURS <= hours <= LONGEST_WINDOW_HOURS:
        raise refusal.invalid(
            f"completion_window must be from {SHORTEST_WINDOW_HOURS}h to {LONGEST_WINDOW_HOURS}h, such as 24h or 14d."
        )
    return hours


def checked(metadata: Any) -> dict[str, str] | None:
    if metadata is None:
        return None
    if not isinstance(metadata, dict) or not all(isinstance(text, str) for text in metadata.values()):
        raise refusal.invalid("metadata must be an object of texts.")
    if any(len(text) > MOST_NAME_CHARACTERS for text in metadata.values()):
        raise refusal.invalid("A value of metadata is too long.")
    return metadata


def fits(batch: Batch, request: web.Request) -> bool:
    name, status, files = (request.query.get(key) for key in ("ds_name", "status", "input_file_ids"))
    return (
        (name is None or name in (batch.metadata or {}).get("ds_name", ""))
        and (status is None or batch.status in status.split(","))
        and (files is None or batch.input_file_id in files.split(","))
    )


def page_of(kept: Sequence[Batch] | Sequence[StoredFile], request: web.Request) -> dict[str, Any]:
    """The part of a list that was asked for: behind `after`, `limit` at most."""
    after, limit = request.query.get("after"), request.query.get("limit", "20")
    if not limit.isdecimal() or not 1 <= int(limit) <= MOST_LISTED:
        raise refusal.invalid(f"Range of limit should be [1, {MOST_LISTED}].")
    ids = [one.id for one in kept]
    first = ids.index(after) + 1 if after in ids else 0
    shown = kept[first : first + int(limit)]
    return {
        "object": "list",
        "data": [one.shown() for one in shown],
        "first_id": shown[0].id if shown else None,
        "last_id": shown[-1].id if shown else None,
        "has_more": first + len(shown) < len(kept),
    }
