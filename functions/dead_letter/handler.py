"""What nobody could finish → failed results and rejected documents, with their events.

Three kinds arrive: page jobs and page ranges that a queue gave up on, and S3 events that Lambda gave up on.
"""

from __future__ import annotations

import json
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from pagewise.aws import batches, wiring
from pagewise.aws.batches import Message, Response
from pagewise.aws.notifications import uploads_of
from pagewise.aws.observing import logger, metrics
from pagewise.messages import load_job, load_range


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], _context: LambdaContext) -> Response:
    return batches.one_by_one(event, give_up)


def give_up(message: Message) -> None:
    metrics.add_metric("DeadLetters", MetricUnit.Count, 1)
    letter = json.loads(message.body)
    logger.warning("giving up", extra={"document": letter.get("document_id"), "page": letter.get("page")})
    use_case = wiring.composition.get().give_up()
    if "requestPayload" in letter:
        for upload in uploads_of(letter["requestPayload"]):
            use_case.upload(upload)
    elif "page" in letter:
        use_case.page_job(load_job(message.body), message.deliveries)
    else:
        use_case.page_range(*load_range(message.body))
