"""`./pagewise batches`: where each lot of page jobs of the batch lane stands, here or in an account."""

import json
from collections.abc import Iterator
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from commands.deployed import StackError, deployed_stack
from pagewise.account.lots import Lot, Lots, LotState
from pagewise.aws.wiring import OfStack
from pagewise.errors import PagewiseError

# What a lot waits for, by its state.
MEANING = {
    LotState.CLOSED: "to be uploaded",
    LotState.UPLOADED: "to be created",
    LotState.CREATED: "at the engine",
    LotState.ENDED: "results are being stored",
    LotState.STORED: "files are being deleted",
    LotState.DONE: "done",
}


def batches(stack: str, endpoint: str | None, *, as_json: bool = False) -> Iterator[str]:
    """Lines to show. Raises StackError."""
    found = deployed_stack(stack, endpoint)
    lots = OfStack(found.client, found.outputs).lots()
    try:
        yield from json_lines(lots) if as_json else lines(lots)
    except (BotoCoreError, ClientError, PagewiseError) as error:
        raise StackError(f"The stack {stack}: {error}") from error


def lines(lots: Lots) -> Iterator[str]:
    gathering = lots.open_lot()
    if gathering:
        yield f"{gathering.id}  gathering since {gathering.opened}: {gathering.jobs:,} page jobs"
    shown = [line(lot) for lot in lots.all()]
    yield from shown
    if not (shown or gathering):
        yield "There are no batches. Documents of the lane (ocr-lane: batch) make them."


def line(lot: Lot) -> str:
    remote = f", {lot.batch_id}: {lot.status}" if lot.batch_id else f", {lot.status}" if lot.status else ""
    left = f"; {lot.answered:,} answered, {lot.to_live:,} went live" if lot.answered or lot.to_live else ""
    return f"{lot.id}  {MEANING[lot.state]} since {since(lot)}: {lot.jobs:,} page jobs{remote}{left}"


def since(lot: Lot) -> str:
    return lot.ended or lot.created or lot.closed


def json_lines(lots: Lots) -> Iterator[str]:
    gathering = lots.open_lot()
    shown = {
        "gathering": {"id": gathering.id, "page_jobs": gathering.jobs, "opened": gathering.opened}
        if gathering
        else None,
        "lots": [shown_lot(lot) for lot in lots.all()],
    }
    yield json.dumps(shown, allow_nan=False)


def shown_lot(lot: Lot) -> dict[str, Any]:
    return {
        "id": lot.id,
        "state": lot.state,
        "model": lot.model,
        "page_jobs": lot.jobs,
        "batch": lot.batch_id,
        "status": lot.status,
        "closed": lot.closed,
        "created": lot.created,
        "ended": lot.ended,
        "answered": lot.answered,
        "to_live": lot.to_live,
    }
