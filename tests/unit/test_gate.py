"""The gate: page jobs of a batch ask together, wait near places out, and are put off for far ones, at no attempt."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field, replace

import pytest

from pagewise.errors import StorageBusy, Throttled, Transient
from pagewise.model import PageJob, Result
from pagewise.rate.budget import HORIZON_SECONDS, RateBudget, RateLimits
from pagewise.rate.gate import Gate
from pagewise.table import Attributes, Key
from tests.fakes import text_answer
from tests.pictures import tiff
from tests.unit.account import EPOCH, CountingTable
from tests.unit.conftest import Pagewise


class Unreadable(CountingTable):
    def get(self, _key: Key) -> Attributes | None:
        raise StorageBusy("The results table: throttled.")


@dataclass
class Limited:
    """A Pagewise with a rate budget, whose time stands still unless somebody sleeps."""

    pagewise: Pagewise
    per_minute: int = 60
    table: CountingTable = field(default_factory=CountingTable)
    now: float = EPOCH
    waited: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        limits = RateLimits(self.per_minute, 0)
        budget = RateBudget(self.table, "m", limits, lambda: self.now, lambda _: None, lambda: 0.5)
        self.gate = Gate(budget, self.sleep)

    async def sleep(self, seconds: float) -> None:
        self.waited.append(seconds)

    def run(self, *jobs: PageJob, deliveries: int = 1) -> list[Result | None]:
        async def side_by_side() -> list[Result | None]:
            recognize = replace(self.pagewise.recognize, gate=self.gate)
            deadline = time.monotonic() + 100
            return await asyncio.gather(*(recognize.page_job(job, deliveries, deadline) for job in jobs))

        return asyncio.run(side_by_side())

    def split(self, pages: int) -> list[PageJob]:
        self.pagewise.split.upload(self.pagewise.upload(tiff(pages), ocr_tasks="text_recognition"))
        jobs, self.pagewise.queues.jobs = self.pagewise.queues.jobs, []
        return jobs


@pytest.fixture
def limited(pagewise: Pagewise) -> Limited:
    return Limited(pagewise)


def test_a_batch_claims_once_waits_for_near_places_and_puts_the_rest_off(limited: Limited) -> None:
    results = limited.run(*limited.split(6))
    assert [result is not None for result in results] == [True, True, True, False, False, False]
    assert limited.table.writes == 1
    assert all(0 <= seconds <= 3 for seconds in limited.waited)
    deferred = limited.pagewise.queues.deferred
    assert [job.earlier_attempts for job, _ in deferred] == [0, 0, 0]
    moments = sorted(job.slot.moment - EPOCH for job, _ in deferred if job.slot)
    assert moments == pytest.approx([3.4, 4.4, 5.5], abs=0.1)


def test_a_job_that_comes_back_for_its_place_goes_without_a_claim(limited: Limited) -> None:
    limited.run(*limited.split(6))
    job, _ = limited.pagewise.queues.deferred[-1]
    assert job.slot is not None
    limited.now = job.slot.moment - 1
    (result,) = limited.run(job)
    assert result is not None
    assert (result.attempts, limited.table.writes) == (1, 1)
    assert limited.waited[-1] == pytest.approx(1)


def test_a_stored_result_needs_no_place(limited: Limited) -> None:
    (job,) = limited.split(1)
    first, again = limited.run(job), limited.run(job, deliveries=2)
    assert first == again
    assert limited.table.writes == 1


def test_waiting_for_a_place_costs_no_attempt_however_often(pagewise: Pagewise) -> None:
    limited = Limited(pagewise, per_minute=6)
    limited.run(*limited.split(12))
    job = next(job for job, _ in pagewise.queues.deferred if job.slot is None)
    for _ in range(10):
        assert limited.run(job) == [None]
        job, _ = pagewise.queues.deferred.pop()
    limited.now += 100
    (result,) = limited.run(job)
    assert result is not None
    assert result.attempts == 1


def test_a_refusal_of_the_service_lowers_the_pace_and_frees_the_place(limited: Limited) -> None:
    limited.pagewise.engine.script = [Throttled("Throttling.RateQuota", "t"), text_answer()]
    assert limited.run(*limited.split(1)) == [None]
    ((job, _),) = limited.pagewise.queues.deferred
    assert job.slot is None
    assert limited.gate.budget is not None
    assert limited.gate.budget.read().pace(limited.now) < 1


def test_a_busy_table_puts_jobs_off_at_no_attempt(pagewise: Pagewise) -> None:
    limited = Limited(pagewise, table=Unreadable())
    assert limited.run(*limited.split(2)) == [None, None]
    assert [seconds <= HORIZON_SECONDS for _, seconds in pagewise.queues.deferred] == [True, True]
    assert pagewise.engine.questions == []


def test_a_slow_job_does_not_hold_up_the_others(limited: Limited) -> None:
    async def two() -> bool:
        gate, (job, _) = limited.gate, limited.split(2)
        recognize = replace(limited.pagewise.recognize, gate=gate)
        with gate.approach():  # one that never gets there
            return await recognize.page_job(job, 1, time.monotonic() + 100) is not None

    assert asyncio.run(asyncio.wait_for(two(), 5))


def test_a_call_that_is_made_again_takes_a_place_of_its_own(limited: Limited) -> None:
    limited.pagewise.engine.tries = 2
    (result,) = limited.run(*limited.split(1))
    assert result is not None
    assert len(limited.pagewise.engine.questions) == 3
    assert limited.table.writes == 3
    first, second, third = limited.waited
    apart = RateLimits(limited.per_minute, 0).time_of(0) / 1e6
    assert (second - first, third - second) == pytest.approx((apart, apart), abs=0.01)


def test_a_call_is_not_made_again_where_the_rate_has_no_near_place(limited: Limited) -> None:
    limited.pagewise.engine.tries = 9
    with pytest.raises(Transient):
        limited.run(*limited.split(1))
    assert len(limited.pagewise.engine.questions) == 3
