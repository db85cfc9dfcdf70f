"""No schedule of faults loses a page job of the batch lane or has it billed twice; each promise's code is found out."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.faults.batch_lane import Batched, broken_promises
from tests.faults.batch_mutations import MUTATIONS, found_at
from tests.faults.promises import simulate

SEEDS, TOGETHER = 50, 25
SEEDS_TO_FIND_A_MUTATION = 300


@pytest.mark.parametrize("start", range(0, SEEDS, TOGETHER))
def test_every_promise_is_kept_under_every_schedule(start: int) -> None:
    broken: dict[int, list[str]] = {}
    faults: Counter[str] = Counter()
    for seed in range(start, start + TOGETHER):
        world, found = simulate(seed, Batched, broken_promises)
        faults += world.faults
        if found:
            broken[seed] = found
    assert broken == {}
    assert len(faults) > 20  # kinds


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_the_simulator_bites(mutation: str) -> None:
    likely = found_at().get(mutation, 0)
    seeds = [likely, *range(SEEDS_TO_FIND_A_MUTATION)]
    assert any(simulate(seed, MUTATIONS[mutation], broken_promises)[1] for seed in seeds)
