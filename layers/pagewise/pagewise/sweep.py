"""Use case: end what is overdue, and publish what has ended without anyone knowing. Every document ends."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from pagewise.accounting import Accounting
from pagewise.errors import Transient
from pagewise.ledger import Ledger
from pagewise.model import Document, DocumentId, DocumentStatus
from pagewise.ports import Clock
from pagewise.tasks import Task

OVERDUE = "overdue"


@dataclass(frozen=True, slots=True)
class Sweep:
    ledger: Ledger
    accounting: Accounting
    clock: Clock

    def overdue(self, deadline: float) -> list[DocumentId]:
        """End every overdue document, as many as can be ended by this time of the monotonic clock; the rest is next.

        Raises ExceptionGroup, after trying all, for documents that could not be ended.
        """
        ended: list[DocumentId] = []
        failures: list[Exception] = []
        for document_id in self.ledger.unfinished(before=self.clock.now()):
            if time.monotonic() > deadline:
                break
            try:
                document = self.ledger.document(document_id)
                if document and self.end(document, deadline):
                    ended.append(document_id)
            except Exception as error:  # noqa: BLE001  one document that cannot be ended must not keep the others open
                failures.append(error)
        if failures:
            raise ExceptionGroup(f"{len(failures)} overdue documents could not be ended, {len(ended)} could", failures)
        return ended

    def end(self, document: Document, deadline: float) -> bool:
        if document.status is DocumentStatus.IN_PROGRESS:
            for page, task, run in self.missing(document):
                if time.monotonic() > deadline:
                    return False
                overdue = Transient(OVERDUE, "The page was not recognized in the time that a document has.")
                self.accounting.fail(document, page, task, overdue, attempts=0, run=run)
        self.accounting.close(document.id)
        return True

    def missing(self, document: Document) -> Iterator[tuple[int, Task, int]]:
        """The page jobs without a result, and those that an earlier visit has ended but perhaps not published; with
        the run that they are in."""
        pages = list(self.ledger.pages(document.id))
        if any(page.run > document.run for page in pages):
            return  # redriven in the meantime: it has a new due
        present = {(page.page, job.task) for page in pages for job in page.jobs if job.reason != OVERDUE}
        runs = {(page.page, task): run for page in pages for task, run in page.runs.items()}
        for page in range(1, document.pages + 1):
            for task in document.tasks:
                if (page, task) not in present:
                    yield page, task, runs.get((page, task), 1)
