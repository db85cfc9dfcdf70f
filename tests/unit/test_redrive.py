"""Failed page jobs are done again, by an operator's wish; what has ended otherwise stays as it is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pagewise.account.spending import Spending
from pagewise.errors import DocumentRejected, Permanent, StorageBusy
from pagewise.model import Document, DocumentId, DocumentStatus, JobStatus, PageJob
from pagewise.tasks import Task
from pagewise.use_cases.redrive import NothingToRedrive, Redrive, Redriven, Selection
from pagewise.use_cases.settings import SplitSettings
from tests.fakes import text_answer
from tests.pictures import tiff
from tests.unit.conftest import Pagewise

REFUSED = Permanent("DataInspectionFailed", "The engine refuses this page.")


@pytest.fixture
def redrive(pagewise: Pagewise) -> Redrive:
    return Redrive(pagewise.ledger, pagewise.queues, pagewise.accounting, pagewise.clock)


def ended(pagewise: Pagewise, *script: Any, pages: int = 2, tasks: str = "text_recognition") -> Document:
    """A document whose page jobs have ended as the script says."""
    pagewise.engine.script = [*script, text_answer()]
    document = pagewise.split.upload(pagewise.upload(tiff(pages), ocr_tasks=tasks))
    pagewise.run_queues()
    assert pagewise.stored(document).announced
    return document


def lines(pagewise: Pagewise, document: Document) -> list[tuple[int, str, str, int]]:
    receipt: dict[str, Any] = pagewise.receipt_of(document)
    return [(job["page"], job["task"], job["status"], job["run"]) for job in receipt["page_jobs"]]


def test_a_redriven_page_updates_the_account_and_is_published_again_with_its_run(
    pagewise: Pagewise, redrive: Redrive
) -> None:
    document = ended(pagewise, text_answer(), REFUSED)
    assert redrive.document(document.id, Selection()) == Redriven(run=2, page_jobs=1, pages_to_render=0)
    reopened = pagewise.stored(document)
    assert (reopened.status, reopened.run, reopened.ended, reopened.announced) == (
        DocumentStatus.IN_PROGRESS,
        2,
        None,
        False,
    )
    assert (reopened.pages_closed, reopened.recognized, reopened.failed) == (1, 1, 0)
    assert reopened.due > document.due
    pagewise.run_queues()
    assert lines(pagewise, document) == [
        (1, "text_recognition", "recognized", 1),
        (2, "text_recognition", "recognized", 2),
    ]
    first, second = pagewise.publisher.named("DocumentCompleted")
    assert (first["status"], first["run"], second["status"], second["run"]) == ("partial", 1, "complete", 2)
    assert second["event_id"] == f"{document.id}/DocumentCompleted/run-2"
    assert pagewise.publisher.named("PageRecognized")[-1]["run"] == 2
    assert pagewise.publisher.named("PageCompleted")[-1]["event_id"] == f"{document.id}/PageCompleted/2/run-2"


def test_only_what_was_chosen_is_redriven(pagewise: Pagewise, redrive: Redrive) -> None:
    document = ended(pagewise, *[REFUSED] * 4, tasks="text_recognition,multi_lan")
    redrive.document(document.id, Selection(page=2, task=Task.MULTI_LAN))
    assert [(job.page, job.task, job.run) for job in pagewise.queues.jobs] == [(2, "multi_lan", 2)]
    pagewise.run_queues()
    assert [status for _, _, status, _ in lines(pagewise, document)] == ["failed", "failed", "failed", "recognized"]
    redrive.document(document.id, Selection(task=Task.TEXT_RECOGNITION))
    assert [(job.page, job.task, job.run) for job in pagewise.queues.jobs] == [
        (1, "text_recognition", 3),
        (2, "text_recognition", 3),
    ]
    pagewise.run_queues()
    assert pagewise.stored(document).status is DocumentStatus.PARTIAL


def test_what_was_recognized_is_never_redriven(pagewise: Pagewise, redrive: Redrive) -> None:
    document = ended(pagewise)
    before = pagewise.stored(document)
    assert redrive.document(document.id, Selection()) == Redriven(run=1, page_jobs=0, pages_to_render=0)
    assert pagewise.stored(document) == before


def test_what_superseded_results_used_is_kept_apart(pagewise: Pagewise, redrive: Redrive) -> None:
    document = ended(pagewise, text_answer(finish_reason="length"), pages=1)
    redrive.document(document.id, Selection())
    pagewise.run_queues()
    receipt: dict[str, Any] = pagewise.receipt_of(document)
    assert receipt["usage"] == {"input_tokens": 100, "output_tokens": 10}
    superseded = receipt["superseded"]
    assert (superseded["page_jobs"], superseded["input_tokens"], superseded["output_tokens"]) == (1, 100, 10)
    assert superseded["cost"] == pytest.approx((100 * 0.07 + 10 * 0.16) / 1e6)
    (history,) = pagewise.table.records(document.id, "superseded#")
    assert history["record"] == "superseded#00001#text_recognition#2"
    assert "truncated" in history["result"]


def test_pages_that_were_never_rendered_are_rendered(pagewise: Pagewise, redrive: Redrive) -> None:
    pagewise.settings = replace(pagewise.settings, pages_per_range=2)
    document = pagewise.split.upload(pagewise.upload(tiff(5)))
    pagewise.give_up.page_range(*pagewise.queues.ranges.pop(1))
    pagewise.run_queues()
    assert pagewise.stored(document).failed == 2
    assert redrive.document(document.id, Selection()) == Redriven(run=2, page_jobs=0, pages_to_render=2)
    assert [(pages.first, pages.last, pages.run) for _, pages in pagewise.queues.ranges] == [(3, 4, 2)]
    pagewise.run_queues()
    assert [run for _, _, _, run in lines(pagewise, document)] == [1, 1, 2, 2, 1]
    assert pagewise.stored(document).status is DocumentStatus.COMPLETE
    assert len(pagewise.engine.questions) == 5


def test_a_page_whose_image_is_gone_is_rendered_again(pagewise: Pagewise, redrive: Redrive) -> None:
    document = pagewise.split.upload(pagewise.upload(tiff(1)))
    pagewise.pages.objects.clear()
    pagewise.run_queues()
    assert redrive.document(document.id, Selection()).pages_to_render == 1
    pagewise.run_queues()
    assert pagewise.stored(document).status is DocumentStatus.COMPLETE


def test_a_redrive_that_was_cut_off_goes_on_when_it_is_repeated(pagewise: Pagewise, redrive: Redrive) -> None:
    document = ended(pagewise, REFUSED, REFUSED)

    class Full(type(pagewise.queues)):  # type: ignore[misc]
        def send_jobs(self, _jobs: list[PageJob]) -> None:
            raise StorageBusy("no")

    with pytest.raises(StorageBusy):
        replace(redrive, queues=Full()).document(document.id, Selection())
    assert redrive.document(document.id, Selection()) == Redriven(run=2, page_jobs=2, pages_to_render=0)
    pagewise.run_queues()
    assert pagewise.stored(document).status is DocumentStatus.COMPLETE


def test_a_redrive_that_nobody_repeats_is_ended_by_the_sweeper(pagewise: Pagewise, redrive: Redrive) -> None:
    document = ended(pagewise, REFUSED, pages=1)
    redrive.document(document.id, Selection())
    pagewise.queues.jobs.clear()
    pagewise.clock.milliseconds += 7 * 3600 * 1000
    assert pagewise.sweep.overdue(deadline=float("inf")) == [document.id]
    (failed,) = [event for event in pagewise.publisher.named("PageFailed") if event["run"] == 2]
    assert failed["reason"] == "overdue"
    # The page image that the first failure left is still known.
    assert redrive.document(document.id, Selection()) == Redriven(run=3, page_jobs=1, pages_to_render=0)


def test_messages_of_an_earlier_run_are_worth_nothing(pagewise: Pagewise, redrive: Redrive) -> None:
    document = pagewise.split.upload(pagewise.upload(tiff(2)))
    late, _ = pagewise.queues.jobs
    pagewise.engine.script = [REFUSED, text_answer()]
    pagewise.run_queues()
    redrive.document(document.id, Selection())
    asked = len(pagewise.engine.questions)
    assert pagewise.run_job(late) is None
    pagewise.give_up.page_job(late, 5)
    assert len(pagewise.engine.questions) == asked
    assert pagewise.ledger.result(document.id, 1, "text_recognition") is None
    pagewise.run_queues()
    assert pagewise.stored(document).status is DocumentStatus.COMPLETE


def test_a_late_result_of_an_earlier_run_does_not_count(pagewise: Pagewise, redrive: Redrive) -> None:
    document = pagewise.split.upload(pagewise.upload(tiff(1)))
    job = pagewise.queues.jobs[0]

    def meanwhile() -> None:
        pagewise.engine.before_answer = lambda: None
        pagewise.give_up.page_job(job, 5)
        redrive.document(document.id, Selection())

    pagewise.engine.before_answer = meanwhile
    pagewise.run_job(pagewise.queues.jobs.pop())
    assert pagewise.ledger.result(document.id, 1, "text_recognition") is None
    pagewise.run_queues()
    result = pagewise.ledger.result(document.id, 1, "text_recognition")
    assert result is not None
    assert (result.status, result.run) == (JobStatus.RECOGNIZED, 2)


def test_a_message_moved_back_from_the_dead_letters_finds_its_result(pagewise: Pagewise) -> None:
    document = pagewise.split.upload(pagewise.upload(tiff(1)))
    job = pagewise.queues.jobs.pop()
    pagewise.give_up.page_job(job, 5)
    result = pagewise.run_job(job)
    assert result is not None
    assert (result.status, result.reason) == (JobStatus.FAILED, "exhausted")
    first, again = pagewise.publisher.named("PageFailed")
    assert first == again
    assert pagewise.engine.questions == []
    assert pagewise.stored(document).status is DocumentStatus.FAILED


def test_what_has_no_page_jobs_cannot_be_redriven(pagewise: Pagewise, redrive: Redrive) -> None:
    rejected = pagewise.split.upload(pagewise.upload(b"no document"))
    with pytest.raises(NothingToRedrive, match="rejected"):
        redrive.document(rejected.id, Selection())
    with pytest.raises(NothingToRedrive, match="no document"):
        redrive.document(type(rejected.id)("unknown"), Selection())


def test_one_reason_s_failures_are_redriven_and_the_others_left(pagewise: Pagewise, redrive: Redrive) -> None:
    other = Permanent("InvalidParameter", "The engine takes no such page.")
    document = ended(pagewise, REFUSED, other, REFUSED, pages=3)
    redrive.document(document.id, Selection(reason="DataInspectionFailed"))
    assert [job.page for job in pagewise.queues.jobs] == [1, 3]
    pagewise.run_queues()
    assert [status for _, _, status, _ in lines(pagewise, document)] == ["recognized", "failed", "recognized"]


def test_documents_with_failures_are_listed_until_they_have_none(pagewise: Pagewise, redrive: Redrive) -> None:
    document = ended(pagewise, REFUSED)
    assert list(redrive.documents()) == [document.id]
    redrive.document(document.id, Selection())
    assert list(redrive.documents()) == []
    pagewise.run_queues()
    assert list(redrive.documents()) == []
    assert list(pagewise.ledger.unfinished(before="2027")) == []


# ── spend caps ───────────────────────────────────────────────────────────────────────────────────────────────────────

PAGE_MOST = 0.0014  # what a page of the samples can cost: 8,192 tokens of output


def capped(pagewise: Pagewise, redrive: Redrive, document_cap: float = 0.0, day_cap: float = 0.0) -> Redrive:
    spending = Spending(document_cap, day_cap)
    pagewise.settings = SplitSettings(spending=spending)
    return replace(redrive, spending=spending)


def test_a_redrive_claims_of_the_day_s_cap_what_it_can_cost_until_its_bill_takes_the_place(
    pagewise: Pagewise, redrive: Redrive
) -> None:
    redrive = capped(pagewise, redrive, day_cap=10 * PAGE_MOST)
    document = ended(pagewise, REFUSED)
    bill = pagewise.ledger.spent("2026-01-01")
    redrive.document(document.id, Selection())
    units = redrive.spending.price.units_of_one
    assert pagewise.ledger.spent("2026-01-01") - bill == pytest.approx(PAGE_MOST * units, rel=0.1)
    pagewise.run_queues()
    stored = pagewise.stored(document)
    assert pagewise.ledger.spent("2026-01-01") == redrive.spending.price.units(stored.usage)


def test_what_the_day_s_cap_has_no_room_for_stays_failed_and_is_told(pagewise: Pagewise, redrive: Redrive) -> None:
    redrive = capped(pagewise, redrive, day_cap=2.5 * PAGE_MOST)
    document = ended(pagewise, REFUSED, REFUSED)
    units = redrive.spending.price.units_of_one
    another = replace(document, id=DocumentId("another"), reserved=round(PAGE_MOST * units))
    redrive.ledger.open(another, redrive.spending.day_cap_units)
    done = redrive.document(document.id, Selection())
    assert (done.page_jobs, done.over_cap) == (1, 1)
    pagewise.run_queues()
    assert [status for _, _, status, _ in lines(pagewise, document)] == ["recognized", "failed"]


def test_a_redrive_of_another_day_counts_for_that_day(pagewise: Pagewise, redrive: Redrive) -> None:
    redrive = capped(pagewise, redrive, day_cap=10 * PAGE_MOST)
    document = ended(pagewise, text_answer(), REFUSED)
    first_day = pagewise.ledger.spent("2026-01-01")
    pagewise.clock.milliseconds += 86_400_000
    redrive.document(document.id, Selection())
    pagewise.run_queues()
    price = redrive.spending.price
    assert pagewise.ledger.spent("2026-01-01") == first_day == price.units(text_answer().usage)
    assert pagewise.ledger.spent("2026-01-02") == price.units(text_answer().usage)


def test_a_document_that_could_go_over_its_cap_is_not_redriven(pagewise: Pagewise, redrive: Redrive) -> None:
    document = ended(pagewise, REFUSED)
    with pytest.raises(DocumentRejected) as refused:
        capped(pagewise, redrive, document_cap=PAGE_MOST / 2).document(document.id, Selection())
    assert refused.value.reason == "over_budget"
    assert pagewise.stored(document).status is DocumentStatus.PARTIAL
    assert pagewise.queues.jobs == []
