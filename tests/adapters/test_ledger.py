"""The ledger's promises, kept alike by the results table and by the fake that unit tests trust."""

from __future__ import annotations

import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from itertools import pairwise, product

import pytest

from pagewise.account.changes import DayIsSpent
from pagewise.account.ledger import INLINE_RESULT_BYTES, Ledger
from pagewise.account.records import result_key
from pagewise.account.reuse import CacheMiss, Lease, Reuse
from pagewise.aws.buckets import S3Pages
from pagewise.aws.table import DynamoTable
from pagewise.model import (
    Document,
    DocumentId,
    DocumentStatus,
    JobStatus,
    Original,
    PageJob,
    PageRange,
    Problem,
    Result,
    Source,
    Step,
    StoredImage,
    TaskOptions,
    Usage,
    Validation,
)
from pagewise.qwen.settings import EngineSettings
from pagewise.rate.budget import Backoff, RateBudget, RateLimits, SlotRequest
from pagewise.table import Condition, Key, Update
from pagewise.tasks import Task
from tests.deployed import Deployed, new_document_id
from tests.fakes import MemoryPages, MemoryTable


@pytest.fixture(params=["memory", "dynamodb"])
def ledger(request: pytest.FixtureRequest) -> Ledger:
    return (
        Ledger(MemoryTable(), MemoryPages())
        if request.param == "memory"
        else dynamo(request.getfixturevalue("deployed"))
    )


def dynamo(deployed: Deployed) -> Ledger:
    pages = S3Pages(deployed.client("s3"), deployed.outputs["PagesBucket"])
    return Ledger(DynamoTable(deployed.client("dynamodb"), deployed.outputs["ResultsTable"]), pages)


def document(pages: int = 2, tasks: tuple[Task, ...] = (Task.TEXT_RECOGNITION, Task.MULTI_LAN)) -> Document:
    return Document(
        id=new_document_id(),
        source=Source("uploads", "uploads/ä b.pdf", "v1", "v1", 123, "0" * 64),
        status=DocumentStatus.IN_PROGRESS,
        tasks=tasks,
        pages=pages,
        started="2026-01-01T00:00:00.000Z",
        due="2026-01-01T06:00:00.000Z",
        options=TaskOptions({"Total": "the sum"}),
        preprocessing=(Step.MEDIAN, Step.DESKEW),
        rules={"properties": {"Total": {"minimum": 0.5}}},
        tag="tag",
    )


def result(of: Document, page: int, task: Task, **changes: object) -> Result:
    outcome = Result(
        document_id=of.id,
        page=page,
        task=task,
        status=JobStatus.RECOGNIZED,
        attempts=1,
        ended="2026-01-01T00:01:00.000Z",
        output={"text": "Ünïcode"},
        usage=Usage(100, 10),
        request_id="request",
    )
    return replace(outcome, **changes)  # type: ignore[arg-type]


def test_a_document_is_written_once(ledger: Ledger) -> None:
    first = document()
    assert ledger.open(first) == first
    assert ledger.open(replace(first, pages=99)) == first
    assert ledger.document(first.id) == first


@pytest.mark.parametrize("steps", [None, (), (Step.MEAN,)])
def test_how_pages_are_prepared_is_read_as_it_was_written(ledger: Ledger, steps: tuple[Step, ...] | None) -> None:
    known = replace(document(), preprocessing=steps, rules=None if steps is None else {})
    ledger.open(known)
    assert ledger.document(known.id) == known


@pytest.mark.parametrize("validation", [None, Validation(), Validation((Problem("Total", "required"),))])
def test_whether_a_result_is_valid_is_in_its_line(ledger: Ledger, validation: Validation | None) -> None:
    known = ledger.open(document(pages=1, tasks=(Task.KEY_INFORMATION_EXTRACTION,)))
    judged = result(known, 1, Task.KEY_INFORMATION_EXTRACTION, validation=validation)
    ledger.record(judged, 1)
    assert ledger.result(known.id, 1, Task.KEY_INFORMATION_EXTRACTION) == judged
    assert [job.valid for page in ledger.pages(known.id) for job in page.jobs] == [judged.valid]


def test_an_unknown_document_is_none(ledger: Ledger) -> None:
    assert ledger.document(DocumentId("unknown")) is None
    assert ledger.page(DocumentId("unknown"), 1) is None
    assert ledger.result(DocumentId("unknown"), 1, "multi_lan") is None
    assert ledger.close(DocumentId("unknown"), "now") is None


