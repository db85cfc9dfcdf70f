"""Use case: end a document with what it has. Nothing is asked, and paid for, any more.

The wish is noted first, and every page job looks for it before its call. Then the pages that have not ended are ended,
as many as there is time for: the sweeper goes on.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from pagewise.account.ledger import Ledger
from pagewise.model import Document, DocumentId, DocumentStatus
from pagewise.ports import Clock
from pagewise.use_cases.sweep import Sweep


@dataclass(frozen=True, slots=True)
class CancelDocument:
    ledger: Ledger
    sweep: Sweep
    clock: Clock
    monotonic: Callable[[], float] = time.monotonic

    def document(self, document_id: DocumentId, deadline: float) -> Document | None:
        """The document as it is at this time of the monotonic clock; None if there is none. One that has ended stays
        as it is."""
        self.ledger.cancel(document_id, self.clock.now())
        return self.ended(document_id, deadline)

    def ended(self, document_id: DocumentId, deadline: float) -> Document | None:
        """End what is left of a cancelled document."""
        document = self.ledger.document(document_id)
        while document and document.cancelled and document.status is DocumentStatus.IN_PROGRESS:
            more = self.sweep.has_more_after_turn(document, deadline)
            document = self.ledger.document(document_id)
            if not more or self.monotonic() > deadline:
                break
        return document
