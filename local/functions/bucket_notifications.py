"""Bucket notifications: S3's messages to a queue of the runner's become asynchronous invocations of functions, and
messages in the queues that they were meant for."""

import json
import logging
import threading
from collections.abc import Mapping

from botocore.exceptions import BotoCoreError, ClientError

from local.emulator.process import Emulator
from local.functions.asynchronous_invocations import AsynchronousInvocations
from local.functions.event_sources import LONGEST_POLL, MOST_MESSAGES, Faults

logger = logging.getLogger(__name__)


class BucketNotifications:
    def __init__(
        self,
        emulator: Emulator,
        queue_url: str,
        functions: Mapping[str, str],
        queues: Mapping[str, str],
        invocations: AsynchronousInvocations,
        faults: Faults,
    ) -> None:
        self._sqs = emulator.client("sqs")
        self._queue_url = queue_url
        self._functions = functions
        self._queues = queues
        self._invocations = invocations
        self._faults = faults
        self._stopping = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._poll, name="bucket-notifications", daemon=True).start()

    def stop(self) -> None:
        self._stopping.set()

    def _poll(self) -> None:
        """Hand on every message once; none is deleted.

        MiniStack adds a notification on another thread than the one on which a deletion replaces the queue's
        list of messages, so a deletion could lose a notification that arrives at that time.
        """
        while not self._stopping.is_set():
            try:
                response = self._sqs.receive_message(
                    QueueUrl=self._queue_url, MaxNumberOfMessages=MOST_MESSAGES, WaitTimeSeconds=LONGEST_POLL
                )
            except (BotoCoreError, ClientError) as error:
                if not self._stopping.wait(0.5):
                    logger.warning("polling for bucket notifications failed: %s", error)
                continue
            for message in response.get("Messages", []):
                self._hand_on(message["Body"])

    def _hand_on(self, body: str) -> None:
        for record in json.loads(body).get("Records", []):  # a test event has none
            notification_id = record["s3"]["configurationId"]
            for _ in range(2 if self._faults.duplicate() else 1):
                if function := self._functions.get(notification_id):
                    self._invocations.invoke(function, {"Records": [record]}, trigger="bucket")
                elif url := self._queues.get(notification_id):
                    self._send(url, json.dumps({"Records": [record]}))

    def _send(self, url: str, body: str) -> None:
        while not self._stopping.is_set():
            try:
                self._sqs.send_message(QueueUrl=url, MessageBody=body)
            except (BotoCoreError, ClientError) as error:
                if not self._stopping.wait(0.5):
                    logger.warning("handing on a bucket notification failed: %s", error)
            else:
                return
