"""Messages of a batch fail for themselves."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pagewise.aws import batches
from pagewise.aws.batches import Message
from pagewise.errors import StorageBusy
from tests.handlers.conftest import sqs_event

EVENT = sqs_event("good", "bad", "broken", "good", deliveries=3)
FAILED = {"batchItemFailures": [{"itemIdentifier": "m1"}, {"itemIdentifier": "m2"}]}


def fails(message: Message) -> None:
    if message.body == "bad":
        raise StorageBusy("the table is busy")
    if message.body == "broken":
        raise KeyError("secret words of the document")


def test_one_by_one_the_failed_come_back() -> None:
    handled: list[Message] = []

    def handle(message: Message) -> None:
        handled.append(message)
        fails(message)

    assert batches.one_by_one(EVENT, handle) == FAILED
    assert [(message.body, message.deliveries) for message in handled] == [
        ("good", 3),
        ("bad", 3),
        ("broken", 3),
        ("good", 3),
    ]


def test_all_at_once_the_failed_come_back_and_each_has_waited_for_all() -> None:
    everybody = asyncio.Barrier(len(EVENT["Records"]))

    async def handle(message: Message) -> None:
        await asyncio.wait_for(everybody.wait(), 10)
        fails(message)

    assert batches.all_at_once(EVENT, handle) == FAILED


def test_in_lambda_all_invocations_share_one_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAMBDA_TASK_ROOT", "/var/task")
    loops: list[Any] = []

    async def handle(_message: Message) -> None:
        loops.append(asyncio.get_running_loop())

    asyncio.set_event_loop(None)  # as in a new environment
    try:
        for _ in range(2):
            batches.all_at_once(EVENT, handle)
        assert len(loops) == 8
        assert len(set(map(id, loops))) == 1
    finally:
        loops[0].close()
        asyncio.set_event_loop(None)


def test_a_batch_that_is_none_fails_as_a_whole() -> None:
    with pytest.raises(KeyError):
        batches.one_by_one({"Records": [{"messageId": "m"}]}, fails)
