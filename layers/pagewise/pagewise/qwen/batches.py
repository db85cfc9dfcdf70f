"""The Batch API: many calls in one file, at half the price, within a day or more.

Facts and limits are the vendor's ("Batch", read 2026-11-25): the mainland region alone, two models, bodies of the
compatible protocol. A line is {"custom_id", "method", "url", "body"}, a reply {"custom_id", "response", "error"}.
Replies come in any order; a line can be refused in either of a batch's two files, and can be in neither.
"""

from __future__ import annotations

import binascii
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from pagewise import strict_json
from pagewise.errors import PagewiseError
from pagewise.qwen.client import Said, answered, unread
from pagewise.qwen.fitting import Inline
from pagewise.qwen.models import BATCH_MODELS
from pagewise.qwen.openai_compatible import OpenAICompatible
from pagewise.qwen.question import Answer, Question

ENDPOINT = "/v1/chat/completions"
SERVICE = ".aliyuncs.com"
MAINLAND_HOST, MAINLAND_WORKSPACES = "dashscope.aliyuncs.com", ".cn-beijing.maas.aliyuncs.com"
MOST_LINES = 50_000
# The smaller reading of MB for what we send.
MOST_FILE_BYTES = 500_000_000
MOST_LINE_BYTES = 6_000_000
SHORTEST_WINDOW_HOURS, LONGEST_WINDOW_HOURS = 24, 336
# "Query at most once a minute"; others waited for 10 minutes to over 13 hours.
SHORTEST_POLL_SECONDS, LONGEST_POLL_SECONDS = 60.0, 600.0
# Of all files of an account.
MOST_STORED_FILES, MOST_STORED_BYTES = 10_000, 100_000_000_000

PREPARING = frozenset({"validating", "in_progress", "finalizing", "cancelling"})
# Beside a file that is no batch at all.
FAILED = "failed"
MOST_ID_CHARACTERS = 200


def lacks_batches(base_url: str, model: str) -> str | None:
    """Why there is no Batch API for this engine and model, as a sentence; None if there is one. Of an engine that is
    not the service itself, who set it up knows."""
    host = urlsplit(base_url).hostname or ""
    if f".{host}".endswith(SERVICE) and host != MAINLAND_HOST and not host.endswith(MAINLAND_WORKSPACES):
        return f"The Batch API is of the mainland region alone, and the stack asks {host} (QwenBaseUrl)."
    if model not in BATCH_MODELS:
        return f"The Batch API has no {model or 'model'}; it takes {' and '.join(BATCH_MODELS)} (BatchModel)."
    return None


@dataclass(frozen=True, slots=True)
class RemoteBatch:
    """A batch as the service tells of it. `name` is its metadata's `ds_name`."""

    id: str
    status: str
    name: str | None = None
    output_file_id: str | None = None
    error_file_id: str | None = None
    problem: str | None = None

    @property
    def ended(self) -> bool:
        return self.status not in PREPARING

    @property
    def reply_files(self) -> tuple[str, ...]:
        return tuple(one for one in (self.output_file_id, self.error_file_id) if one)


@dataclass(frozen=True, slots=True)
class RemoteFile:
    id: str
    name: str
    size: int


class BatchService(Protocol):
    """Each may raise Throttled, Transient, Configuration and Permanent; after Transient it may have been done."""

    def upload(self, name: str, file: Path) -> str:
        """Store a file of lines; its id."""

    def create(self, file_id: str, name: str, window_hours: int) -> RemoteBatch: ...

    def find(self, name: str) -> RemoteBatch | None:
        """The batch that was created by this name, if there is one."""

    def batch(self, batch_id: str) -> RemoteBatch: ...

    def lines(self, file_id: str) -> Iterator[bytes]:
        """The lines of a file of replies, one at a time."""

    def delete(self, file_id: str) -> None:
        """A file that is gone is deleted."""

    def files(self) -> Iterable[RemoteFile]:
        """All that are stored, of whichever stack."""


def request_line(custom_id: str, question: Question, protocol: OpenAICompatible) -> bytes:
    """A request as a line of a file, with its images as Base64. Raises Permanent for what no engine could answer."""
    images = [image if isinstance(image, str) else image.prefix + base64_of(image) for image in question.images]
    line = {"custom_id": custom_id, "method": "POST", "url": ENDPOINT, "body": protocol.body(question, *images)}
    return strict_json.dumped(line).encode() + b"\n"


def base64_of(image: Inline) -> str:
    return binascii.b2a_base64(image.content, newline=False).decode()


@dataclass(frozen=True, slots=True)
class LineReply:
    """What a batch says to one line: an answer, which was billed, or an error, which was not."""

    custom_id: str
    answer: Answer | None
    error: PagewiseError | None = None


@dataclass(frozen=True, slots=True)
class LineReader:
    protocol: OpenAICompatible = field(default_factory=OpenAICompatible)

    def read(self, line: bytes) -> LineReply | None:
        """None for a line that names no request."""
        try:
            said = strict_json.parsed(line.decode("utf-8", "replace"))
        except ValueError:
            return None
        if not isinstance(said, dict) or not isinstance(custom_id := said.get("custom_id"), str):
            return None
        return self.reply(custom_id[:MOST_ID_CHARACTERS], said)

    def reply(self, custom_id: str, said: Mapping[str, Any]) -> LineReply:
        response = said.get("response")
        if not isinstance(response, dict):
            error = said.get("error")
            shown = {"error": error if isinstance(error, dict) else {"message": "a line without a response"}}
            return LineReply(custom_id, None, self.protocol.refusal(400, shown, None))
        status, body = response.get("status_code"), response.get("body")
        body = body if isinstance(body, dict) else {}
        if status != 200:
            return LineReply(custom_id, None, self.protocol.refusal(number(status), body, None))
        try:
            answer = answered(self.protocol, body)
        except PagewiseError as error:
            return LineReply(custom_id, None, error)
        return LineReply(custom_id, answer or unreadable(body))


def number(status: Any) -> int:
    return status if isinstance(status, int) and 100 <= status < 600 else 500


def unreadable(body: Mapping[str, Any]) -> Answer:
    """A reply that was paid for and is in no form that is known."""
    return unread(Said(strict_json.dumped(body)))
