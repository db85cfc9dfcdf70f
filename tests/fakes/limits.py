"""The limits at which DynamoDB, S3 and EventBridge refuse a request, at the sizes of 2026-11.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from decimal import Decimal
from typing import Any

from pagewise.errors import StorageRefused
from pagewise.table import Attributes, Change, Key

RECORD_BYTES = 400 * 1024
TRANSACTION_CHANGES, TRANSACTION_BYTES = 100, 4 * 1024 * 1024
LAYERS = 32
DIGITS, LARGEST = 38, Decimal("9.9999999999999999999999999999999999999E+125")
PARTITION_BYTES, SORT_BYTES = 2048, 1024
S3_KEY_BYTES = 1024
# EventBridge has taken 1 MB an entry since 2025, but SQS and Lambda targets of older rules 256 KB.
ENTRY_BYTES = 256 * 1024


def check_transaction(changes: Sequence[Change], stored: Sequence[Attributes] = ()) -> None:
    """`stored`: the records as they are. They count as well, also where they are deleted."""
    if len(changes) > TRANSACTION_CHANGES:
        raise StorageRefused("The results table: ValidationException.")
    if len(changes) > 1 and sum(size(record) for record in stored) > TRANSACTION_BYTES:
        raise StorageRefused("The results table: ValidationException.")
    if len({change.key for change in changes}) < len(changes):
        raise StorageRefused("The results table: ValidationException.")


def check_record(key: Key, record: Attributes) -> None:
    if not 0 < len(key.partition.encode()) <= PARTITION_BYTES or not 0 < len(key.record.encode()) <= SORT_BYTES:
        raise StorageRefused("The results table: ValidationException.")
    if size(record) + len(key.partition.encode()) + len(key.record.encode()) > RECORD_BYTES:
        raise StorageRefused("The results table: ValidationException.")


def size(value: Any, layers: int = LAYERS) -> int:
    """Bytes, about. Raises the error of the client or the service for a value that is no attribute."""
    if layers < 0:
        raise StorageRefused("The results table: ValidationException.")
    match value:
        case None | bool():
            return 1
        case str():
            return len(value.encode())  # half a pair of surrogates raises UnicodeEncodeError, as in boto3
        case float():
            raise TypeError("Float types are not supported. Use Decimal types instead.")
        case int() | Decimal():
            number = Decimal(value)
            if len(number.as_tuple().digits) > DIGITS or abs(number) > LARGEST:
                raise StorageRefused("The results table: ValidationException.")
            return 21
        case Mapping():
            if "" in value:
                raise StorageRefused("The results table: ValidationException.")
            return 3 + sum(len(str(name).encode()) + size(member, layers - 1) + 1 for name, member in value.items())
        case list() | tuple() | Set():
            return 3 + sum(size(member, layers - 1) + 1 for member in value)
    raise TypeError(f"Unsupported type {type(value)}")


def check_key(key: str) -> None:
    if not 0 < len(key.encode()) <= S3_KEY_BYTES:
        raise StorageRefused("A receipt or result: KeyTooLongError.")


def check_entry(name: str, detail: str) -> None:
    if len(name.encode()) + len(detail.encode()) > ENTRY_BYTES:
        raise StorageRefused("The event bus: ValidationException.")
