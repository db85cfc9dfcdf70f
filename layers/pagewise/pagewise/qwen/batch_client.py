"""The Batch API over HTTP: one request at a time, nothing tried twice. The next visit of the lane is the retry.

Files are streamed from and to disk or line by line, so that 500 MB are never in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from pagewise import strict_json
from pagewise.errors import PagewiseError, Permanent, Transient
from pagewise.qwen.batches import ENDPOINT, FAILED, RemoteBatch, RemoteFile
from pagewise.qwen.client import MOST_REPLY_BYTES, checked_key, retry_after
from pagewise.qwen.openai_compatible import OpenAICompatible

CONNECT_SECONDS, SILENCE_SECONDS = 10.0, 120.0
PAGE = 100  # of a list, the most that the service gives
MOST_PAGES = 100  # of files there are 10,000; a batch that is looked for was created last
MOST_NEWEST = 10
PIECE_BYTES = 1024 * 1024
# A line holds a reply, and JSON around it.
MOST_LINE_BYTES = 2 * MOST_REPLY_BYTES
NOT_FOUND = 404
MESSAGE_CHARACTERS = 300


def timeouts() -> httpx.Timeout:
    return httpx.Timeout(SILENCE_SECONDS, connect=CONNECT_SECONDS)


@dataclass(frozen=True, slots=True)
class BatchClient:
    """`base_url` is the compatible protocol's. `api_key` is called before each request."""

    http: httpx.Client
    base_url: str
    api_key: Callable[[], str]
    protocol: OpenAICompatible = field(default_factory=OpenAICompatible)

    def upload(self, name: str, file: Path) -> str:
        with file.open("rb") as content:
            stored = self.asked("POST", "/files", data={"purpose": "batch"}, files={"file": (name, content)})
        return named(stored)

    def create(self, file_id: str, name: str, window_hours: int) -> RemoteBatch:
        wanted = {
            "input_file_id": file_id,
            "endpoint": ENDPOINT,
            "completion_window": f"{window_hours}h",
            "metadata": {"ds_name": name},
        }
        return batch_of(self.asked("POST", "/batches", json=wanted))

    def find(self, name: str) -> RemoteBatch | None:
        """A server that does not know the filter lists all; the newest come first."""
        found = (batch_of(one) for one in self.listed("/batches", MOST_NEWEST, ds_name=name))
        return next((batch for batch in found if batch.name == name), None)

    def batch(self, batch_id: str) -> RemoteBatch:
        return batch_of(self.asked("GET", f"/batches/{batch_id}"))

    def lines(self, file_id: str) -> Iterator[bytes]:
        """A line that is longer than any reply is passed over: its request is missing then."""
        with (
            reaching(),
            self.http.stream("GET", f"{self.base_url}/files/{file_id}/content", **self.signed()) as reply,
        ):
            if reply.status_code != httpx.codes.OK:
                reply.read()
                raise self.refusal(reply)
            yield from split(reply.iter_bytes(PIECE_BYTES))

    def delete(self, file_id: str) -> None:
        with reaching():
            reply = self.http.delete(f"{self.base_url}/files/{file_id}", **self.signed())
        if reply.status_code not in (httpx.codes.OK, httpx.codes.NO_CONTENT, NOT_FOUND):
            raise self.refusal(reply)

    def files(self) -> Iterator[RemoteFile]:
        for one in self.listed("/files", MOST_PAGES):
            size = one.get("bytes")
            yield RemoteFile(named(one), str(one.get("filename", "")), size if isinstance(size, int) else 0)

    def listed(self, path: str, most_pages: int, **filters: str) -> Iterator[Mapping[str, Any]]:
        after: dict[str, str] = {}
        for _ in range(most_pages):
            page = self.asked("GET", path, params={"limit": str(PAGE), **filters, **after})
            shown = page.get("data")
            found = [one for one in shown if isinstance(one, dict)] if isinstance(shown, list) else []
            yield from found
            if not (found and page.get("has_more")):
                return
            after = {"after": named(found[-1])}

    def asked(self, method: str, path: str, **request: Any) -> Mapping[str, Any]:
        with reaching():
            reply = self.http.request(method, self.base_url + path, **request, **self.signed())
        if reply.status_code != httpx.codes.OK:
            raise self.refusal(reply)
        return object_in(reply)

    def signed(self) -> dict[str, Any]:
        return {"headers": {"Authorization": f"Bearer {checked_key(self.api_key())}"}}

    def refusal(self, reply: httpx.Response) -> PagewiseError:
        try:
            shown = object_in(reply)
        except Transient:
            shown = {"message": "a body that is no JSON object"}
        if reply.status_code == NOT_FOUND:
            return Permanent("not_found", "The Batch API knows no such file or batch.")
        error = self.protocol.refusal(reply.status_code, shown, retry_after(reply))
        key = self.api_key()
        error.message = error.message.replace(key, "…")
        error.args = (error.message,)
        return error


@contextmanager
def reaching() -> Iterator[None]:
    """What goes wrong on the way may pass; whether the request was heard is not known."""
    try:
        yield
    except httpx.TimeoutException as error:
        raise Transient("timeout", f"The Batch API did not answer in time ({type(error).__name__}).") from error
    except httpx.HTTPError as error:
        raise Transient("connection", f"The Batch API cannot be reached ({type(error).__name__}).") from error


def object_in(reply: httpx.Response) -> Mapping[str, Any]:
    try:
        found = strict_json.parsed(reply.text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Transient("malformed", f"The Batch API's reply (HTTP {reply.status_code}) is no JSON object.")
    return found


def named(shown: Mapping[str, Any]) -> str:
    if not isinstance(found := shown.get("id"), str) or not found:
        raise Transient("malformed", "The Batch API's reply has no id.")
    return found


def batch_of(shown: Mapping[str, Any]) -> RemoteBatch:
    metadata, status = shown.get("metadata"), shown.get("status")
    name = metadata.get("ds_name") if isinstance(metadata, dict) else None
    return RemoteBatch(
        id=named(shown),
        status=status if isinstance(status, str) else FAILED,
        name=name if isinstance(name, str) else None,
        output_file_id=shown.get("output_file_id") or None,
        error_file_id=shown.get("error_file_id") or None,
        problem=problem_of(shown.get("errors")),
    )


def problem_of(errors: Any) -> str | None:
    """The first problem that validation found."""
    problems = errors.get("data") if isinstance(errors, dict) else None
    first = problems[0] if isinstance(problems, list) and problems else None
    if not isinstance(first, dict):
        return None
    return strict_json.fit(f"{first.get('code')}: {first.get('message')}"[:MESSAGE_CHARACTERS])


def split(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The lines of a body that comes in pieces, without empty ones and without any that is too long."""
    rest, skipping = b"", False
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            if line.strip() and not skipping:
                yield line
            skipping = False
        if len(rest) > MOST_LINE_BYTES:
            rest, skipping = b"", True
    if rest.strip() and not skipping:
        yield rest
