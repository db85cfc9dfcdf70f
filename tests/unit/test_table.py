"""Changes of records, as values."""

from __future__ import annotations

import pytest

from pagewise.table import Condition, Delete, Key, Put, Refused, Update
from tests.fakes import MemoryTable

KEY, OTHER = Key("document", "a"), Key("document", "b")


def test_an_update_changes_something() -> None:
    with pytest.raises(ValueError, match="changes nothing"):
        Update(KEY, Condition(exists=True))


def test_changes_are_made_together_or_not_at_all() -> None:
    table = MemoryTable()
    with pytest.raises(Refused) as refused:
        table.change(Put(KEY, {"n": 1}), Update(OTHER, Condition(equal={"n": 2}), set={"n": 3}))
    assert refused.value.unmet == {1}
    assert "[1]" in str(refused.value)
    assert table.get(KEY) is None


def test_a_number_that_is_not_there_exceeds_nothing() -> None:
    table = MemoryTable()
    for _ in range(2):
        table.change(Update(KEY, Condition(at_most={"spent": 5}), add={"spent": 5}))
    with pytest.raises(Refused):
        table.change(Update(KEY, Condition(at_most={"spent": 5}), add={"spent": 5}))
    table.change(Delete(KEY))
    assert table.get(KEY) is None
