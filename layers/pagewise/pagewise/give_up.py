"""Use case: turn what nobody could finish into failed results, so that it counts and the document ends."""

from __future__ import annotations

from dataclasses import dataclass

from pagewise.accounting import Accounting
from pagewise.errors import (
    DocumentRejected,
    PageUnreadable,
    PagewiseError,
    Rejection,
    Transient,
)
from pagewise.ledger import Ledger
from pagewise.model import DocumentId, DocumentStatus, PageJob, PageRange, Upload
from pagewise.ports import Clock


@dataclass(frozen=True, slots=True)
class GiveUp:
    ledger: Ledger
    accounting: Accounting
    clock: Clock

    def page_job(self, job: PageJob, deliveries: int) -> None:
        """A page job whose invocations all died by a crash or the time limit, without an error of their own."""
        exhausted = Transient("exhausted", f"Page {job.page} was tried until its attempts ran out, without an answer.")
        if document := self.ledger.document(job.document_id):
            attempts = job.earlier_attempts + deliveries
            self.accounting.fail(document, job.page, job.task, exhausted, attempts, job.run, job.image)

    def page_range(self, document_id: DocumentId, pages: PageRange) -> None:
        """A page range that no invocation could fan out; page jobs that have ended stay as they are."""
        document = self.ledger.document(document_id)
        if document is None or self.ledger.is_split(document_id, pages):
            return
        # Also where the document has ended: whether what was recorded has been published is not known.
        failure: PagewiseError = PageUnreadable("The page could not be split in the time and memory there is.")
        for page in pages.numbers():
            self.accounting.fail_page(document, page, failure, pages.run)

    def upload(self, upload: Upload) -> None:
        """An upload that no invocation could split: rejected, or, if it was accepted already, failed page by page."""
        document = self.ledger.document(upload.document_id)
        if document is None:
            self.accounting.reject(upload, split_failed())
        elif document.status is not DocumentStatus.REJECTED:
            self.page_range(document.id, PageRange(1, document.pages))
        elif not document.announced:
            self.accounting.announce(document)


def split_failed() -> DocumentRejected:
    return DocumentRejected(
        Rejection.SPLIT_FAILED,
        "The document could not be split in the time and memory there is. Upload it in smaller parts.",
    )
