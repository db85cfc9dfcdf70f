"""S3's event notifications as uploads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote_plus

from pagewise.model import Upload


def uploads_of(event: Mapping[str, Any]) -> Iterator[Upload]:
    """Every upload that an event tells of; none for the test event that S3 sends when a notification is set up.

    A key that ends in a slash and holds nothing is a folder that a console made, not an upload.
    """
    for record in event.get("Records", []):
        stored = record["s3"]["object"]
        key = unquote_plus(stored["key"])
        size = int(stored.get("size", 0))
        if key.endswith("/") and size == 0:
            continue
        yield Upload(
            bucket=record["s3"]["bucket"]["name"],
            key=key,
            version_id=stored.get("versionId"),
            etag=stored.get("eTag", ""),
            sequencer=stored.get("sequencer", ""),
            size=size,
        )
