"""Schedule → lots of page jobs go through the Batch API, each as far as there is nothing to wait for."""

from __future__ import annotations

import time
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from pagewise.aws import wiring
from pagewise.aws.observing import logger, metrics


@logger.inject_lambda_context
@metrics.log_metrics
def handler(_event: dict[str, Any], context: LambdaContext) -> dict[str, int]:
    deadline = time.monotonic() + context.get_remaining_time_in_millis() / 1000 - wiring.RESERVED_SECONDS
    lots = wiring.composition.get().follow().visit(deadline)
    metrics.add_metric("BatchVisits", MetricUnit.Count, 1)
    logger.info("followed", extra={"lots": lots})
    return {"lots": lots}
