"""`sam local invoke` and `sam local start-lambda`: every function × event, in containers, on the embedded stack.

Needs a container engine and the image of Lambda's Python 3.13; where one is missing the tests say so and are skipped.
"""

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from commands.invoke import (
    ContainerInvocation,
    EventError,
    event_file,
    failure_in,
    invoke,
    prepare,
    sample_of,
    uploads_of_event,
)
from local.containers.sam import IMAGE, Sam, has_image, lacking, sam
from local.emulator.process import ACCESS_KEY, REGION, SECRET_KEY, free_port
from local.stack import ROOT
from pagewise.account.ledger import Ledger
from pagewise.aws.buckets import S3Pages
from pagewise.aws.table import DynamoTable
from pagewise.messages import load_job, load_range
from pagewise.model import DocumentId, DocumentStatus, JobStatus
from pagewise.tasks import Task
from tests.running import Running, running

KINDS = ("bmp", "heic", "jpeg", "pdf", "png", "tiff", "webp")
START_SECONDS = 120


@pytest.fixture(scope="module")
def pagewise(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    if reason := lacking():
        pytest.skip(f"sam local runs functions in containers, and here {reason}")
    if not has_image():
        pytest.skip(f"the container engine has no image {IMAGE}: docker pull {IMAGE}")
    built = subprocess.run(["make", ".aws-sam/build/template.yaml"], cwd=ROOT, check=False, capture_output=True)
    assert built.returncode == 0, built.stderr.decode()
    with running(tmp_path_factory.mktemp("logs")) as started:
        yield started


@pytest.fixture(scope="module")
def containers(pagewise: Running) -> Iterator[Sam]:
    with sam(pagewise.stack.endpoint) as ready:
        yield ready


@pytest.fixture(scope="module")
def ledger(pagewise: Running) -> Ledger:
    outputs = pagewise.stack.deployment.outputs
    pages = S3Pages(pagewise.stack.client("s3"), outputs["PagesBucket"])
    return Ledger(DynamoTable(pagewise.stack.client("dynamodb"), outputs["ResultsTable"]), pages)


def load(event: str) -> dict[str, Any]:
    return dict(json.loads(event_file(event).read_text()))


def answer(pagewise: Running, containers: Sam, function: str, event: str) -> Any:
    prepare(pagewise.stack.endpoint, load(event))
    done = containers.invoke(function, event_file(event))
    assert done.returncode == 0
    assert failure_in(done.stdout) is None, done.stdout
    return json.loads(done.stdout.strip().splitlines()[-1])


@pytest.mark.parametrize("kind", KINDS)
def test_the_splitter_accepts_an_upload_of_each_kind(
    pagewise: Running, containers: Sam, ledger: Ledger, kind: str
) -> None:
    assert answer(pagewise, containers, "SplitterFunction", f"s3-put-{kind}") is None
    (upload,) = uploads_of_event(load(f"s3-put-{kind}"))
    document = ledger.document(upload.document_id)
    assert document is not None
    assert document.reason is None
    assert document.pages == (2 if kind == "pdf" else document.pages) >= 1


def test_the_splitter_renders_a_page_range(pagewise: Running, containers: Sam, ledger: Ledger) -> None:
    assert answer(pagewise, containers, "SplitterFunction", "page-range") == {"batchItemFailures": []}
    assert ledger.is_split(*load_range(load("page-range")["Records"][0]["body"]))


@pytest.mark.parametrize("task", Task)
def test_each_ocr_function_ends_its_page_job(pagewise: Running, containers: Sam, ledger: Ledger, task: Task) -> None:
    function = f"{''.join(word.title() for word in task.split('_'))}Function"
    assert answer(pagewise, containers, function, f"page-job.{task}") == {"batchItemFailures": []}
    job = load_job(load(f"page-job.{task}")["Records"][0]["body"])
    result = ledger.result(job.document_id, job.page, task)
    assert result is not None
    # The embedded engine does not read formulas, and says so in the service's error form.
    refused = (JobStatus.FAILED, "InvalidParameter")
    assert (result.status, result.reason) == (
        refused if task is Task.FORMULA_RECOGNITION else (JobStatus.RECOGNIZED, None)
    )


def test_dead_letters_end_their_documents(pagewise: Running, containers: Sam, ledger: Ledger) -> None:
    assert answer(pagewise, containers, "DeadLetterFunction", "dead-letter") == {"batchItemFailures": []}
    (never_split,) = uploads_of_event(load("dead-letter"))
    rejected = ledger.document(never_split.document_id)
    failed = ledger.document(load_job(load("dead-letter")["Records"][0]["body"]).document_id)
    assert rejected is not None
    assert failed is not None
    assert (rejected.status, failed.status) == (DocumentStatus.REJECTED, DocumentStatus.FAILED)


def test_the_sweeper_sweeps(pagewise: Running, containers: Sam) -> None:
    assert answer(pagewise, containers, "SweeperFunction", "schedule") == {"ended": 0}


def test_start_lambda_serves_boto3(pagewise: Running, containers: Sam, ledger: Ledger, tmp_path: Path) -> None:
    event = load("page-job.text_recognition")
    prepare(pagewise.stack.endpoint, event)
    with start_lambda(containers, tmp_path / "log") as client:
        reply = client.invoke(FunctionName="TextRecognitionFunction", Payload=json.dumps(event))
        assert json.loads(reply["Payload"].read()) == {"batchItemFailures": []}
        wrong = client.invoke(FunctionName="TextRecognitionFunction", Payload="{}")
        assert "errorMessage" in json.loads(wrong["Payload"].read())
    job = load_job(event["Records"][0]["body"])
    assert ledger.result(job.document_id, job.page, job.task) is not None


def test_a_function_that_is_not_in_the_stack_is_told_with_those_that_are(pagewise: Running, tmp_path: Path) -> None:
    wish = ContainerInvocation("TextFunction", "s3-put-pdf", tmp_path, pagewise.stack.endpoint)
    with pytest.raises(EventError, match=r"no function TextFunction\. There are: .*TextRecognitionFunction"):
        invoke(wish)


@contextmanager
def start_lambda(containers: Sam, log: Path) -> Iterator[Any]:
    port = free_port()
    command = containers.command("start-lambda", "--port", str(port))
    with log.open("wb") as output:
        service = subprocess.Popen(command, cwd=ROOT, env=containers.environment(), stdout=output, stderr=output)
    try:
        until = time.monotonic() + START_SECONDS
        while f"Running on http://127.0.0.1:{port}" not in log.read_text():
            assert service.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.2)
        yield boto3.client(
            "lambda",
            endpoint_url=f"http://127.0.0.1:{port}",
            region_name=REGION,
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
            config=Config(read_timeout=START_SECONDS, retries={"total_max_attempts": 1}),
        )
    finally:
        service.terminate()
        service.wait(timeout=30)


# ── What needs no container ──────────────────────────────────────────────────────────────────────────────────────────


def test_an_error_is_told_from_an_answer_though_sam_ends_with_0() -> None:
    assert failure_in("null\n") is None
    assert failure_in('{"batchItemFailures": []}') is None
    assert failure_in('{"errorMessage": "Task timed out", "errorType": "Sandbox.Timedout"}') is not None
    assert failure_in('{"batchItemFailures": [{"itemIdentifier": "m"}]}') is not None
    assert failure_in("") is not None


def test_an_unknown_event_is_answered_with_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(EventError, match="s3-put-pdf"):
        invoke(ContainerInvocation("SplitterFunction", "s3-put-gif", tmp_path))


def test_a_document_without_a_sample_is_refused() -> None:
    with pytest.raises(EventError, match="no event"):
        sample_of(DocumentId("a" * 32))
