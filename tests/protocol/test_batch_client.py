"""The client of the Batch API against the embedded engine, and against servers that say anything else."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagewise.errors import Configuration, Permanent, Throttled, Transient
from pagewise.qwen.batch_client import MOST_LINE_BYTES, BatchClient, split, timeouts
from pagewise.qwen.batches import RemoteBatch
from tests.engine.asking import Engine
from tests.engine.test_batches import line
from tests.protocol.conftest import address


@pytest.fixture
def client(canned: Engine) -> Iterator[BatchClient]:
    canned.http.post("/batch-behaviour", json={})
    with httpx.Client(timeout=timeouts()) as http:
        yield BatchClient(http, f"{address(canned)}/compatible-mode/v1", lambda: "sk-any")


def saying(reply: Callable[[httpx.Request], httpx.Response], key: str = "sk-secret") -> BatchClient:
    return BatchClient(httpx.Client(transport=httpx.MockTransport(reply)), "http://engine/v1", lambda: key)


def file_of(folder: Path, lines: int = 3) -> Path:
    path = folder / "pagewise-abc.jsonl"
    path.write_text("\n".join(json.dumps(line(str(number))) for number in range(lines)))
    return path


def ended(client: BatchClient, batch: RemoteBatch) -> RemoteBatch:
    deadline = time.monotonic() + 10
    while not (batch := client.batch(batch.id)).ended and time.monotonic() < deadline:
        time.sleep(0.02)
    return batch


def test_a_file_goes_and_its_replies_come(client: BatchClient, tmp_path: Path) -> None:
    path = file_of(tmp_path)
    file_id = client.upload(path.name, path)
    assert (path.name, path.stat().st_size) in [(file.name, file.size) for file in client.files()]
    assert client.find("pagewise-abc") is None
    created = client.create(file_id, "pagewise-abc", 24)
    found = client.find("pagewise-abc")
    assert found is not None
    assert found.id == created.id
    batch = ended(client, created)
    assert (batch.status, batch.name, batch.error_file_id) == ("completed", "pagewise-abc", None)
    (output,) = batch.reply_files
    assert sorted(json.loads(text)["custom_id"] for text in client.lines(output)) == ["0", "1", "2"]
    for stored in (file_id, output):
        client.delete(stored)
        client.delete(stored)  # what is gone is deleted
    assert not {file_id, output} & {file.id for file in client.files()}
    with pytest.raises(Permanent, match="no such"):
        list(client.lines(output))


def test_a_batch_that_failed_says_why(client: BatchClient, tmp_path: Path) -> None:
    path = tmp_path / "pagewise-bad.jsonl"
    path.write_text("{")
    batch = ended(client, client.create(client.upload(path.name, path), "pagewise-bad", 336))
    assert (batch.status, batch.reply_files) == ("failed", ())
    assert "invalid_json_line" in (batch.problem or "")


def test_a_download_that_is_cut_may_pass(client: BatchClient, canned: Engine, tmp_path: Path) -> None:
    path = file_of(tmp_path, lines=40)
    file_id = client.upload(path.name, path)
    canned.http.post("/batch-behaviour", json={"cut_downloads": 1})
    with pytest.raises(Transient):
        list(client.lines(file_id))
    assert len(list(client.lines(file_id))) == 40


def test_a_create_that_is_throttled_waits(client: BatchClient, canned: Engine, tmp_path: Path) -> None:
    path = file_of(tmp_path)
    file_id = client.upload(path.name, path)
    canned.http.post("/batch-behaviour", json={"refused_creates": 1})
    with pytest.raises(Throttled):
        client.create(file_id, "pagewise-throttled", 24)
    assert client.find("pagewise-throttled") is None


def test_a_key_is_in_no_message() -> None:
    def refused(request: httpx.Request) -> httpx.Response:
        key = request.headers["authorization"]
        return httpx.Response(401, json={"error": {"code": "invalid_api_key", "message": f"{key} is wrong"}})

    with pytest.raises(Configuration) as raised:
        saying(refused).batch("b")
    assert "sk-secret" not in str(raised.value)
    assert "sk-secret" not in raised.value.message
    with pytest.raises(Configuration, match="no key has"):
        saying(refused, key="a b").batch("b")


@pytest.mark.parametrize("body", ["", "<html>", "[]", '{"id": 5}', '{"status": "completed"}'])
def test_a_reply_in_another_form_may_pass(body: str) -> None:
    with pytest.raises(Transient):
        saying(lambda _: httpx.Response(200, text=body)).batch("b")


def test_a_connection_that_fails_may_pass() -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no", request=request)

    with pytest.raises(Transient):
        saying(fail).batch("b")


def test_a_server_without_the_filter_lists_all_page_by_page() -> None:
    pages: list[Any] = [
        {"data": [{"id": "1", "status": "x"}, {"id": "2", "metadata": None}], "has_more": True},
        {"data": [{"id": "3", "status": "completed", "metadata": {"ds_name": "mine"}}], "has_more": True},
    ]

    def listed(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=pages[1 if request.url.params.get("after") == "2" else 0])

    found = saying(listed).find("mine")
    assert found is not None
    assert (found.id, found.status) == ("3", "completed")


@given(st.lists(st.binary(max_size=12).filter(lambda text: b"\n" not in text)), st.integers(1, 7))
def test_lines_are_the_same_in_whatever_pieces_they_come(lines: list[bytes], size: int) -> None:
    body = b"\n".join(lines)
    pieces = iter([body[start : start + size] for start in range(0, len(body), size)])
    assert list(split(pieces)) == [one for one in lines if one.strip()]


def test_a_line_that_is_too_long_is_passed_over_in_bounded_memory() -> None:
    long = [b"x" * (MOST_LINE_BYTES // 2)] * 5
    assert list(split(iter([b"a\n", *long, b"\nb\n"]))) == [b"a", b"b"]
