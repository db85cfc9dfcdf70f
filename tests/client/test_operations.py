"""Steps without a server: ids, options, places of files, and how long an upload may be on its way."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pagewise.model import Upload
from pagewise_client import errors, operations
from pagewise_client.addresses import address_of
from pagewise_client.steps import Ask, NoReply, Put, Reply

ID = "a" * 32
TEXT = st.text('aé/ "\\\n\u2028文😀', max_size=20)


@settings(max_examples=30, deadline=None)
@given(TEXT, TEXT, TEXT.filter(lambda version: version != "null"))
def test_an_upload_s_id_is_the_pipeline_s(bucket: str, key: str, version: str) -> None:
    assert operations.id_of_upload(bucket, key, version) == Upload(bucket, key, version, "e", "1", 1).document_id


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("text,pdf", "text,pdf"),
        (["text", "pdf"], "text,pdf"),
        (True, "true"),
        (False, "false"),
        (200, "200"),
        ({"Größe": ""}, '{"Gr\\u00f6\\u00dfe": ""}'),
    ],
)
def test_an_option_is_spelled_as_metadata_are(value: Any, text: str) -> None:
    assert operations.spelled(value) == text


def test_times_are_utc_with_milliseconds() -> None:
    east = timezone(timedelta(hours=2))
    assert operations.moment(datetime(2026, 11, 26, 8, tzinfo=east)) == "2026-11-26T06:00:00.000Z"
    assert operations.moment(datetime(2026, 11, 26, 8, 0, 0, 1999, tzinfo=UTC)) == "2026-11-26T08:00:00.001Z"
    assert operations.moment("2026-11-26T08:00:00.000Z") == "2026-11-26T08:00:00.000Z"


@pytest.mark.parametrize(
    "name", ["", "/etc/passwd", "../x", "a/../../x", "a//b", "a/", ".", "a\\..\\x", "C:x", "a\0b", "tables/."]
)
def test_no_output_is_written_out_of_its_folder(name: str, tmp_path: Path) -> None:
    with pytest.raises(errors.UnexpectedAnswer, match="out of its folder"):
        operations.place_of(name, tmp_path)


def test_outputs_lie_as_they_are_named(tmp_path: Path) -> None:
    assert operations.place_of("tables/001.csv", tmp_path) == tmp_path / "tables/001.csv"


def finished(steps: Any, outcome: Any) -> Any:
    """The answer of steps that end with this outcome."""
    next(steps)
    with pytest.raises(StopIteration) as end:
        steps.send(outcome)
    return end.value.value


def test_an_upload_may_be_on_its_way_for_five_minutes() -> None:
    missing = Reply(404, {}, json.dumps({"error": "not_found", "message": "There is no such document."}).encode())
    assert finished(operations.arrived(ID, 299), missing) is None
    late = operations.arrived(ID, 301)
    next(late)
    with pytest.raises(errors.NotFound):
        late.send(missing)


def test_an_upload_that_met_nobody_has_not_arrived() -> None:
    for outcome, advice in ((NoReply("refused", arrived=False), "Submit it"), (NoReply("broken"), "Look for its key")):
        steps = operations.uploaded(Put("https://bucket.example/", {}, b""), "uploads/1/scan.pdf")
        next(steps)
        with pytest.raises(errors.TransferFailed, match=advice) as failed:
            steps.send(outcome)
        assert failed.value.key == "uploads/1/scan.pdf"


@pytest.mark.parametrize(
    ("given_", "base", "token"),
    [
        ("http://127.0.0.1:8080/?token=a%2Bb", "http://127.0.0.1:8080", "a+b"),
        (" https://api.example/pagewise/ ", "https://api.example/pagewise", None),
        ("http://localhost:1", "http://localhost:1", None),
        ("http://[::1]:1/", "http://[::1]:1", None),
    ],
)
def test_an_address_keeps_its_path_and_gives_up_its_token(given_: str, base: str, token: str | None) -> None:
    address = address_of(given_)
    assert (address.base, address.token) == (base, token)


def test_a_request_goes_to_its_document_alone() -> None:
    step = next(operations.page(ID, 7))
    assert step == Ask("GET", f"/documents/{ID}/pages/7")
