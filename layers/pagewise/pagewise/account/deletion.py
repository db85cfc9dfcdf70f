"""What is left of a document that was deleted: its deletion receipt, in the place of its record.

The receipt has no name, key or text. It is also what keeps a late message from making the document once more: it stays
as long as any record of the table, and as any message. A document is deleted twice: at once, and once more when no
invocation that had begun before can still be at work on it.

    step       attributes of the record                                `open`
    ──────     ───────────────────────────────────────────────────     ─────────────────────────────────
    asked      the document's, `deleting`, `deleted_by`                "deleting" once its end is announced
    buried     `status` "deleted", `deleting`, `deleted_by`, counts    "deleted", `due` the second time
    finished   `deleted` too: the counts stand                         "deleted" until that was published

Each step has the one before as its condition, so that of two deletions side by side one makes it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pagewise.account.ledger import TRIES, Ledger
from pagewise.account.records import DELETED, DELETING, document_key, load_document
from pagewise.errors import StorageBusy
from pagewise.model import Document, DocumentId, DocumentStatus
from pagewise.ports import DeletedObjects
from pagewise.table import BY_DUE, Attributes, Condition, Delete, Key, Put, Refused, Update

# Of a transaction; DynamoDB takes a hundred changes of records of 4 MB in all.
RECORDS_AT_ONCE = 50
# A page's corrections may have 300 KB, so that ten records of them fill a transaction. All others have 6 KB at most.
WEIGHT_OF_CORRECTIONS = 5
# Records' keys are ASCII.
FIRST, LAST = "!", "~"
COUNTS = ("objects", "versions", "records")
KEPT = ("deleting", "deleted_by", "deleted")
# A queue keeps a message for 14 days, and its dead letter for 14 more.
RECEIPT_DAYS = 30
# The prefix of a record that names a question for which the document has the answer.
REUSE = "reuse#"


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
        waits = stored is not None and stored["status"] == DELETED and stored.get("open") == DELETED
        return waits and stored is not None and "deleted" not in stored and stored["due"] <= now

    def is_untold(self, document_id: DocumentId) -> bool:
        """Whether a finished deletion was perhaps not published."""
        stored = self.record(document_id)
        return stored is not None and stored.get("open") == DELETED and "deleted" in stored

    def delete_records(self, document_id: DocumentId) -> Iterator[int]:
        """All of the document's records but its own, with those outside its partition that point to it, batch after
        batch; how many each batch were."""
        own = document_key(document_id).record
        batch: list[Key] = []
        weight = 0
        for stored in self.ledger.table.between(document_id, FIRST, LAST):
            if stored["record"] == own:
                continue
            of_this = WEIGHT_OF_CORRECTIONS if stored["record"].startswith("corrections#") else 1
            if weight + of_this > RECORDS_AT_ONCE:
                yield self.delete(batch)
                batch, weight = [], 0
            batch.append(Key(document_id, stored["record"]))
            weight += of_this
        if batch:
            yield self.delete(batch)

    def delete(self, keys: list[Key]) -> int:
        forgotten = sum(self.forgot_answer(key) for key in keys if key.record.startswith(REUSE))
        self.change("Records of the document are being changed.", *(Delete(key) for key in keys))
        return len(keys) + forgotten

    def forgot_answer(self, pointer: Key) -> bool:
        """Delete the record by which others would find an answer of this document, unless another's took its place."""
        own = Condition(equal={"of_document": pointer.partition})
        for attempt in range(TRIES):
            try:
                self.ledger.table.change(Delete(Key(pointer.record, "result"), own))
            except Refused as refused:
                if refused.unmet:
                    return False
                self.ledger.back_off(attempt)
            else:
                return True
        raise StorageBusy("An answer of the document is being used again.")

    def count(self, document_id: DocumentId, objects: DeletedObjects, records: int) -> None:
        """Add to the receipt what was deleted since, unless it is finished."""
        added = {"objects": objects.objects, "versions": objects.versions, "records": records}
        counts = {f"deleted_{name}": number for name, number in added.items() if number}
        if counts:
            unfinished = Condition(exists=True, equal={"deleted": None})
            self.change("The deletion is being counted.", Update(document_key(document_id), unfinished, add=counts))

    def bury(self, document: Document, due: str) -> None:
        """The receipt takes the record's place, until the second deletion at this time."""
        self.replace(
            document.id, {"status": str(document.status), "deleting": document.deleting}, open=DELETED, due=due
        )

    def finish(self, document_id: DocumentId, now: str) -> None:
        """All is gone: the receipt says so, and does not change any more. It is still to be published."""
        self.replace(document_id, {"status": DELETED, "deleted": None}, open=DELETED, due=now, deleted=now)

    def told(self, document_id: DocumentId) -> None:
        self.replace(document_id, {"status": DELETED, "open": DELETED})

    def replace(self, document_id: DocumentId, before: Attributes, **more: str) -> None:
        """Write the receipt over a record that has these attributes, with the counts that it has then."""
        for attempt in range(TRIES):
            stored = self.record(document_id)
            if stored is None or any(stored.get(name) != value for name, value in before.items()):
                return
            counts = {f"deleted_{name}": stored.get(f"deleted_{name}") for name in COUNTS}
            kept: Attributes = {name: stored[name] for name in KEPT if name in stored}
            kept |= {name: int(number or 0) for name, number in counts.items()}
            put = Put(
                document_key(document_id),
                {"status": DELETED, "announced": True, **kept, **more},
                Condition(equal={**before, **counts}),
                RECEIPT_DAYS,
            )
            if self.changed(attempt, put):
                return
        raise StorageBusy("The deletion receipt is being changed.")

    def change(self, busy: str, *changes: Update | Delete) -> None:
        """Make the changes, unless their conditions do not hold. Raises StorageBusy where others are quicker each
        time."""
        for attempt in range(TRIES):
            try:
                self.ledger.table.change(*changes)
            except Refused as refused:
                if refused.unmet:
                    return
                self.ledger.back_off(attempt)
            else:
                return
        raise StorageBusy(busy)

    def record(self, document_id: DocumentId) -> Attributes | None:
        return self.ledger.table.get(document_key(document_id))

    def changed(self, attempt: int, change: Put | Update) -> bool:
        try:
            self.ledger.table.change(change)
        except Refused:
            self.ledger.back_off(attempt)
            return False
        return True
