"""Checks between fields: sums of amounts, and the order of dates."""

from __future__ import annotations

from typing import Any

import pytest

from pagewise.options.comparisons import broken_order, broken_sums
from tests.unit.test_rules import problems

BILL = {"sums": [{"of": ["Lines/Price", "Tip"], "equals": "Total", "tolerance": 0.01}]}


@pytest.mark.parametrize(
    ("prices", "tip", "total", "keeps"),
    [
        (["1.00", "2.50"], None, "3.50", True),
        (["1,00", "2,50"], "0,50", "4,00 €", True),
        (["1.234,56", "1.000"], "", "EUR 2.234,56", True),  # 1.000 is a thousand here
        (["1,234.56", "1.000"], "", "1,235.56", True),  # and one here
        (["0.333", "0.333", "0.333"], None, "1.00", True),  # within the tolerance
        (["1.00", "2.50"], None, "3.52", False),
        (["1.00", "-0.50"], None, "0.50", True),
        ([1, 2.5], None, 3.5, True),
        (["1.00", None], None, "1.00", True),
        (["1.00", "see above"], None, "1.00", False),  # a part that cannot be read
        (["1.00"], None, "one", False),
        (["1.234,56"], None, "1,234.56", False),  # two conventions on one page
        ([], None, "3.50", True),  # nothing to add up
        (["1.00"], None, None, True),  # and nothing to compare with: `required` asks for it
    ],
)
def test_amounts_come_to_a_total(prices: list[Any], tip: str | None, total: Any, keeps: bool) -> None:
    fields = {"Lines": [{"Article": "a", "Price": price} for price in prices], "Tip": tip, "Total": total}
    assert problems(fields, BILL) == ([] if keeps else [("Total", "sums")])


@pytest.mark.parametrize(
    ("first", "then", "keeps", "keeps_strictly"),
    [
        ("2026-01-31", "2026-02-01", True, True),
        ("2026-02-01", "2026-02-01", True, False),
        ("2026-02-01", "2026-01-31", False, False),
        ("2026-02-01 10:00", "2026-02-01 09:59", False, False),
        ("2026-02-01", "2026-02-01 09:59", True, False),
        ("2026-02-01T23:00-05:00", "2026-02-02T03:00Z", False, False),
        ("2026-02-01T23:00-05:00", "2026-02-02T05:00Z", True, True),
        ("2026-02-01", None, True, True),
        ("1 February", "2026-02-02", False, False),
    ],
)
def test_one_date_comes_before_another(first: str, then: str | None, keeps: bool, keeps_strictly: bool) -> None:
    for same, expected in ((True, keeps), (False, keeps_strictly)):
        rules = {"properties": {"Term": {"order": [{"first": "From", "then": "To", "same": same}]}}}
        assert problems({"Term": {"From": first, "To": then}}, rules) == ([] if expected else [("Term/To", "order")])


def test_a_comparison_finds_a_field_with_a_slash_in_its_name() -> None:
    rules = {"sums": [{"of": ["Price/unit/Net", "Price/unit/Tax"], "equals": "Total"}]}
    assert problems({"Price/unit": {"Net": "1", "Tax": "2"}, "Total": "4"}, rules) == [("Total", "sums")]


def test_each_broken_total_and_date_is_named_once() -> None:
    fields = {
        "Lines": [{"Price": "1"}, {"Price": "2"}],
        "Net": "4",
        "Total": "3",
        "Due": "2026-01-01",
        "On": "2026-02-01",
    }
    sums = [{"of": ["Lines/Price"], "equals": total} for total in ("Net", "Total")]
    assert list(broken_sums(sums, fields)) == ["Net"]
    assert list(broken_order([{"first": "On", "then": "Due"}, {"first": "Due", "then": "On"}], fields)) == ["Due"]
