"""Use case: split an upload, or a page range of one, into page images and page jobs.

An upload is the range of all its pages. A range is rendered if it is small, or cut into smaller ones that other
invocations render. The document is written before the first fan-out, and every page of it ends as a page image
with a page job for each task, or as failed page jobs. Pages are stored, and their jobs queued, while later ones are
rendered; pages that an invocation has no time for become a range of their own.
"""

from __future__ import annotations

import hashlib
import math
import shutil
import tempfile
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from pagewise.account.changes import DayIsSpent
from pagewise.account.closing import Accounting
from pagewise.account.groups import CallLimits, group_number, grouped
from pagewise.account.ledger import Ledger
from pagewise.errors import (
    Deleted,
    DocumentGone,
    DocumentRejected,
    ObjectGone,
    Overdue,
    PageUnreadable,
    PagewiseError,
    Rejection,
    Transient,
)
from pagewise.events import document_accepted
from pagewise.model import (
    Document,
    DocumentId,
    DocumentStatus,
    Lane,
    PageJob,
    PageRange,
    Source,
    StoredImage,
    Upload,
    jobs_of,
)
from pagewise.options import metadata
from pagewise.options.metadata import DocumentOptions
from pagewise.options.profiles import NoProfiles, Profiles
from pagewise.pages.images import PageImage
from pagewise.pages.ranges import subranges
from pagewise.pages.rendering import Contents, LostPage, Rendered, Renderer, Unreached, inspect
from pagewise.pages.text_layer import as_text
from pagewise.ports import Clock, Download, PagesBucket, Publisher, Queues, UploadsBucket
from pagewise.tasks import Task
from pagewise.use_cases import admission
from pagewise.use_cases.settings import SplitSettings

# Page images are uploaded side by side, and their jobs sent, in batches of one SQS request.
PAGES_PER_BATCH = 10
FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS = 60.0, 900.0
# The prefix of all files and folders that a split puts on the disk.
PREFIX = "pagewise-"
# Page images in memory at one time: those whose jobs are sent next, and as many that are uploaded meanwhile.
PAGES_HELD = 2 * PAGES_PER_BATCH


