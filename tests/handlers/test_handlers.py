"""Each handler with true event shapes: what it stores, queues and reports."""

from __future__ import annotations

import io
import json
import logging
import os
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pagewise import messages
from pagewise.account.ledger import Ledger
from pagewise.account.records import document_key
from pagewise.aws.buckets import S3Pages
from pagewise.aws.observing import logger
from pagewise.aws.table import DynamoTable
from pagewise.model import Document, DocumentStatus, PageJob, PageRange, Result
from pagewise.qwen.client import MAX_RETRIES
from pagewise.table import Update
from pagewise.tasks import Task
from tests.deployed import Deployed
from tests.handlers.conftest import SUCCESS, Context, EngineStub, Handler, s3_event, sqs_event
from tests.pictures import picture, tiff

Loaded = Callable[..., Handler]
ROOT = Path(__file__).parents[2]


@pytest.fixture
def ledger(deployed: Deployed) -> Ledger:
    pages = S3Pages(deployed.client("s3"), deployed.outputs["PagesBucket"])
    return Ledger(DynamoTable(deployed.client("dynamodb"), deployed.outputs["ResultsTable"]), pages)


@pytest.fixture
def put(deployed: Deployed) -> Callable[..., tuple[str, str]]:
    """Upload a document under a name of its own; its key and version."""

    def upload(content: bytes, tasks: str = "text_recognition") -> tuple[str, str]:
        key = f"uploads/{uuid.uuid4().hex}"
        metadata = {"ocr-tasks": tasks}
        bucket = deployed.outputs["UploadsBucket"]
        reply = deployed.client("s3").put_object(Bucket=bucket, Key=key, Body=content, Metadata=metadata)
        return key, reply["VersionId"]

    return upload


@pytest.fixture
def jobs(deployed: Deployed) -> Callable[[Task], list[tuple[PageJob, str]]]:
    """The page jobs waiting in a task's queue, with their receipt handles."""

    def waiting(task: Task) -> list[tuple[PageJob, str]]:
        sqs, url = deployed.client("sqs"), deployed.outputs["PageJobQueues"] + task
        found: list[tuple[PageJob, str]] = []
        while received := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            found += [(messages.load_job(message["Body"]), message["ReceiptHandle"]) for message in received]
        return found

    return waiting


def the_document(ledger: Ledger, jobs: list[tuple[PageJob, str]]) -> Document:
    document = ledger.document(jobs[0][0].document_id)
    assert document is not None
    return document


def test_the_splitter_handles_every_record_of_an_s3_event(
    deployed: Deployed, handler: Loaded, put: Callable[..., tuple[str, str]], jobs: Callable[[Task], list[Any]]
) -> None:
    split = handler("SplitterFunction", "splitter")
    split(s3_event(deployed.outputs["UploadsBucket"], put(tiff(3)), put(b"no document"), put(picture())), Context())
    assert sorted(job.page for job, _ in jobs(Task.TEXT_RECOGNITION)) == [1, 1, 2, 3]


def test_the_splitter_raises_after_trying_all_so_that_lambda_delivers_again(
    deployed: Deployed, handler: Loaded, put: Callable[..., tuple[str, str]], jobs: Callable[[Task], list[Any]]
) -> None:
    split = handler("SplitterFunction", "splitter")
    # No time is left for the first page of a document of several.
    with pytest.raises(Exception, match="time was used up"):
        split(s3_event(deployed.outputs["UploadsBucket"], put(tiff(2)), put(b"no document")), Context(seconds=0.0))
    assert jobs(Task.TEXT_RECOGNITION) == []


def s3_message(deployed: Deployed, *objects: tuple[str, str]) -> str:
    return json.dumps(s3_event(deployed.outputs["UploadsBucket"], *objects))


def waiting_splits(deployed: Deployed) -> list[dict[str, Any]]:
    """What waits in the split queue, be it for minutes."""
    sqs, url = deployed.client("sqs"), deployed.outputs["SplitQueue"]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return [attributes] * int(attributes["ApproximateNumberOfMessagesDelayed"])


def test_the_splitter_takes_s3_s_notifications_from_its_queue(
    deployed: Deployed, handler: Loaded, put: Callable[..., tuple[str, str]], jobs: Callable[[Task], list[Any]]
) -> None:
    split = handler("SplitterFunction", "splitter")
    tested = json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b"})
    event = sqs_event(s3_message(deployed, put(tiff(2)), put(picture())), s3_message(deployed, put(picture())), tested)
    assert split(event, Context()) == {"batchItemFailures": []}
    assert sorted(job.page for job, _ in jobs(Task.TEXT_RECOGNITION)) == [1, 1, 1, 2]


