"""What nobody could finish → failed results and rejected documents, with their events.

Three kinds arrive: page jobs and page ranges that a queue gave up on, and S3 events that Lambda gave up on.
"""

from __future__ import annotations

import json
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from pagewise.aws import wiring
from pagewise.aws.notifications import uploads_of
from pagewise.aws.observing import logger, metrics
from pagewise.messages import load_job, load_range

processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return dict(process_partial_response(event, give_up, processor, context))


def give_up(record: SQSRecord) -> None:
    metrics.add_metric("DeadLetters", MetricUnit.Count, 1)
    letter = json.loads(record.body)
    logger.warning("giving up", extra={"document": letter.get("document_id"), "page": letter.get("page")})
    use_case = wiring.composition.get().give_up()
    if "requestPayload" in letter:
        for upload in uploads_of(letter["requestPayload"]):
            use_case.upload(upload)
    elif "page" in letter:
        use_case.page_job(load_job(record.body), int(record.attributes.approximate_receive_count))
    else:
        use_case.page_range(*load_range(record.body))
