"""What an AWS client's errors mean, in the words of the core."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from pagewise.errors import Configuration, ObjectGone, StorageBusy, StorageRefused

GONE = frozenset({"404", "NoSuchKey", "NoSuchVersion", "NotFound", "MethodNotAllowed", "405", "PreconditionFailed"})
DENIED = frozenset({"AccessDenied", "AccessDeniedException", "403", "ResourceNotFoundException", "NoSuchBucket"})
# What is sent breaks a limit of the service; the same again would too.
REFUSED = frozenset(
    {
        *(
            "ValidationException",
            "ValidationError",
            "ItemCollectionSizeLimitExceededException",
            "SerializationException",
        ),
        *("EntityTooLarge", "KeyTooLongError", "InvalidArgument", "InvalidRequest", "MetadataTooLarge", "413"),
    }
)


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Raise ObjectGone, Configuration, StorageRefused or StorageBusy for what the client raises. `what` names the
    object."""
    try:
        yield
    except ClientError as error:
        code = code_of(error)
        if code in GONE:
            raise ObjectGone(f"{what} does not exist any more.") from error
        if code in DENIED:
            raise Configuration("access_denied", f"{what}: {code}. Check the stack's policies and names.") from error
        if code in REFUSED or "ValidationError" in cancellations(error):
            raise StorageRefused(f"{what}: {code}.") from error
        raise StorageBusy(f"{what}: {code}.") from error
    except ParamValidationError as error:
        raise StorageRefused(f"{what} breaks the form of the request.") from error
    except BotoCoreError as error:
        raise StorageBusy(f"{what}: {type(error).__name__}.") from error


def code_of(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def cancellations(error: ClientError) -> frozenset[str]:
    """Why DynamoDB has cancelled a transaction: the codes of its changes."""
    return frozenset(str(reason.get("Code")) for reason in error.response.get("CancellationReasons", []))
