"""Schedule → overdue documents are ended, and ends that were never published are."""

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
    metrics.add_metric("Sweeps", MetricUnit.Count, 1)
    try:
        ended = wiring.composition.get().sweep().overdue(deadline)
    finally:
        failures = wiring.composition.get().delete().due(deadline)
    if failures:
        raise ExceptionGroup(f"{len(failures)} documents could not be deleted", failures)
    logger.info("swept", extra={"documents": ended})
    metrics.add_metric("DocumentsOverdue", MetricUnit.Count, len(ended))
    return {"ended": len(ended)}
