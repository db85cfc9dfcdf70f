"""What both clients say to a server, in httpx's words."""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import IO, Any

import httpx

from pagewise_client.addresses import Address
from pagewise_client.steps import Ask, Fetch, NoReply, Put, Reply
from pagewise_client.version import __version__

USER_AGENT = f"pagewise-client/{__version__} python-httpx/{httpx.__version__}"
# API Gateway answers within 30 seconds.
TIMEOUT = 40.0
CHUNK_BYTES = 256 * 1024
UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol, httpx.InvalidURL)


@cache
def certificates() -> ssl.SSLContext:
    """One for all clients: making it takes longer than a request."""
    return httpx.create_ssl_context()


def api_request(http: httpx.Client | httpx.AsyncClient, address: Address, ask: Ask, token: str | None) -> httpx.Request:
    headers = {"Accept": "application/json", "User-Agent": USER_AGENT}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    body: dict[str, Any] = {} if ask.body is None else {"json": ask.body}
    return http.build_request(ask.method, f"{address.base}{ask.path}", params=dict(ask.query), headers=headers, **body)


def upload_request(put: Put, content: Any, size: int) -> httpx.Request:
    """S3 takes no upload without its length. Nothing of the client's own goes along: no header, no cookie."""
    headers = {**put.headers, "User-Agent": USER_AGENT, "Content-Length": str(size)}
    return httpx.Request("PUT", put.url, headers=headers, content=content)


def download_request(fetch: Fetch) -> httpx.Request:
    """Bytes as they are stored: their digest is that of the file."""
    return httpx.Request("GET", fetch.url, headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity"})


def size_of(content: Path | bytes) -> int:
    return len(content) if isinstance(content, bytes) else content.stat().st_size


def reply_of(response: httpx.Response, *, sha256: str | None = None) -> Reply:
    content = b"" if sha256 else response.content
    return Reply(
        response.status_code, {name.lower(): value for name, value in response.headers.items()}, content, sha256
    )


def no_reply(error: httpx.RequestError | httpx.InvalidURL) -> NoReply:
    """A request that met nobody has not arrived."""
    kind: dict[type, str] = {httpx.ConnectTimeout: "no connection in time", httpx.ReadTimeout: "no answer in time"}
    reason = kind.get(type(error)) or str(error) or "the connection broke off"
    untaken = isinstance(error, UNSENT)
    return NoReply(reason, arrived=not untaken)


@dataclass
class Sink:
    """A file that a download is written to, as far as its size goes."""

    file: IO[bytes]
    most: int
    _digest: Any = field(default_factory=hashlib.sha256)
    _written: int = 0

    def write(self, chunk: bytes) -> bool:
        """Whether more may come."""
        self._digest.update(chunk)
        self.file.write(chunk[: max(0, self.most - self._written)])
        self._written += len(chunk)
        return self._written <= self.most

    @property
    def sha256(self) -> str:
        return str(self._digest.hexdigest())


@contextmanager
def sink(fetch: Fetch, to: Path) -> Iterator[Sink]:
    with to.open("wb") as file:
        yield Sink(file, fetch.size if fetch.size is not None else 1 << 62)
