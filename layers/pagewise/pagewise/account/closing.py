"""The account of a document: results are recorded, pages close, documents close, and each of these is published.

Every step here may be repeated after a crash at any point: a stored result is never stored twice, and an event that may
not have been published is published again. The last to come finishes the work that others left: the page job's next
delivery, the dead-letter function, or the sweeper.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from pagewise import events
from pagewise.account.changes import is_unassembled
from pagewise.account.groups import shared
from pagewise.account.ledger import Ledger
from pagewise.account.metering import Meter, Unmetered
from pagewise.account.receipts import invalid, receipt
from pagewise.account.reviews import Review, Reviews, ReviewState, review_shown, reviews_of
from pagewise.errors import DocumentRejected, PagewiseError
from pagewise.events import Event
from pagewise.model import (
    Document,
    DocumentId,
    DocumentStatus,
    Group,
    JobAccount,
    JobStatus,
    Look,
    PageAccount,
    PageJob,
    Result,
    Source,
    StoredImage,
    Upload,
)
from pagewise.options.metadata import MAX_TAG_CHARACTERS, TAG
from pagewise.ports import Clock, Download, PagesBucket, Publisher
from pagewise.qwen.tokens import Price
from pagewise.tasks import Task

NOTHING_SEEN = Look()
# Outputs that are not made by then are asked for again. A queue gives up on them after 7.5 hours, if all invocations
# die of the time limit.
ASSEMBLY_SECONDS = 8 * 3600.0


@dataclass(frozen=True, slots=True)
class Accounting:
    ledger: Ledger
    pages: PagesBucket
    publisher: Publisher
    clock: Clock
    price: Price = field(default_factory=Price)
    meter: Meter = field(default_factory=Unmetered)

    def save(self, document: Document, result: Result, image: StoredImage | None = None) -> Result | None:
        """Record a result and publish all that follows from it. Returns the stored result: it may be an earlier one.
        None if the page job was redriven since: nothing of this run is stored."""
        recorded = self.ledger.record(result, len(document.tasks), image)
        if recorded.superseded:
            return None
        if recorded.first:
            self.meter.page_job(result, self.price.amount(result.usage))
        self.publish_end(document, recorded.result, recorded.page_closed)
        return recorded.result

    def save_of(self, document: Document, results: Sequence[Result], job: PageJob) -> Result | None:
        """Record the results of a page job, one for each page of its group, and publish all that follows from them; the
        stored result of the first page that is still waited for. None if all pages were redriven since. What was
        billed for the job before is part of its bill."""
        results = [replace(results[0], usage=results[0].usage + job.spent), *results[1:]]
        if not job.others:
            return self.save(document, results[0], job.image)
        images = {member.page: member.image for member in job.members}
        recorded = self.ledger.record_group(results, len(document.tasks), images)
        for result in recorded.results:
            self.meter.page_job(result, self.price.amount(result.usage))
        due: list[Event] = []
        for result in recorded.results:
            due += self.ends_of(document, result, page_closed=result.page in recorded.closed)
        if due:
            self.publisher.publish(due)
        if recorded.closed:
            self.close(document.id)
        for other in recorded.others:
            self.publish_again(document, other)
        return next(iter((*recorded.results, *recorded.others)), None)

    def fail_of(self, document: Document, job: PageJob, error: PagewiseError, attempts: int) -> Result | None:
        """Record a page job as failed for this reason, with all pages of its group, as far as they have not ended."""
        first = self.failed(document, job.page, job.task, error, attempts, job.run, job.image.look)
        if job.others:
            first = replace(first, group=Group(tuple(member.page for member in job.members), job.page))
        return self.save_of(document, shared(first, job, {}), job)

    def publish_end(self, document: Document, result: Result, page_closed: bool) -> None:
        """Publish a recorded result and, if it closed its page, the page's and perhaps the document's completion."""
        self.publisher.publish(self.ends_of(document, result, page_closed=page_closed))
        if page_closed:
            self.close(document.id)

    def ends_of(self, document: Document, result: Result, *, page_closed: bool) -> list[Event]:
        due: list[Event] = [events.page_ended(document, result)]
        # A redrive may have opened the page since; its completion was published before that.
        if page_closed and (page := self.ledger.page(document.id, result.page)) and page.closed:
            due.append(events.page_completed(document, page))
        return due

    def publish_again(self, document: Document, result: Result) -> None:
        """For a result found stored: whether its publication was reached is unknown, so all of it is repeated."""
        page = self.ledger.page(document.id, result.page)
        self.publish_end(document, result, page is not None and page.closed)

    def close(self, document_id: DocumentId) -> None:
        """End the document if its last page has closed, and publish its end unless that has been done."""
        document = self.ledger.close(document_id, self.clock.now())
        if document and document.status is not DocumentStatus.IN_PROGRESS and not document.announced:
            self.announce(document)

    def announce(self, document: Document) -> None:
        """Store the receipt of an ended document and publish its end."""
        pages: list[PageAccount] = list(self.ledger.pages(document.id))
        if any(page.run > document.run for page in pages):
            return  # opened again by a redrive; that comes after the announcement only
        review = self.reviews.ended(document, self.reviews.decide(document, pages))
        pointer = self.receipt_of(document, pages, review)
        if document.status is DocumentStatus.REJECTED:
            self.publisher.publish([events.document_rejected(document, pointer)])
        else:
            cost = self.price.cost(document.usage)
            due = [events.document_completed(document, pointer, cost, invalid(pages))]
            if review and review.run == document.run and review.state is ReviewState.WAITING:
                due.append(events.review_needed(document, [reason.shown() for reason in review.reasons], review.pages))
            self.publisher.publish(due)
        if self.ledger.announced(document, self.clock.after(ASSEMBLY_SECONDS)):
            self.meter.ended(document)

    @property
    def reviews(self) -> Reviews:
        return reviews_of(self.ledger)

    def receipt_of(self, document: Document, pages: Sequence[PageAccount], review: Review | None) -> Mapping[str, str]:
        """Store the receipt, with the review that the document has; its pointer."""
        said = list(self.reviews.all_corrections(document.id)) if review and review.number + review.changed else []
        shown = review_shown(review, said) if review else None
        return self.pages.put_receipt(document.id, {**receipt(document, pages, self.price), "review": shown})

    def reviewed(self, document: Document) -> None:
        """Store the receipt of a document that was reviewed, and publish that it was, unless that has been done."""
        facts = self.reviews.untold(document.id)
        if not facts:
            return
        pointer = self.receipt_of(document, list(self.ledger.pages(document.id)), self.reviews.of(document.id))
        for fact in facts:
            self.publisher.publish([events.document_reviewed(document, fact, pointer)])
            self.reviews.told(document.id, fact["review"])

    def ask_again_for_outputs(self, document: Document) -> None:
        """Publish the end of a document once more: the event to the assembler was lost on the way."""
        if document.announced and is_unassembled(document):
            self.announce(document)
            self.ledger.awaits_assembly(document, self.clock.after(ASSEMBLY_SECONDS))

    def reject(self, upload: Upload, rejection: DocumentRejected, download: Download | None = None) -> Document:
        """End an upload as a rejected document, with its receipt and event; `download` if it was read before."""
        now = self.clock.now()
        tag = download.metadata.get(TAG, "")[:MAX_TAG_CHARACTERS] if download else ""
        document = self.ledger.open(
            Document(
                id=upload.document_id,
                source=download.source if download else unread(upload),
                status=DocumentStatus.REJECTED,
                tasks=(),
                pages=0,
                started=now,
                due=now,
                ended=now,
                reason=rejection.reason,
                message=rejection.message,
                tag=tag or None,
            )
        )
        if document.status is DocumentStatus.REJECTED and not document.announced:
            self.announce(document)
        return document

    def fail(
        self,
        document: Document,
        page: int,
        task: Task,
        error: PagewiseError,
        attempts: int,
        run: int = 1,
        image: StoredImage | None = None,
    ) -> Result | None:
        """Record a page job as failed for this reason, unless it has ended already, or is in a later run.

        `image`: the stored page, if there is one to try again with.
        """
        result = self.failed(document, page, task, error, attempts, run, image.look if image else Look())
        return self.save(document, result, image)

    def failed(
        self,
        document: Document,
        page: int,
        task: Task,
        error: PagewiseError,
        attempts: int,
        run: int,
        look: Look = NOTHING_SEEN,
    ) -> Result:
        return Result(
            document_id=document.id,
            page=page,
            task=task,
            status=JobStatus.FAILED,
            attempts=attempts,
            ended=self.clock.now(),
            reason=error.reason,
            message=error.message,
            run=run,
            look=look,
            warnings=look.warnings,
        )

    def fail_page(self, document: Document, page: int, error: PagewiseError, run: int) -> None:
        """End a page without an attempt, and the document if it is its last."""
        if self.end_page(document, page, error, run, self.ledger.page(document.id, page)):
            self.close(document.id)

    def end_page(
        self, document: Document, page: int, error: PagewiseError, run: int, account: PageAccount | None
    ) -> bool:
        """Record as failed, without an attempt, every job of a page that has not ended and belongs to this run of the
        document or to an earlier one. Publish these, and those that an earlier call recorded but perhaps did not
        publish.

        `account`: the page as it was read last. Returns whether the page is closed, and perhaps the document with it;
        the document's end is not published here.
        """
        runs = {task: account.run_of(task) if account else 1 for task in document.tasks}
        ended = {job.task for job in account.jobs} if account else set()
        missing = [task for task in document.tasks if task not in ended and runs[task] <= run]
        if not missing and not untold(account, run):
            return account is not None and account.closed
        results = [self.failed(document, page, task, error, 0, runs[task]) for task in document.tasks]
        recorded = self.ledger.record_failures(
            [result for result in results if runs[result.task] <= run], len(document.tasks), account
        )
        for result in recorded.results:
            self.meter.page_job(result, 0.0)
        earlier = [self.ledger.result(document.id, page, job.task) for job in untold(recorded.before, run)]
        due = [events.page_ended(document, result) for result in (*recorded.results, *earlier) if result]
        if recorded.after.closed:
            due.append(events.page_completed(document, recorded.after))
        self.publisher.publish(due)
        return recorded.after.closed


def untold(page: PageAccount | None, run: int) -> list[JobAccount]:
    """Page jobs that failed without an attempt: nothing else publishes them."""
    jobs = page.jobs if page else ()
    return [job for job in jobs if job.status is JobStatus.FAILED and job.attempts == 0 and job.run <= run]


def unread(upload: Upload) -> Source:
    return Source(upload.bucket, upload.key, upload.version, upload.version_id, upload.size)
