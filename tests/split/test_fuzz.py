"""A short run of `make fuzz`, with other inputs than its own."""

from __future__ import annotations

from tests.fuzz.door import fuzz

INPUTS = 75


def test_whatever_comes_in_ends_accepted_or_rejected_and_leaves_nothing() -> None:
    outcome = fuzz(INPUTS, seed=20_261_122)
    assert outcome.failures == []
    assert sum(outcome.ends.values()) == INPUTS
