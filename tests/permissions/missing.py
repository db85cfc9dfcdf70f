"""S3's answer to a caller that may not list the bucket: 403 for what is missing. The emulator answers 404 to all.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html, "Permissions".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from boto3.session import Session
from botocore.exceptions import ClientError

MISSING = ("NoSuchKey", "NoSuchVersion")
FORBIDDEN = {"Code": "AccessDenied", "Message": "Access Denied"}


def forbidden_to_whoever_may_not_list(session: Session) -> None:
    """Let the session's clients, made from now on, see what S3 answers to their credentials."""
    listing = session.client("s3")

    def remembered(params: Mapping[str, Any], context: dict[str, Any], **_: object) -> None:
        context["bucket"] = params["Bucket"]

    def answered(parsed: dict[str, Any], context: Mapping[str, Any], **_: object) -> None:
        missing = parsed.get("Error", {}).get("Code") in MISSING
        if missing and not may_list(listing, context["bucket"]):
            parsed["Error"] = dict(FORBIDDEN)
            parsed["ResponseMetadata"]["HTTPStatusCode"] = 403

    session.events.register("before-parameter-build.s3.GetObject", remembered)
    session.events.register("after-call.s3.GetObject", answered)


def may_list(client: Any, bucket: str) -> bool:
    try:
        client.list_objects_v2(Bucket=bucket, MaxKeys=1)
    except ClientError:
        return False
    return True
