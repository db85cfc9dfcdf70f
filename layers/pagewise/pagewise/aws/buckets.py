"""The uploads and pages buckets."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from email.errors import MessageError
from email.header import decode_header, make_header
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pagewise.aws.failures import translated
from pagewise.model import DocumentId, Source, StoredImage, Upload
from pagewise.ports import Download
from pagewise.strict_json import dumped

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CHUNK_BYTES = 1024 * 1024
EXTENSIONS = {"image/png": "png", "image/jpeg": "jpg"}


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
    """Metadata is ASCII; S3 shows other characters encoded as RFC 2047 words. What is none stays as it is."""
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