def test_the_last_task_closes_the_page_and_the_last_page_the_document(ledger: Ledger) -> None:
    known = ledger.open(document())
    closes = []
    for page, task in product((1, 2), known.tasks):
        assert (still_open := ledger.close(known.id, "too early")) is not None
        assert still_open.status is DocumentStatus.IN_PROGRESS
        closes.append(ledger.record(result(known, page, task), len(known.tasks)).page_closed)
    assert closes == [False, True, False, True]
    ended = ledger.close(known.id, "2026-01-01T00:02:00.000Z")
    assert ended is not None
    assert (ended.status, ended.ended) == (DocumentStatus.COMPLETE, "2026-01-01T00:02:00.000Z")
    assert (ended.pages_closed, ended.recognized, ended.failed, ended.usage) == (2, 4, 0, Usage(400, 40))
    assert [(page.page, page.closed, len(page.jobs)) for page in ledger.pages(known.id)] == [(1, True, 2), (2, True, 2)]


def test_a_result_is_stored_once_and_moves_the_counters_once(ledger: Ledger) -> None:
    known = ledger.open(document(pages=1, tasks=(Task.MULTI_LAN,)))
    first = result(known, 1, Task.MULTI_LAN)
    assert ledger.record(first, 1).first
    late = ledger.record(replace(first, status=JobStatus.FAILED, reason="overdue"), 1)
    assert (late.first, late.result, late.page_closed) == (False, first, True)
    stored = ledger.document(known.id)
    assert stored is not None
    assert (stored.pages_closed, stored.recognized, stored.failed) == (1, 1, 0)


def test_an_end_stays_as_it_is(ledger: Ledger) -> None:
    known = ledger.open(document(pages=1, tasks=(Task.MULTI_LAN,)))
    ledger.record(result(known, 1, Task.MULTI_LAN, status=JobStatus.FAILED, reason="x"), 1)
    first = ledger.close(known.id, "2026-01-01T00:02:00.000Z")
    assert first is not None
    assert first.status is DocumentStatus.FAILED
    assert ledger.close(known.id, "2026-01-01T00:03:00.000Z") == first


def test_some_failed_page_jobs_make_the_document_partial(ledger: Ledger) -> None:
    known = ledger.open(document(pages=1))
    ledger.record(result(known, 1, Task.TEXT_RECOGNITION), 2)
    ledger.record(result(known, 1, Task.MULTI_LAN, status=JobStatus.FAILED, reason="x", attempts=5), 2)
    ended = ledger.close(known.id, "2026-01-01T00:02:00.000Z")
    assert ended is not None
    assert ended.status is DocumentStatus.PARTIAL


def test_a_range_is_remembered_by_its_bounds(ledger: Ledger) -> None:
    known = ledger.open(document())
    ledger.mark_split(known.id, PageRange(1, 20))
    assert ledger.is_split(known.id, PageRange(1, 20))
    assert not ledger.is_split(known.id, PageRange(1, 21))


def test_unfinished_documents_are_found_until_their_end_is_announced(ledger: Ledger) -> None:
    known = ledger.open(document(pages=1, tasks=(Task.MULTI_LAN,)))
    assert known.id not in ledger.unfinished(before="2026-01-01T06:00:00.000Z")
    assert known.id in ledger.unfinished(before="2026-01-01T06:00:00.001Z")
    ledger.record(result(known, 1, Task.MULTI_LAN), 1)
    ended = ledger.close(known.id, "2026-01-01T00:02:00.000Z")
    assert ended is not None
    assert known.id in ledger.unfinished(before="2026-01-01T06:00:00.001Z")
    ledger.announced(ended, "2026-01-01T14:00:00.000Z")
    assert known.id not in ledger.unfinished(before="2026-01-01T06:00:00.001Z")
    stored = ledger.document(known.id)
    assert stored is not None
    assert stored.announced


@pytest.mark.parametrize("length", [100, INLINE_RESULT_BYTES + 1])
def test_a_result_comes_back_as_it_was_stored_whatever_its_size(ledger: Ledger, length: int) -> None:
    known = ledger.open(document())
    large = result(known, 1, Task.MULTI_LAN, output={"text": "ü" * length, "lines": [{"text": "ü"}]})
    ledger.record(large, 2)
    assert ledger.result(known.id, 1, Task.MULTI_LAN) == large


def test_a_large_result_leaves_only_a_pointer_in_the_table(deployed: Deployed) -> None:
    ledger = dynamo(deployed)
    known = ledger.open(document())
    ledger.record(result(known, 1, Task.MULTI_LAN, output={"text": "x" * 2 * INLINE_RESULT_BYTES}), 2)
    stored = ledger.table.get(result_key(known.id, 1, "multi_lan"))
    assert stored is not None
    assert "result" not in stored
    assert deployed.client("s3").head_object(Bucket=deployed.outputs["PagesBucket"], Key=stored["result_key"])