@pytest.mark.parametrize(
    "wrong",
    [
        {"RESULTS_TABLE": "no-such-table"},
        {"RENDER_DPI": "fine"},
        {"PATH": "/nowhere"},
        {"PAGES_BUCKET": "no-such-bucket"},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_a_configuration_fault_keeps_the_upload_and_says_what_it_is(
    deployed: Deployed,
    handler: Loaded,
    put: Callable[..., tuple[str, str]],
    jobs: Callable[[Task], list[Any]],
    ledger: Ledger,
    wrong: dict[str, str],
) -> None:
    content = (ROOT / "events/samples/report.pdf").read_bytes() if "PATH" in wrong else picture()
    right_path = os.environ["PATH"]
    event = sqs_event(s3_message(deployed, put(content)))
    split = handler("SplitterFunction", "splitter", **wrong)
    assert split(event, Context()) == {"batchItemFailures": []}
    assert len(waiting_splits(deployed)) == 1
    assert jobs(Task.TEXT_RECOGNITION) == []
    # It goes on as if nothing had been, once it is mended.
    split = handler("SplitterFunction", "splitter", PATH=right_path)
    assert split(event, Context()) == {"batchItemFailures": []}
    waiting = jobs(Task.TEXT_RECOGNITION)
    assert [job.page for job, _ in waiting][:1] == [1]
    assert the_document(ledger, waiting).status is DocumentStatus.IN_PROGRESS


def test_an_upload_that_fails_for_now_comes_back_after_its_backoff(
    deployed: Deployed, handler: Loaded, put: Callable[..., tuple[str, str]]
) -> None:
    split = handler("SplitterFunction", "splitter")
    sqs, url = deployed.client("sqs"), deployed.outputs["SplitQueue"]
    body = s3_message(deployed, put(tiff(2)))
    sqs.send_message(QueueUrl=url, MessageBody=body)
    (received,) = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    event = sqs_event(body, handles=[received["ReceiptHandle"]])
    # No time is left for the first page.
    answer = split(event, Context(seconds=0.0))
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m0"}]}


def test_the_splitter_renders_a_page_range_of_its_queue(
    deployed: Deployed,
    handler: Loaded,
    put: Callable[..., tuple[str, str]],
    jobs: Callable[[Task], list[Any]],
    ledger: Ledger,
) -> None:
    split = handler("SplitterFunction", "splitter", PAGES_PER_RANGE="2")
    split(s3_event(deployed.outputs["UploadsBucket"], put(tiff(5))), Context())
    assert jobs(Task.TEXT_RECOGNITION) == []
    sqs, url = deployed.client("sqs"), deployed.outputs["SplitQueue"]
    received = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    for message in received:
        assert split(sqs_event(message["Body"]), Context()) == {"batchItemFailures": []}
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    assert len(received) == 3
    assert sorted(job.page for job, _ in jobs(Task.TEXT_RECOGNITION)) == [1, 2, 3, 4, 5]


def test_the_ocr_function_recognizes_its_batch_and_the_document_ends(
    deployed: Deployed,
    handler: Loaded,
    put: Callable[..., tuple[str, str]],
    jobs: Callable[[Task], list[Any]],
    ledger: Ledger,
    engine: EngineStub,
) -> None:
    handler("SplitterFunction", "splitter")(s3_event(deployed.outputs["UploadsBucket"], put(tiff(3))), Context())
    waiting = jobs(Task.TEXT_RECOGNITION)
    event = sqs_event(*(messages.dump_job(job) for job, _ in waiting))
    assert handler("TextRecognitionFunction", "ocr")(event, Context()) == {"batchItemFailures": []}
    document = the_document(ledger, waiting)
    assert (document.status, document.recognized, document.announced) == (DocumentStatus.COMPLETE, 3, True)
    assert {request["parameters"]["ocr_options"]["task"] for request in engine.requests} == {"text_recognition"}
    receipt = ledger.large_results.json(f"documents/{document.id}/receipt.json")
    assert [job["page"] for job in receipt["page_jobs"]] == [1, 2, 3]


def test_failures_are_reported_for_the_record_and_come_back_after_their_backoff(
    deployed: Deployed,
    handler: Loaded,
    put: Callable[..., tuple[str, str]],
    jobs: Callable[[Task], list[Any]],
    ledger: Ledger,
    engine: EngineStub,
) -> None:
    handler("SplitterFunction", "splitter")(s3_event(deployed.outputs["UploadsBucket"], put(tiff(2))), Context())
    waiting = jobs(Task.TEXT_RECOGNITION)
    failure = (500, {"code": "InternalError", "message": "m", "request_id": "r"})
    engine.replies = [(200, SUCCESS), *[failure] * (MAX_RETRIES + 1)]
    event = sqs_event(*(messages.dump_job(job) for job, _ in waiting), handles=[handle for _, handle in waiting])
    reported = handler("TextRecognitionFunction", "ocr")(event, Context())
    assert len(reported["batchItemFailures"]) == 1
    document = the_document(ledger, waiting)
    assert (document.status, document.recognized) == (DocumentStatus.IN_PROGRESS, 1)
    assert comes_back(deployed, Task.TEXT_RECOGNITION)


def comes_back(deployed: Deployed, task: Task) -> bool:
    """Whether a message in flight of a task's queue is delivered again after a backoff of seconds.

    The queue's own visibility timeout is 18 minutes, so a minute tells them apart on any machine.
    """
    url = deployed.outputs["PageJobQueues"] + task
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if deployed.client("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=20).get("Messages"):
            return True
    return False


def test_a_configuration_error_reports_every_record_and_blames_no_page(
    deployed: Deployed,
    handler: Loaded,
    put: Callable[..., tuple[str, str]],
    jobs: Callable[[Task], list[Any]],
    ledger: Ledger,
    engine: EngineStub,
) -> None:
    handler("SplitterFunction", "splitter")(s3_event(deployed.outputs["UploadsBucket"], put(picture())), Context())
    waiting = jobs(Task.TEXT_RECOGNITION)
    engine.replies = [(401, {"code": "InvalidApiKey", "message": "Invalid API-key provided.", "request_id": "r"})]
    event = sqs_event(messages.dump_job(waiting[0][0]))
    handler("TextRecognitionFunction", "ocr")(event, Context())
    assert the_document(ledger, waiting).status is DocumentStatus.IN_PROGRESS
    assert ledger.result(waiting[0][0].document_id, 1, "text_recognition") is None


def test_dead_letters_of_each_kind_end_their_documents(
    deployed: Deployed,
    handler: Loaded,
    put: Callable[..., tuple[str, str]],
    jobs: Callable[[Task], list[Any]],
    ledger: Ledger,
) -> None:
    bucket = deployed.outputs["UploadsBucket"]
    split = handler("SplitterFunction", "splitter", PAGES_PER_RANGE="2")
    split(s3_event(bucket, put(tiff(2))), Context())
    (first, _), (second, _) = jobs(Task.TEXT_RECOGNITION)
    never_split = s3_event(bucket, put(picture()))
    upload = {"version": "1.0", "requestContext": {"condition": "RetriesExhausted"}, "requestPayload": never_split}
    give_up = handler("DeadLetterFunction", "dead_letter")
    letters = sqs_event(
        messages.dump_job(first),
        messages.dump_range(second.document_id, PageRange(2, 2)),
        json.dumps(upload),
        deliveries=5,
    )
    assert give_up(letters, Context()) == {"batchItemFailures": []}
    document = ledger.document(first.document_id)
    assert document is not None
    assert (document.status, document.failed) == (DocumentStatus.FAILED, 2)
    outcomes = [ledger.result(first.document_id, page, "text_recognition") for page in (1, 2)]
    assert sorted(str(result.reason) for result in outcomes if isinstance(result, Result)) == [
        "exhausted",
        "unreadable_page",
    ]


def test_a_letter_nobody_can_read_stays_in_the_dead_letter_queue(handler: Loaded) -> None:
    give_up = handler("DeadLetterFunction", "dead_letter")
    assert give_up(sqs_event("no json"), Context()) == {"batchItemFailures": [{"itemIdentifier": "m0"}]}


def test_the_sweeper_ends_what_is_overdue(
    deployed: Deployed,
    handler: Loaded,
    put: Callable[..., tuple[str, str]],
    jobs: Callable[[Task], list[Any]],
    ledger: Ledger,
) -> None:
    handler("SplitterFunction", "splitter")(s3_event(deployed.outputs["UploadsBucket"], put(picture())), Context())
    document = the_document(ledger, jobs(Task.TEXT_RECOGNITION))
    sweep = handler("SweeperFunction", "sweeper")
    sweep({}, Context())
    assert the_status(ledger, document) is DocumentStatus.IN_PROGRESS
    ledger.table.change(Update(document_key(document.id), set={"due": "2026-01-01T00:00:00.000Z"}))
    assert sweep({}, Context())["ended"] >= 1
    assert the_status(ledger, document) is DocumentStatus.FAILED


def the_status(ledger: Ledger, document: Document) -> DocumentStatus | None:
    stored = ledger.document(document.id)
    return stored.status if stored else None


def test_no_handler_logs_what_a_document_says(
    deployed: Deployed,
    handler: Loaded,
    put: Callable[..., tuple[str, str]],
    jobs: Callable[[Task], list[Any]],
    engine: EngineStub,
) -> None:
    spoken = io.StringIO()
    logger.addHandler(logging.StreamHandler(spoken))
    handler("SplitterFunction", "splitter")(s3_event(deployed.outputs["UploadsBucket"], put(picture())), Context())
    waiting = jobs(Task.TEXT_RECOGNITION)
    engine.replies = [(200, json.loads(json.dumps(SUCCESS).replace("recognized", "a secret text")))]
    handler("TextRecognitionFunction", "ocr")(sqs_event(messages.dump_job(waiting[0][0])), Context())
    said = spoken.getvalue()
    assert "page job done" in said
    assert "secret" not in said
    assert "Bearer" not in said
