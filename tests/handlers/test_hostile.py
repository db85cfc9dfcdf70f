"""Keys, metadata and the engine's words are hostile: they come out as they went in, and do nothing on the way."""

from __future__ import annotations

import io
import json
import logging
import uuid
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote_plus

import pytest

from pagewise import messages
from pagewise.account.ledger import Ledger
from pagewise.aws.buckets import S3Pages, readable
from pagewise.aws.observing import logger
from pagewise.aws.table import DynamoTable
from pagewise.model import Upload
from pagewise.tasks import Task
from tests.deployed import Deployed
from tests.handlers.conftest import Context, EngineStub, Handler, s3_event, sqs_event
from tests.pictures import picture

Loaded = Callable[..., Handler]
SECRET = "sk-0123456789abcdef-secret"  # noqa: S105  of the test's own making

KEYS = [
    "uploads/../../../../etc/passwd",
    "uploads//..//receipt.json",
    'uploads/x"}\n{"level":"ERROR","message":"forged"}',
    "uploads/\x1b[2J\x07bell",
    "uploads/invoice\u202efdp.exe",
    "uploads/" + "x" * 1000,
    "uploads/%2e%2e%2f+ &?#;=${jndi:ldap://x}",
    "documents/other/receipt.json",
]
METADATA = [
    {"ocr-tag": "=?utf-8?q?a=0A=7B=22level=22=3A=22ERROR=22=7D=1B[31m?="},
    {"ocr-tag": "=?x-unknown?b?aaaa?="},
    {"ocr-tag": "=?utf-8?q?=ff=fe?="},
    {"ocr-tag": "=?utf-8?b?a?="},
    {"ocr-tasks": "../text_recognition"},
    {"ocr-tasks": ",".join(["text_recognition"] * 90)},
    {"ocr-result-schema": "[" * 900},
    {"ocr-result-schema": '{"a": ' * 250},
]


@pytest.fixture
def spoken() -> Iterator[io.StringIO]:
    """What the functions log."""
    stream = io.StringIO()
    listener = logging.StreamHandler(stream)
    listener.setFormatter(logger.registered_formatter)
    logger.addHandler(listener)
    yield stream
    logging.getLogger(logger.name).removeHandler(listener)


def split(deployed: Deployed, handler: Loaded, key: str, metadata: dict[str, str]) -> dict[str, Any]:
    """Upload, split, recognize if it is accepted; the receipt."""
    deployed.empty_queues()
    s3, bucket = deployed.client("s3"), deployed.outputs["UploadsBucket"]
    reply = s3.put_object(Bucket=bucket, Key=key, Body=picture(), Metadata=metadata)
    event = s3_event(bucket, (quote_plus(key), reply["VersionId"]))  # as S3 writes keys in its events
    handler("SplitterFunction", "splitter")(event, Context())
    url = deployed.outputs["PageJobQueues"] + Task.TEXT_RECOGNITION
    for message in deployed.client("sqs").receive_message(QueueUrl=url).get("Messages", []):
        assert messages.load_job(message["Body"]).image.key.startswith("documents/")
        handler("TextRecognitionFunction", "ocr")(sqs_event(message["Body"]), Context())
    document_id = Upload(bucket, key, reply["VersionId"], "e", "1", 1).document_id
    body = s3.get_object(Bucket=deployed.outputs["PagesBucket"], Key=f"documents/{document_id}/receipt.json")["Body"]
    return dict(json.loads(body.read()))


def lines_of(spoken: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in spoken.getvalue().splitlines() if line]


@pytest.mark.parametrize("key", KEYS, ids=range(len(KEYS)))
def test_a_hostile_key_is_a_name_and_nothing_else(
    deployed: Deployed, handler: Loaded, engine: EngineStub, spoken: io.StringIO, key: str
) -> None:
    receipt = split(deployed, handler, key, {})
    assert (receipt["status"], receipt["source"]["key"]) == ("complete", key)
    assert {line["message"] for line in lines_of(spoken)} == {"upload split", "page job done"}
    assert "forged" not in spoken.getvalue()


@pytest.mark.parametrize("metadata", METADATA, ids=range(len(METADATA)))
def test_hostile_metadata_ends_the_document_one_way_or_the_other(
    deployed: Deployed, handler: Loaded, engine: EngineStub, spoken: io.StringIO, metadata: dict[str, str]
) -> None:
    receipt = split(deployed, handler, f"uploads/{uuid.uuid4().hex}", metadata)
    assert receipt["status"] in ("complete", "rejected")
    if receipt["status"] == "rejected":
        assert receipt["reason"] in ("unknown_task", "invalid_option")
        assert len(receipt["message"]) < 600
    if "ocr-tag" in metadata:
        assert receipt["tag"] == readable(metadata["ocr-tag"])
    assert {line["level"] for line in lines_of(spoken)} == {"INFO"}


@pytest.mark.parametrize("status", [400, 401, 429, 500])
def test_the_api_key_is_in_no_log_no_error_and_no_record(
    deployed: Deployed, handler: Loaded, engine: EngineStub, spoken: io.StringIO, status: int
) -> None:
    """The engine quotes the key in its refusal, as services do."""
    handler("TextRecognitionFunction", "ocr")
    secrets = deployed.client("secretsmanager")
    secrets.put_secret_value(SecretId="pagewise/qwen-api-key", SecretString=SECRET)
    engine.replies = [(status, {"code": "X", "message": f"Incorrect API key {SECRET} provided.", "request_id": "r"})]
    try:
        deployed.empty_queues()
        bucket, key = deployed.outputs["UploadsBucket"], f"uploads/{uuid.uuid4().hex}"
        reply = deployed.client("s3").put_object(Bucket=bucket, Key=key, Body=picture())
        handler("SplitterFunction", "splitter")(s3_event(bucket, (key, reply["VersionId"])), Context())
        url = deployed.outputs["PageJobQueues"] + Task.TEXT_RECOGNITION
        body = deployed.client("sqs").receive_message(QueueUrl=url)["Messages"][0]["Body"]
        recognize = handler("TextRecognitionFunction", "ocr")
        recognize(sqs_event(body, deliveries=5), Context(seconds=17))
        assert engine.requests
        pages = S3Pages(deployed.client("s3"), deployed.outputs["PagesBucket"])
        ledger = Ledger(DynamoTable(deployed.client("dynamodb"), deployed.outputs["ResultsTable"]), pages)
        document_id = messages.load_job(body).document_id
        records = [
            record for kind in ("document", "page", "result") for record in ledger.table.records(document_id, kind)
        ]
        assert records
        assert SECRET not in json.dumps(records, default=str)
        assert SECRET not in spoken.getvalue()
    finally:
        secrets.put_secret_value(SecretId="pagewise/qwen-api-key", SecretString="key")
