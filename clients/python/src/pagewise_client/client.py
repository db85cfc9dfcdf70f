"""The client. asynchronous.py has the same for asyncio."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from datetime import datetime
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

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


class Pagewise:
    """A Pagewise API: of a stack on AWS, or of `./pagewise local`, by the address that it prints.

    `token` is a bearer token, or a function that returns one and is called for every request. A safe request that meets
    429, 503 or no answer is tried again. No redirect is followed, and no token goes anywhere but to this address.
    `http`: a client of one's own, for proxies and certificates; it stays open.
    """

    def __init__(
        self,
        address: str,
        token: str | Callable[[], str] | None = None,
        *,
        timeout: float = TIMEOUT,
        pace: Pace = PACE,
        patience: Patience = PATIENCE,
        http: httpx.Client | None = None,
    ) -> None:
        self._address = address_of(address)
        self._token = token or self._address.token
        self._pace = pace
        self._patience = patience
        self._own = http is None
        # Proxies are for other machines than this one.
        self._http = http or httpx.Client(timeout=timeout, verify=certificates(), trust_env=not self._address.is_here)

    # ── documents ────────────────────────────────────────────────────────────────────────────────────────────────────

    def submit(self, document: Content, *, name: str | None = None, **options: Option) -> str:
        """Upload a file by its path, or bytes with a name; the document's id. `options` are those of an upload."""
        return self._done(operations.submit(document, name, options))

    def wait(
        self,
        document_id: str,
        progress: Callable[[Progress], object] | None = None,
        *,
        timeout: float | None = WAIT_SECONDS,
    ) -> Document:
        """The document, once it has ended and has its receipt; `progress` is called at every change until then."""
        return self._done(operations.follow(document_id, timeout, self._pace), progress)

    def follow(self, document_id: str, *, timeout: float | None = WAIT_SECONDS) -> Iterator[Progress]:
        """The progress at every change, until the document has ended."""
        return self._told(operations.follow(document_id, timeout, self._pace))

    def document(self, document_id: str, *, first: int = 1, limit: int = 50) -> Document:
        """A document, with the progress of `limit` pages from the `first` on."""
        return self._done(operations.document(document_id, first, limit))

    def documents(
        self,
        *,
        status: str | None = None,
        review: str | None = None,
        after: datetime | str | None = None,
        before: datetime | str | None = None,
    ) -> Iterator[DocumentSummary]:
        """All documents of these, the newest first."""
        return self._told(operations.documents(status, review, after, before))

    def receipt(self, document_id: str) -> dict[str, Any]:
        """The receipt of a document that has ended."""
        return self._done(operations.receipt(document_id))

    def page(self, document_id: str, page: int) -> Page:
        """A page, from 1 on: its image, results and values."""
        return self._done(operations.page(document_id, page))

    def pages(self, document_id: str) -> Iterator[Page]:
        """All pages, one after the other."""
        return self._told(operations.pages(document_id))

    def cancel(self, document_id: str) -> DocumentSummary:
        """End a document with what it has; nothing is paid for any more."""
        return self._done(operations.cancel(document_id))

    def delete(self, document_id: str) -> Deletion:
        """Delete everything of a document. Again, it tells how far that is."""
        return self._done(operations.delete(document_id))

    def redrive(
        self, document_id: str, *, page: int | None = None, task: str | None = None, reason: str | None = None
    ) -> Redriven:
        """Do failed page jobs again: of a page, of a task, for a reason, or all."""
        return self._done(operations.redrive(document_id, page, task, reason))

    # ── outputs ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def outputs(self, document_id: str) -> Outputs:
        """The outputs as they are now."""
        return self._done(operations.outputs(document_id))

    def wait_for_outputs(self, document_id: str, *, timeout: float | None = OUTPUTS_SECONDS) -> Outputs:
        """The outputs, once they are ready."""
        return self._done(operations.made(document_id, timeout, self._pace))

    def download(
        self,
        document_id: str,
        folder: str | PathLike[str],
        names: Iterable[str] | None = None,
        *,
        timeout: float | None = OUTPUTS_SECONDS,
    ) -> list[Path]:
        """Wait for the outputs, and write them into a folder: all, or those of these names."""
        return self._done(operations.download(document_id, folder, names, timeout, self._pace))

    # ── review ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def reviews(self) -> Iterator[DocumentSummary]:
        """Documents that wait for review, the oldest first."""
        return self._told(operations.reviews())

    def claim(self, document_id: str) -> Review:
        """Keep a document for oneself, for fifteen minutes."""
        return self._done(operations.turned(document_id, "claim"))

    def release(self, document_id: str) -> Review:
        """Leave a document to others."""
        return self._done(operations.turned(document_id, "release"))

    def correct(
        self, document_id: str, page: int, version: int, corrections: Iterable[Said], *, check: bool = False
    ) -> SavedPage:
        """All corrections of a page, as task, pointer and value, in place of those of this `version`."""
        return self._done(operations.correct(document_id, page, version, corrections, check=check))

    def finish_review(self, document_id: str) -> Review:
        """The document is reviewed."""
        return self._done(operations.turned(document_id, "done"))

    def config(self) -> Config:
        """The stack's name, and the place to sign in at."""
        return self._done(operations.config())

    # ── steps ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _done(self, steps: Steps[T], tell: Callable[[Any], object] | None = None) -> T:
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
                    outcome = self._do(step)
                elif tell:
                    tell(step.what)

    def _told(self, steps: Steps[Any]) -> Iterator[Any]:
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
                    outcome = self._do(step)

    def _do(self, step: Ask | Put | Fetch | Pause) -> Reply | NoReply | None:
        try:
            match step:
                case Pause():
                    time.sleep(step.seconds)
                    return None
                case Ask():
                    token = self._token() if callable(self._token) else self._token
                    return self._sent(api_request(self._http, self._address, step, token))
                case Put():
                    return self._uploaded(step)
                case Fetch():
                    return self._fetched(step)
        except (httpx.RequestError, httpx.InvalidURL) as error:
            return no_reply(error)

    def _sent(self, request: httpx.Request) -> Reply:
        return reply_of(self._http.send(request, auth=None, follow_redirects=False))

    def _uploaded(self, put: Put) -> Reply:
        if isinstance(put.content, bytes):
            return self._sent(upload_request(put, put.content, len(put.content)))
        with put.content.open("rb") as file:
            return self._sent(upload_request(put, file, size_of(put.content)))

    def _fetched(self, fetch: Fetch) -> Reply:
        request = download_request(fetch)
        if fetch.to is None:
            return self._sent(request)
        response = self._http.send(request, stream=True, auth=None, follow_redirects=False)
        try:
            with sink(fetch, fetch.to) as file:
                for chunk in response.iter_raw(CHUNK_BYTES):
                    if not file.write(chunk):
                        break
                return reply_of(response, sha256=file.sha256)
        finally:
            response.close()

    # ── its end ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def close(self) -> None:
        if self._own:
            self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
