"""Use case: gather page jobs of the batch lane into a lot. What a line cannot carry goes live at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pagewise.account.departures import departing
from pagewise.account.ledger import Ledger
from pagewise.account.lots import Gathered, Lots
from pagewise.model import Document, DocumentStatus, PageJob
from pagewise.ports import Clock, Queues
from pagewise.qwen.batches import MOST_LINE_BYTES
from pagewise.qwen.settings import BlankPages, EngineSettings
from pagewise.tasks import ANSWERED_BY_TEXT_LAYER

# Of a line beside its images: prompt, schema and the JSON around them, escaped. A profile has 8 KB at the most.
WORDS_BYTES = 64_000


@dataclass(frozen=True, slots=True)
class Collect:
    """`settings` are the batch lane's: its model and the compatible protocol."""

    lots: Lots
    ledger: Ledger
    queues: Queues
    clock: Clock
    settings: EngineSettings
    most_line_bytes: int = MOST_LINE_BYTES

    def page_jobs(self, jobs: Sequence[PageJob]) -> None:
        """All of them, or an error: then the same again does no harm. Raises StorageBusy."""
        jobs = self.wanted(jobs)
        fit = [Gathered(job, size) for job in jobs if self.is_batched(job, size := line_bytes(job))]
        gathered = {id(one.job) for one in fit}
        self.lots.gather(fit, self.settings.model, self.clock.now())
        self.queues.send_jobs([departing(job) for job in jobs if id(job) not in gathered])

    def wanted(self, jobs: Sequence[PageJob]) -> list[PageJob]:
        """Those of documents that wait for them: the sweeper ends the page jobs of a cancelled one."""
        known = {document_id: self.ledger.document(document_id) for document_id in {job.document_id for job in jobs}}
        return [job for job in jobs if (document := known[job.document_id]) and is_wanted(document)]

    def is_batched(self, job: PageJob, size: int) -> bool:
        return size <= self.most_line_bytes and not self.is_unasked(job)

    def is_unasked(self, job: PageJob) -> bool:
        """Whether the page needs no call: there is nothing on it, or it says itself what is asked."""
        blank = self.settings.blank_pages is BlankPages.SKIP and any(member.image.look.blank for member in job.members)
        itself = job.task in ANSWERED_BY_TEXT_LAYER and job.task not in job.options.prompts
        return blank or (itself and job.image.look.text_layer is not None)


def is_wanted(document: Document) -> bool:
    """Whether anything is still to be asked for the document."""
    return document.status is DocumentStatus.IN_PROGRESS and not document.cancelled


def line_bytes(job: PageJob) -> int:
    """Of the job's line at most: its images as Base64, and the words."""
    return WORDS_BYTES + sum(-(-member.image.size // 3) * 4 for member in job.members)