@dataclass(frozen=True, slots=True)
class Split:
    uploads: UploadsBucket
    pages: PagesBucket
    ledger: Ledger
    queues: Queues
    publisher: Publisher
    accounting: Accounting
    clock: Clock
    settings: SplitSettings
    profiles: Profiles = field(default_factory=NoProfiles)
    # A folder that is this execution environment's alone; None: a new one each time, in a folder shared with others.
    disk: Path | None = None

    def upload(self, upload: Upload, deadline: float = math.inf) -> Document:
        """Accept or reject an upload and fan its pages out. The same upload again continues or does nothing. Raises
        Deleted if its document was.

        No page is begun that could take until after the `deadline` (of time.monotonic).
        """
        document = self.ledger.document(upload.document_id)
        if document:
            return document if self.is_settled(document) else self.resumed(document, deadline)
        if self.ledger.is_deleted(upload.document_id):
            raise Deleted
        download: Download | None = None
        with workspace(self.disk) as folder:
            path = folder / "document"
            try:
                admission.check_bytes(self.settings, upload.size)
                download = self.uploads.download(upload, path)
                wishes = admission.wishes(self.settings, self.profiles, upload.key, download.metadata)
                contents = admission.acceptable(self.settings, path, wishes.password)
                reserved = self.affordable(path, contents, wishes)
                single = self.single_page(path, contents, wishes, deadline)
                accepted = self.accepted(upload, download.source, contents, wishes, reserved)
                document = self.opened(accepted)
            except ObjectGone as gone:
                return self.accounting.reject(upload, DocumentRejected(Rejection.GONE, gone.message), download)
            except DocumentRejected as rejection:
                return self.accounting.reject(upload, rejection, download)
            if document.status is DocumentStatus.REJECTED and self.is_settled(document):
                return document  # given up by another invocation in the meantime
            if document is accepted:
                self.accounting.meter.accepted(document)
            self.publisher.publish([document_accepted(document)])
            everything = PageRange(1, document.pages)
            if single:
                rendered = only(single)
            else:
                renderer = self.renderer(document)
                rendered = renderer.render(path, contents, everything, wishes.password, deadline)
            self.fan_out(document, everything, rendered)
        return document

    def resumed(self, document: Document, deadline: float) -> Document:
        """Go on with a document that was accepted, as a page range of it: it cannot be rejected any more."""
        self.publisher.publish([document_accepted(document)])
        return self.page_range(document.id, PageRange(1, document.pages), deadline) or document

    def page_range(self, document_id: DocumentId, pages: PageRange, deadline: float = math.inf) -> Document | None:
        """Fan out one range of a document; None if the document is not known (it was deleted)."""
        document = self.ledger.document(document_id)
        if document is None or self.ledger.is_split(document_id, pages):
            return document
        if document.cancelled and document.status is DocumentStatus.IN_PROGRESS:
            return document  # the sweeper ends its pages
        if document.status is not DocumentStatus.IN_PROGRESS:
            self.end(document, pages, Overdue())
            return document
        with workspace(self.disk) as folder:
            path = folder / "document"
            try:
                password = self.uploads.download_again(document.source, path).metadata.get(metadata.PASSWORD)
                contents = inspect(path, password)
            except (ObjectGone, DocumentRejected) as error:
                self.fail(document, pages, error)
                return document
            renderer = self.renderer(document)
            self.fan_out(document, pages, renderer.render(path, contents, pages, password, deadline))
        return document

    def fail(self, document: Document, pages: PageRange, error: ObjectGone | DocumentRejected) -> None:
        """Fail the pages of a document that was read before, and cannot be any more. A long range is cut into smaller
        ones, so that there is time for it."""
        if len(pages) > (pages_per_range := self.pages_per_range(document)):
            self.queues.send_ranges(document.id, subranges(pages, pages_per_range))
        else:
            gone = isinstance(error, ObjectGone)
            self.end(document, pages, DocumentGone(error.message) if gone else PageUnreadable(error.message))
        self.ledger.mark_split(document.id, pages)

    def end(self, document: Document, pages: PageRange, error: PagewiseError) -> None:
        """Fail those of these pages that have not ended. If the document has ended while its range waited, publish the
        recorded results that perhaps were not published."""
        for page in pages.numbers():
            self.accounting.fail_page(document, page, error, pages.run)

    def is_settled(self, document: Document) -> bool:
        """Whether nothing is left to do for this upload; a rejection that was not announced is announced."""
        if document.status is not DocumentStatus.REJECTED:
            return self.ledger.is_split(document.id, PageRange(1, document.pages))
        if not document.announced:
            self.accounting.announce(document)
        return True

    def affordable(self, path: Path, contents: Contents, wishes: DocumentOptions) -> int | None:
        """The document's reservation of the day's cap: the most that it can cost; None without such a cap."""
        spending = self.settings.spending
        if not spending:
            return None
        sizes = admission.sizes(self.settings, path, contents, wishes)
        most = spending.most(sizes, wishes.tasks, wishes.options, wishes.lane)
        spending.check(most)
        return most if spending.day_cap > 0 else None

    def opened(self, document: Document) -> Document:
        """The document as it is stored. Nothing has been paid for, so that one over the day's cap is rejected here."""
        try:
            return self.ledger.open(document, self.settings.spending.day_cap_units)
        except DayIsSpent:
            raise self.settings.spending.day_is_spent(document.reserved or 0) from None

    def single_page(self, path: Path, contents: Contents, wishes: DocumentOptions, deadline: float) -> PageImage | None:
        """The only page of a one-page document, rendered before the document is accepted: if it cannot be, the
        upload is rejected with the page's reason."""
        if contents.pages != 1:
            return None
        renderer = self.renderer(wishes)
        (page,) = renderer.render(path, contents, PageRange(1, 1), wishes.password, deadline)
        if isinstance(page, Unreached):
            raise out_of_time()
        if isinstance(page, LostPage):
            known = page.error.reason in set(Rejection)
            raise DocumentRejected(Rejection(page.error.reason) if known else Rejection.UNREADABLE, page.error.message)
        return page

    def accepted(
        self, upload: Upload, source: Source, contents: Contents, wishes: DocumentOptions, reserved: int | None
    ) -> Document:
        return Document(
            id=upload.document_id,
            source=source,
            status=DocumentStatus.IN_PROGRESS,
            tasks=wishes.tasks,
            pages=contents.pages,
            started=self.clock.now(),
            due=self.clock.after(self.settings.due_seconds(wishes.lane)),
            options=wishes.options,
            preprocessing=wishes.preprocessing,
            rules=wishes.rules,
            text_layer=wishes.text_layer,
            tag=wishes.tag,
            warnings=wishes.warnings,
            reserved=reserved,
            outputs=tuple(map(str, wishes.outputs)),
            tasks_for_outputs=wishes.tasks_for_outputs,
            review=wishes.review,
            profile=wishes.profile,
            lane=wishes.lane,
        )

    def renderer(self, wanted: Document | DocumentOptions) -> Renderer:
        return admission.renderer(self.settings, wanted.tasks, wanted.options, wanted.preprocessing, wanted.text_layer)

    def fan_out(self, document: Document, pages: PageRange, rendered: Generator[Rendered, None, None]) -> None:
        """Queue smaller ranges, or store the pages and queue their jobs; then note that the range is done."""
        if len(pages) > (pages_per_range := self.pages_per_range(document)):
            self.queues.send_ranges(document.id, subranges(pages, pages_per_range))
        elif rest := self.store_and_queue(document, pages, rendered):
            if rest == pages:
                # Sent again as it is, it could go round for ever; an error is counted, and ends in the dead letters.
                raise out_of_time()
            # Shorter than before: it comes round no more often than it has pages.
            self.queues.send_ranges(document.id, [replace(rest, put_offs=pages.put_offs + 1)])
        self.ledger.mark_split(document.id, pages)

    def pages_per_range(self, document: Document) -> int:
        """A range ends where a group does."""
        together = pages_together(document)
        return -(-self.settings.pages_per_range // together) * together

    def store_and_queue(
        self, document: Document, pages: PageRange, rendered: Generator[Rendered, None, None]
    ) -> PageRange | None:
        """Store the pages and queue their jobs, in order and while later ones are rendered; the range that was not
        reached, if any. It begins with the group of the first page that was not."""
        seen: list[int] = []
        rest: PageRange | None = None
        under_way: list[StoredPage] = []
        together = pages_together(document)
        with closing(rendered), ThreadPoolExecutor(PAGES_PER_BATCH) as pool:
            for page in rendered:
                if isinstance(page, Unreached):
                    rest = replace(pages, first=max(pages.first, group_number(page.page, together) * together + 1))
                    break
                seen.append(page.page)
                if isinstance(page, LostPage):
                    self.accounting.fail_page(document, page.page, page.error, pages.run)
                else:
                    awaited = self.awaited(document, page.page, pages.run)
                    under_way.append(StoredPage(page.page, pool.submit(self.stored, document, page, awaited)))
                if len(under_way) >= PAGES_HELD and (ready := whole_groups(under_way, together)):
                    self.queue(under_way[:ready], document.lane)
                    del under_way[:ready]
            self.queue([page for page in under_way if rest is None or page.number < rest.first], document.lane)
        if [number for number in seen if rest is None or number < rest.first] + list(
            rest.numbers() if rest else ()
        ) != list(pages.numbers()):
            raise AssertionError(f"rendered pages {seen} of the range {pages.first} to {pages.last}")
        return rest

    def queue(self, stored: Sequence[StoredPage], lane: Lane) -> None:
        """Whole groups."""
        limits = CallLimits(self.settings.spending.in_lane(lane).model, self.settings.spending.max_pixels)
        self.queues.send_jobs(grouped([job for page in stored for job in page.jobs.result()], limits))

    def awaited(self, document: Document, page: int, run: int) -> dict[Task, int]:
        """The tasks that a page of this range is for, with their page jobs' runs: all, unless some were redriven."""
        account = self.ledger.page(document.id, page) if document.run > 1 else None
        if account is None or run == 1:
            return {task: 1 for task in document.tasks if account is None or account.run_of(task) == 1}
        return {task: of_job for task, of_job in account.awaited.items() if of_job <= run}

    def stored(self, document: Document, page: PageImage, awaited: dict[Task, int]) -> list[PageJob]:
        """Store a page image; the jobs of its page."""
        key = self.pages.put_image(document.id, page.page, page.content, page.media_type)
        digest = hashlib.sha256(page.content).hexdigest()
        look = page.look
        if page.lines is not None:
            text = f"documents/{document.id}/texts/{page.page:05}.json"
            self.pages.put_json(text, {"lines": [line.shown() for line in page.lines], "text": as_text(page.lines)})
            look = replace(look, text_layer=text)
        image = StoredImage(key, page.media_type, page.width, page.height, len(page.content), digest, look)
        return jobs_of(document, page.page, image, awaited)


@dataclass(frozen=True, slots=True)
class StoredPage:
    """A page that is being stored, and its page jobs that will be queued."""

    number: int
    jobs: Future[list[PageJob]]


def pages_together(document: Document) -> int:
    """The most pages that one call asks about, by any of the document's tasks."""
    return max((document.options.pages_together(task) for task in document.tasks), default=1)


def whole_groups(stored: Sequence[StoredPage], together: int) -> int:
    """The number of these pages that are queued first: a batch, up to a group's end that later pages have passed."""
    numbers = [group_number(page.number, together) for page in stored]
    return next((place for place in range(PAGES_PER_BATCH, len(stored)) if numbers[place] != numbers[place - 1]), 0)


def only(page: PageImage) -> Generator[Rendered, None, None]:
    yield page


def retry_seconds(deliveries: int) -> float:
    """The seconds to wait for a next try that may work: with five deliveries, an outage of 28 minutes in all."""
    return min(LONGEST_RETRY_SECONDS, FIRST_RETRY_SECONDS * 3.0 ** (deliveries - 1))


def out_of_time() -> Transient:
    return Transient("out_of_time", "The invocation's time was used up before the first page. It is tried again.")


@contextmanager
def workspace(disk: Path | None = None) -> Iterator[Path]:
    """A folder of this invocation's own, gone when it ends.

    Lambda keeps an environment's disk when an invocation is killed: on an own `disk`, the rest of such a one (this
    folder, and poppler's) is removed first, or it would take the next document's room.
    """
    for left in disk.glob(f"{PREFIX}*") if disk else ():
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=PREFIX, dir=disk) as folder:
        yield Path(folder)
