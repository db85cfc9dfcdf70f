"""Duplicates and reordering, which SQS and Lambda allow and hardly ever do, can be had here."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random

import pytest

from local.children import Children
from local.functions.event_sources import Faults
from local.stack import Stack
from tests.local.conftest import Toys, eventually


def test_messages_and_events_come_twice_and_in_any_order(toy_template: Path, tmp_path: Path) -> None:
    faults = Faults(duplicates=0.5, shuffled=True, chance=Random(7))
    with Children() as children:
        stack = Stack(
            children,
            toy_template,
            name="faulty",
            logs=tmp_path / "logs",
            parameters={"Journal": str(tmp_path / "journal")},
            faults=faults,
        )
        with stack:
            toys = Toys(stack, tmp_path / "journal")
            mark = toys.send("Plain", *[{"do": "nothing"}] * 20)
            assert eventually(lambda: toys.left("Plain") == 0 and len(deliveries(toys, mark)) > 20)
            assert eventually(stack.is_idle)
            numbers = deliveries(toys, mark)
    assert set(numbers) == set(range(20))
    assert set(Counter(numbers).values()) == {1, 2}
    assert numbers != sorted(numbers)


def deliveries(toys: Toys, mark: str) -> list[int]:
    return [order["number"] for entry in toys.entries(mark, "ended") for order in entry["orders"]]


def test_faults_are_ordered_by_environment_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Faults.from_environment().duplicates == 0
    monkeypatch.setenv("PAGEWISE_DUPLICATES", "0.25")
    monkeypatch.setenv("PAGEWISE_SHUFFLED", "1")
    faults = Faults.from_environment()
    assert (faults.duplicates, faults.shuffled) == (0.25, True)
