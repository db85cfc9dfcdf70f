"""Places in results, as JSON Pointers."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagewise.review.pointers import NoSuchPlace, found, parts_of, pointer, put, scalars

NAMES = st.text(max_size=8)
LEAVES = st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5)
FIELDS = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3))
OUTPUT: dict[str, Any] = {"fields": {"Items": [{"Price": "1.00"}], "a/b": {"~": None}}, "text": "t"}


@given(st.lists(NAMES | st.integers(0, 20), min_size=1, max_size=5))
def test_a_pointer_names_its_parts_whatever_they_hold(parts: list[str | int]) -> None:
    assert parts_of(pointer(parts)) == [str(part) for part in parts]


@given(st.dictionaries(NAMES, FIELDS, max_size=3))
def test_every_value_is_found_and_replaced_where_its_pointer_says(output: dict[str, Any]) -> None:
    for parts, value in scalars(output):
        place = pointer(parts)
        assert found(output, place) == value
        changed = put(output, place, "new")
        assert found(changed, place) == "new"
        others = [(at, one) for at, one in scalars(output) if at != parts]
        assert [(at, one) for at, one in scalars(changed) if at != parts] == others


def test_what_the_machine_has_missed_can_be_added() -> None:
    assert put(OUTPUT, "/fields/Total", "9")["fields"]["Total"] == "9"
    assert put(OUTPUT, "/fields/Items/1/Price", "2")["fields"]["Items"] == [{"Price": "1.00"}, {"Price": "2"}]
    assert put(OUTPUT, "/fields/a~1b/~0", 3)["fields"]["a/b"] == {"~": 3}
    assert OUTPUT["fields"]["Items"] == [{"Price": "1.00"}]


@pytest.mark.parametrize(
    "place",
    [
        "",
        "fields",
        "/fields",
        "/fields/Items",
        "/fields/Items/0",
        "/fields/Items/7/Price",
        "/fields/Items/x",
        "/text/0",
    ],
)
def test_an_object_a_list_or_a_place_beyond_the_end_is_no_value(place: str) -> None:
    with pytest.raises(NoSuchPlace):
        put(OUTPUT, place, "new")
