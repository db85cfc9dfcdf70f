"""A lot's page jobs leave it: with the result that their line's reply is, or for the live lane.

A page job goes live once: where its line failed, was cut short, expired, is missing, or could not be written. What was
billed for the line goes along, and is part of the bill of what the live lane finds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TypeVar
from urllib.parse import urlsplit

from pagewise.account.closing import Accounting
from pagewise.account.departures import departing
from pagewise.account.groups import shared
from pagewise.account.ledger import Ledger
from pagewise.account.lots import Lot, Lots
from pagewise.errors import PagewiseError, StorageRefused
from pagewise.model import Document, DocumentId, JobStatus, Lane, PageJob, Result, StoredImage, Usage
from pagewise.options.rules import judged
from pagewise.ports import Clock, Queues
from pagewise.qwen.batches import LineReader
from pagewise.qwen.fitting import Sent
from pagewise.qwen.question import Answer
from pagewise.qwen.settings import EngineSettings
from pagewise.use_cases.questions import Asked, result_of
from pagewise.use_cases.recognize import unstorable

DOCUMENTS_KEPT = 1_000

One = TypeVar("One")
Made = TypeVar("Made")


class Left(StrEnum):
    """How a page job has left its lot."""

    ANSWERED = "answered"
    TO_LIVE = "to_live"


@dataclass(frozen=True, slots=True)
class Settle:
    lots: Lots
    ledger: Ledger
    queues: Queues
    accounting: Accounting
    clock: Clock
    settings: EngineSettings
    reader: LineReader = field(default_factory=LineReader)
    # Documents that lines belong to: the same one, mostly, for many lines on end.
    documents: dict[DocumentId, Document | None] = field(default_factory=dict)

    def line(self, lot: Lot, line: bytes) -> Left | None:
        """Settle the page job that a line of replies is for; None if it has left the lot before, or never was in it."""
        reply = self.reader.read(line)
        job = self.lots.job(lot, reply.custom_id) if reply else None
        if reply is None or job is None:
            return None
        if reply.answer is None:
            return self.go_live(lot, job)
        return self.answered(lot, job, reply.answer)

    def answered(self, lot: Lot, job: PageJob, answer: Answer) -> Left:
        result = self.result(lot, job, answer)
        if result.status is JobStatus.FAILED:
            return self.go_live(lot, job, result.usage)
        if document := self.document(job.document_id):
            self.keep(document, result, job)
        self.lots.leave(lot, job)
        return Left.ANSWERED

    def result(self, lot: Lot, job: PageJob, answer: Answer) -> Result:
        answer = replace(answer, usage=answer.usage.of_batch, engine=urlsplit(self.settings.base_url).hostname)
        found = result_of(
            job,
            answer,
            as_sent(job),
            model=lot.model,
            attempts=job.earlier_attempts + 1,
            seconds=0.0,
            ended=self.clock.now(),
        )
        return replace(found, lane=Lane.BATCH)

    def keep(self, document: Document, result: Result, job: PageJob) -> None:
        """Judge and save what was paid for. What cannot be kept as it is becomes a failed result that can. Raises
        StorageBusy: the line is read again."""
        sent = {member.page: sent_of(member.image).shown() for member in job.members}
        results = shared(result, job, sent)
        try:
            self.accounting.save_of(document, [judged(result, document.rules), *results[1:]], job)
        except PagewiseError as error:
            if not isinstance(error, StorageRefused):
                raise
            self.accounting.save_of(document, [unstorable(one) for one in results], job)
        except Exception:  # noqa: BLE001 - whatever it is, the answer was paid for
            self.accounting.save_of(document, [unstorable(one) for one in results], job)

    def go_live(self, lot: Lot, job: PageJob, spent: Usage = Usage()) -> Left:  # noqa: B008 - a value
        """Queued first, then out of the lot: after a crash in between it is queued twice, and heard once."""
        self.queues.send_jobs([departing(job, attempts=1, spent=spent)])
        self.lots.leave(lot, job)
        return Left.TO_LIVE

    def begin(self) -> None:
        """Of a visit: what was known of documents at an earlier one may have changed, or be deleted."""
        self.documents.clear()

    def document(self, document_id: DocumentId) -> Document | None:
        if document_id not in self.documents:
            if len(self.documents) >= DOCUMENTS_KEPT:
                self.documents.clear()
            self.documents[document_id] = self.ledger.document(document_id)
        return self.documents[document_id]


def as_sent(job: PageJob) -> Asked:
    """A line holds page images as they are stored: what would have to be mended is asked about live."""
    return Asked(
        tuple(sent_of(member.image) for member in job.members),
        tuple(member.image.sha256 or "" for member in job.members),
    )


def sent_of(image: StoredImage) -> Sent:
    return Sent(image.media_type, image.width, image.height, image.size)


def side_by_side(given: Iterable[One], act: Callable[[One], Made], most: int) -> Iterator[Made]:
    """What each comes to, in order, while at most so many are under way."""
    if most == 1:
        yield from map(act, given)
        return
    with ThreadPoolExecutor(most) as pool:
        under_way: deque[Future[Made]] = deque()
        for one in given:
            under_way.append(pool.submit(act, one))
            if len(under_way) >= most:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
