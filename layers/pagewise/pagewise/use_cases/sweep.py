"""Use case: end overdue documents, and publish ends that were never published. Every document ends, and one that has
ended without its outputs asks for them again.

Overdue documents take turns of a few pages, so that a large one holds up no other. A turn notes its last page with
the document, and the next visit goes on from there.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain

from pagewise.account.closing import Accounting
from pagewise.account.ledger import Ledger
from pagewise.errors import Cancelled, Overdue, PagewiseError
from pagewise.model import Document, DocumentId, DocumentStatus, PageRange
from pagewise.ports import Clock

# A page takes about 40 ms (a transaction, a request to the bus), a turn less than a second. A killed visit's ends since
# the last note are published once more.
PAGES_A_TURN = 20


@dataclass(frozen=True, slots=True)
class Sweep:
    ledger: Ledger
    accounting: Accounting
    clock: Clock
    monotonic: Callable[[], float] = time.monotonic

    def overdue(self, deadline: float) -> list[DocumentId]:
        """End every overdue document, as many as can be ended by this time of the monotonic clock; the rest is next.

        Raises ExceptionGroup, after trying all, for documents that could not be ended.
        """
        ended: list[DocumentId] = []
        failures: list[Exception] = []
        waiting: deque[DocumentId] = deque()
        for document_id in chain(self.ledger.unfinished(before=self.clock.now()), taken_from(waiting)):
            if self.monotonic() > deadline:
                break
            try:
                document = self.ledger.document(document_id)
                if document and self.has_more_after_turn(document, deadline):
                    waiting.append(document_id)
                elif document and not document.cancelled:
                    ended.append(document_id)
            except Exception as error:  # noqa: BLE001  one document that cannot be ended must not keep the others open
                failures.append(error)
        failures += self.ask_again_for_outputs(deadline)
        failures += self.tell_of_reviews(deadline)
        if failures:
            raise ExceptionGroup(f"{len(failures)} overdue documents could not be ended, {len(ended)} could", failures)
        return ended

    def ask_again_for_outputs(self, deadline: float) -> list[Exception]:
        failures: list[Exception] = []
        for document_id in self.ledger.unassembled(before=self.clock.now()):
            if self.monotonic() > deadline:
                break
            try:
                if document := self.ledger.document(document_id):
                    self.accounting.ask_again_for_outputs(document)
            except Exception as error:  # noqa: BLE001  as above
                failures.append(error)
        return failures

    def tell_of_reviews(self, deadline: float) -> list[Exception]:
        failures: list[Exception] = []
        for document_id in self.accounting.reviews.unpublished(before=self.clock.now()):
            if self.monotonic() > deadline:
                break
            try:
                if document := self.ledger.document(document_id):
                    self.accounting.reviewed(document)
            except Exception as error:  # noqa: BLE001  as above
                failures.append(error)
        return failures

    def has_more_after_turn(self, document: Document, deadline: float) -> bool:
        """End the next pages of a document, and with the last of them the document."""
        if document.status is DocumentStatus.IN_PROGRESS and document.swept < document.pages:
            last = min(document.swept + PAGES_A_TURN, document.pages)
            reached = self.end(document, PageRange(document.swept + 1, last, document.run), deadline)
            if reached > document.swept:
                self.ledger.mark_swept(document, reached)
            if reached < document.pages:
                return True
        self.accounting.close(document.id)
        return False

    def end(self, document: Document, pages: PageRange, deadline: float) -> int:
        """End the missing page jobs of these pages; the last page that there was time for."""
        accounts = {account.page: account for account in self.ledger.pages(document.id, pages)}
        if any(account.run > document.run for account in accounts.values()):
            return document.pages  # redriven in the meantime: it has a new due
        for page in pages.numbers():
            if self.monotonic() > deadline:
                return page - 1
            self.accounting.end_page(document, page, reason_of(document), document.run, accounts.get(page))
        return pages.last


def reason_of(document: Document) -> PagewiseError:
    return Cancelled() if document.cancelled else Overdue()


def taken_from(waiting: deque[DocumentId]) -> Iterator[DocumentId]:
    while waiting:
        yield waiting.popleft()
