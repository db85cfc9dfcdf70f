"""Queues, bus and buckets against the emulator's own endpoints."""

from __future__ import annotations

import json
import urllib.request
from dataclasses import replace
from pathlib import Path

import pytest

from pagewise import messages
from pagewise.aws.buckets import S3Outputs, S3Pages, S3Uploads
from pagewise.aws.bus import EventBridgePublisher
from pagewise.aws.notifications import uploads_of
from pagewise.aws.queues import SqsQueues
from pagewise.errors import Configuration, ObjectGone, Superseded
from pagewise.events import Event
from pagewise.model import DocumentId, PageJob, PageRange, StoredImage, Upload
from pagewise.tasks import Task
from tests.deployed import Deployed

JOB = PageJob(
    DocumentId("d"), 7, Task.MULTI_LAN, 2, StoredImage("documents/d/pages/00007.png", "image/png", 10, 20, 30)
)


def queues(deployed: Deployed) -> SqsQueues:
    return SqsQueues(deployed.client("sqs"), deployed.outputs["PageJobQueues"], deployed.outputs["SplitQueue"])


def received(deployed: Deployed, url: str, count: int) -> list[dict[str, object]]:
    """So many messages of a queue, taken off it."""
    sqs = deployed.client("sqs")
    found: list[dict[str, object]] = []
    while len(found) < count:
        reply = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=5, AttributeNames=["All"])
        if not reply.get("Messages"):
            break
        for message in reply["Messages"]:
            found.append(message)
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return found


def test_page_jobs_go_to_their_tasks_queues_with_the_document_as_group(deployed: Deployed) -> None:
    jobs = [
        replace(JOB, page=page, task=task) for page in range(1, 13) for task in (Task.MULTI_LAN, Task.TABLE_PARSING)
    ]
    queues(deployed).send_jobs(jobs)
    for task in (Task.MULTI_LAN, Task.TABLE_PARSING):
        found = received(deployed, deployed.outputs["PageJobQueues"] + task, 12)
        bodies = [messages.load_job(str(message["Body"])) for message in found]
        assert sorted(bodies, key=lambda job: job.page) == [job for job in jobs if job.task is task]
        assert {message["Attributes"]["MessageGroupId"] for message in found} == {"d"}  # type: ignore[index]


def test_page_ranges_go_to_the_split_queue(deployed: Deployed) -> None:
    deployed.empty_queues()  # of the event with which S3 tries a notification's queue
    ranges = [PageRange(first, first + 19) for first in range(1, 500, 20)]
    queues(deployed).send_ranges(DocumentId("d"), ranges)
    found = received(deployed, deployed.outputs["SplitQueue"], len(ranges))
    assert (
        sorted((messages.load_range(str(message["Body"]))[1] for message in found), key=lambda pages: pages.first)
        == ranges
    )


def test_a_job_put_off_is_not_seen_before_its_time(deployed: Deployed) -> None:
    queues(deployed).defer(replace(JOB, task=Task.FORMULA_RECOGNITION), seconds=2)
    url = deployed.outputs["PageJobQueues"] + Task.FORMULA_RECOGNITION
    assert not deployed.client("sqs").receive_message(QueueUrl=url).get("Messages")
    assert len(received(deployed, url, 1)) == 1


def test_every_event_reaches_a_subscriber(deployed: Deployed) -> None:
    sqs, events = deployed.client("sqs"), deployed.client("events")
    url = sqs.create_queue(QueueName="subscriber")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    bus = deployed.outputs["EventBus"]
    events.put_rule(Name="all", EventBusName=bus, EventPattern=json.dumps({"source": ["pagewise"]}))
    events.put_targets(Rule="all", EventBusName=bus, Targets=[{"Id": "1", "Arn": arn}])
    sent = [Event("PageRecognized", {"event_id": str(number)}) for number in range(23)]
    EventBridgePublisher(events, bus).publish(sent)
    found = [json.loads(str(message["Body"])) for message in received(deployed, url, 23)]
    assert {message["detail"]["event_id"] for message in found} == {event.id for event in sent}
    assert {message["detail-type"] for message in found} == {"PageRecognized"}


@pytest.fixture
def upload(deployed: Deployed) -> Upload:
    key = "uploads/ä b+c #1.pdf"
    reply = deployed.client("s3").put_object(
        Bucket=deployed.outputs["UploadsBucket"], Key=key, Body=b"first", Metadata={"OCR-Tag": "=?utf-8?b?w6Q=?="}
    )
    return Upload(deployed.outputs["UploadsBucket"], key, reply["VersionId"], reply["ETag"], "1", 5)


def test_an_upload_is_read_at_its_own_version(deployed: Deployed, upload: Upload, tmp_path: Path) -> None:
    deployed.client("s3").put_object(Bucket=upload.bucket, Key=upload.key, Body=b"second")
    download = S3Uploads(deployed.client("s3")).download(upload, tmp_path / "document")
    assert (tmp_path / "document").read_bytes() == b"first"
    assert download.metadata["ocr-tag"] == "ä"
    assert download.source.size == 5
    assert download.source.sha256 == "a7937b64b8caa58f03721bb6bacf5c78cb235febe0e70b1b84cd99541461a08e"


def test_a_version_that_was_deleted_is_gone(deployed: Deployed, upload: Upload, tmp_path: Path) -> None:
    s3 = deployed.client("s3")
    s3.delete_object(Bucket=upload.bucket, Key=upload.key, VersionId=upload.version_id)
    with pytest.raises(ObjectGone):
        S3Uploads(s3).download(upload, tmp_path / "document")


