"""Recursive-loop detection: Lambda counts how often a chain of invocations and messages has been through a function.

The count travels in the trace header, handed on by SDKs: `Root=…;Parent=…;Sampled=0;Lineage=<function>:<count>|…`.
https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

MOST_INVOCATIONS = 16  # of one function in one chain, unless its RecursiveLoop is Allow

Lineage = dict[str, int]


def lineage_of(records: Iterable[Mapping[str, Any]]) -> Lineage:
    """The lineage of a batch: for each function the largest count of any of its messages."""
    found: Lineage = {}
    for record in records:
        fields = dict(
            field.split("=", 1) for field in record["attributes"].get("AWSTraceHeader", "").split(";") if "=" in field
        )
        for part in fields.get("Lineage", "").split("|"):
            name, _, count = part.partition(":")
            if count.isdecimal():
                found[name] = max(found.get(name, 0), int(count))
    return found


def grown(lineage: Mapping[str, int], function_arn: str) -> Lineage:
    """The chain with one more invocation of this function."""
    name = hashlib.sha256(function_arn.encode()).hexdigest()[:8]
    return {**lineage, name: lineage.get(name, 0) + 1}


def is_loop(lineage: Mapping[str, int]) -> bool:
    return max(lineage.values(), default=0) > MOST_INVOCATIONS


def field(lineage: Mapping[str, int]) -> str:
    """The lineage as a field at the end of a trace header."""
    parts = "|".join(f"{name}:{count}" for name, count in lineage.items())
    return f";Lineage={parts}" if parts else ""
