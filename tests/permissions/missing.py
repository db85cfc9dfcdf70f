"""S3's answer to a caller that may not list the bucket: 403 for what is missing. The emulator answers 404 to all.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html, "Permissions".
"""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError
from botocore.session import Session

MISSING = ("NoSuchKey", "NoSuchVersion", "404")
FORBIDDEN = {"Code": "AccessDenied", "Message": "Access Denied"}
OPERATIONS = ("GetObject", "HeadObject")


def forbidden_to_whoever_may_not_list(session: Session) -> None:
    """Let the session's clients, made from now on, see what S3 answers to their credentials."""
    listing = session.create_client("s3")

    def remembered(**call: Any) -> None:
        call["context"]["bucket"] = call["params"]["Bucket"]

    def answered(**call: Any) -> None:
        parsed = call["parsed"]
        missing = parsed.get("Error", {}).get("Code") in MISSING
        if missing and not may_list(listing, call["context"]["bucket"]):
            parsed["Error"] = dict(FORBIDDEN)
            parsed["ResponseMetadata"]["HTTPStatusCode"] = 403

    for operation in OPERATIONS:
        session.register(f"before-parameter-build.s3.{operation}", remembered)
        session.register(f"after-call.s3.{operation}", answered)


def may_list(client: Any, bucket: str) -> bool:
    try:
        client.list_objects_v2(Bucket=bucket, MaxKeys=1)
    except ClientError:
        return False
    return True
