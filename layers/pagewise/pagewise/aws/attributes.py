"""DynamoDB's attribute values, as the low-level client takes and gives them.

boto3 has this too, at the price of importing all of boto3: 30 to 80 ms of every cold start.
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_AttributeValue.html
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from pagewise.table import Attributes


def marshal(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: marshalled(value) for name, value in attributes.items()}


def unmarshal(stored: Mapping[str, Any]) -> Attributes:
    return {name: unmarshalled(value) for name, value in stored.items()}


def marshalled(value: Any) -> dict[str, Any]:
    """Raises TypeError for a value that a record cannot hold, such as a float: DynamoDB's numbers are decimal."""
    match value:
        case None:
            return {"NULL": True}
        case bool():
            return {"BOOL": value}
        case str():
            return {"S": value}
        case int() | Decimal():
            return {"N": str(value)}
        case Mapping():
            return {"M": marshal(value)}
        case list() | tuple():
            return {"L": [marshalled(member) for member in value]}
    raise TypeError(f"no attribute value: {type(value).__name__}")


def unmarshalled(stored: Mapping[str, Any]) -> Any:
    """Raises TypeError for kinds that no record of ours has: bytes and sets."""
    match dict(stored):
        case {"NULL": True}:
            return None
        case {"BOOL": value} | {"S": value}:
            return value
        case {"N": value}:
            return Decimal(value)
        case {"M": members}:
            return unmarshal(members)
        case {"L": members}:
            return [unmarshalled(member) for member in members]
    raise TypeError(f"no attribute value of ours: {', '.join(stored)}")
