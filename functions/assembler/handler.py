"""The end of a document → its outputs, and the event that tells of them."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from pagewise.aws import batches, wiring
from pagewise.aws.batches import Message, Response
from pagewise.aws.observing import logger, metrics
from pagewise.errors import PagewiseError
from pagewise.messages import load_end


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> Response:
    deadline = time.monotonic() + context.get_remaining_time_in_millis() / 1000 - wiring.ASSEMBLY_RESERVED_SECONDS
    return batches.one_by_one(event, partial(assemble, deadline=deadline))


def assemble(message: Message, deadline: float) -> None:
    """A message that fails comes back after its backoff: sooner than after the time that an invocation may take."""
    document_id, run = load_end(message.body)
    try:
        assembled = wiring.composition.get().assemble().document(document_id, run, deadline)
    except PagewiseError as error:
        seconds = wiring.composition.get().back_off_assembly(message.receipt_handle, message.deliveries)
        facts = {"document": document_id, "reason": error.reason, "seconds": seconds}
        logger.warning("document not assembled", extra=facts)
        raise
    facts = {"document": document_id, "run": run, "causes": assembled.causes if assembled else None}
    logger.info("document assembled" if assembled else "nothing to assemble", extra=facts)
