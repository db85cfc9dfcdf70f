"""Use case: delete everything of a document, and keep a deletion receipt.

A document in progress is cancelled first, so that its bill is right and whoever waits for its end is told. Its objects
and records go at once. An invocation that had begun before may still write some: so they go once more, when none can be
left. Each step can be done again; the sweeper goes on with what there was no time for.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from pagewise import events
from pagewise.account.deletion import DeletionReceipt, Deletions
from pagewise.model import DocumentId
from pagewise.ports import Clock, DeletedObjects, DocumentObjects, Publisher
from pagewise.use_cases.cancel import CancelDocument

# The longest invocation, of the assembler, may take 900 s; twice that.
QUARANTINE_SECONDS = 1_800.0
NOTHING = DeletedObjects()


@dataclass(frozen=True, slots=True)
class DeleteDocument:
    deletions: Deletions
    cancel: CancelDocument
    objects: DocumentObjects
    publisher: Publisher
    clock: Clock
    monotonic: Callable[[], float] = time.monotonic

    def document(self, document_id: DocumentId, by: str, deadline: float) -> DeletionReceipt | None:
        """The deletion receipt as far as there was time (of the monotonic clock); None if there is no such document."""
        if self.deletions.ask(document_id, by, self.clock.now()):
            self.go_on(document_id, deadline)
        return self.deletions.receipt(document_id)

    def due(self, deadline: float) -> list[Exception]:
        """Go on with all that is to be deleted; what could not be."""
        failures: list[Exception] = []
        for document_id in self.deletions.listed(self.clock.now()):
            if self.monotonic() > deadline:
                break
            try:
                self.go_on(document_id, deadline)
            except Exception as error:  # noqa: BLE001  one document must not keep the others
                failures.append(error)
        return failures

    def go_on(self, document_id: DocumentId, deadline: float) -> None:
        self.cancel.ended(document_id, deadline)
        document = self.deletions.ended(document_id)
        if document:
            uploads = self.objects.delete_upload(document.source)
            self.deletions.count(document_id, DeletedObjects(uploads, uploads), 0)
            if self.purged(document_id, deadline):
                self.deletions.bury(document, self.clock.after(QUARANTINE_SECONDS))
        elif self.deletions.is_buried(document_id, self.clock.now()) and self.purged(document_id, deadline):
            self.deletions.finish(document_id, self.clock.now())
        if self.deletions.is_untold(document_id):
            self.tell(document_id)

    def purged(self, document_id: DocumentId, deadline: float) -> bool:
        """Delete what there is; whether there was time for all of it."""
        for batch in self.objects.delete_objects(document_id):
            self.deletions.count(document_id, batch, 0)
            if self.monotonic() > deadline:
                return False
        for records in self.deletions.delete_records(document_id):
            self.deletions.count(document_id, NOTHING, records)
            if self.monotonic() > deadline:
                return False
        return True

    def tell(self, document_id: DocumentId) -> None:
        if receipt := self.deletions.receipt(document_id):
            self.publisher.publish([events.document_deleted(document_id, receipt.shown())])
            self.deletions.told(document_id)
