"""Page jobs of the batch lane → lots. All of an invocation's join in one transaction, or come back together."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from pagewise.aws import batches, wiring
from pagewise.aws.batches import Message, Response
from pagewise.aws.observing import logger, metrics, unforeseen
from pagewise.errors import PagewiseError
from pagewise.messages import load_job


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], _context: LambdaContext) -> Response:
    messages = batches.messages_of(event)
    told = gathered(event, messages)
    metrics.add_metric("BatchJobsGathered", MetricUnit.Count, len(messages) - len(told["batchItemFailures"]))
    return told


def gathered(event: dict[str, Any], messages: list[Message]) -> Response:
    try:
        wiring.composition.get().collect().page_jobs([load_job(message.body) for message in messages])
    except PagewiseError as error:
        logger.warning("page jobs not gathered", extra={"page_jobs": len(messages), "reason": error.reason})
        return batches.response(messages)
    except Exception as error:  # noqa: BLE001  one that cannot be read must not keep the others
        logger.error("page jobs not gathered at once", extra={"page_jobs": len(messages), **unforeseen(error)})
        return batches.one_by_one(event, gather)
    return batches.response([])


def gather(message: Message) -> None:
    wiring.composition.get().collect().page_jobs([load_job(message.body)])
