"""Use case: turn unfinished page jobs and page ranges into failed results, so that they count and the document ends."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from pagewise.account.closing import Accounting
from pagewise.account.ledger import Ledger
from pagewise.errors import (
    Deleted,
    DocumentRejected,
    PageUnreadable,
    Rejection,
    Transient,
)
from pagewise.model import DocumentId, DocumentStatus, PageJob, PageRange, Upload
from pagewise.pages.ranges import stretches
from pagewise.ports import Clock

# The ends since the last note are published once more if an invocation is killed.
PAGES_AT_ONCE = 20


@dataclass(frozen=True, slots=True)
class GiveUp:
    ledger: Ledger
    accounting: Accounting
    clock: Clock
    monotonic: Callable[[], float] = time.monotonic

    def page_job(self, job: PageJob, deliveries: int) -> None:
        """A page job with invocations that all died by a crash or the time limit, without an error of their own."""
        exhausted = Transient("exhausted", f"Page {job.page} was tried until its attempts ran out, without an answer.")
        if document := self.ledger.document(job.document_id):
            attempts = job.earlier_attempts + deliveries
            self.accounting.fail_of(document, job, exhausted, attempts)

    def page_range(self, document_id: DocumentId, pages: PageRange, deadline: float = math.inf) -> None:
        """A page range that no invocation could fan out; page jobs that have ended stay as they are.

        Raises Transient at the deadline (of the monotonic clock): the same again goes on from there.
        """
        document = self.ledger.document(document_id)
        if document is None or self.ledger.is_split(document_id, pages):
            return
        # Also where the document has ended: it is not known whether the recorded results have been published.
        failure = PageUnreadable("The page could not be split in the time and memory there is.")
        left = replace(pages, first=self.ledger.given_up(document_id, pages) + 1)
        for stretch in stretches(left, PAGES_AT_ONCE):
            accounts = {account.page: account for account in self.ledger.pages(document_id, stretch)}
            for page in stretch.numbers():
                if self.monotonic() > deadline:
                    self.ledger.mark_given_up(document_id, pages, page - 1)
                    raise Transient("out_of_time", f"Pages {page} to {pages.last} are given up next time.")
                self.accounting.end_page(document, page, failure, pages.run, accounts.get(page))
            self.ledger.mark_given_up(document_id, pages, stretch.last)
        self.accounting.close(document_id)
        self.ledger.mark_split(document_id, pages)

    def upload(self, upload: Upload, deadline: float = math.inf) -> None:
        """An upload that no invocation could split: rejected, or, if it was accepted already, failed page by page."""
        document = self.ledger.document(upload.document_id)
        if document is None:
            with suppress(Deleted):
                self.accounting.reject(upload, split_failed())
        elif document.status is not DocumentStatus.REJECTED:
            self.page_range(document.id, PageRange(1, document.pages), deadline)
        elif not document.announced:
            self.accounting.announce(document)


def split_failed() -> DocumentRejected:
    return DocumentRejected(
        Rejection.SPLIT_FAILED,
        "The document could not be split: every attempt ended early, for want of time or memory, or because a service "
        "was away. Upload it again; if it is rejected again, in smaller parts.",
    )
