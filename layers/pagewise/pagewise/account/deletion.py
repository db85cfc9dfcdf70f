"""What is left of a document that was deleted: its deletion receipt, in the place of its record.

The receipt has no name, key or text. It is also what keeps a late message from making the document once more, and
stays as long as any record of the table. A document is deleted twice: at once, and once more when no invocation that
had begun before can still be at work on it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pagewise.account.ledger import TRIES, Ledger
from pagewise.account.records import DELETED, DELETING, document_key, load_document
from pagewise.errors import StorageBusy
from pagewise.model import Document, DocumentId, DocumentStatus
from pagewise.ports import DeletedObjects
from pagewise.table import BY_DUE, Attributes, Condition, Delete, Key, Put, Refused, Update

# Of a transaction; DynamoDB takes a hundred.
RECORDS_AT_ONCE = 50
# Records' keys are ASCII.
FIRST, LAST = "!", "~"
COUNTS = ("objects", "versions", "records")


@dataclass(frozen=True, slots=True)
class DeletionReceipt:
    """`deleted` None: the last of it is still to go."""

    document_id: DocumentId
    requested: str
    by: str
    deleted: str | None = None
    objects: int = 0
    versions: int = 0
    records: int = 0

    def shown(self) -> dict[str, Any]:
        return {
            "id": self.document_id,
            "status": "deleted" if self.deleted else "deleting",
            "requested": self.requested,
            "by": self.by,
            "deleted": self.deleted,
            "objects": self.objects,
            "versions": self.versions,
            "records": self.records,
        }


@dataclass(frozen=True, slots=True)
class Deletions:
    ledger: Ledger

    def ask(self, document_id: DocumentId, by: str, now: str) -> DeletionReceipt | None:
        """Note that a document is to be deleted, and cancel it if it is in progress; None if there is none."""
        for attempt in range(TRIES):
            stored = self.record(document_id)
            if stored is None or stored["status"] == DELETED or "deleting" in stored:
                return self.receipt(document_id)
            document = load_document(document_id, stored)
            asked: Attributes = {"deleting": now, "deleted_by": by, "due": now}
            if document.status is DocumentStatus.IN_PROGRESS and not document.cancelled:
                asked["cancelled"] = now
            if document.announced:
                asked["open"] = DELETING
            as_it_is = Condition(
                equal={
                    "status": str(document.status),
                    "run": document.run,
                    "announced": document.announced,
                    "cancelled": document.cancelled,
                    "deleting": None,
                }
            )
            if self.changed(attempt, Update(document_key(document_id), as_it_is, set=asked)):
                return self.receipt(document_id)
        raise StorageBusy("The document is being changed.")

    def receipt(self, document_id: DocumentId) -> DeletionReceipt | None:
        """None of a document that nobody has asked to delete."""
        stored = self.record(document_id)
        if stored is None or "deleting" not in stored:
            return None
        counts = {name: int(stored.get(f"deleted_{name}", 0)) for name in COUNTS}
        return DeletionReceipt(document_id, stored["deleting"], stored["deleted_by"], stored.get("deleted"), **counts)

    def listed(self, before: str) -> Iterator[DocumentId]:
        """Documents of which something is still to be deleted."""
        for word in (DELETING, DELETED):
            yield from (DocumentId(partition) for _, partition in self.ledger.table.along(BY_DUE, word, None, before))

    def ended(self, document_id: DocumentId) -> Document | None:
        """The document as it is, if it is to be deleted and has ended for everybody."""
        stored = self.record(document_id)
        if stored is None or stored["status"] == DELETED or "deleting" not in stored or not stored["announced"]:
            return None
        return load_document(document_id, stored)

    def is_buried(self, document_id: DocumentId, now: str) -> bool:
        """Whether it is time for the second deletion."""
        stored = self.record(document_id)
        return bool(stored and stored["status"] == DELETED and stored.get("open") == DELETED and stored["due"] <= now)

    def delete_records(self, document_id: DocumentId) -> Iterator[int]:
        """All of the document's records but its own, batch after batch; how many each batch were."""
        keys = (
            Key(document_id, stored["record"])
            for stored in self.ledger.table.between(document_id, FIRST, LAST)
            if stored["record"] != document_key(document_id).record
        )
        batch: list[Key] = []
        for key in keys:
            batch.append(key)
            if len(batch) == RECORDS_AT_ONCE:
                yield self.delete(batch)
                batch = []
        if batch:
            yield self.delete(batch)

    def delete(self, keys: list[Key]) -> int:
        for attempt in range(TRIES):
            if self.changed(attempt, *(Delete(key) for key in keys)):
                return len(keys)
        raise StorageBusy("Records of the document are being changed.")

    def count(self, document_id: DocumentId, objects: DeletedObjects, records: int) -> None:
        """Add to the receipt what was deleted since."""
        added = {"objects": objects.objects, "versions": objects.versions, "records": records}
        counts = {f"deleted_{name}": number for name, number in added.items() if number}
        if counts:
            self.ledger.table.updated(Update(document_key(document_id), add=counts))

    def bury(self, document_id: DocumentId, due: str | None, now: str) -> None:
        """The receipt takes the record's place. `due`: when it is looked at once more; None: never, all is gone."""
        stored = self.record(document_id) or {}
        kept: Attributes = {name: stored[name] for name in ("deleting", "deleted_by") if name in stored}
        counts = {f"deleted_{name}": int(stored.get(f"deleted_{name}", 0)) for name in COUNTS}
        rest: Attributes = {"open": DELETED, "due": due} if due else {"deleted": now}
        self.ledger.table.change(
            Put(document_key(document_id), {"status": DELETED, "announced": True, **kept, **counts, **rest})
        )

    def record(self, document_id: DocumentId) -> Attributes | None:
        return self.ledger.table.get(document_key(document_id))

    def changed(self, attempt: int, *changes: Update | Delete) -> bool:
        try:
            self.ledger.table.change(*changes)
        except Refused:
            self.ledger.pause(random.random() * 0.01 * 2 ** min(attempt, 5))
            return False
        return True