def test_without_versions_an_overwritten_upload_is_gone(deployed: Deployed, upload: Upload, tmp_path: Path) -> None:
    s3 = deployed.client("s3")
    s3.put_object(Bucket=upload.bucket, Key=upload.key, Body=b"second")
    with pytest.raises(ObjectGone):
        S3Uploads(s3).download(replace(upload, version_id=None), tmp_path / "document")


def test_a_missing_bucket_is_a_matter_of_configuration(deployed: Deployed, upload: Upload, tmp_path: Path) -> None:
    with pytest.raises(Configuration):
        S3Uploads(deployed.client("s3")).download(replace(upload, bucket="no-such-bucket"), tmp_path / "document")


def test_a_page_image_comes_back_to_the_byte(deployed: Deployed) -> None:
    pages = S3Pages(deployed.client("s3"), deployed.outputs["PagesBucket"])
    key = pages.put_image(DocumentId("d"), 1, b"png", "image/png")
    assert pages.image(StoredImage(key, "image/png", 1, 1, 3)) == b"png"
    with pytest.raises(ObjectGone):
        pages.image(StoredImage("documents/d/pages/00009.png", "image/png", 1, 1, 3))


def test_what_is_sent_in_a_pages_place_is_kept_beside_it_and_has_a_url(deployed: Deployed) -> None:
    pages = S3Pages(deployed.client("s3"), deployed.outputs["PagesBucket"])
    key = pages.put_image(DocumentId("d"), 1, b"png", "image/png")
    mended = pages.put_mended(StoredImage(key, "image/png", 1, 1, 3), b"jpeg", "image/jpeg")
    assert (key, mended) == ("documents/d/pages/00001.png", "documents/d/sent/00001.jpg")
    with urllib.request.urlopen(pages.url(mended, 60), timeout=10) as reply:  # noqa: S310  the emulator
        assert reply.read() == b"jpeg"
    assert pages.image(StoredImage(key, "image/png", 1, 1, 3)) == b"png"


def test_a_notification_s_key_is_decoded_and_folders_are_no_uploads() -> None:
    def record(key: str, size: int) -> dict[str, object]:
        stored = {"key": key, "size": size, "eTag": "e", "versionId": "v", "sequencer": "s"}
        return {"s3": {"bucket": {"name": "b"}, "object": stored}}

    event = {"Records": [record("uploads/%C3%A4+b%2Bc%231.pdf", 5), record("uploads/folder/", 0), record("empty", 0)]}
    assert [upload.key for upload in uploads_of(event)] == ["uploads/ä b+c#1.pdf", "empty"]
    assert list(uploads_of({"Service": "Amazon S3", "Event": "s3:TestEvent"})) == []


def outputs(deployed: Deployed) -> S3Outputs:
    return S3Outputs(deployed.client("s3"), deployed.outputs["PagesBucket"])


def put(deployed: Deployed, file: Path, document: str, run: int, content: str, name: str = "document.txt") -> int:
    """Of how many versions the object is afterwards."""
    file.write_text(content)
    outputs(deployed).put_output(DocumentId(document), run, name, "text/plain", file)
    key = f"documents/{document}/outputs/{name}"
    listed = deployed.client("s3").list_object_versions(Bucket=deployed.outputs["PagesBucket"], Prefix=key)
    return len(listed["Versions"])


def stored(deployed: Deployed, document: str, name: str = "document.txt") -> str:
    key = f"documents/{document}/outputs/{name}"
    found = deployed.client("s3").get_object(Bucket=deployed.outputs["PagesBucket"], Key=key)["Body"].read()
    return str(found.decode())


def test_an_output_is_replaced_by_its_own_and_later_runs_only(deployed: Deployed, tmp_path: Path) -> None:
    file = tmp_path / "file"
    assert put(deployed, file, "runs", 1, "one") == 1
    assert put(deployed, file, "runs", 1, "one") == 1  # the same again is no new version
    assert put(deployed, file, "runs", 1, "one, by another release") == 2
    assert put(deployed, file, "runs", 2, "two") == 3
    with pytest.raises(Superseded):
        put(deployed, file, "runs", 1, "late")
    assert stored(deployed, "runs") == "two"


def test_the_first_manifest_of_a_run_stays(deployed: Deployed, tmp_path: Path) -> None:
    file = tmp_path / "file"
    assert outputs(deployed).manifest(DocumentId("first")) is None
    put(deployed, file, "first", 1, '{"run": 1}', "manifest.json")
    put(deployed, file, "first", 1, '{"run": 1, "failed": []}', "manifest.json")
    assert outputs(deployed).manifest(DocumentId("first")) == {"run": 1}
    put(deployed, file, "first", 2, '{"run": 2}', "manifest.json")
    assert outputs(deployed).manifest(DocumentId("first")) == {"run": 2}


def test_a_page_image_comes_as_a_file(deployed: Deployed, tmp_path: Path) -> None:
    S3Pages(deployed.client("s3"), deployed.outputs["PagesBucket"]).put_image(DocumentId("i"), 3, b"jpeg", "image/jpeg")
    path = outputs(deployed).page_image(DocumentId("i"), 3, tmp_path)
    assert path is not None
    assert (path.suffix, path.read_bytes()) == (".jpg", b"jpeg")
    assert outputs(deployed).page_image(DocumentId("i"), 4, tmp_path) is None
    assert list(tmp_path.iterdir()) == []  # one at a time
