"""Transactions of the ledger, as changes: sums that fit, conditions that refuse a second one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pagewise.account.changes import (
    DayIsSpent,
    Reservation,
    changes,
    final_status,
    group_changes,
    is_awaited,
    is_unassembled,
    listed_anew,
    reservation,
    seen,
)
from pagewise.account.records import document_key, page_key
from pagewise.model import (
    Document,
    DocumentId,
    DocumentStatus,
    JobAccount,
    JobStatus,
    PageAccount,
    Result,
    Source,
    Usage,
)
from pagewise.table import Attributes, Condition, Put, Update
from pagewise.tasks import Task

TASK = Task.TEXT_RECOGNITION
ID = DocumentId("document")
ENDED = "2026-11-25T00:00:00Z"
DOCUMENT = Document(
    ID, Source("bucket", "uploads/scan.pdf", "v1", "etag", 1), DocumentStatus.IN_PROGRESS, (TASK,), 2, ENDED, ENDED
)


def result(page: int = 1, task: Task = TASK, *, failed: bool = False, run: int = 1) -> Result:
    status = JobStatus.FAILED if failed else JobStatus.RECOGNIZED
    return Result(ID, page, task, status, 1, ENDED, usage=Usage(10, 5), reason="timeout" if failed else None, run=run)


def account(*tasks: Task, closed: bool = False, withdrawals: int = 0) -> PageAccount:
    jobs = tuple(JobAccount(task, JobStatus.RECOGNIZED, None, 1, Usage(10, 5)) for task in tasks)
    return PageAccount(ID, 1, jobs, closed, withdrawals=withdrawals)


def updates(of: object) -> dict[str, Update]:
    assert isinstance(of, list)
    return {change.key.record: change for change in of if isinstance(change, Update)}


def test_a_result_that_leaves_its_page_open_changes_no_document() -> None:
    together = changes([(result(), {"result": "{}"})], None, None, closes=False)
    assert [type(change) for change in together] == [Put, Update]


def test_the_last_result_of_a_page_adds_all_of_its_page_to_the_document() -> None:
    before = account(Task.TABLE_PARSING)
    together = changes([(result(failed=True), {})], before, None, closes=True)
    added = updates(together)[document_key(ID).record].add
    assert added == {"pages_closed": 1, "recognized": 1, "failed": 1, "input_tokens": 20, "output_tokens": 10}
    assert updates(together)[page_key(ID, 1).record].condition == seen(before)


def test_a_group_changes_its_document_once() -> None:
    written: list[tuple[Result, Attributes]] = [(result(page), {}) for page in (1, 2, 3)]
    together, closed = group_changes(written, {}, 1, {})
    assert closed == {1, 2, 3}
    (document,) = (change for change in together if isinstance(change, Update) and change.key == document_key(ID))
    assert document.add["pages_closed"] == 3
    assert document.add["input_tokens"] == 30


@pytest.mark.parametrize(
    ("page", "run", "awaited"),
    [
        (None, 1, True),
        (None, 2, False),
        (account(), 1, True),
        (account(TASK), 1, False),
        (replace(account(), runs={TASK: 2}), 2, True),
        (replace(account(), runs={TASK: 2}), 1, False),
    ],
)
def test_a_page_job_is_awaited_in_its_own_run_alone(page: PageAccount | None, run: int, awaited: bool) -> None:
    assert is_awaited(result(run=run), page) == awaited


def test_a_page_is_seen_by_its_results_and_withdrawals() -> None:
    assert seen(None) == Condition(equal={"ended_jobs": None, "withdrawals": None})
    assert seen(account(TASK, withdrawals=2)) == Condition(equal={"ended_jobs": 1, "withdrawals": 2})


@pytest.mark.parametrize(
    ("outputs", "failed", "word"), [(("text",), 1, "unassembled"), ((), 1, "failed"), ((), 0, None)]
)
def test_an_announced_document_is_listed_for_its_next_step(outputs: tuple[str, ...], failed: int, word: str) -> None:
    document = replace(DOCUMENT, outputs=outputs, failed=failed)
    update = listed_anew(document, {"announced": True})
    assert update.set.get("open") == word
    assert update.remove == (() if word else ("open",))
    assert is_unassembled(document) == bool(outputs)


def test_a_document_that_is_not_announced_keeps_its_place() -> None:
    assert listed_anew(DOCUMENT, {"assembled": 1}).set == {"assembled": 1}


@pytest.mark.parametrize(
    ("recognized", "failed", "status"),
    [
        (2, 0, DocumentStatus.COMPLETE),
        (1, 1, DocumentStatus.PARTIAL),
        (0, 2, DocumentStatus.FAILED),
        (0, 0, DocumentStatus.COMPLETE),
    ],
)
def test_a_document_ends_as_its_page_jobs_did(recognized: int, failed: int, status: DocumentStatus) -> None:
    assert final_status(replace(DOCUMENT, recognized=recognized, failed=failed)) is status


def test_a_redrive_claims_of_the_day_on_which_it_is() -> None:
    ended = replace(DOCUMENT, status=DocumentStatus.FAILED, reserved=30, spend_day="2026-11-24")
    money = reservation(ended, Reservation("2026-11-25", cap=100, most=40))
    assert money.set == {"spend_day": "2026-11-25", "settled": 30, "reserved": 40}
    (claim,) = money.claims
    assert isinstance(claim, Update)
    assert (claim.add, claim.condition) == ({"spent": 40}, Condition(at_most={"spent": 60}))


def test_more_than_a_day_s_cap_is_never_claimed() -> None:
    with pytest.raises(DayIsSpent):
        reservation(replace(DOCUMENT, reserved=0), Reservation("2026-11-25", cap=10, most=11))