def test_counts_are_exact_when_all_tasks_of_many_pages_end_at_once_and_twice(deployed: Deployed) -> None:
    ledger = dynamo(deployed)
    pages, tasks = 12, tuple(Task)
    known = ledger.open(document(pages, tasks))
    outcomes = [result(known, page, task) for page in range(1, pages + 1) for task in tasks] * 2
    with ThreadPoolExecutor(16) as pool:
        recorded = list(pool.map(lambda outcome: ledger.record(outcome, len(tasks)), outcomes))
    stored = ledger.document(known.id)
    assert stored is not None
    assert (stored.pages_closed, stored.recognized) == (pages, pages * len(tasks))
    assert sum(outcome.first for outcome in recorded) == pages * len(tasks)
    assert sum(outcome.first and outcome.page_closed for outcome in recorded) == pages


def test_a_day_s_cap_is_claimed_once_for_a_document_and_settled_by_its_bill(ledger: Ledger) -> None:
    day = str(date.fromordinal(1 + uuid.uuid4().int % date.max.toordinal()))  # of this test alone: the table is shared
    first = replace(document(pages=1, tasks=(Task.MULTI_LAN,)), started=f"{day}T00:00:00.000Z", reserved=600)
    assert ledger.open(first, day_cap=1_000) == first
    assert ledger.open(first, day_cap=1_000) == first
    assert ledger.spent(day) == 600
    second = replace(document(), started=f"{day}T00:00:00.000Z", reserved=600)
    with pytest.raises(DayIsSpent):
        ledger.open(second, day_cap=1_000)
    assert ledger.document(second.id) is None
    ledger.record(result(first, 1, Task.MULTI_LAN, usage=Usage(100, 10)), 1)
    for _ in range(2):
        ledger.close(first.id, "2026-01-01T00:02:00.000Z")
    assert ledger.spent(day) == ledger.price.units(Usage(100, 10)) < 1_000
    assert ledger.open(replace(second, reserved=100), day_cap=1_000).reserved == 100


def test_places_in_the_rate_are_given_once_however_many_claim_at_once(deployed: Deployed) -> None:
    budget = RateBudget(dynamo(deployed).table, uuid.uuid4().hex, RateLimits(600, 6_000_000))
    with ThreadPoolExecutor(8) as pool:
        claims = list(pool.map(lambda task: budget.turns(task, [SlotRequest(1_000)] * 10), list(Task)))
    slots = [turn.slot if isinstance(turn, Backoff) else turn for turns in claims for turn in turns]
    moments = sorted(slot.moment for slot in slots if slot)
    assert len(moments) == 70
    assert min(after - before for before, after in pairwise(moments)) > 0.1
    budget.refused()
    assert budget.read().pace(time.time()) < 1


def test_one_of_many_who_ask_the_same_at_once_asks_and_the_others_get_its_result(ledger: Ledger) -> None:
    reuse = Reuse(ledger, EngineSettings(f"http://{uuid.uuid4().hex}", "qwen-vl-ocr"))
    asking = document(pages=1, tasks=(Task.MULTI_LAN,))
    image = StoredImage("documents/d/pages/00001.png", "image/png", 100, 50, 3, "f" * 64)
    job = PageJob(asking.id, 1, Task.MULTI_LAN, 1, image)
    found = reuse.look(job)
    assert isinstance(found, CacheMiss)
    with ThreadPoolExecutor(4) as pool:
        claims = list(pool.map(lambda _: reuse.claim(found, 60), range(4)))
    (claim,) = (claim for claim in claims if isinstance(claim, Lease))
    assert isinstance(reuse.look(job), Backoff)

    ledger.open(asking)
    answer = result(asking, 1, Task.MULTI_LAN, usage=Usage(100, 10), image_sha256=image.sha256)
    ledger.record(answer, 1)
    reuse.answered(claim, answer)
    copy = reuse.look(replace(job, document_id=DocumentId("another"), page=7))
    assert isinstance(copy, Result)
    assert (copy.document_id, copy.page, copy.usage) == ("another", 7, Usage())
    assert (copy.output, copy.reused_from) == (answer.output, Original(asking.id, 1))


def test_a_claim_that_is_left_is_for_the_next_or_for_all(ledger: Ledger) -> None:
    reuse = Reuse(ledger, EngineSettings(f"http://{uuid.uuid4().hex}", "qwen-vl-ocr"))
    image = StoredImage("documents/d/pages/00001.png", "image/png", 100, 50, 3, "f" * 64)
    job = PageJob(DocumentId("d"), 1, Task.MULTI_LAN, 1, image)
    for for_the_next in (True, False):
        found = reuse.look(job)
        assert isinstance(found, CacheMiss)
        claim = reuse.claim(found, 60)
        assert isinstance(claim, Lease)
        reuse.leave(claim, for_the_next=for_the_next)
        left = reuse.look(job)
        assert isinstance(left, CacheMiss)
        assert left.claimable is for_the_next


def test_an_update_that_changes_nothing_cannot_be_made(ledger: Ledger) -> None:
    """DynamoDB refuses an empty expression, so no table is given one."""
    with pytest.raises(ValueError, match="changes nothing"):
        ledger.table.change(Update(Key("document", "page"), Condition(equal={"since": None})))
