"""What storage will never take is told apart from storage that is busy."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError, ParamValidationError

from pagewise.aws.failures import translated
from pagewise.errors import PagewiseError, StorageBusy, StorageRefused


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
