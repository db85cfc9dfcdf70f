"""The Batch API in memory: it refuses what the service refuses, and lives by a clock that is told."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pagewise.errors import Permanent
from pagewise.qwen.batches import (
    ENDPOINT,
    MOST_FILE_BYTES,
    MOST_LINE_BYTES,
    MOST_LINES,
    RemoteBatch,
    RemoteFile,
)
from pagewise.qwen.models import BATCH_MODELS

Reply = Callable[[dict[str, Any]], dict[str, Any] | None]


def chat(text: str = "text", finish_reason: str = "stop", tokens: tuple[int, int] = (100, 10)) -> dict[str, Any]:
    """A good line's response."""
    message = {"role": "assistant", "content": text}
    body = {
        "id": "chatcmpl-1",
        "model": BATCH_MODELS[0],
        "choices": [{"index": 0, "finish_reason": finish_reason, "message": message}],
        "usage": {"prompt_tokens": tokens[0], "completion_tokens": tokens[1]},
    }
    return {"status_code": 200, "request_id": "r", "body": body}


def refused(code: str = "InvalidParameter", status: int = 400) -> dict[str, Any]:
    return {"status_code": status, "request_id": "r", "body": {"error": {"code": code, "message": "no"}}}


def question(line: dict[str, Any]) -> tuple[list[str], str]:
    """The images of a line's request, and its prompt."""
    content = line["body"]["messages"][0]["content"]
    images = [part["image_url"]["url"] for part in content if part["type"] == "image_url"]
    return images, "".join(part["text"] for part in content if part["type"] == "text")


@dataclass
class MemoryBatches:
    """`reply` gives the response to a line; None: it is in neither file. `ends`: the state that batches end in, once
    they are told to; `done` lines are answered then, None: all of them."""

    reply: Reply = lambda _line: chat()
    ends: str = "completed"
    done: int | None = None
    stored: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    batches: dict[str, RemoteBatch] = field(default_factory=dict)
    input_of: dict[str, str] = field(default_factory=dict)
    answered: list[str] = field(default_factory=list)
    numbers: int = 0

    def new_id(self, kind: str) -> str:
        self.numbers += 1
        return f"{kind}-{self.numbers}"

    def upload(self, name: str, file: Path) -> str:
        content = file.read_bytes()
        assert name.endswith(".jsonl")
        if len(content) > MOST_FILE_BYTES:
            raise Permanent("InvalidParameter", "The file is too large.")
        file_id = self.new_id("file")
        self.stored[file_id] = (name, content)
        return file_id

    def create(self, file_id: str, name: str, window_hours: int) -> RemoteBatch:
        assert 24 <= window_hours <= 336
        if file_id not in self.stored:
            raise Permanent("not_found", "no such file")
        batch = RemoteBatch(self.new_id("batch"), "validating", name)
        self.batches[batch.id] = batch
        self.input_of[batch.id] = file_id
        return batch

    def find(self, name: str) -> RemoteBatch | None:
        return next((one for one in self.batches.values() if one.name == name), None)

    def batch(self, batch_id: str) -> RemoteBatch:
        if batch_id not in self.batches:
            raise Permanent("not_found", "no such batch")
        return self.batches[batch_id]

    def lines(self, file_id: str) -> Iterator[bytes]:
        if file_id not in self.stored:
            raise Permanent("not_found", "no such file")
        yield from self.stored[file_id][1].splitlines()

    def delete(self, file_id: str) -> None:
        self.stored.pop(file_id, None)

    def files(self) -> list[RemoteFile]:
        return [RemoteFile(file_id, name, len(content)) for file_id, (name, content) in self.stored.items()]

    # ── time ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def end_all(self) -> None:
        for batch in list(self.batches.values()):
            if not batch.ended:
                self.batches[batch.id] = self.ended(batch)

    def ended(self, batch: RemoteBatch) -> RemoteBatch:
        requests = self.requests(batch)
        if problem := self.problem_of(requests):
            return replace(batch, status="failed", problem=problem)
        outputs: list[dict[str, Any]] = []
        errors: list[dict[str, Any]] = []
        done = len(requests) if self.done is None else self.done
        for number, request in enumerate(reversed(requests)):
            custom_id = request["custom_id"]
            if number >= done:
                errors.append({"custom_id": custom_id, "response": None, "error": {"code": "batch_expired"}})
            elif (response := self.reply(request)) is not None:
                good = response["status_code"] == 200
                self.answered += [custom_id] if good else []
                (outputs if good else errors).append({"custom_id": custom_id, "response": response, "error": None})
        files = [self.kept(f"{batch.id}_{kind}", lines) for kind, lines in (("output", outputs), ("error", errors))]
        return replace(batch, status=self.ends, output_file_id=files[0], error_file_id=files[1])

    def requests(self, batch: RemoteBatch) -> list[dict[str, Any]]:
        content = self.stored.get(self.input_of[batch.id], ("", b""))[1]
        return [json.loads(line) for line in content.splitlines()]

    def problem_of(self, requests: list[dict[str, Any]]) -> str | None:
        ids, models = {one["custom_id"] for one in requests}, {one["body"]["model"] for one in requests}
        if len(ids) < len(requests) or len(models) != 1 or not models <= set(BATCH_MODELS):
            return "the file is not valid"
        if len(requests) > MOST_LINES or any(one["url"] != ENDPOINT or one["method"] != "POST" for one in requests):
            return "the file is not valid"
        if any(len(json.dumps(one)) > MOST_LINE_BYTES for one in requests):
            return "a line is too long"
        return None

    def kept(self, name: str, lines: list[dict[str, Any]]) -> str | None:
        if not lines:
            return None
        file_id = self.new_id("file")
        self.stored[file_id] = (name, b"\n".join(json.dumps(line).encode() for line in lines))
        return file_id
