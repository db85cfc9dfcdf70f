"""A message that a function sends to its own queue again and again, as Lambda sees it."""

from __future__ import annotations

from local.functions.lineage import MOST_INVOCATIONS, field, grown, lineage_of
from tests.local.conftest import Toys, eventually


def test_a_chain_is_dropped_after_sixteen_invocations(toys: Toys) -> None:
    mark = toys.send("Plain", {"do": "pass on", "times": 20})
    dropped = toys.stack.service.recursive_invocations_dropped
    assert eventually(lambda: dropped["toy-Plain"] >= 1)
    # What was dropped is lost to the function: it ends in the dead letters.
    assert eventually(lambda: toys.left("Plain") == 0)
    seen = {order["number"] for entry in toys.entries(mark) for order in entry["orders"]}
    assert seen == set(range(MOST_INVOCATIONS))


def test_a_function_that_may_loop_does(toys: Toys) -> None:
    mark = toys.send("Narrow", {"do": "pass on", "times": 20})
    assert eventually(
        lambda: {order["number"] for one in toys.entries(mark) for order in one["orders"]} == {*range(21)}
    )
    assert toys.stack.service.recursive_invocations_dropped["toy-Narrow"] == 0


def test_a_batch_s_chain_is_its_longest() -> None:
    one = grown(grown({}, "arn:a"), "arn:a")
    other = grown(grown({}, "arn:a"), "arn:b")
    records = [{"attributes": {"AWSTraceHeader": f"Root=1-2-3;Sampled=1{field(chain)}"}} for chain in (one, other)]
    assert lineage_of([*records, {"attributes": {}}]) == {**one, **{name: 1 for name in other if name not in one}}
