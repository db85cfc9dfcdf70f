"""A document is ended with what it has: nothing is asked, and paid for, any more."""

from __future__ import annotations

import math
from typing import Any

import pytest

from pagewise.errors import Cancelled, Permanent
from pagewise.model import DocumentId, DocumentStatus, JobStatus, StoredImage
from pagewise.qwen.question import Question
from pagewise.tasks import Task
from pagewise.use_cases.cancel import CancelDocument
from pagewise.use_cases.redrive import Redrive, Selection
from tests.fakes import MemoryPages
from tests.pictures import tiff
from tests.unit.conftest import Pagewise


def lines(pagewise: Pagewise, document: Any) -> list[tuple[int, str, str | None]]:
    receipt: dict[str, Any] = pagewise.receipt_of(document)
    return [(job["page"], job["status"], job["reason"]) for job in receipt["page_jobs"]]


def test_page_jobs_that_have_not_begun_are_dropped(pagewise: Pagewise) -> None:
    document = pagewise.accepted(tiff(3))
    pagewise.run_job(pagewise.queues.jobs.pop(0))
    cancelled = pagewise.cancel.document(document.id, math.inf)
    assert cancelled is not None
    assert (cancelled.status, cancelled.recognized, cancelled.failed) == (DocumentStatus.CANCELLED, 1, 2)
    assert lines(pagewise, document) == [
        (1, "recognized", None),
        (2, "failed", "cancelled"),
        (3, "failed", "cancelled"),
    ]
    (completed,) = pagewise.publisher.named("DocumentCompleted")
    assert (completed["status"], completed["page_jobs"]["failed"]) == ("cancelled", 2)
    pagewise.run_queues()
    assert len(pagewise.engine.questions) == 1
    assert pagewise.stored(document).usage.input_tokens == 100


def test_what_there_is_no_time_for_is_dropped_by_its_own_message_or_by_the_sweeper(pagewise: Pagewise) -> None:
    document = pagewise.accepted(tiff(45))
    pagewise.split.page_range(*pagewise.queues.ranges.pop())
    cancelled = pagewise.cancel.document(document.id, -math.inf)
    assert cancelled is not None
    assert cancelled.status is DocumentStatus.IN_PROGRESS
    dropped = pagewise.run_job(pagewise.queues.jobs[0])
    assert dropped is not None
    assert (dropped.page, dropped.reason) == (41, "cancelled")
    pagewise.run_queues()
    assert pagewise.sweep.overdue(math.inf) == []
    assert pagewise.stored(document).status is DocumentStatus.CANCELLED
    assert pagewise.engine.questions == []


def test_a_page_job_that_waits_for_its_turn_is_dropped_before_its_call(pagewise: Pagewise) -> None:
    document = pagewise.accepted(tiff(2))

    class CancelledMeanwhile(MemoryPages):
        def image(self, image: StoredImage) -> bytes:
            pagewise.ledger.cancel(document.id, pagewise.clock.now())
            return super().image(image)

    pagewise.pages = CancelledMeanwhile(pagewise.pages.objects)
    result = pagewise.run_job(pagewise.queues.jobs[0])
    assert result is not None
    assert (result.status, result.reason) == (JobStatus.FAILED, "cancelled")
    assert pagewise.engine.questions == []


def test_nothing_is_paid_either_where_the_document_has_ended_before_the_turn_comes(pagewise: Pagewise) -> None:
    document = pagewise.accepted(tiff(2))

    class CancelledMeanwhile(MemoryPages):
        def image(self, image: StoredImage) -> bytes:
            ended = pagewise.cancel.document(document.id, math.inf)
            assert ended is not None
            assert ended.status is DocumentStatus.CANCELLED
            return super().image(image)

    pagewise.pages = CancelledMeanwhile(pagewise.pages.objects)
    result = pagewise.run_job(pagewise.queues.jobs[0])
    assert (result and result.reason, pagewise.engine.questions) == ("cancelled", [])


def test_nor_where_another_page_job_does_it_since_a_redrive(pagewise: Pagewise) -> None:
    document = pagewise.accepted(tiff(1))
    redrive = Redrive(pagewise.ledger, pagewise.queues, pagewise.accounting, pagewise.clock)

    class RedrivenMeanwhile(MemoryPages):
        def image(self, image: StoredImage) -> bytes:
            pagewise.cancel.document(document.id, math.inf)
            redrive.document(document.id, Selection())
            return super().image(image)

    known, pagewise.pages = pagewise.pages, RedrivenMeanwhile(pagewise.pages.objects)
    pagewise.run_job(pagewise.queues.jobs.pop(0))
    assert pagewise.engine.questions == []
    pagewise.pages = known
    pagewise.run_queues()
    assert (len(pagewise.engine.questions), pagewise.stored(document).recognized) == (1, 1)


def test_the_engines_own_second_try_is_looked_at_as_well(pagewise: Pagewise) -> None:
    document = pagewise.accepted(tiff(1))
    pagewise.engine.tries = 3

    class CancelledAfterOne(list[Question]):
        def append(self, question: Question) -> None:
            super().append(question)
            pagewise.ledger.cancel(document.id, pagewise.clock.now())

    pagewise.engine.questions = CancelledAfterOne()
    result = pagewise.run_job(pagewise.queues.jobs[0])
    assert (len(pagewise.engine.questions), result and result.reason) == (1, "cancelled")


def test_a_document_that_has_ended_stays_as_it_is(pagewise: Pagewise) -> None:
    document = pagewise.ended(tiff(1))
    events = len(pagewise.publisher.events)
    assert pagewise.cancel.document(document.id, math.inf) == document
    assert len(pagewise.publisher.events) == events
    cancel: CancelDocument = pagewise.cancel
    assert cancel.document(DocumentId("unknown"), math.inf) is None


def test_cancelled_after_the_last_page_has_closed_it_ends_as_it_would_have(pagewise: Pagewise) -> None:
    document = pagewise.accepted(tiff(1))
    pagewise.run_job(pagewise.queues.jobs[0])
    cancelled = pagewise.cancel.document(document.id, math.inf)
    assert cancelled is not None
    assert cancelled.status is DocumentStatus.COMPLETE


def test_a_cancelled_document_waits_for_no_redrive_but_can_be_redriven(pagewise: Pagewise) -> None:
    document = pagewise.accepted(tiff(2))
    pagewise.cancel.document(document.id, math.inf)
    redrive = Redrive(pagewise.ledger, pagewise.queues, pagewise.accounting, pagewise.clock)
    assert list(redrive.documents()) == []
    assert redrive.document(document.id, Selection()).run == 2
    pagewise.run_queues()
    again = pagewise.stored(document)
    assert (again.status, again.cancelled, again.recognized) == (DocumentStatus.COMPLETE, None, 2)


def test_while_it_is_being_cancelled_nothing_is_redriven(pagewise: Pagewise) -> None:
    refused = Permanent("DataInspectionFailed", "The engine refuses this page.")
    document = pagewise.ended(tiff(2), refused, refused)
    redrive = Redrive(pagewise.ledger, pagewise.queues, pagewise.accounting, pagewise.clock)
    redrive.document(document.id, Selection(page=1))
    pagewise.cancel.document(document.id, -math.inf)
    with pytest.raises(Cancelled):
        pagewise.ledger.withdraw(document.id, 2, Task.TEXT_RECOGNITION, 2, "due")
