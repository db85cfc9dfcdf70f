"""Values are looked for among the page's lines."""

from __future__ import annotations

from pagewise.outputs.grounding import amounts_in, dates_in, plain_number


def test_numbers_and_dates_are_compared_as_such() -> None:
    assert plain_number("1,234.50") == plain_number("1.234,50") == plain_number("1'234.5") == "1234.5"
    assert plain_number("1,234") == "1234"
    assert "7" in amounts_in("RM7.00")
    assert amounts_in("2 x 3.50") == {"2", "3.5"}
    assert (
        dates_in("14 MAY 2018")
        == dates_in("2018-05-14")
        == dates_in("May 14, 2018")
        == dates_in("2018年5月14日")
        == {(2018, 5, 14)}
    )
    assert dates_in("03/04/18") == {(2018, 4, 3), (2018, 3, 4)}
    assert dates_in("12.34.5678") == set()
