"""The handlers of the batch lane, on the emulator: what is gathered, reported, and followed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pagewise import messages
from pagewise.account.ledger import Ledger
from pagewise.account.lots import OPEN_KEY, Lots, mark_key
from pagewise.aws.buckets import S3Pages
from pagewise.aws.table import DynamoTable
from pagewise.model import Document, DocumentStatus, Lane, PageJob, Source, StoredImage
from pagewise.table import Delete
from pagewise.tasks import Task
from tests.deployed import Deployed, new_document_id
from tests.handlers.conftest import Context, Handler, sqs_event

Loaded = Callable[..., Handler]
BATCH_LANE = {
    "BATCH_MODEL": "qwen-vl-ocr",
    "BATCH_WAIT_MINUTES": "0",
    "BATCH_WINDOW_HOURS": "24",
    "BATCH_POLL_SECONDS": "60",
    "QWEN_API_STYLE": "openai",
    "IMAGE_TRANSPORT": "base64",
}


@pytest.fixture
def ledger(deployed: Deployed) -> Ledger:
    pages = S3Pages(deployed.client("s3"), deployed.outputs["PagesBucket"])
    ledger = Ledger(DynamoTable(deployed.client("dynamodb"), deployed.outputs["ResultsTable"]), pages)
    ledger.table.change(Delete(OPEN_KEY))
    return ledger


@pytest.fixture
def job(ledger: Ledger) -> PageJob:
    moment = "2026-01-01T00:00:00.000Z"
    source = Source("uploads", "uploads/a", "v", None, 1)
    document = Document(
        new_document_id(), source, DocumentStatus.IN_PROGRESS, (Task.TEXT_RECOGNITION,), 1, moment, moment
    )
    ledger.open(document)
    image = StoredImage(f"documents/{document.id}/pages/00001.png", "image/png", 200, 100, 1)
    return PageJob(document.id, 1, Task.TEXT_RECOGNITION, 1, image, lane=Lane.BATCH)


def test_a_message_that_cannot_be_read_keeps_no_other_from_its_lot(
    handler: Loaded, ledger: Ledger, job: PageJob
) -> None:
    collect = handler("TextRecognitionFunction", "collector", **BATCH_LANE)
    told = collect(sqs_event("no page job", messages.dump_job(job)), Context())
    assert told == {"batchItemFailures": [{"itemIdentifier": "m0"}]}
    assert ledger.table.get(mark_key(job))
    assert (ledger.table.get(OPEN_KEY) or {})["jobs"] == 1


def test_without_its_table_nothing_is_gathered_and_all_is_reported(handler: Loaded, job: PageJob) -> None:
    collect = handler("TextRecognitionFunction", "collector", **BATCH_LANE, RESULTS_TABLE="no-such-table")
    told = collect(sqs_event(messages.dump_job(job), messages.dump_job(job)), Context())
    assert [one["itemIdentifier"] for one in told["batchItemFailures"]] == ["m0", "m1"]


def test_a_visit_closes_the_lot_whose_time_has_come_and_tries_again_what_the_service_refuses(
    handler: Loaded, ledger: Ledger, job: PageJob
) -> None:
    """The stub has no Batch API: whatever it says, no page job is lost and the visit succeeds."""
    handler("TextRecognitionFunction", "collector", **BATCH_LANE)(sqs_event(messages.dump_job(job)), Context())
    follow = handler("TextRecognitionFunction", "follower", **BATCH_LANE)
    assert follow({}, Context(seconds=900.0))["lots"] >= 1
    lot = Lots(ledger.table).lot((ledger.table.get(mark_key(job)) or {})["lot"])
    assert lot is not None
    assert lot.jobs == 1
