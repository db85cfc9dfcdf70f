"""Which documents a person shall look at."""

from __future__ import annotations

import uuid

import pytest

from pagewise.review.policy import is_drawn, parse_review


@pytest.mark.parametrize(
    ("said", "stored"),
    [
        ("never", "never"),
        (" Doubtful ", "doubtful"),
        ("ALWAYS", "always"),
        ("sample 5 %", "sample 5%"),
        ("sample  0.25%", "sample 0.25%"),
        ("sample 100%", "sample 100%"),
    ],
)
def test_a_policy_has_one_form(said: str, stored: str) -> None:
    assert parse_review(said) == stored


@pytest.mark.parametrize(
    "said", ["", "sometimes", "sample", "sample 101%", "sample -1%", "5%", "sample 5", "sample 1e1%"]
)
def test_what_is_no_policy_is_refused(said: str) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011  its argument is what was said
        parse_review(said)
    assert refused.value.args == (said,)


def test_a_sample_is_as_large_as_it_says_and_draws_a_document_always_or_never() -> None:
    ids = [uuid.UUID(int=number).hex for number in range(20_000)]
    drawn = [document_id for document_id in ids if is_drawn(document_id, "sample 5%")]
    assert 900 < len(drawn) < 1_100
    assert [document_id for document_id in drawn if not is_drawn(document_id, "sample 5%")] == []
    assert sum(is_drawn(document_id, "sample 100%") for document_id in ids) == len(ids)
    assert not any(is_drawn(document_id, policy) for document_id in ids for policy in ("never", "doubtful", "always"))
