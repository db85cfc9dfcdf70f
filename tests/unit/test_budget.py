"""The rate budget: no limit overrun, no rate left unused, fair, and cheap."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pagewise.model import Slot
from pagewise.rate.budget import (
    GRACE_SECONDS,
    LEAD_SECONDS,
    LONGEST_DELAY,
    LONGEST_WAIT,
    PREPARATION_SECONDS,
    Backoff,
    Grant,
    RateBudget,
    RateLimits,
    SlotRequest,
)
from pagewise.table import Attributes, Refused, Update
from pagewise.tasks import Task
from tests.fakes import MemoryTable
from tests.unit.account import EPOCH, Account

A, B = Task.TEXT_RECOGNITION, Task.TABLE_PARSING


def moments(turns: list[Grant]) -> list[float]:
    """The moments of all places, near and kept."""
    slots = [turn.slot if isinstance(turn, Backoff) else turn for turn in turns]
    return [slot.moment for slot in slots if slot]


def calls(number: int, tokens: int = 1_000) -> list[SlotRequest]:
    return [SlotRequest(tokens)] * number


def test_calls_of_an_idle_account_go_at_once_one_after_the_other() -> None:
    account = Account()
    turns = account.budget.turns(A, calls(10))
    assert not any(isinstance(turn, Backoff) for turn in turns)
    places = moments(turns)
    assert PREPARATION_SECONDS <= places[0] - EPOCH < PREPARATION_SECONDS + 0.1
    assert places[-1] - places[0] == pytest.approx(9 / 9.5, abs=0.05)


def test_what_is_not_near_is_kept_and_waited_for_in_the_queue() -> None:
    account = Account()
    turns = account.budget.turns(A, calls(100))
    far = [turn for turn in turns if isinstance(turn, Backoff)]
    assert len(far) == pytest.approx(100 - 3 * 9.5, abs=3)
    for turn in far:
        assert turn.slot is not None
        assert 0 <= turn.slot.moment - EPOCH - turn.seconds - LEAD_SECONDS <= 1.0 or turn.seconds == 1.0


def test_a_kept_place_is_used_without_another_claim() -> None:
    account = Account()
    turns = account.budget.turns(A, calls(100))
    assert isinstance(turns[-1], Backoff)
    slot = turns[-1].slot
    assert slot is not None
    account.now = slot.moment - 1.5
    writes = account.table.writes
    assert account.budget.turns(A, [SlotRequest(1_000, slot)]) == [slot]
    assert account.table.writes == writes


def test_who_comes_too_early_goes_back_and_who_comes_too_late_claims_anew() -> None:
    account = Account()
    slot = Slot(EPOCH + 40)
    (early,) = account.budget.turns(A, [SlotRequest(1_000, slot)])
    assert early == Backoff(40 - LEAD_SECONDS, slot)
    account.now = slot.moment + GRACE_SECONDS + 0.1
    (late,) = account.budget.turns(A, [SlotRequest(1_000, slot)])
    assert isinstance(late, Slot)
    assert late.moment >= account.now


def test_no_place_is_given_twice_and_no_second_has_too_many() -> None:
    account = Account()
    places = sorted(moment for _ in range(60) for moment in moments(account.budget.turns(A, calls(10))))
    assert len(places) == pytest.approx(60 * 9.5, abs=30)
    assert all(after - before > 0.1 for before, after in pairwise(places))


def test_tokens_limit_as_well_as_requests() -> None:
    account = Account(tokens_per_minute=600_000)
    places = sorted(moment for _ in range(30) for moment in moments(account.budget.turns(A, calls(10, 10_000))))
    assert len(places) <= 60
    assert all(after - before > 0.99 for before, after in pairwise(places))


def test_a_call_larger_than_the_limit_goes_all_the_same() -> None:
    account = Account(tokens_per_minute=6_000)
    assert len(moments(account.budget.turns(A, calls(3, 50_000)))) == 3


@given(
    st.integers(1, 5_000),
    st.sampled_from([0, 10_000, 1_000_000]),
    st.lists(st.tuples(st.integers(1, 30), st.integers(1, 20_000), st.floats(0, 20)), min_size=1, max_size=20),
)
@settings(max_examples=60, deadline=None)
def test_no_window_ever_holds_more_than_the_limit(
    per_minute: int, tokens_per_minute: int, batches: list[tuple[int, int, float]]
) -> None:
    account = Account(per_minute, tokens_per_minute)
    given_out: Counter[int] = Counter()
    for number, tokens, pause in batches:
        turns = account.budget.turns(A, calls(number, tokens))
        assert len(turns) == number
        assert all(turn.seconds <= LONGEST_DELAY for turn in turns if isinstance(turn, Backoff))
        given_out.update(int(moment) for moment in moments(turns))
        account.now += pause
    assert all(number <= per_minute / 60 + 1 for number in given_out.values())


def test_the_record_stays_small() -> None:
    account = Account()
    account.send(A, 3_000)
    account.run(300)
    stored = account.table.get(account.budget.key) or {}
    assert len(stored) < 2 * 16 + 10


def test_a_batch_costs_one_read_and_one_write() -> None:
    account = Account()
    for _ in range(20):
        account.budget.turns(A, calls(10))
        account.now += 1
    assert (account.table.reads, account.table.writes) == (20, 20)


class Overtaken(MemoryTable):
    """Something happens just before the next claim is written."""

    before: Callable[[], None] | None = None

    def updated(self, update: Update) -> Attributes:
        if act := self.before:
            self.before = None
            act()
        return super().updated(update)


def test_two_that_claim_at_the_same_time_get_different_places() -> None:
    """Whoever loses the race reads again."""
    table = Overtaken()
    budget = RateBudget(table, "model", RateLimits(600, 0), lambda: EPOCH, pause=lambda _: None)
    others: list[Grant] = []
    table.before = lambda: others.extend(budget.turns(B, calls(10)))
    both = moments(budget.turns(A, calls(10))) + moments(others)
    assert len(both) == 20
    assert min(after - before for before, after in pairwise(sorted(both))) > 0.1


@pytest.mark.parametrize(("per_minute", "concurrency"), [(6, 2), (60, 10), (600, 10), (1_200, 30)])
def test_under_load_the_limit_is_used_and_not_overrun(per_minute: int, concurrency: int) -> None:
    account = Account(per_minute, concurrency=concurrency)
    account.send(A, 6 * per_minute)
    account.run(305)
    assert account.service.rate(EPOCH + 5, EPOCH + 305) >= 0.90
    assert len(account.service.refusals) < 0.01 * len(account.service.answers)
    assert account.waited <= LONGEST_WAIT
    assert account.table.writes <= account.invocations
    deliveries = [job.deliveries for _, job in account.done]
    assert sum(deliveries) / len(deliveries) < 4


def test_seven_tasks_share_one_limit_evenly() -> None:
    account = Account(per_minute=600)
    for task in Task:
        account.send(task, 600)
    account.run(300)
    assert account.service.rate(EPOCH + 5, EPOCH + 300) >= 0.90
    assert len(account.service.refusals) < 0.01 * len(account.service.answers)
    of_task = Counter(task for moment, task in account.service.answers if moment > EPOCH + 100)
    assert min(of_task.values()) > 0.7 * max(of_task.values())


def test_a_small_document_is_not_starved_by_a_large_one_of_another_task() -> None:
    account = Account(per_minute=600)
    account.send(A, 5_000)
    account.send(B, 30, after=60)
    account.run(240)
    took = sorted(account.finished(B))
    assert len(took) == 30
    assert took[-1] < 120  # within a minute of its upload; all that came before it takes 530 s
    assert account.service.rate(EPOCH + 5, EPOCH + 240) >= 0.90


def test_a_refusal_lowers_the_pace_for_all_and_it_recovers() -> None:
    account = Account()
    for _ in range(20):
        account.budget.refused()
    calendar = account.budget.read()
    lowered = calendar.pace(account.now)
    assert lowered == pytest.approx((1 - 0.05 / 9.5) * (1 - 0.25 / 9.5) ** 19, abs=0.01)
    assert calendar.pace(account.now + 30) == pytest.approx((1 + lowered) / 2)
    assert calendar.pace(account.now + 60) == 1.0
    assert len(moments(account.budget.turns(A, calls(600)))) == pytest.approx(570 * (1 + lowered) / 2, rel=0.1)


def test_a_claim_that_a_refusal_overtakes_keeps_the_lowered_pace() -> None:
    table = Overtaken()
    budget = RateBudget(table, "model", RateLimits(60, 0), lambda: EPOCH, pause=lambda _: None)
    budget.turns(A, calls(2))
    table.before = budget.refused
    budget.turns(A, calls(1))
    calendar = budget.read()
    held = {int(name.rpartition("#")[2]): calendar.count(name) for name in calendar.stored if name.startswith("taken#")}
    last_call = budget.limits.time_of(0)
    assert all(calls_of - last_call < calendar.room(window) for window, calls_of in held.items())


def test_a_limit_lower_than_was_set_is_found_by_its_refusals() -> None:
    """Another program uses half of the account. Pace is always on its way up again, so that refusals go on, but few."""
    account = Account(per_minute=600)
    account.service.per_minute = 300
    account.send(A, 3_000)
    account.run(360)
    assert account.service.rate(EPOCH + 60, EPOCH + 360) >= 0.65
    assert len(account.service.refusals) < 0.3 * len(account.service.answers)


def test_a_table_that_is_always_overtaken_gives_up() -> None:
    class Busy(MemoryTable):
        def updated(self, _update: Update) -> Attributes:
            raise Refused(frozenset())

    budget = RateBudget(Busy(), "model", RateLimits(600, 0), lambda: EPOCH, pause=lambda _: None)
    with pytest.raises(Exception, match="busy"):
        budget.turns(A, calls(1))


def test_a_line_longer_than_a_queue_can_delay_is_waited_in_without_a_write() -> None:
    """DynamoDB refuses an update that changes nothing; 600 jobs at one a minute are a line of ten hours."""
    account = Account(per_minute=1)
    for _ in range(60):
        turns = account.budget.turns(A, calls(10))
    writes = account.table.writes
    turns = account.budget.turns(A, calls(10))
    assert account.table.writes == writes
    assert all(LONGEST_DELAY / 2 <= turn.seconds <= LONGEST_DELAY for turn in turns if isinstance(turn, Backoff))
    assert all(isinstance(turn, Backoff) for turn in turns)
