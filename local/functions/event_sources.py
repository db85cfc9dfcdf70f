"""Event source mappings: polls queues for functions as the Lambda service does.

https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html and, for partial batch responses,
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
"""

import base64
import json
import logging
import os
import random
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from local.emulator.deployment import QueueMapping
from local.emulator.process import REGION, Emulator
from local.functions.environments import FunctionService, InvocationOutcome, RecursiveLoop, Throttled
from local.functions.lineage import lineage_of

LARGEST_PAYLOAD = 6 * 1024 * 1024  # bytes of one invocation
MOST_MESSAGES = 10  # of one ReceiveMessage or DeleteMessageBatch
LONGEST_POLL = 20  # seconds
DEFAULT_CONCURRENCY = 5  # batches in flight for a mapping without a maximum, as Lambda starts with five
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0  # seconds that a throttled batch waits for its next try
WINDOW_STEP = 0.1  # seconds; ReceiveMessage waits for whole seconds, the rest of a window is looked at in steps

logger = logging.getLogger(__name__)

Record = dict[str, Any]


@dataclass(frozen=True)
class Faults:
    """Permitted and rare behaviour of SQS and Lambda, injected for tests."""

    duplicates: float = 0.0  # probability that a message or event is delivered a second time
    shuffled: bool = False
    chance: random.Random = field(default_factory=random.Random)

    @classmethod
    def from_environment(cls) -> "Faults":
        return cls(
            duplicates=float(os.environ.get("PAGEWISE_DUPLICATES", "0")),
            shuffled=os.environ.get("PAGEWISE_SHUFFLED", "0") == "1",
        )

    def duplicate(self) -> bool:
        return self.chance.random() < self.duplicates


