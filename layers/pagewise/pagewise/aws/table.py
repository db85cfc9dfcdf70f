"""The results table in DynamoDB."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from pagewise.aws.attributes import marshal, unmarshal
from pagewise.aws.failures import code_of, translated
from pagewise.errors import StorageBusy
from pagewise.table import Attributes, Change, Condition, Delete, Index, Key, Put, Refused, Update

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PARTITION, RECORD = "document_id", "record"
EXPIRES = "expires"  # seconds since 1970, as TTL wants it
DAY = 86_400
# Whoever reads along an index looks at some hundred at a time.
ALONG_PAGE = 200


@dataclass(frozen=True, slots=True)
class DynamoTable:
    """`retention_days`: records live so long after they were last changed (DynamoDB's TTL on EXPIRES); 0 for ever."""

    client: DynamoDBClient
    name: str
    retention_days: float = 0

    def get(self, key: Key) -> Attributes | None:
        with translated("The results table"):
            reply = self.client.get_item(TableName=self.name, Key=marshal_key(key), ConsistentRead=True)
        return unmarshal(reply["Item"]) if "Item" in reply else None

    def records(self, partition: str, prefix: str) -> Iterator[Attributes]:
        return self.found("begins_with(#record, :prefix)", {":partition": partition, ":prefix": prefix})

    def between(self, partition: str, first: str, last: str) -> Iterator[Attributes]:
        values = {":partition": partition, ":first": first, ":last": last}
        return self.found("#record BETWEEN :first AND :last", values)

    def found(self, of_record: str, values: Attributes) -> Iterator[Attributes]:
        with translated("The results table"):
            for page in self.client.get_paginator("query").paginate(
                TableName=self.name,
                ConsistentRead=True,
                KeyConditionExpression=f"{PARTITION} = :partition AND {of_record}",
                ExpressionAttributeNames={"#record": RECORD},
                ExpressionAttributeValues=marshal(values),
            ):
                yield from (unmarshal(stored) for stored in page["Items"])

    def listed(self, word: str, before: str | None = None) -> Iterator[str]:
        bound = {":before": before} if before is not None else {}
        with translated("The results table"):
            for page in self.client.get_paginator("query").paginate(
                TableName=self.name,
                IndexName="open",
                KeyConditionExpression="#open = :word" + (" AND due < :before" if bound else ""),
                ExpressionAttributeNames={"#open": "open"},
                ExpressionAttributeValues=marshal({":word": word, **bound}),
            ):
                yield from (str(unmarshal(stored)[PARTITION]) for stored in page["Items"])

    def along(self, index: Index, word: str, after: str | None, before: str | None) -> Iterator[tuple[str, str]]:
        if after is not None and before is not None and after >= before:
            return  # DynamoDB refuses such a BETWEEN
        bounds = {":after": after, ":before": before}
        within = {name: bound for name, bound in bounds.items() if bound is not None}
        # One condition for a sort key: BETWEEN has both ends in it, so that the later one is left out here.
        of_order = {2: " AND #order BETWEEN :after AND :before", 1: f" AND #order {'<' if after is None else '>='} "}
        condition = of_order[len(within)] + ("" if len(within) == 2 else next(iter(within))) if within else ""
        with translated("The results table"):
            for page in self.client.get_paginator("query").paginate(
                TableName=self.name,
                IndexName=index.name,
                ScanIndexForward=not index.newest_first,
                KeyConditionExpression="#word = :word" + condition,
                ExpressionAttributeNames={"#word": index.word} | ({"#order": index.order} if within else {}),
                ExpressionAttributeValues=marshal({":word": word, **within}),
                PaginationConfig={"PageSize": ALONG_PAGE},
            ):
                for stored in map(unmarshal, page["Items"]):
                    if before is None or str(stored[index.order]) < before:
                        yield str(stored[index.order]), str(stored[PARTITION])

    def change(self, *changes: Change) -> None:
        requests = [Request(self.name).of(self.expiring(change)) for change in changes]
        with refusals():
            if len(requests) == 1:
                self.alone(*requests[0])
            else:
                self.client.transact_write_items(TransactItems=[{kind: body} for kind, body in requests])  # type: ignore[misc]

    def updated(self, update: Update) -> Attributes:
        _, body = Request(self.name).of(self.expiring(update))
        with refusals():
            reply = self.client.update_item(**body, ReturnValues="ALL_NEW")
        return unmarshal(reply["Attributes"])

    def expiring(self, change: Change) -> Change:
        if not self.retention_days or isinstance(change, Delete):
            return change
        days = max(self.retention_days, change.days if isinstance(change, Put) else 0)
        expires = {EXPIRES: int(time.time() + days * DAY)}
        if isinstance(change, Put):
            return replace(change, attributes={**change.attributes, **expires})
        return replace(change, set={**change.set, **expires})

    def alone(self, kind: str, body: dict[str, Any]) -> None:
        """One change needs no transaction: that would be billed twice."""
        match kind:
            case "Put":
                self.client.put_item(**body)
            case "Update":
                self.client.update_item(**body)
            case _:
                self.client.delete_item(**body)


@contextmanager
def refusals() -> Iterator[None]:
    """Raise Refused for conditions that do not hold."""
    try:
        with translated("The results table"):
            yield
    except StorageBusy as error:
        if (unmet := unmet_conditions(error.__cause__)) is None:
            raise
        raise Refused(unmet) from None


def unmet_conditions(error: BaseException | None) -> frozenset[int] | None:
    """The changes with unmet conditions; empty where others changed the records at the same time; None: another
    failure."""
    if not isinstance(error, ClientError):
        return None
    if code_of(error) == "ConditionalCheckFailedException":
        return frozenset({0})
    if code_of(error) == "TransactionConflictException":
        return frozenset()
    if code_of(error) != "TransactionCanceledException":
        return None
    reasons = [reason.get("Code", "None") for reason in error.response.get("CancellationReasons", [])]
    if not set(reasons) <= {"None", "ConditionalCheckFailed", "TransactionConflict"}:
        return None  # throttled, or not allowed: trying the same again at once would not help
    return frozenset(position for position, reason in enumerate(reasons) if reason == "ConditionalCheckFailed")


@dataclass(slots=True)
class Request:
    """A change as DynamoDB's expressions, with every name and value behind a placeholder."""

    table: str
    names: dict[str, str] = field(default_factory=dict)
    values: Attributes = field(default_factory=dict)

    def of(self, change: Change) -> tuple[str, dict[str, Any]]:
        body: dict[str, Any] = {"TableName": self.table}
        condition = self.condition(change.condition)
        match change:
            case Put():
                kind, body["Item"] = "Put", marshal({**keys(change.key), **change.attributes})
            case Update():
                kind, body["Key"] = "Update", marshal_key(change.key)
                body["UpdateExpression"] = self.update(change)
            case Delete():
                kind, body["Key"] = "Delete", marshal_key(change.key)
        if condition:
            body["ConditionExpression"] = condition
        if self.names:
            body["ExpressionAttributeNames"] = self.names
        if self.values:
            body["ExpressionAttributeValues"] = marshal(self.values)
        return kind, body

    def update(self, change: Update) -> str:
        sets = [f"{self.name(name)} = {self.value(value)}" for name, value in change.set.items()]
        adds = [f"{self.name(name)} {self.value(value)}" for name, value in change.add.items()]
        removes = [self.name(name) for name in change.remove]
        parts = [("SET", sets), ("ADD", adds), ("REMOVE", removes)]
        return " ".join(f"{verb} {', '.join(clauses)}" for verb, clauses in parts if clauses)

    def condition(self, condition: Condition) -> str:
        clauses: list[str] = []
        if condition.exists is not None:
            clauses.append(f"attribute_{'' if condition.exists else 'not_'}exists({self.name(PARTITION)})")
        for name, value in condition.equal.items():
            place = self.name(name)
            clauses.append(f"attribute_not_exists({place})" if value is None else f"{place} = {self.value(value)}")
        for name, bound in condition.at_most.items():
            place = self.name(name)
            clauses.append(f"(attribute_not_exists({place}) OR {place} <= {self.value(bound)})")
        return " AND ".join(clauses)

    def name(self, name: str) -> str:
        return self.placeholder(self.names, "#n", name)

    def value(self, value: Any) -> str:
        placeholder = f":v{len(self.values)}"
        self.values[placeholder] = value
        return placeholder

    @staticmethod
    def placeholder(known: dict[str, str], prefix: str, name: str) -> str:
        for placeholder, existing in known.items():
            if existing == name:
                return placeholder
        placeholder = f"{prefix}{len(known)}"
        known[placeholder] = name
        return placeholder


def keys(key: Key) -> Attributes:
    return {PARTITION: key.partition, RECORD: key.record}


def marshal_key(key: Key) -> dict[str, Any]:
    return marshal(keys(key))
