"""The client for asyncio. client.py has the same without either."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import closing
from datetime import datetime
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import anyio
import httpx
from anyio.to_thread import run_sync

from pagewise_client import operations
from pagewise_client.addresses import address_of
from pagewise_client.answers import (
    Config,
    Deletion,
    Document,
    DocumentSummary,
    Outputs,
    Page,
    Progress,
    Redriven,
    Review,
    SavedPage,
)
from pagewise_client.operations import OUTPUTS_SECONDS, WAIT_SECONDS, Content, Option, Said
from pagewise_client.patience import Pace, Patience
from pagewise_client.requests import (
    CHUNK_BYTES,
    TIMEOUT,
    api_request,
    certificates,
    download_request,
    no_reply,
    reply_of,
    sink,
    size_of,
    upload_request,
)
from pagewise_client.steps import Ask, Fetch, NoReply, Pause, Put, Reply, Steps, Tell

T = TypeVar("T")
PACE, PATIENCE = Pace(), Patience()


class AsyncPagewise:
    """As `Pagewise`. `token` may be an asynchronous function, too."""

    def __init__(
        self,
        address: str,
        token: str | Callable[[], str | Awaitable[str]] | None = None,
        *,
        timeout: float = TIMEOUT,
        pace: Pace = PACE,
        patience: Patience = PATIENCE,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        self._address = address_of(address)
        self._token = token or self._address.token
        self._pace = pace
        self._patience = patience
        self._own = http is None
        # Proxies are for other machines than this one.
        self._http = http or httpx.AsyncClient(
            timeout=timeout, verify=certificates(), trust_env=not self._address.is_here
        )

    # ── documents ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def submit(self, document: Content, *, name: str | None = None, **options: Option) -> str:
        """Upload a file by its path, or bytes with a name; the document's id. `options` are those of an upload."""
        return await self._done(operations.submit(document, name, options))

    async def wait(
        self,
        document_id: str,
        progress: Callable[[Progress], object] | None = None,
        *,
        timeout: float | None = WAIT_SECONDS,
    ) -> Document:
        """The document, once it has ended and has its receipt; `progress` is called at every change until then."""
        return await self._done(operations.follow(document_id, timeout, self._pace), progress)

    def follow(self, document_id: str, *, timeout: float | None = WAIT_SECONDS) -> AsyncIterator[Progress]:
        """The progress at every change, until the document has ended."""
        return self._told(operations.follow(document_id, timeout, self._pace))

    async def document(self, document_id: str, *, first: int = 1, limit: int = 50) -> Document:
        """A document, with the progress of `limit` pages from the `first` on."""
        return await self._done(operations.document(document_id, first, limit))

    def documents(
        self,
        *,
        status: str | None = None,
        review: str | None = None,
        after: datetime | str | None = None,
        before: datetime | str | None = None,
    ) -> AsyncIterator[DocumentSummary]:
        """All documents of these, the newest first."""
        return self._told(operations.documents(status, review, after, before))

    async def receipt(self, document_id: str) -> dict[str, Any]:
        """The receipt of a document that has ended."""
        return await self._done(operations.receipt(document_id))

    async def page(self, document_id: str, page: int) -> Page:
        """A page, from 1 on: its image, results and values."""
        return await self._done(operations.page(document_id, page))

    def pages(self, document_id: str) -> AsyncIterator[Page]:
        """All pages, one after the other."""
        return self._told(operations.pages(document_id))

    async def cancel(self, document_id: str) -> DocumentSummary:
        """End a document with what it has; nothing is paid for any more."""
        return await self._done(operations.cancel(document_id))

    async def delete(self, document_id: str) -> Deletion:
        """Delete everything of a document. Again, it tells how far that is."""
        return await self._done(operations.delete(document_id))

    async def redrive(
        self, document_id: str, *, page: int | None = None, task: str | None = None, reason: str | None = None
    ) -> Redriven:
        """Do failed page jobs again: of a page, of a task, for a reason, or all."""
        return await self._done(operations.redrive(document_id, page, task, reason))

    # ── outputs ──────────────────────────────────────────────────────────────────────────────────────────────────────

    async def outputs(self, document_id: str) -> Outputs:
        """The outputs as they are now."""
        return await self._done(operations.outputs(document_id))

    async def wait_for_outputs(self, document_id: str, *, timeout: float | None = OUTPUTS_SECONDS) -> Outputs:
        """The outputs, once they are ready."""
        return await self._done(operations.made(document_id, timeout, self._pace))

    async def download(
        self,
        document_id: str,
        folder: str | PathLike[str],
        names: Iterable[str] | None = None,
        *,
        timeout: float | None = OUTPUTS_SECONDS,
    ) -> list[Path]:
        """Wait for the outputs, and write them into a folder: all, or those of these names."""
        return await self._done(operations.download(document_id, folder, names, timeout, self._pace))

    # ── review ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def reviews(self) -> AsyncIterator[DocumentSummary]:
        """Documents that wait for review, the oldest first."""
        return self._told(operations.reviews())

    async def claim(self, document_id: str) -> Review:
        """Keep a document for oneself, for fifteen minutes."""
        return await self._done(operations.turned(document_id, "claim"))

    async def release(self, document_id: str) -> Review:
        """Leave a document to others."""
        return await self._done(operations.turned(document_id, "release"))

    async def correct(
        self, document_id: str, page: int, version: int, corrections: Iterable[Said], *, check: bool = False
    ) -> SavedPage:
        """All corrections of a page, as task, pointer and value, in place of those of this `version`."""
        return await self._done(operations.correct(document_id, page, version, corrections, check=check))

    async def finish_review(self, document_id: str) -> Review:
        """The document is reviewed."""
        return await self._done(operations.turned(document_id, "done"))

    async def config(self) -> Config:
        """The stack's name, and the place to sign in at."""
        return await self._done(operations.config())

    # ── steps ────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _done(self, steps: Steps[T], tell: Callable[[Any], object] | None = None) -> T:
        outcome: Any = None
        with closing(self._patience.over(steps)) as patient:
            while True:
                try:
                    step = patient.send(outcome)
                except StopIteration as end:
                    answer: T = end.value
                    return answer
                outcome = None
                if not isinstance(step, Tell):
                    outcome = await self._do(step)
                elif tell:
                    tell(step.what)

    async def _told(self, steps: Steps[Any]) -> AsyncIterator[Any]:
        outcome: Any = None
        with closing(self._patience.over(steps)) as patient:
            while True:
                try:
                    step = patient.send(outcome)
                except StopIteration:
                    return
                outcome = None
                if isinstance(step, Tell):
                    yield step.what
                else:
                    outcome = await self._do(step)

    async def _do(self, step: Ask | Put | Fetch | Pause) -> Reply | NoReply | None:
        try:
            match step:
                case Pause():
                    await anyio.sleep(step.seconds)
                    return None
                case Ask():
                    token = self._token() if callable(self._token) else self._token
                    token = await token if isinstance(token, Awaitable) else token
                    return await self._sent(api_request(self._http, self._address, step, token))
                case Put():
                    return await self._uploaded(step)
                case Fetch():
                    return await self._fetched(step)
        except (httpx.RequestError, httpx.InvalidURL) as error:
            return no_reply(error)

    async def _sent(self, request: httpx.Request) -> Reply:
        return reply_of(await self._http.send(request, auth=None, follow_redirects=False))

    async def _uploaded(self, put: Put) -> Reply:
        if isinstance(put.content, bytes):
            return await self._sent(upload_request(put, put.content, len(put.content)))
        return await self._sent(upload_request(put, chunks(put.content), size_of(put.content)))

    async def _fetched(self, fetch: Fetch) -> Reply:
        request = download_request(fetch)
        if fetch.to is None:
            return await self._sent(request)
        response = await self._http.send(request, stream=True, auth=None, follow_redirects=False)
        try:
            with sink(fetch, fetch.to) as file:
                async for chunk in response.aiter_raw(CHUNK_BYTES):
                    if not await run_sync(file.write, chunk):
                        break
                return reply_of(response, sha256=file.sha256)
        finally:
            await response.aclose()

    # ── its end ──────────────────────────────────────────────────────────────────────────────────────────────────────

    async def close(self) -> None:
        if self._own:
            await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


async def chunks(path: Path) -> AsyncIterator[bytes]:
    async with await anyio.open_file(path, "rb") as file:
        while chunk := await file.read(CHUNK_BYTES):
            yield chunk
