"""Batches of SQS messages that each fail alone: the mappings' ReportBatchItemFailures.

Powertools has this too. It first imports its classes for the events of thirty services: 20 to 30 ms of every cold
start, and this needs one field in three of them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pagewise.aws import wiring
from pagewise.aws.observing import logger, unforeseen
from pagewise.errors import PagewiseError

Response = dict[str, list[dict[str, str]]]


@dataclass(frozen=True, slots=True)
class Message:
    id: str
    body: str
    receipt_handle: str
    deliveries: int


def one_by_one(event: Mapping[str, Any], handle: Callable[[Message], object]) -> Response:
    """Messages on which `handle` raises come back; the log has the reason."""
    failed = []
    for message in messages_of(event):
        try:
            handle(message)
        except PagewiseError as error:
            logger.warning("message not done", extra={"message_id": message.id, "reason": error.reason})
            failed.append(message)
        except Exception as error:  # noqa: BLE001  the other messages go on
            logger.error("message crashed", extra={"message_id": message.id, **unforeseen(error)})
            failed.append(message)
    return response(failed)


def all_at_once(event: Mapping[str, Any], handle: Callable[[Message], Awaitable[object]]) -> Response:
    """Messages on which `handle` raises come back; `handle` has logged the reason."""
    messages = messages_of(event)

    async def fails(message: Message) -> bool:
        try:
            await handle(message)
        except Exception:  # noqa: BLE001  the other messages go on
            return True
        return False

    async def outcomes() -> list[bool]:
        import asyncio

        return await asyncio.gather(*map(fails, messages))

    return response([message for message, failed in zip(messages, wiring.run(outcomes()), strict=True) if failed])


def messages_of(event: Mapping[str, Any]) -> list[Message]:
    return [
        Message(
            id=record["messageId"],
            body=record["body"],
            receipt_handle=record["receiptHandle"],
            deliveries=int(record["attributes"]["ApproximateReceiveCount"]),
        )
        for record in event["Records"]
    ]


def response(failed: list[Message]) -> Response:
    return {"batchItemFailures": [{"itemIdentifier": message.id} for message in failed]}
