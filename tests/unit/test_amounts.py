"""Numbers and amounts as people write them, in both conventions."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagewise.options.amounts import Convention, amount, is_amount, is_number, number

POINT, COMMA = Convention.POINT, Convention.COMMA


@pytest.mark.parametrize(
    ("text", "by_point", "by_comma"),
    [
        ("1,234.56", "1234.56", None),
        ("1.234,56", None, "1234.56"),
        ("1.234", "1.234", "1234"),
        ("12,34,567.00", "1234567.00", None),
        ("1 234,5", None, "1234.5"),
        ("12.50-", "-12.50", None),
        ("\uff11\uff12", "12", "12"),
        ("12 apples", None, None),
        ("", None, None),
    ],
)
def test_a_text_is_a_number_of_one_convention_or_of_both(text: str, by_point: str | None, by_comma: str | None) -> None:
    assert number(text, POINT) == (by_point and Decimal(by_point)) or (number(text, POINT), by_point) == (None, None)
    assert number(text, COMMA) == (by_comma and Decimal(by_comma)) or (number(text, COMMA), by_comma) == (None, None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("USD 12.50", "12.50"), ("12.50 €", "12.50"), ("(3.00)", "-3.00"), ("-£4", "-4"), ("12.--", "12"), ("US$1", "1")],
)
def test_an_amount_has_its_currency_on_one_side(text: str, expected: str) -> None:
    assert amount(text, POINT) == Decimal(expected)


@pytest.mark.parametrize("text", ["$12€", "12 XYZ", "((3))", "--4", "9" * 61])
def test_other_texts_are_no_amount(text: str) -> None:
    assert not is_amount(text)


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=0, max_value=10**12, places=2))
def test_whatever_is_written_in_a_convention_is_read_in_it(value: Decimal) -> None:
    written = f"{value:,.2f}"
    assert number(written, POINT) == value
    assert number(written.translate(str.maketrans(",.", ".,")), COMMA) == value


@given(st.text())
def test_no_text_is_too_strange(text: str) -> None:
    assert is_amount(text) or not is_number(text)
