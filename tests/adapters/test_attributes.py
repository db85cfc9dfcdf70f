"""Attribute values, held against boto3's own."""

from __future__ import annotations

from decimal import Decimal

import pytest
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from hypothesis import given
from hypothesis import strategies as st

from pagewise.aws.attributes import marshal, unmarshal

values = st.recursive(
    st.none() | st.booleans() | st.text() | st.integers(-(10**30), 10**30) | st.decimals(-1000, 1000, places=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(st.dictionaries(st.text(), values))
def test_values_are_written_as_boto3_writes_them_and_read_back(attributes: dict[str, object]) -> None:
    written = marshal(attributes)
    serializer, deserializer = TypeSerializer(), TypeDeserializer()
    assert written == {name: serializer.serialize(value) for name, value in attributes.items()}
    assert unmarshal(written) == {name: deserializer.deserialize(value) for name, value in written.items()}
    assert unmarshal(written) == attributes


def test_numbers_come_back_as_decimals() -> None:
    assert isinstance(unmarshal({"pages": {"N": "3"}})["pages"], Decimal)


@pytest.mark.parametrize("value", [1.5, b"bytes", {"a set"}, object()])
def test_what_a_record_cannot_hold_is_refused(value: object) -> None:
    with pytest.raises(TypeError):
        marshal({"value": value})
