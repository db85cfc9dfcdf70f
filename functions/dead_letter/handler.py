"""What nobody could finish → failed results and rejected documents, with their events.

Three kinds arrive: page jobs, page ranges and uploads that a queue gave up on; the last as S3's events, in an envelope
where Lambda gave up on them.
"""

from __future__ import annotations

import json
import time
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from pagewise.aws import wiring
from pagewise.aws.notifications import uploads_of
from pagewise.aws.observing import logger, metrics, tracer
from pagewise.messages import load_job, load_range

processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)


@logger.inject_lambda_context
@metrics.log_metrics
@tracer.capture_lambda_handler(capture_response=False)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    left = len(event["Records"])
    deadline = time.monotonic() + context.get_remaining_time_in_millis() / 1000 - wiring.RESERVED_SECONDS

    def give_up_in_time(record: SQSRecord) -> None:
        """Each letter has an equal share of the time that is left: a large document's holds up no other."""
        nonlocal left
        now = time.monotonic()
        left, share = left - 1, (deadline - now) / left
        give_up(record, now + share)

    return dict(process_partial_response(event, give_up_in_time, processor, context))


def give_up(record: SQSRecord, deadline: float) -> None:
    metrics.add_metric("DeadLetters", MetricUnit.Count, 1)
    letter = json.loads(record.body)
    logger.warning("giving up", extra={"document": letter.get("document_id"), "page": letter.get("page")})
    use_case = wiring.composition.get().give_up()
    if "requestPayload" in letter or "Records" in letter:
        for upload in uploads_of(letter.get("requestPayload", letter)):
            use_case.upload(upload, deadline)
    elif "page" in letter:
        use_case.page_job(load_job(record.body), int(record.attributes.approximate_receive_count))
    else:
        use_case.page_range(*load_range(record.body), deadline)
