"""What AWS's error codes mean: gone, misconfigured, or busy."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ParamValidationError, ReadTimeoutError

from pagewise.aws.failures import translated
from pagewise.errors import Configuration, ObjectGone, PagewiseError, StorageBusy, StorageRefused

# By service and meaning: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html and the other services'
# API references, "Errors" of the operations that are called here.
CODES: Mapping[str, Mapping[type[PagewiseError], list[str]]] = {
    "s3": {
        ObjectGone: [
            "NoSuchKey",
            "NoSuchVersion",
            "MethodNotAllowed",
            "PreconditionFailed",
            "404",
            "InvalidObjectState",
        ],
        Configuration: [
            "AccessDenied",
            "403",
            "AllAccessDisabled",
            "AuthorizationHeaderMalformed",
            "InvalidAccessKeyId",
            "KMS.DisabledException",
            "KMS.KMSInvalidStateException",
            "KMS.NotFoundException",
            "NoSuchBucket",
            "PermanentRedirect",
            "SignatureDoesNotMatch",
        ],
        StorageBusy: [
            "503",
            "ExpiredToken",  # a new environment has a new one
            "InternalError",
            "KMS.ThrottlingException",
            "OperationAborted",
            "RequestTimeout",
            "ServiceUnavailable",
            "SlowDown",
        ],
    },
    "dynamodb": {
        Configuration: ["AccessDeniedException", "ResourceNotFoundException", "UnrecognizedClientException"],
        StorageBusy: [
            "InternalServerError",
            "ProvisionedThroughputExceededException",
            "RequestLimitExceeded",
            "ThrottlingException",
            "TransactionInProgressException",
        ],
    },
    "sqs": {
        Configuration: [
            "AWS.SimpleQueueService.NonExistentQueue",
            "AccessDenied",
            "InvalidAddress",
            "KMS.AccessDeniedException",
            "KmsAccessDenied",
            "KmsDisabled",
            "KmsInvalidState",
            "KmsNotFound",
            "QueueDoesNotExist",
        ],
        StorageBusy: ["KmsThrottled", "OverLimit", "RequestThrottled"],
    },
    "ssm": {
        Configuration: ["AccessDeniedException", "InvalidKeyId"],
        StorageBusy: ["InternalServerError", "ThrottlingException"],
    },
    "secretsmanager": {
        Configuration: [
            "AccessDeniedException",
            "DecryptionFailure",
            "InvalidRequestException",
            "ResourceNotFoundException",
        ],
        StorageBusy: ["InternalServiceError", "ThrottlingException"],
    },
    "events": {
        Configuration: ["AccessDeniedException", "ResourceNotFoundException"],
        StorageBusy: ["InternalException", "ThrottlingException"],
    },
}
MEANINGS = [
    (service, code, meaning)
    for service, meanings in CODES.items()
    for meaning, codes in meanings.items()
    for code in codes
]


@pytest.mark.parametrize(("service", "code", "meaning"), MEANINGS)
def test_every_code_has_its_meaning(service: str, code: str, meaning: type[PagewiseError]) -> None:
    with pytest.raises(meaning) as raised, translated("The thing"):
        raise ClientError({"Error": {"Code": code, "Message": "m"}}, service)
    assert type(raised.value) is meaning
    assert raised.value.message.startswith("The thing")


@pytest.mark.parametrize(
    "error",
    [EndpointConnectionError(endpoint_url="https://s3"), ReadTimeoutError(endpoint_url="https://s3")],
)
def test_what_cannot_be_reached_is_busy(error: Exception) -> None:
    with pytest.raises(StorageBusy), translated("The thing"):
        raise error


def said(code: str, *changes: str) -> ClientError:
    reply = {"Error": {"Code": code}, "CancellationReasons": [{"Code": change} for change in changes]}
    return ClientError(reply, "PutItem")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (said("ValidationException"), StorageRefused),
        (said("EntityTooLarge"), StorageRefused),
        (said("KeyTooLongError"), StorageRefused),
        (said("TransactionCanceledException", "None", "ValidationError"), StorageRefused),
        (ParamValidationError(report="a list where a text should be"), StorageRefused),
        (said("TransactionCanceledException", "None", "ThrottlingError"), StorageBusy),
        (said("ProvisionedThroughputExceededException"), StorageBusy),
        (said("InternalServerError"), StorageBusy),
    ],
)
def test_a_refusal_for_good_is_another_error_than_a_busy_service(
    error: Exception, expected: type[PagewiseError]
) -> None:
    with pytest.raises(StorageBusy) as raised, translated("The results table"):
        raise error
    assert type(raised.value) is expected
