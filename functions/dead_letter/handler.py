"""Unfinished messages → failed results and rejected documents, with their events.

Four kinds arrive: page jobs, page ranges, uploads and ends of documents that a queue gave up on. Uploads are S3's
events, in an envelope where Lambda gave up on them; ends are EventBridge's, and may not have reached their queue.
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
from pagewise.aws.observing import logger, metrics
from pagewise.messages import load_end, load_job, load_range


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> Response:
    left = len(event["Records"])
    deadline = time.monotonic() + context.get_remaining_time_in_millis() / 1000 - wiring.RESERVED_SECONDS

    def give_up_in_time(message: Message) -> None:
        """Each letter has an equal share of the time that is left: a large document's holds up no other."""
        nonlocal left
        now = time.monotonic()
        left, share = left - 1, (deadline - now) / left
        give_up(message, now + share)

    return batches.one_by_one(event, give_up_in_time)


def give_up(message: Message, deadline: float) -> None:
    metrics.add_metric("DeadLetters", MetricUnit.Count, 1)
    letter = json.loads(message.body)
    logger.warning("giving up", extra={"document": letter.get("document_id"), "page": letter.get("page")})
    use_case = wiring.composition.get().give_up()
    if "requestPayload" in letter or "Records" in letter:
        for upload in uploads_of(letter.get("requestPayload", letter)):
            use_case.upload(upload, deadline)
    elif "detail" in letter:
        wiring.composition.get().assemble().give_up(*load_end(message.body))
    elif "page" in letter:
        use_case.page_job(load_job(message.body), message.deliveries)
    else:
        use_case.page_range(*load_range(message.body), deadline)
