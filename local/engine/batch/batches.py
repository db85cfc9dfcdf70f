"""Batches: validated, worked through, finished; or failed, expired, cancelled. They live by a clock of their own."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, BinaryIO

from local.engine import identity
from local.engine.batch import lines
from local.engine.batch.behaviour import BatchBehaviour, BatchClock, is_last_of
from local.engine.batch.files import Files
from local.engine.batch.lines import Line, Replied

log = logging.getLogger("engine")

ENDED = ("completed", "failed", "expired", "cancelled")
SIDE_BY_SIDE = 8

Answering = Callable[[dict[str, Any]], Awaitable[Replied]]


@dataclass(slots=True)
class Batch:
    id: str
    input_file_id: str
    endpoint: str
    window: str
    seconds: float
    created_at: float
    metadata: dict[str, str] | None
    status: str = "validating"
    output_file_id: str | None = None
    error_file_id: str | None = None
    errors: list[dict[str, Any]] = field(default_factory=list)
    total: int = 0
    completed: int = 0
    failed: int = 0
    entered: dict[str, int] = field(default_factory=dict)
    work: asyncio.Task[None] | None = None

    @property
    def done(self) -> int:
        return self.completed + self.failed

    def shown(self) -> dict[str, Any]:
        moments = ("in_progress", "finalizing", "completed", "failed", "expired", "cancelling", "cancelled")
        return {
            "id": self.id,
            "object": "batch",
            "endpoint": self.endpoint,
            "errors": {"object": "list", "data": self.errors} if self.errors else None,
            "input_file_id": self.input_file_id,
            "completion_window": self.window,
            "status": self.status,
            "output_file_id": self.output_file_id,
            "error_file_id": self.error_file_id,
            "created_at": int(self.created_at),
            "expires_at": int(self.created_at + self.seconds),
            **{f"{name}_at": self.entered.get(name) for name in moments},
            "request_counts": {"total": self.total, "completed": self.completed, "failed": self.failed},
            "metadata": self.metadata,
        }


@dataclass(slots=True)
class Batches:
    files: Files
    answer: Answering
    clock: BatchClock = field(default_factory=BatchClock)
    behaviour: BatchBehaviour = field(default_factory=BatchBehaviour)
    all: dict[str, Batch] = field(default_factory=dict)

    def create(self, input_file_id: str, endpoint: str, window: str, hours: int, metadata: Any) -> Batch:
        batch_id = f"batch_{uuid.uuid4()}"
        batch = Batch(batch_id, input_file_id, endpoint, window, hours * 3600, self.clock.now(), metadata)
        self.all[batch.id] = batch
        batch.work = asyncio.create_task(self.live(batch))
        return batch

    def enter(self, batch: Batch, status: str) -> None:
        batch.status = status
        batch.entered[status] = int(self.clock.now())

    def cancel(self, batch: Batch) -> None:
        if batch.status not in (*ENDED, "cancelling"):
            self.enter(batch, "cancelling")
            self.clock.wake()

    def close(self) -> None:
        for batch in self.all.values():
            if batch.work:
                batch.work.cancel()

    async def live(self, batch: Batch) -> None:
        try:
            await self.worked_through(batch)
        except Exception:
            log.exception("%s failed", batch.id)
            batch.errors = [{"code": "internal_error", "message": "An internal error has occured.", "line": None}]
            self.enter(batch, "failed")

    async def worked_through(self, batch: Batch) -> None:
        behaviour = self.behaviour
        await self.waited(batch, behaviour.queue_seconds)
        path = self.files.file(batch.input_file_id).path
        inspection = lines.Inspection(path, batch.endpoint)
        batch.errors = await asyncio.to_thread(inspection.problems)
        batch.total = inspection.count
        if behaviour.invalid:
            batch.errors = [{"code": "invalid_file", "message": "The input file is not valid.", "line": None}]
        if batch.errors:
            batch.total = 0
            self.enter(batch, "failed")
            return
        if batch.status == "validating":
            self.enter(batch, "in_progress")
        outputs, errors = self.files.new_path(), self.files.new_path()
        with outputs.open("wb") as output_file, errors.open("wb") as error_file:
            requests = lines.lines_of(path, batch.endpoint)
            await self.replied(batch, behaviour, requests, output_file, error_file)
            end = self.end(batch, behaviour)
            if end == "expired":
                for line in requests:
                    error_file.write(lines.unbegun(line.custom_id))
        if end == "completed":
            self.enter(batch, "finalizing")
        batch.output_file_id = self.result_file(batch, outputs, "output")
        batch.error_file_id = self.result_file(batch, errors, "error")
        self.enter(batch, end)

    async def replied(
        self,
        batch: Batch,
        behaviour: BatchBehaviour,
        requests: Iterator[Line],
        output_file: BinaryIO,
        error_file: BinaryIO,
    ) -> None:
        while self.end(batch, behaviour) == "completed" and (some := [*islice(requests, SIDE_BY_SIDE)]):
            replies = await asyncio.gather(*(self.reply(line, batch, behaviour) for line in some))
            # In another order than they came.
            for line, replied in reversed([*zip(some, replies, strict=True)]):
                good = replied.status == 200
                batch.completed, batch.failed = batch.completed + good, batch.failed + (not good)
                if not is_last_of(line.number, behaviour.miss_each):
                    in_output = good or behaviour.fail_in == "output_file"
                    (output_file if in_output else error_file).write(replied.line(line.custom_id))
            await self.waited(batch, behaviour.line_seconds * len(some))

    async def waited(self, batch: Batch, seconds: float) -> None:
        """The time of the batch goes on, unless it is cancelled or its window ends."""
        moment = min(self.clock.now() + seconds, batch.created_at + batch.seconds)
        while batch.status != "cancelling" and self.clock.now() < moment:
            await self.clock.until(moment)

    def end(self, batch: Batch, behaviour: BatchBehaviour) -> str:
        """The state that the batch ends in, if it ends now."""
        if batch.status == "cancelling":
            return "cancelled"
        over = self.clock.now() >= batch.created_at + batch.seconds
        if over or (behaviour.expire_after is not None and batch.done >= behaviour.expire_after):
            return "expired"
        return "completed"

    async def reply(self, line: Line, batch: Batch, behaviour: BatchBehaviour) -> Replied:
        if is_last_of(line.number, behaviour.fail_each):
            error = {"message": "Failed to decode the image.", "type": "invalid_request_error", "param": None}
            return Replied(400, str(uuid.uuid4()), {"error": {**error, "code": "invalid_parameter_error"}})
        if batch.endpoint == lines.TEST_ENDPOINT:
            return Replied(200, str(uuid.uuid4()), tested(line))
        replied = await self.answer(line.body)
        if replied.status == 200 and is_last_of(line.number, behaviour.truncate_each):
            choice = replied.body["choices"][0]
            choice["finish_reason"] = "length"
            choice["message"]["content"] = choice["message"]["content"][: len(choice["message"]["content"]) // 2]
        return replied

    def result_file(self, batch: Batch, path: Any, kind: str) -> str | None:
        if not path.stat().st_size:
            path.unlink()
            return None
        return self.files.keep(path, f"{batch.id}_{kind}.jsonl", f"batch_{kind}", self.clock.now()).id


def tested(line: Line) -> dict[str, Any]:
    """The reply of the free test model, which looks at nothing."""
    message = {"role": "assistant", "content": "This is a test result."}
    return {
        "id": f"chatcmpl-{uuid.uuid4()}",
        "object": "chat.completion",
        "created": 0,
        "model": line.body["model"],
        "system_fingerprint": identity.ENGINE,
        "choices": [{"index": 0, "finish_reason": "stop", "logprobs": None, "message": message}],
        "usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
    }
