"""Page jobs → results and events. One folder, one function for each task."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from pagewise.aws import batches, wiring
from pagewise.aws.batches import Message, Response
from pagewise.aws.observing import logger, metrics, unforeseen
from pagewise.errors import Configuration, PagewiseError
from pagewise.messages import load_job
from pagewise.model import PageJob, Result


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> Response:
    return batches.all_at_once(event, recognize(context))


def recognize(context: LambdaContext) -> Callable[[Message], Awaitable[None]]:
    """The handler of one message, for this invocation's time."""
    deadline = time.monotonic() + context.get_remaining_time_in_millis() / 1000 - wiring.RESERVED_SECONDS

    async def page_job(message: Message) -> None:
        job = load_job(message.body)
        deliveries = message.deliveries
        facts: dict[str, Any] = {"document": job.document_id, "page": job.page, "task": job.task}
        try:
            result = await attempted(job, deliveries, deadline)
        except PagewiseError as error:
            back_off = wiring.composition.get().back_off
            seconds = await asyncio.to_thread(back_off, message.receipt_handle, error, deliveries)
            metrics.add_metric("PageJobsRetried", MetricUnit.Count, 1)
            logger.warning("page job not done", extra={**facts, "reason": error.reason, "seconds": seconds})
            raise
        except Exception as error:
            logger.error("page job crashed", extra={**facts, **unforeseen(error)})
            raise
        outcome = result.status if result else "deferred"
        logger.info("page job done", extra={**facts, "outcome": outcome, "reason": result.reason if result else None})
        metrics.add_metric("PageJobsHandled", MetricUnit.Count, 1)

    return page_job


async def attempted(job: PageJob, deliveries: int, deadline: float) -> Result | None:
    """The result; None if the job was put off, also for a fault around the call: a setting, the table, a queue.
    No page is to blame for that."""
    try:
        return await wiring.composition.get().recognize().page_job(job, deliveries, deadline)
    except Configuration as error:
        logger.error("recognition is suspended", extra={"document": job.document_id, "reason": error.reason})
        attempts = job.earlier_attempts + deliveries - 1
        await asyncio.to_thread(wiring.composition.get().suspension().page_job, job, attempts, error)
        return None