class QueuePoller:
    """Polls one mapping's queue and keeps up to its maximum concurrency of batches in flight."""

    def __init__(self, mapping: QueueMapping, service: FunctionService, emulator: Emulator, faults: Faults) -> None:
        self._mapping = mapping
        self._service = service
        self._sqs = emulator.client("sqs")
        self._events = emulator.client("events")
        self._faults = faults
        self._stopping = threading.Event()
        self._slots = threading.Semaphore(min(mapping.concurrency or DEFAULT_CONCURRENCY, service.concurrency))
        self._waiting: deque[Record] = deque()  # received, not yet in a batch

    def start(self) -> None:
        threading.Thread(target=self._poll, name=f"poll-{self._mapping.function}", daemon=True).start()

    def stop(self) -> None:
        self._stopping.set()

    def _poll(self) -> None:
        while not self._stopping.is_set():
            self._slots.acquire()
            try:
                batch = self._collect()
            except (BotoCoreError, ClientError) as error:
                self._slots.release()
                if not self._stopping.wait(0.5):
                    logger.warning("polling for %s failed: %s", self._mapping.function, error)
                continue
            if batch:
                threading.Thread(target=self._run, args=(batch,), name="batch", daemon=True).start()
            else:
                self._slots.release()

    def _collect(self) -> list[Record]:
        """Wait for a message, then for as many as fill a batch within the window."""
        if not self._waiting:
            self._receive(wait=LONGEST_POLL)
        if not self._waiting:
            return []
        closes = time.monotonic() + self._mapping.window
        while len(self._waiting) < self._mapping.batch_size and not self._stopping.is_set():
            left = closes - time.monotonic()
            if left <= 0:
                break
            if left >= 1:
                self._receive(wait=int(left))
            else:
                self._stopping.wait(min(left, WINDOW_STEP))
                self._receive(wait=0)
        return self._take_batch()

    def _receive(self, wait: int) -> None:
        wanted = min(MOST_MESSAGES, self._mapping.batch_size - len(self._waiting))
        response = self._sqs.receive_message(
            QueueUrl=self._mapping.queue_url,
            MaxNumberOfMessages=wanted,
            WaitTimeSeconds=wait,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        records = [sqs_record(message, self._mapping.queue_arn) for message in response.get("Messages", [])]
        wanted_records = self._filter(records)
        if self._faults.shuffled:
            self._faults.chance.shuffle(wanted_records)
        self._waiting.extend(wanted_records)

    def _take_batch(self) -> list[Record]:
        batch: list[Record] = []
        size = 0
        while self._waiting and len(batch) < self._mapping.batch_size:
            size += len(json.dumps(self._waiting[0]))
            if batch and size > LARGEST_PAYLOAD:
                break
            batch.append(self._waiting.popleft())
        self._waiting.extend(
            duplicate_of(record)
            for record in batch
            if record["attributes"]["ApproximateReceiveCount"] == "1" and self._faults.duplicate()
        )
        return batch

    def _filter(self, records: list[Record]) -> list[Record]:
        """Keep the records that a filter matches; the others are gone, as in Lambda."""
        if not self._mapping.filters:
            return records
        kept = [
            record for record in records if any(self._matches(record, pattern) for pattern in self._mapping.filters)
        ]
        self._delete([record for record in records if record not in kept])
        return kept

    def _matches(self, record: Record, pattern: str) -> bool:
        try:
            body = json.loads(record["body"])
        except ValueError:
            body = record["body"]
        envelope = {"id": "", "account": "", "source": "", "time": "", "region": REGION, "resources": []}
        event = envelope | {"detail-type": ""} | record | {"body": body}
        answer = self._events.test_event_pattern(EventPattern=pattern, Event=json.dumps(event))
        return bool(answer["Result"])

    def _run(self, batch: list[Record]) -> None:
        try:
            if outcome := self._invoke(batch):
                self._delete(succeeded(batch, outcome, self._mapping.reports_failures))
        except RecursiveLoop:
            logger.warning("%s: a recursive loop, its invocation is dropped", self._mapping.function)
        except Exception:
            if not self._stopping.is_set():
                logger.exception("a batch for %s", self._mapping.function)
        finally:
            self._slots.release()

    def _invoke(self, batch: list[Record]) -> InvocationOutcome | None:
        """Try again while the account's concurrency is used up, ever later, until the messages become visible again:
        None then."""
        payload = json.dumps({"Records": batch}).encode()
        gives_up = time.monotonic() + self._mapping.visibility
        pause = FIRST_PAUSE
        while not self._stopping.is_set() and time.monotonic() < gives_up:
            try:
                return self._service.invoke(
                    self._mapping.function,
                    payload,
                    trigger="queue",
                    records=len(batch),
                    lineage=lineage_of(batch),
                )
            except Throttled:
                self._stopping.wait(pause * random.uniform(0.5, 1.0))
                pause = min(2 * pause, LONGEST_PAUSE)
        return None

    def _delete(self, records: list[Record]) -> None:
        """Failed records are left to their visibility timeout and the queue's redrive policy."""
        for start in range(0, len(records), MOST_MESSAGES):
            entries = [
                {"Id": str(number), "ReceiptHandle": record["receiptHandle"]}
                for number, record in enumerate(records[start : start + MOST_MESSAGES])
            ]
            response = self._sqs.delete_message_batch(QueueUrl=self._mapping.queue_url, Entries=entries)
            for failure in response.get("Failed", []):
                logger.info("a message for %s was not deleted: %s", self._mapping.function, failure["Code"])


def sqs_record(message: Mapping[str, Any], queue_arn: str) -> Record:
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": dict(message.get("Attributes", {})),
        "messageAttributes": {
            name: message_attribute(attribute) for name, attribute in message.get("MessageAttributes", {}).items()
        },
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": queue_arn.split(":")[3],
    }


def message_attribute(attribute: Mapping[str, Any]) -> dict[str, Any]:
    value: dict[str, Any] = {"stringListValues": [], "binaryListValues": [], "dataType": attribute["DataType"]}
    if "StringValue" in attribute:
        value["stringValue"] = attribute["StringValue"]
    if "BinaryValue" in attribute:
        value["binaryValue"] = base64.b64encode(attribute["BinaryValue"]).decode()
    return value


def duplicate_of(record: Record) -> Record:
    return record | {"attributes": record["attributes"] | {"ApproximateReceiveCount": "2"}}


def succeeded(batch: list[Record], outcome: InvocationOutcome, reports_failures: bool) -> list[Record]:
    """The records to delete: all, none, or those that a partial batch response does not name."""
    if not outcome.succeeded:
        return []
    if not reports_failures:
        return batch
    failed = reported_failures(outcome.payload)
    if failed is None or not failed <= {record["messageId"] for record in batch}:
        logger.warning("a malformed batch response fails its whole batch of %d", len(batch))
        return []
    return [record for record in batch if record["messageId"] not in failed]


def reported_failures(payload: bytes) -> set[str] | None:
    """The message ids that a response reports as failed; None if it is malformed."""
    try:
        response = json.loads(payload or b"null")
    except ValueError:
        return None
    if not isinstance(response, dict | None):
        return None
    failures = (response or {}).get("batchItemFailures") or []
    if not isinstance(failures, list):
        return None
    identifiers = [failure.get("itemIdentifier") if isinstance(failure, dict) else None for failure in failures]
    if not all(isinstance(identifier, str) and identifier for identifier in identifiers):
        return None
    return set(map(str, identifiers))
