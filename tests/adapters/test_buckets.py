"""The uploads and pages buckets, against the emulator's own endpoint."""

from __future__ import annotations

import urllib.request
from dataclasses import replace
from pathlib import Path

import pytest

from pagewise.aws.buckets import S3Objects, S3Outputs, S3Pages, S3Uploads
from pagewise.errors import Configuration, ObjectGone, Superseded
from pagewise.model import DocumentId, Edition, Source, StoredImage, Upload
from tests.deployed import Deployed


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


def outputs(deployed: Deployed) -> S3Outputs:
    return S3Outputs(deployed.client("s3"), deployed.outputs["PagesBucket"])


def put(deployed: Deployed, file: Path, document: str, run: int, content: str, name: str = "document.txt") -> int:
    """Of how many versions the object is afterwards."""
    file.write_text(content)
    outputs(deployed).put_output(DocumentId(document), Edition(run), name, "text/plain", file)
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


def test_without_versions_an_upload_that_took_anothers_place_is_not_deleted_with_it(deployed: Deployed) -> None:
    s3 = deployed.client("s3")
    s3.create_bucket(Bucket="no-versions")
    objects = S3Objects(s3, deployed.outputs["PagesBucket"])

    def uploaded(content: bytes, sequencer: str) -> Source:
        etag = s3.put_object(Bucket="no-versions", Key="scan", Body=content)["ETag"].strip('"')
        return Source("no-versions", "scan", f"{etag}:{sequencer}", None, len(content))

    first, second = uploaded(b"first", "1"), uploaded(b"second", "2")
    assert (objects.delete_upload(first), objects.delete_upload(second), objects.delete_upload(second)) == (0, 1, 0)


def test_of_a_version_only_that_one_is_deleted(deployed: Deployed, upload: Upload) -> None:
    s3 = deployed.client("s3")
    later = s3.put_object(Bucket=upload.bucket, Key=upload.key, Body=b"second")["VersionId"]
    source = Source(upload.bucket, upload.key, upload.version, upload.version_id, 5)
    assert S3Objects(s3, deployed.outputs["PagesBucket"]).delete_upload(source) == 1
    kept = s3.list_object_versions(Bucket=upload.bucket, Prefix=upload.key)
    assert upload.version_id not in [one["VersionId"] for one in kept["Versions"]]
    assert later in [one["VersionId"] for one in kept["Versions"]]


def test_more_objects_than_one_request_takes_are_deleted_in_all_their_versions(deployed: Deployed) -> None:
    s3, bucket = deployed.client("s3"), deployed.outputs["PagesBucket"]
    for number in range(5):
        for content in (b"", b"again"):
            s3.put_object(Bucket=bucket, Key=f"documents/many/pages/{number:05}.png", Body=content)
    s3.delete_object(Bucket=bucket, Key="documents/many/pages/00001.png")
    batches = list(S3Objects(s3, bucket, at_once=3).delete_objects(DocumentId("many")))
    assert ([batch.versions for batch in batches], sum(batch.versions for batch in batches)) == ([3, 3, 3, 2], 11)
    left = s3.list_object_versions(Bucket=bucket, Prefix="documents/many/")
    assert (left.get("Versions", []), left.get("DeleteMarkers", [])) == ([], [])
