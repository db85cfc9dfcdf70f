"""The uploads and pages buckets."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from email.errors import MessageError
from email.header import decode_header, make_header
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

from pagewise.aws.failures import code_of, translated
from pagewise.errors import ObjectGone, StorageBusy, Superseded
from pagewise.model import DocumentId, Edition, Source, StoredImage, Upload
from pagewise.outputs.manifest import NAME, digest
from pagewise.ports import DeletedObjects, Download, UploadPlace
from pagewise.strict_json import dumped

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CHUNK_BYTES = 1024 * 1024
EXTENSIONS = {"image/png": "png", "image/jpeg": "jpg"}
# Another one has written the object meanwhile: seen by its ETag, or at the same time.
CHANGED = frozenset({"PreconditionFailed", "412", "ConditionalRequestConflict", "409"})
TRIES = 4
MISSING = frozenset({"404", "NoSuchKey", "NoSuchVersion", "NotFound"})


@dataclass(frozen=True, slots=True)
class S3Uploads:
    client: S3Client

    def download(self, upload: Upload, to: Path) -> Download:
        version = {"VersionId": upload.version_id} if upload.version_id not in (None, "null") else {}
        # Without versions, the ETag makes sure that an overwrite in the meantime is not taken for this upload.
        same = {} if version else {"IfMatch": upload.etag}
        return self.fetch(upload.bucket, upload.key, upload.version, upload.version_id, to, {**version, **same})

    def download_again(self, source: Source, to: Path) -> Download:
        version = {"VersionId": source.version_id} if source.version_id not in (None, "null") else {}
        same = {} if version else {"IfMatch": source.version.partition(":")[0]}
        return self.fetch(source.bucket, source.key, source.version, source.version_id, to, {**version, **same})

    def fetch(
        self, bucket: str, key: str, version: str, version_id: str | None, to: Path, selection: Mapping[str, Any]
    ) -> Download:
        """Stream the object to disk, never through memory as a whole."""
        digest = hashlib.sha256()
        size = 0
        with translated("The upload"), to.open("wb") as file:
            reply = self.client.get_object(Bucket=bucket, Key=key, **selection)
            for chunk in reply["Body"].iter_chunks(CHUNK_BYTES):
                digest.update(chunk)
                size += len(chunk)
                file.write(chunk)
        metadata = {name.lower(): readable(value) for name, value in reply["Metadata"].items()}
        return Download(Source(bucket, key, version, version_id, size, digest.hexdigest()), metadata)


def readable(value: str) -> str:
    """Metadata is ASCII; S3 shows other characters encoded as RFC 2047 words. A value without one stays as it is."""
    try:
        return str(make_header(decode_header(value))) if "=?" in value else value
    except (ValueError, LookupError, MessageError):
        return value


@dataclass(frozen=True, slots=True)
class S3Pages:
    client: S3Client
    bucket: str

    def put_image(self, document_id: DocumentId, page: int, content: bytes, media_type: str) -> str:
        key = f"documents/{document_id}/pages/{page:05}.{EXTENSIONS[media_type]}"
        with translated("A page image"):
            self.client.put_object(Bucket=self.bucket, Key=key, Body=content, ContentType=media_type)
        return key

    def image(self, image: StoredImage) -> bytes:
        with translated("A page image"):
            return self.client.get_object(Bucket=self.bucket, Key=image.key)["Body"].read()

    def put_mended(self, image: StoredImage, content: bytes, media_type: str) -> str:
        key = f"{image.key.replace('/pages/', '/sent/').rpartition('.')[0]}.{EXTENSIONS[media_type]}"
        with translated("A page image"):
            self.client.put_object(Bucket=self.bucket, Key=key, Body=content, ContentType=media_type)
        return key

    def url(self, key: str, seconds: int) -> str:
        return self.client.generate_presigned_url(
            "get_object", Params={"Bucket": self.bucket, "Key": key}, ExpiresIn=seconds
        )

    def put_receipt(self, document_id: DocumentId, receipt: Mapping[str, Any]) -> Mapping[str, str]:
        key = f"documents/{document_id}/receipt.json"
        self.put_json(key, receipt)
        return {"bucket": self.bucket, "key": key}

    def put_json(self, key: str, value: Mapping[str, Any]) -> None:
        content = dumped(value, indent=1).encode()
        with translated("A receipt or result"):
            self.client.put_object(Bucket=self.bucket, Key=key, Body=content, ContentType="application/json")

    def json(self, key: str) -> dict[str, Any]:
        with translated("A receipt or result"):
            return dict(json.loads(self.client.get_object(Bucket=self.bucket, Key=key)["Body"].read()))


@dataclass(frozen=True, slots=True)
class S3Outputs:
    """Outputs beside the pages. Each object's metadata give its run, and S3 replaces it only as it was seen:
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
    """

    client: S3Client
    bucket: str

    def put_output(self, document_id: DocumentId, edition: Edition, name: str, media_type: str, file: Path) -> None:
        key = f"documents/{document_id}/outputs/{name}"
        size, sha256 = digest(file)
        unseen: Mapping[str, Any] = {"IfNoneMatch": "*"}
        for condition in (unseen, *self.conditions(key, edition, sha256)):
            if condition is None:
                return
            with translated("An output"), file.open("rb") as content:
                try:
                    self.client.put_object(
                        Bucket=self.bucket,
                        Key=key,
                        Body=content,
                        ContentLength=size,
                        ContentType=media_type,
                        Metadata={"run": str(edition.run), "reviews": str(edition.reviews), "sha256": sha256},
                        **condition,
                    )
                except ClientError as error:
                    if code_of(error) not in CHANGED:
                        raise
                else:
                    return
        raise StorageBusy("An output is being written by others.")

    def conditions(self, key: str, edition: Edition, sha256: str) -> Iterator[Mapping[str, Any] | None]:
        """The conditions of the put, as often as others were quicker; None if it is there. Raises Superseded."""
        for _ in range(TRIES):
            try:
                with translated("An output"):
                    stored = self.client.head_object(Bucket=self.bucket, Key=key)
            except ObjectGone:
                yield {"IfNoneMatch": "*"}
                continue
            about = stored["Metadata"]
            there = Edition(int(about.get("run", 1)), int(about.get("reviews", 0)))
            if there > edition:
                raise Superseded
            same = there == edition and (key.endswith(f"/{NAME}") or stored["Metadata"].get("sha256") == sha256)
            yield None if same else {"IfMatch": stored["ETag"]}

    def manifest(self, document_id: DocumentId) -> dict[str, Any] | None:
        try:
            with translated("A manifest"):
                stored = self.client.get_object(**pointed(self.manifest_pointer(document_id)))["Body"].read()
        except ObjectGone:
            return None
        return dict(json.loads(stored))

    def manifest_pointer(self, document_id: DocumentId) -> dict[str, str]:
        return {"bucket": self.bucket, "key": f"documents/{document_id}/outputs/{NAME}"}

    def page_image(self, document_id: DocumentId, page: int, folder: Path) -> Path | None:
        for extension in EXTENSIONS.values():
            path = folder / f"page.{extension}"
            try:
                with translated("A page image"), path.open("wb") as file:
                    key = f"documents/{document_id}/pages/{page:05}.{extension}"
                    for chunk in self.client.get_object(Bucket=self.bucket, Key=key)["Body"].iter_chunks(CHUNK_BYTES):
                        file.write(chunk)
            except ObjectGone:
                path.unlink()
            else:
                return path
        return None


@dataclass(frozen=True, slots=True)
class S3Links:
    client: S3Client
    bucket: str
    uploads: str

    def page_image(self, document_id: DocumentId, page: int) -> str | None:
        for extension in EXTENSIONS.values():
            key = f"documents/{document_id}/pages/{page:05}.{extension}"
            with suppress(ObjectGone), translated("A page image"):
                self.client.head_object(Bucket=self.bucket, Key=key)
                return key
        return None

    def url(self, key: str, seconds: int) -> str:
        return self.client.generate_presigned_url(
            "get_object", Params={"Bucket": self.bucket, "Key": key}, ExpiresIn=seconds
        )

    def origin(self) -> str:
        address = urlsplit(self.url("documents/", 1))
        return f"{address.scheme}://{address.netloc}"

    def upload(self, key: str, metadata: Mapping[str, str], seconds: int) -> UploadPlace:
        url = self.client.generate_presigned_url(
            "put_object", Params={"Bucket": self.uploads, "Key": key, "Metadata": dict(metadata)}, ExpiresIn=seconds
        )
        return UploadPlace(self.uploads, key, url, {f"x-amz-meta-{name}": value for name, value in metadata.items()})


@dataclass(frozen=True, slots=True)
class S3Objects:
    """A document's objects in both buckets, for good: without a version id, S3 would only hide them."""

    client: S3Client
    bucket: str
    # Versions of a request; S3 takes a thousand.
    at_once: int = 1_000

    def delete_upload(self, source: Source) -> int:
        version = source.version_id or "null"
        with translated("The upload"):
            try:
                stored = self.client.head_object(Bucket=source.bucket, Key=source.key, VersionId=version)
            except ClientError as error:
                if code_of(error) in MISSING:
                    return 0
                raise
            if version == "null" and stored["ETag"].strip('"') != source.version.partition(":")[0].strip('"'):
                return 0  # overwritten: without versions, that is another document's
            self.client.delete_object(Bucket=source.bucket, Key=source.key, VersionId=version)
        return 1

    def delete_objects(self, document_id: DocumentId) -> Iterator[DeletedObjects]:
        """From the first again each time: what was listed is gone, and a listing goes on from no deleted version."""
        with translated("A page image, result or output"):
            while there := self.listed(document_id):
                versions = [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in there]
                reply = self.client.delete_objects(Bucket=self.bucket, Delete={"Objects": versions, "Quiet": True})  # type: ignore[typeddict-item]
                if errors := reply.get("Errors"):
                    raise StorageBusy(f"{len(errors)} objects could not be deleted: {errors[0].get('Code')}.")
                yield DeletedObjects(len({one["Key"] for one in there}), len(versions))

    def listed(self, document_id: DocumentId) -> list[Any]:
        prefix = f"documents/{document_id}/"
        page = self.client.list_object_versions(Bucket=self.bucket, Prefix=prefix, MaxKeys=self.at_once)
        return [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]


def pointed(pointer: Mapping[str, str]) -> Any:
    return {"Bucket": pointer["bucket"], "Key": pointer["key"]}
