"""events/*.json are what the functions really receive, and fit the samples and each other."""

import hashlib
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from pagewise.aws.notifications import uploads_of
from pagewise.messages import load_end, load_job, load_range
from pagewise.model import DocumentId, PageRange, Upload
from pagewise.pages.images import sniff
from pagewise.tasks import Task
from tests.template import cloudformation
from tests.template.cloudformation import of_type

EVENTS = Path(__file__).parents[2] / "events"
KINDS = {"pdf", "jpeg", "png", "tiff", "bmp", "webp", "heic"}


def load(name: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text(encoding="utf-8"))
    return event


def upload(kind: str) -> Upload:
    (only,) = uploads_of(load(f"s3-put-{kind}"))
    return only


def known_documents() -> set[DocumentId]:
    return {upload(kind).document_id for kind in KINDS}


def test_uploads_are_in_the_bucket_that_the_template_names() -> None:
    named = of_type(cloudformation.load(), "S3::Bucket")["UploadsBucket"]["BucketName"]["Fn::Sub"]
    values = {"AWS::StackName": "pagewise", "AWS::AccountId": "000000000000", "AWS::Region": "us-east-1"}
    for name, value in values.items():
        named = named.replace(f"${{{name}}}", value)
    assert {upload(kind).bucket for kind in KINDS} == {named}


def test_every_trigger_has_its_event() -> None:
    assert {path.stem for path in EVENTS.glob("*.json")} == {
        *(f"s3-put-{kind}" for kind in KINDS),
        *(f"page-job.{task}" for task in Task),
        "upload",
        "page-range",
        "dead-letter",
        "schedule",
        "document-completed",
        "http-request",
    }


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_an_upload_is_one_of_the_samples(kind: str) -> None:
    name = Path(upload(kind).key).name
    (sample,) = EVENTS.rglob(name)
    content = sample.read_bytes()
    assert upload(kind).key == f"uploads/default/{name}"
    assert upload(kind).size == len(content)
    assert upload(kind).etag == hashlib.md5(content, usedforsecurity=False).hexdigest()
    assert sniff(content[:4096]).lower().replace("heif", "heic") == kind


@pytest.mark.parametrize("task", Task)
def test_a_page_job_is_one_of_its_task(task: Task) -> None:
    (record,) = load(f"page-job.{task}")["Records"]
    job = load_job(record["body"])
    assert job.task is task
    assert record["eventSourceARN"].endswith(f":pagewise-{task}")
    assert record["attributes"]["MessageGroupId"] == job.document_id
    assert job.document_id in known_documents()
    assert job.image.key.startswith(f"documents/{job.document_id}/pages/{job.page:05}.")


def test_the_page_range_is_the_whole_report() -> None:
    (record,) = load("page-range")["Records"]
    assert load_range(record["body"]) == (upload("pdf").document_id, PageRange(1, 2))


def test_dead_letters_are_a_page_job_a_page_range_and_an_upload() -> None:
    job, pages, failed = (record["body"] for record in load("dead-letter")["Records"])
    assert load_job(job).document_id == upload("pdf").document_id
    assert load_range(pages)[0] == upload("pdf").document_id
    assert list(uploads_of(json.loads(failed)["requestPayload"])) == [upload("png")]


def test_the_upload_is_s3_s_event_in_a_message() -> None:
    (record,) = load("upload")["Records"]
    assert list(uploads_of(json.loads(record["body"]))) == [upload("png")]


def test_the_end_of_a_document_is_the_report_s_in_a_message() -> None:
    (record,) = load("document-completed")["Records"]
    assert load_end(record["body"]) == (upload("pdf").document_id, 1)
    schema = json.loads((EVENTS / "schemas/DocumentCompleted.v1.json").read_text(encoding="utf-8"))
    jsonschema.validate(json.loads(record["body"])["detail"], schema)


@pytest.mark.parametrize(
    "name", ["upload", "document-completed", "page-range", "dead-letter", *(f"page-job.{task}" for task in Task)]
)
def test_messages_carry_the_digest_of_their_body(name: str) -> None:
    for record in load(name)["Records"]:
        assert record["md5OfBody"] == hashlib.md5(record["body"].encode(), usedforsecurity=False).hexdigest()
