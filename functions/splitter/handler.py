"""S3 event or page range → page images and page jobs."""

from __future__ import annotations

import time
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from pagewise.aws import batches, wiring
from pagewise.aws.batches import Message, Response
from pagewise.aws.notifications import uploads_of
from pagewise.aws.observing import logger, metrics, quoting_nothing, told
from pagewise.messages import load_range


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> Response | None:
    if any("s3" in record for record in event.get("Records", [])):
        split_uploads(event, deadline_of(context))
        return None

    return batches.one_by_one(event, lambda message: split_range(message, deadline_of(context)))


def deadline_of(context: LambdaContext) -> float:
    """Until then pages are rendered; what is left after it serves to store them and to queue the rest."""
    return time.monotonic() + context.get_remaining_time_in_millis() / 1000 - wiring.RESERVED_SECONDS


def split_uploads(event: dict[str, Any], deadline: float) -> None:
    """Every upload is tried; one failure makes Lambda deliver the event again, which repeats only what is not done."""
    failures: list[Exception] = []
    for upload in uploads_of(event):
        try:
            document = wiring.composition.get().split().upload(upload, deadline)
            facts = {
                "document": document.id,
                "status": document.status,
                "reason": document.reason,
                "pages": document.pages,
            }
            logger.info("upload split", extra=facts)
            metrics.add_metric("UploadsHandled", MetricUnit.Count, 1)
        except Exception as error:  # noqa: BLE001  whatever it is, the other uploads go on; it is raised below
            logger.error("upload not split", extra={"document": upload.document_id, **told(error)})
            metrics.add_metric("SplitFailures", MetricUnit.Count, 1)
            failures.append(quoting_nothing(error))
    if failures:
        raise failures[0] from None  # a cause would be logged with its message


def split_range(message: Message, deadline: float) -> None:
    document_id, pages = load_range(message.body)
    logger.info("splitting range", extra={"document": document_id, "first": pages.first, "last": pages.last})
    wiring.composition.get().split().page_range(document_id, pages, deadline)
    metrics.add_metric("RangesSplit", MetricUnit.Count, 1)
