"""What an AWS client's errors mean, in the words of the core."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError

from pagewise.errors import Configuration, ObjectGone, StorageBusy

GONE = frozenset({"404", "NoSuchKey", "NoSuchVersion", "NotFound", "MethodNotAllowed", "405", "PreconditionFailed"})
DENIED = frozenset({"AccessDenied", "AccessDeniedException", "403", "ResourceNotFoundException", "NoSuchBucket"})


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Raise ObjectGone, Configuration or StorageBusy for what the client raises. `what` names the object."""
    try:
        yield
    except ClientError as error:
        code = code_of(error)
        if code in GONE:
            raise ObjectGone(f"{what} does not exist any more.") from error
        if code in DENIED or code.upper().startswith("KMS"):  # S3 says KMS.…, SQS Kms…: a key disabled or forbidden
            raise Configuration("access_denied", f"{what}: {code}. Check the stack's policies and names.") from error
        raise StorageBusy(f"{what}: {code}.") from error
    except BotoCoreError as error:
        raise StorageBusy(f"{what}: {type(error).__name__}.") from error


def code_of(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
