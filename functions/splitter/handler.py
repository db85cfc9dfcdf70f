"""Upload or page range → page images and page jobs.

Both come by the split queue: S3's event notifications as they are, in a message's body, and page ranges. An S3 event by
itself, as `sam local generate-event` makes it, works as well.
"""

from __future__ import annotations

import json
import time
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from pagewise.aws import batches, wiring
from pagewise.aws.batches import Message, Response
from pagewise.aws.notifications import uploads_of
from pagewise.aws.observing import logger, metrics, quoting_nothing, told
from pagewise.errors import Configuration, Deleted, PagewiseError
from pagewise.messages import load_range
from pagewise.model import Upload


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> Response | None:
    deadline = deadline_of(context)
    if any("s3" in record for record in event.get("Records", [])):
        split_uploads(event, deadline)
        return None
    return batches.one_by_one(event, lambda message: split_message(message, deadline))


def deadline_of(context: LambdaContext) -> float:
    """The end of rendering; the time after it serves to store the pages and to queue the rest."""
    return time.monotonic() + context.get_remaining_time_in_millis() / 1000 - wiring.RESERVED_SECONDS


def split_message(message: Message, deadline: float) -> None:
    """A message that fails comes back after its backoff: sooner than after the time that an invocation may take."""
    content = json.loads(message.body)
    try:
        if "document_id" in content:
            split_range(message.body, deadline)
        else:
            split_uploads(content, deadline)
    except PagewiseError as error:
        seconds = wiring.composition.get().back_off_split(message.receipt_handle, message.deliveries)
        logger.warning("not split", extra={"reason": error.reason, "seconds": seconds})
        raise


def split_uploads(event: dict[str, Any], deadline: float) -> None:
    """Every upload is tried; one failure makes the event come again, and that repeats only unfinished uploads."""
    failures: list[Exception] = []
    for upload in uploads_of(event):
        try:
            split_upload(upload, deadline)
        except Exception as error:  # noqa: BLE001  the other uploads go on; it is raised below
            logger.error("upload not split", extra={"document": upload.document_id, **told(error)})
            metrics.add_metric("SplitFailures", MetricUnit.Count, 1)
            failures.append(quoting_nothing(error))
    if failures:
        raise failures[0] from None  # a cause would be logged with its message


def split_upload(upload: Upload, deadline: float) -> None:
    try:
        document = wiring.composition.get().split().upload(upload, deadline)
    except Deleted:
        logger.info("upload of a deleted document", extra={"document": upload.document_id})
        return
    except Configuration as error:
        logger.error("splitting is suspended", extra={"document": upload.document_id, "reason": error.reason})
        wiring.composition.get().suspension().upload(upload, error)
        return
    facts = {"document": document.id, "status": document.status, "reason": document.reason, "pages": document.pages}
    logger.info("upload split", extra=facts)
    metrics.add_metric("UploadsHandled", MetricUnit.Count, 1)


def split_range(body: str, deadline: float) -> None:
    document_id, pages = load_range(body)
    logger.info("splitting range", extra={"document": document_id, "first": pages.first, "last": pages.last})
    try:
        wiring.composition.get().split().page_range(document_id, pages, deadline)
    except Configuration as error:
        logger.error("splitting is suspended", extra={"document": document_id, "reason": error.reason})
        wiring.composition.get().suspension().page_range(document_id, pages, error)
        return
    metrics.add_metric("RangesSplit", MetricUnit.Count, 1)
