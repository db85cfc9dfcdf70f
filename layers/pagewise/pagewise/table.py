"""The table that the ledger needs: records under a partition key and a sort key, changed together or not at all.

Conditions and changes are values, so that the ledger's algorithm runs the same on DynamoDB and on a table in memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

Attributes = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Key:
    partition: str
    record: str


@dataclass(frozen=True, slots=True)
class Condition:
    """All of it must hold for the record as it is stored.

    Parameters
    ----------
    exists: whether the record must be there (True), must not (False), or either (None).
    equal: attributes with the value that they must have; None: the attribute must not be there.
    at_most: numbers that attributes must not exceed; one that is not there does not.
    """

    exists: bool | None = None
    equal: Mapping[str, Any] = field(default_factory=dict)
    at_most: Mapping[str, int] = field(default_factory=dict)


ANY = Condition()
NEW = Condition(exists=False)
KNOWN = Condition(exists=True)


@dataclass(frozen=True, slots=True)
class Put:
    """Write a whole record. Where records expire, it stays for so many days at the least."""

    key: Key
    attributes: Attributes
    condition: Condition = ANY
    days: int = 0


@dataclass(frozen=True, slots=True)
class Update:
    """Change attributes of a record: set, add to numbers, remove. A missing record is made.

    Raises ValueError for one that changes nothing: DynamoDB refuses an empty expression.
    """

    key: Key
    condition: Condition = ANY
    set: Attributes = field(default_factory=dict)
    add: Mapping[str, int] = field(default_factory=dict)
    remove: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not (self.set or self.add or self.remove):
            raise ValueError(f"An update of {self.key} changes nothing.")


@dataclass(frozen=True, slots=True)
class Delete:
    key: Key
    condition: Condition = ANY


Change = Put | Update | Delete


class Refused(Exception):
    """Nothing was changed. `unmet` has the positions of the changes whose conditions do not hold;
    it is empty where others changed the same records at the same time: read again, try again."""

    def __init__(self, unmet: frozenset[int]) -> None:
        super().__init__(f"conditions {sorted(unmet)} do not hold" if unmet else "changed by others at the same time")
        self.unmet = unmet


@dataclass(frozen=True, slots=True)
class Index:
    """Records that have both attributes, by one of them (`word`) sorted by the other (`order`)."""

    name: str
    word: str
    order: str
    newest_first: bool = False


BY_DUE = Index("open", "open", "due")
# Documents alone have `started`: results have a status, too.
BY_STATUS = Index("status", "status", "started", newest_first=True)


class Table(Protocol):
    """Reads are consistent. Every method may raise `StorageBusy`."""

    def get(self, key: Key) -> Attributes | None: ...

    def records(self, partition: str, prefix: str) -> Iterator[Attributes]:
        """The partition's records whose sort key begins with the prefix, in order; each with its `record`."""

    def between(self, partition: str, first: str, last: str) -> Iterator[Attributes]:
        """The partition's records from one sort key to another, both included, in order; each with its `record`."""

    def listed(self, word: str, before: str | None = None) -> Iterator[str]:
        """Partitions with a record whose attribute `open` is this word, in the order of `due`: those due before this
        time, or all. A written record is listed soon afterwards."""

    def along(self, index: Index, word: str, after: str | None, before: str | None) -> Iterator[tuple[str, str]]:
        """What an index lists under a word: partitions with the text that they are sorted by, from one (included) to
        another (not), in its order. Soon after it is written."""

    def change(self, *changes: Change) -> None:
        """All of it or nothing. Raises Refused."""

    def updated(self, update: Update) -> Attributes:
        """Make one update; the record as it is after it. Raises Refused."""
