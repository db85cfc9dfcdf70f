"""S3's notifications, as uploads."""

from __future__ import annotations

from pagewise.aws.notifications import uploads_of


def test_a_notification_s_key_is_decoded_and_folders_are_no_uploads() -> None:
    def record(key: str, size: int) -> dict[str, object]:
        stored = {"key": key, "size": size, "eTag": "e", "versionId": "v", "sequencer": "s"}
        return {"s3": {"bucket": {"name": "b"}, "object": stored}}

    event = {"Records": [record("uploads/%C3%A4+b%2Bc%231.pdf", 5), record("uploads/folder/", 0), record("empty", 0)]}
    assert [upload.key for upload in uploads_of(event)] == ["uploads/ä b+c#1.pdf", "empty"]
    assert list(uploads_of({"Service": "Amazon S3", "Event": "s3:TestEvent"})) == []
