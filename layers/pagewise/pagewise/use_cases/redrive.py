"""Use case: do failed page jobs again, by an operator's wish. Nothing else opens an ended document again.

First every chosen failed result is taken out of the account, each in a transaction of its own, then their page jobs are
queued: with the stored page where there is one, otherwise as page ranges for the splitter. A redrive that was cut off
goes on by the same redrive again: page jobs that were taken out and have not ended are queued (again). Without one, the
sweeper ends them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import groupby

from pagewise.account.changes import DayIsSpent, Reservation
from pagewise.account.closing import Accounting
from pagewise.account.groups import CallLimits, group_number, grouped
from pagewise.account.ledger import Ledger
from pagewise.account.spending import Spending
from pagewise.errors import Permanent
from pagewise.geometry import Size
from pagewise.model import (
    Document,
    DocumentId,
    DocumentStatus,
    JobAccount,
    JobStatus,
    Lane,
    PageAccount,
    PageJob,
    PageRange,
    TaskOptions,
    jobs_of,
)
from pagewise.pages.ranges import subranges
from pagewise.ports import Clock, Queues
from pagewise.tasks import Task


class NothingToRedrive(Permanent):
    """The document has no page jobs: it is unknown, or was rejected."""


@dataclass(frozen=True, slots=True)
class Redriven:
    """The queued work of a redrive: page jobs of pages that are stored, and pages that must be rendered first.

    `over_cap`: page jobs that stay failed, because the day's cap has no room for their largest cost.
    """

    run: int
    page_jobs: int
    pages_to_render: int
    over_cap: int = 0


@dataclass(frozen=True, slots=True)
class Selection:
    """A choice of a document's failed page jobs: of one page, of one task, that failed for one reason, or all."""

    page: int | None = None
    task: Task | None = None
    reason: str | None = None
    options: TaskOptions = field(default_factory=TaskOptions)

    def with_groups(self, document: Document) -> Selection:
        """Pages of one call are done again by one call: a page stands for all of its group."""
        return replace(self, options=document.options)

    def includes(self, page: int, task: Task) -> bool:
        if self.task not in (None, task):
            return False
        together = self.options.pages_together(task)
        return self.page is None or group_number(self.page, together) == group_number(page, together)

    def includes_failed(self, page: int, job: JobAccount) -> bool:
        failed = job.status is JobStatus.FAILED and self.reason in (None, job.reason)
        return failed and self.includes(page, job.task)


@dataclass(frozen=True, slots=True)
class Redrive:
    ledger: Ledger
    queues: Queues
    accounting: Accounting
    clock: Clock
    overdue_seconds: int = 6 * 3600
    pages_per_range: int = 20
    spending: Spending = field(default_factory=Spending)
    batch_seconds: float = 0.0

    def documents(self) -> Iterable[DocumentId]:
        """Documents with failed page jobs, the oldest first."""
        return self.ledger.with_failures()

    def document(self, document_id: DocumentId, choice: Selection) -> Redriven:
        """Queue a document's failed page jobs again. Raises NothingToRedrive and DocumentRejected `over_budget`."""
        document = self.known(document_id)
        choice = choice.with_groups(document)
        chosen = list(failed(self.ledger.pages(document_id), choice))
        most = {(page.page, task): self.most(document, page, task) for page, task in chosen}
        self.spending.check(sum(most.values()) + self.spending.price.units(document.usage + document.superseded_usage))
        late = self.batch_seconds if document.lane is Lane.BATCH else 0.0
        day, due = self.clock.now()[:10], self.clock.after(self.overdue_seconds + late)
        run: int | None = None
        done = 0
        for page, task in chosen:
            # The invocation that stored the result may have died before publishing it: afterwards none could.
            if result := self.ledger.result(document_id, page.page, task):
                self.accounting.publish_again(document, result)
            reserve = Reservation(day, self.spending.day_cap_units, most[page.page, task])
            try:
                run = self.ledger.withdraw(document_id, page.page, task, run, due, reserve) or run
            except DayIsSpent:
                break
            done += 1
        return replace(self.queue(self.known(document_id), choice), over_cap=len(chosen) - done)

    def most(self, document: Document, page: PageAccount, task: Task) -> int:
        size = Size(page.image.width, page.image.height) if page.image else None
        return self.spending.most([size], [task], document.options, document.lane)

    def known(self, document_id: DocumentId) -> Document:
        document = self.ledger.document(document_id)
        if document is None:
            raise NothingToRedrive("unknown_document", f"There is no document {document_id} in the results table.")
        if document.status is DocumentStatus.REJECTED:
            raise NothingToRedrive(
                "rejected", f"The document was rejected ({document.reason}) and has no page jobs. Upload it again."
            )
        return document

    def queue(self, document: Document, choice: Selection) -> Redriven:
        """Queue the page jobs that await their redrive."""
        jobs: list[PageJob] = []
        unrendered: list[int] = []
        for page in self.ledger.pages(document.id):
            chosen = {task: run for task, run in page.awaited.items() if choice.includes(page.page, task)}
            if chosen and page.image:
                jobs += jobs_of(document, page.page, page.image, chosen)
            elif chosen:
                unrendered.append(page.page)
        ranges = [part for pages in consecutive(unrendered, document.run) for part in self.cut(pages)]
        limits = CallLimits(self.spending.in_lane(document.lane).model, self.spending.max_pixels)
        self.queues.send_jobs(grouped(jobs, limits))
        self.queues.send_ranges(document.id, ranges)
        return Redriven(document.run, len(jobs), len(unrendered))

    def cut(self, pages: PageRange) -> list[PageRange]:
        return subranges(pages, self.pages_per_range)


def failed(pages: Iterable[PageAccount], choice: Selection) -> Iterator[tuple[PageAccount, Task]]:
    for page in pages:
        for job in page.jobs:
            if choice.includes_failed(page.page, job):
                yield page, job.task


def consecutive(pages: list[int], run: int) -> Iterator[PageRange]:
    """Sorted page numbers as the longest ranges."""
    for _, group in groupby(enumerate(pages), key=lambda numbered: numbered[1] - numbered[0]):
        numbers = [page for _, page in group]
        yield PageRange(numbers[0], numbers[-1], run)
