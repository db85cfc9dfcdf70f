"""The events on the stack's bus, as a subscriber of the bus sees them."""

import json
from dataclasses import dataclass
from typing import Any

from local.emulator.deployment import senders_policy
from local.emulator.process import Emulator

QUEUE = RULE = "runner-published-events"
SOURCE = "pagewise"


@dataclass(frozen=True)
class PublishedEvent:
    name: str
    detail: dict[str, Any]


class PublishedEvents:
    def __init__(self, emulator: Emulator, bus: str) -> None:
        self._sqs = emulator.client("sqs")
        self._seen: set[str] = set()
        self._queue_url = self._sqs.create_queue(
            QueueName=QUEUE, Attributes={"Policy": senders_policy("events.amazonaws.com")}
        )["QueueUrl"]
        attributes = self._sqs.get_queue_attributes(QueueUrl=self._queue_url, AttributeNames=["QueueArn"])
        events = emulator.client("events")
        events.put_rule(Name=RULE, EventBusName=bus, EventPattern=json.dumps({"source": [SOURCE]}))
        target = {"Id": QUEUE, "Arn": attributes["Attributes"]["QueueArn"]}
        failed = events.put_targets(Rule=RULE, EventBusName=bus, Targets=[target])["FailedEntryCount"]
        if failed:
            raise RuntimeError("The emulator refused the subscription to the event bus.")

    def receive(self, wait: int) -> list[PublishedEvent]:
        """Events that were not received before, in the order of arrival; after `wait` seconds at the latest."""
        messages = self._sqs.receive_message(
            QueueUrl=self._queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=wait
        ).get("Messages", [])
        if not messages:
            return []
        entries = [{"Id": str(n), "ReceiptHandle": m["ReceiptHandle"]} for n, m in enumerate(messages)]
        self._sqs.delete_message_batch(QueueUrl=self._queue_url, Entries=entries)
        return [event for event in map(parse, messages) if self._is_new(event)]

    def _is_new(self, event: PublishedEvent) -> bool:
        event_id = event.detail["event_id"]
        if event_id in self._seen:
            return False
        self._seen.add(event_id)
        return True


def parse(message: dict[str, Any]) -> PublishedEvent:
    event = json.loads(message["Body"])
    return PublishedEvent(name=event["detail-type"], detail=event["detail"])
