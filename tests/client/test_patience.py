"""What is tried again, and when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import islice

import pytest

from pagewise_client.patience import Pace, Patience, may_repeat, retry_after
from pagewise_client.steps import Ask, Fetch, NoReply, Put, Reply

ONCE, OFTEN = Ask("POST", "/", repeatable=False), Ask("GET", "/")
UPLOAD, DOWNLOAD = Put("https://bucket.example/", {}, b""), Fetch("https://bucket.example/")


@pytest.mark.parametrize("step", [ONCE, OFTEN, UPLOAD, DOWNLOAD])
def test_a_request_that_met_nobody_may_be_made_again(step: Ask | Put | Fetch) -> None:
    assert may_repeat(step, NoReply("refused", arrived=False))
    assert may_repeat(step, NoReply("broken off")) == (step in (OFTEN, DOWNLOAD))


@pytest.mark.parametrize("status", [200, 201, 302, 400, 401, 403, 404, 409, 413, 422, 500])
def test_what_will_be_the_same_again_is_not_tried_again(status: int) -> None:
    assert not any(may_repeat(step, Reply(status, {})) for step in (ONCE, OFTEN, UPLOAD, DOWNLOAD))


def test_pauses_grow_and_have_a_limit() -> None:
    patience = Patience(first=1, most=8)
    pauses = [patience.pause(tried, Reply(503, {})) for tried in range(1, 7)]
    for pause, longest in zip(pauses, [1, 2, 4, 8, 8, 8], strict=True):
        assert pause is not None
        assert longest / 2 <= pause <= longest


@pytest.mark.parametrize(
    ("said", "seconds"), [("0", 0), ("7", 7), ("", None), ("soon", None), ("-1", None), ("²", None)]
)
def test_a_server_s_wish_is_a_number_of_seconds(said: str, seconds: float | None) -> None:
    assert retry_after(Reply(429, {"retry-after": said})) == seconds


def test_or_a_date() -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    long_ago = format_datetime(datetime(2020, 1, 1, tzinfo=UTC), usegmt=True)
    asked = retry_after(Reply(503, {"retry-after": soon}))
    assert asked is not None
    assert 25 < asked <= 30
    assert retry_after(Reply(503, {"retry-after": long_ago})) == 0
    assert Patience().pause(1, Reply(503, {"retry-after": "61"})) is None


def test_looks_at_a_document_become_rarer() -> None:
    pauses = list(islice(Pace(1, 10, 2).pauses(), 6))
    for pause, about in zip(pauses, [1, 2, 4, 8, 10, 10], strict=True):
        assert 0.9 * about <= pause <= 1.1 * about
