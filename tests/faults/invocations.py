"""Handlers as the Lambda service calls them: with events of true shape, each in an environment of its own.

An environment works on one invocation at a time, and the state of a handler's module belongs to it. Here invocations
overlap, so that each loads the module anew and has an event loop of its own.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import patch
from urllib.parse import quote_plus

from pagewise.aws import wiring
from pagewise.aws.observing import metrics
from pagewise.model import Upload
from tests.faults.scheduler import own_loop

ROOT = Path(__file__).parents[2]
Handler = Callable[[dict[str, Any], Any], Any]
# With it, wiring.run runs coroutines on the loop of the handler's thread, as it does in Lambda.
IN_LAMBDA = {"LAMBDA_TASK_ROOT": str(ROOT), "POWERTOOLS_METRICS_DISABLED": "true"}


def sample(name: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((ROOT / f"events/{name}.json").read_text())
    return event


UPLOADED = sample("s3-put-pdf")["Records"][0]
RECEIVED = sample("page-range")["Records"][0]
FAILED = json.loads(sample("dead-letter")["Records"][2]["body"])
SCHEDULED = json.dumps(sample("schedule"))


@dataclass(frozen=True)
class Context:
    """The context that awslambdaric hands to a handler. No deadline comes: a world's time is not the machine's."""

    function_name: str
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:000000000000:function:function"
    aws_request_id: str = "request"

    def get_remaining_time_in_millis(self) -> float:
        return math.inf


def deployed(folder: str) -> Handler:
    """The handler of a function. Its module is compiled once, and loaded anew for each invocation."""
    path = ROOT / "functions" / folder / "handler.py"
    code = compile(path.read_text(), path, "exec")

    def handler(event: dict[str, Any], context: Any) -> Any:
        module = ModuleType(f"functions.{folder}.handler")
        exec(code, vars(module))  # noqa: S102  importing would give all invocations the one module
        return module.handler(event, context)

    return handler


def invoked(handler: Handler, name: str, payload: str, composition: wiring.Composition) -> str:
    """A function's answer. Payload and answer pass as JSON, as the runtime passes them."""
    wiring.composition.set(composition)  # of this thread; it ends with the invocation
    try:
        with own_loop():
            return json.dumps(handler(json.loads(payload), Context(name)))
    finally:
        metrics.clear_metrics()  # a hundred of a kind would be printed, also where they are disabled


@contextmanager
def lambda_service() -> Iterator[None]:
    """The surroundings of handlers in Lambda, without their logs and metrics: ten thousand worlds' are never read."""
    with patch.dict(os.environ, IN_LAMBDA), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "No application metrics to publish")
        logging.disable()
        try:
            yield
        finally:
            logging.disable(logging.NOTSET)


# ── events ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def s3_event(uploads: Sequence[Upload]) -> str:
    return json.dumps({"Records": [s3_record(upload) for upload in uploads]})


def s3_record(upload: Upload) -> dict[str, Any]:
    bucket = UPLOADED["s3"]["bucket"] | {"name": upload.bucket, "arn": f"arn:aws:s3:::{upload.bucket}"}
    stored = {
        "key": quote_plus(upload.key, safe="/"),
        "size": upload.size,
        "eTag": upload.etag,
        "versionId": upload.version_id,
        "sequencer": upload.sequencer,
    }
    return {**UPLOADED, "s3": {**UPLOADED["s3"], "bucket": bucket, "object": stored}}


def sqs_record(queue: str, message_id: str, receipt_handle: str, body: str, receives: int) -> dict[str, Any]:
    return {
        **RECEIVED,
        "messageId": message_id,
        "receiptHandle": receipt_handle,
        "body": body,
        "attributes": {**RECEIVED["attributes"], "ApproximateReceiveCount": str(receives)},
        "md5OfBody": hashlib.md5(body.encode(), usedforsecurity=False).hexdigest(),
        "eventSourceARN": f"arn:aws:sqs:us-east-1:000000000000:pagewise-{queue}",
    }


def on_failure(payload: str) -> str:
    """Lambda's message to a function's on-failure destination when it has invoked the function in vain."""
    return json.dumps(FAILED | {"requestPayload": json.loads(payload)})
