"""The meaning of an AWS client's errors, in the words of the core.

    gone           the object is not there (S3 tells it from a forbidden one to callers with s3:ListBucket only), was
                   overwritten, or is a deletion's marker
    archived       it lies in a storage class from which it must be restored first
    misconfigured  names, permissions, keys: only an operator can mend them
    busy           all others: throttled, failing, unreachable, in conflict

Codes: the error tables of the services' API references, and "Common errors".
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from pagewise.errors import Configuration, ObjectGone, StorageBusy, StorageRefused

GONE = frozenset({"404", "NoSuchKey", "NoSuchVersion", "NotFound", "MethodNotAllowed", "405", "PreconditionFailed"})
ARCHIVED = frozenset({"InvalidObjectState"})
MISCONFIGURED = frozenset(
    {
        # Any service: permissions and credentials.
        "403",
        "AccessDenied",
        "AccessDeniedException",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "NotAuthorized",
        "OptInRequired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
        # DynamoDB, Secrets Manager, EventBridge: no table, secret or bus of this name.
        "ResourceNotFoundException",
        # S3: no such bucket, or one of another region.
        "AllAccessDisabled",
        "AuthorizationHeaderMalformed",
        "IllegalLocationConstraintException",
        "InvalidBucketName",
        "NoSuchBucket",
        "PermanentRedirect",
        # SQS.
        "AWS.SimpleQueueService.NonExistentQueue",
        "InvalidAddress",
        "QueueDoesNotExist",
        # Secrets Manager: the secret's key cannot be used; the secret is marked for deletion.
        "DecryptionFailure",
        "InvalidRequestException",
        # Parameter Store: the parameter's key cannot be used.
        "InvalidKeyId",
    }
)
# S3's KMS.DisabledException, SQS's KmsAccessDenied and the rest of either, but KMS.ThrottlingException, KmsThrottled.
KEY_CODES = "kms"
THROTTLED = "throttl"
# The request breaks a limit of the service; the same again would too.
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
    """Raise ObjectGone, Configuration, StorageRefused or StorageBusy for the client's errors. `what` names the
    object."""
    try:
        yield
    except ClientError as error:
        code = code_of(error)
        if code in GONE:
            raise ObjectGone(f"{what} does not exist any more.") from error
        if code in ARCHIVED:
            raise ObjectGone(f"{what} is archived. Restore it first.") from error
        if is_misconfigured(code):
            raise Configuration("access_denied", f"{what}: {code}. Check the stack's policies and names.") from error
        if code in REFUSED or "ValidationError" in cancellations(error):
            raise StorageRefused(f"{what}: {code}.") from error
        raise StorageBusy(f"{what}: {code}.") from error
    except ParamValidationError as error:
        raise StorageRefused(f"{what} breaks the form of the request.") from error
    except BotoCoreError as error:
        raise StorageBusy(f"{what}: {type(error).__name__}.") from error


def is_misconfigured(code: str) -> bool:
    of_key = code.lower().startswith(KEY_CODES) and THROTTLED not in code.lower()
    return of_key or code in MISCONFIGURED


def code_of(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def cancellations(error: ClientError) -> frozenset[str]:
    """DynamoDB's reasons for cancelling a transaction: the codes of its changes."""
    return frozenset(str(reason.get("Code")) for reason in error.response.get("CancellationReasons", []))
