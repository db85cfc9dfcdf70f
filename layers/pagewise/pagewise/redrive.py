"""Use case: do failed page jobs again. The one way in which what has ended is opened again, by an operator's wish.

First every chosen failed result is taken out of the account, each in a transaction of its own, then their page jobs are
queued: with the stored page where there is one, otherwise as page ranges for the splitter. Whatever ends a redrive on
the way, the same redrive again goes on: what was taken out and has not ended is queued (again). If nobody does, the
sweeper ends it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from pagewise.accounting import Accounting
from pagewise.errors import Permanent
from pagewise.ledger import Ledger
from pagewise.model import Document, DocumentId, DocumentStatus, JobStatus, PageAccount, PageJob, PageRange, jobs_of
from pagewise.ports import Clock, Queues
from pagewise.splitting import subranges
from pagewise.tasks import Task


class NothingToRedrive(Permanent):
    """The document has no page jobs: it is unknown, or was rejected."""


@dataclass(frozen=True, slots=True)
class Redriven:
    """What a redrive has queued: page jobs of pages that are stored, and pages that must be rendered first."""

    run: int
    page_jobs: int
    pages_to_render: int


@dataclass(frozen=True, slots=True)
class Choice:
    """Which of a document's failed page jobs: of one page, of one task, or all."""

    page: int | None = None
    task: Task | None = None

    def includes(self, page: int, task: Task) -> bool:
        return self.page in (None, page) and self.task in (None, task)


@dataclass(frozen=True, slots=True)
class Redrive:
    ledger: Ledger
    queues: Queues
    accounting: Accounting
    clock: Clock
    overdue_seconds: int = 6 * 3600
    pages_per_range: int = 20

    def document(self, document_id: DocumentId, choice: Choice) -> Redriven:
        """Queue a document's failed page jobs again. Raises NothingToRedrive."""
        document = self.known(document_id)
        pages = list(self.ledger.pages(document_id))
        due = self.clock.after(self.overdue_seconds)
        run: int | None = None
        for page, task in failed(pages, choice):
            # Whoever stored the result may have died before it was published: afterwards nobody could.
            if result := self.ledger.result(document_id, page, task):
                self.accounting.publish_again(document, result)
            run = self.ledger.withdraw(document_id, page, task, run, due) or run
        return self.queue(self.known(document_id), choice)

    def known(self, document_id: DocumentId) -> Document:
        document = self.ledger.document(document_id)
        if document is None:
            raise NothingToRedrive("unknown_document", f"There is no document {document_id} in the results table.")
        if document.status is DocumentStatus.REJECTED:
            raise NothingToRedrive(
                "rejected", f"The document was rejected ({document.reason}) and has no page jobs. Upload it again."
            )
        return document

    def queue(self, document: Document, choice: Choice) -> Redriven:
        """Queue what awaits its redrive."""
        jobs: list[PageJob] = []
        unrendered: list[int] = []
        for page in self.ledger.pages(document.id):
            chosen = {task: run for task, run in page.awaited.items() if choice.includes(page.page, task)}
            if chosen and page.image:
                jobs += jobs_of(document, page.page, page.image, chosen)
            elif chosen:
                unrendered.append(page.page)
        ranges = [part for pages in consecutive(unrendered, document.run) for part in self.cut(pages)]
        self.queues.send_jobs(jobs)
        self.queues.send_ranges(document.id, ranges)
        return Redriven(document.run, len(jobs), len(unrendered))

    def cut(self, pages: PageRange) -> list[PageRange]:
        return subranges(pages, self.pages_per_range)


def failed(pages: Iterable[PageAccount], choice: Choice) -> Iterator[tuple[int, Task]]:
    for page in pages:
        for job in page.jobs:
            if job.status is JobStatus.FAILED and choice.includes(page.page, job.task):
                yield page.page, job.task


def consecutive(pages: list[int], run: int) -> Iterator[PageRange]:
    """Sorted page numbers as the longest ranges."""
    for _, group in groupby(enumerate(pages), key=lambda numbered: numbered[1] - numbered[0]):
        numbers = [page for _, page in group]
        yield PageRange(numbers[0], numbers[-1], run)
