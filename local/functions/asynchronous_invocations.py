"""Asynchronous invocations: an event is accepted at once, retried when its function fails, and then sent elsewhere.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
"""

import json
import logging
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from local.emulator.deployment import AsynchronousConfiguration
from local.emulator.process import Emulator
from local.functions.environments import FunctionService, InvocationOutcome, Throttled

RETRY_DELAYS = (1.0, 2.0)  # seconds; Lambda waits one minute, then two

LONGEST_AGE = 6 * 3600.0  # seconds; a throttled event is tried again so long
LONGEST_THROTTLE_DELAY = 300.0  # seconds

logger = logging.getLogger(__name__)

Event = Mapping[str, Any]


@dataclass(frozen=True)
class Attempt:
    function: str
    event: Event
    trigger: str
    number: int = 1
    throttles: int = 0
    accepted: float = field(default_factory=time.monotonic)


class AsynchronousInvocations:
    def __init__(
        self,
        service: FunctionService,
        emulator: Emulator,
        configurations: Mapping[str, AsynchronousConfiguration],
        function_arns: Mapping[str, str],
        retry_delays: Sequence[float] = RETRY_DELAYS,
    ) -> None:
        self._service = service
        self._sqs = emulator.client("sqs")
        self._configurations = configurations
        self._arns = {name: arn for arn, name in function_arns.items()}
        self._retry_delays = retry_delays
        self._workers = {
            name: ThreadPoolExecutor(service.concurrency, thread_name_prefix=f"event-{name}") for name in self._arns
        }
        self._lock = threading.Lock()
        self._pending = 0
        self._stopping = False

    def invoke(self, function: str, event: Event, trigger: str) -> None:
        with self._lock:
            self._pending += 1
        self._attempt(Attempt(function, event, trigger))

    def pending(self) -> int:
        with self._lock:
            return self._pending

    def stop(self) -> None:
        self._stopping = True
        for workers in self._workers.values():
            workers.shutdown(wait=False, cancel_futures=True)

    def _attempt(self, attempt: Attempt) -> None:
        if not self._stopping:
            self._workers[attempt.function].submit(self._run, attempt)

    def _run(self, attempt: Attempt) -> None:
        try:
            outcome = self._service.invoke(
                attempt.function, json.dumps(attempt.event).encode(), trigger=attempt.trigger
            )
            configuration = self._configurations.get(attempt.function, AsynchronousConfiguration())
            if not outcome.succeeded and attempt.number <= configuration.retries:
                self._retry(attempt)
                return
            self._send_on(attempt, outcome, configuration)
        except Throttled:
            if time.monotonic() - attempt.accepted < LONGEST_AGE:
                self._later(replace(attempt, throttles=attempt.throttles + 1), throttle_delay(attempt.throttles))
                return
            logger.error("%s: an event is lost, throttled for six hours", attempt.function)  # noqa: TRY400
        except Exception:
            if not self._stopping:
                logger.exception("an event for %s", attempt.function)
        with self._lock:
            self._pending -= 1

    def _retry(self, attempt: Attempt) -> None:
        delay = self._retry_delays[min(attempt.number, len(self._retry_delays)) - 1]
        self._later(replace(attempt, number=attempt.number + 1), delay)

    def _later(self, following: Attempt, delay: float) -> None:
        timer = threading.Timer(delay, self._attempt, args=(following,))
        timer.daemon = True
        timer.start()

    def _send_on(self, attempt: Attempt, outcome: InvocationOutcome, configuration: AsynchronousConfiguration) -> None:
        destination = configuration.on_success if outcome.succeeded else configuration.on_failure
        if destination is None:
            if not outcome.succeeded:
                logger.error("%s: an event is lost after %d attempts", attempt.function, attempt.number)
            return
        if ":sqs:" not in destination:
            logger.error("%s: only queues are destinations here, not %s", attempt.function, destination)
            return
        queue_url = self._sqs.get_queue_url(QueueName=destination.rsplit(":", 1)[1])["QueueUrl"]
        body = json.dumps(destination_record(attempt, outcome, self._arns[attempt.function]))
        self._sqs.send_message(QueueUrl=queue_url, MessageBody=body)


def throttle_delay(throttles: int) -> float:
    """Seconds until a throttled event is tried again: it costs no attempt."""
    return min(LONGEST_THROTTLE_DELAY, 2.0**throttles)


def destination_record(attempt: Attempt, outcome: InvocationOutcome, function_arn: str) -> dict[str, Any]:
    response: dict[str, Any] = {"statusCode": 200, "executedVersion": "$LATEST"}
    if not outcome.succeeded:
        response["functionError"] = "Unhandled"
    return {
        "version": "1.0",
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "requestContext": {
            "requestId": outcome.request_id,
            "functionArn": f"{function_arn}:$LATEST",
            "condition": "Success" if outcome.succeeded else "RetriesExhausted",
            "approximateInvokeCount": attempt.number,
        },
        "requestPayload": attempt.event,
        "responseContext": response,
        "responsePayload": json.loads(outcome.payload or b"null"),
    }
