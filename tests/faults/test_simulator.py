"""No schedule of faults breaks a promise; and each promise's code, broken once, is found out."""

from __future__ import annotations

import pytest

from tests.faults.mutations import MUTATIONS, first_broken, found_at
from tests.faults.people import world_of
from tests.faults.promises import simulate
from tests.faults.simulator import Crowded

SEEDS = 100


@pytest.mark.parametrize("start", range(0, SEEDS, 50))
def test_every_promise_is_kept_under_every_schedule(start: int) -> None:
    broken = {seed: found for seed in range(start, start + 50) if (found := simulate(seed, world_of(seed))[1])}
    assert broken == {}


def test_every_promise_is_kept_where_many_wait_for_few_requests() -> None:
    broken = {seed: found for seed in range(15) if (found := simulate(seed, Crowded)[1])}
    assert broken == {}


@pytest.mark.parametrize("seed", [7, 8])
def test_a_seed_replays_exactly(seed: int) -> None:
    first, second = (simulate(seed, world_of(seed))[0] for _ in range(2))
    assert first.scheduler.steps == second.scheduler.steps
    assert first.faults == second.faults
    assert [event.id for event in first.publisher.events] == [event.id for event in second.publisher.events]


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_the_simulator_bites(mutation: str) -> None:
    assert first_broken(MUTATIONS[mutation], likely=found_at().get(mutation, 0)) is not None
