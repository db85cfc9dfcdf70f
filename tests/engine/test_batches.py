"""The embedded engine's Batch API over HTTP: files, batches in each of their ends, and the limits of both."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.engine.asking import KEY, Engine, data_url, drawn, encode, running_engine

BASE = "/compatible-mode/v1"
PAGE = data_url(encode(drawn("Hello", size=(300, 100))))
CHAT = "/v1/chat/completions"
ENDED = ("completed", "failed", "expired", "cancelled")


@pytest.fixture
def engine(canned: Engine) -> Engine:
    behave(canned)
    return canned


def behave(engine: Engine, **wanted: Any) -> None:
    assert engine.http.post("/batch-behaviour", json=wanted).status_code == 204


def line(custom_id: str, url: str = CHAT, **changes: Any) -> dict[str, Any]:
    content = [{"type": "image_url", "image_url": {"url": PAGE}}, {"type": "text", "text": "Read all text."}]
    body = {"model": "qwen-vl-ocr", "messages": [{"role": "user", "content": content}], **changes}
    return {"custom_id": custom_id, "method": "POST", "url": url, "body": body}


def upload(engine: Engine, content: bytes, name: str = "b.jsonl", purpose: str = "batch") -> httpx.Response:
    return engine.http.post(f"{BASE}/files", files={"file": (name, content)}, data={"purpose": purpose}, headers=KEY)


def uploaded(engine: Engine, *lines: dict[str, Any] | str) -> str:
    content = "\n".join(one if isinstance(one, str) else json.dumps(one) for one in lines)
    return str(upload(engine, content.encode()).json()["id"])


def create(engine: Engine, file_id: str, window: str = "24h", endpoint: str = CHAT, **more: Any) -> httpx.Response:
    wanted = {"input_file_id": file_id, "endpoint": endpoint, "completion_window": window, **more}
    return engine.http.post(f"{BASE}/batches", json=wanted, headers=KEY)


def shown(engine: Engine, batch_id: str) -> dict[str, Any]:
    found: dict[str, Any] = engine.http.get(f"{BASE}/batches/{batch_id}", headers=KEY).json()
    return found


def ended(engine: Engine, batch_id: str) -> dict[str, Any]:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if (batch := shown(engine, batch_id))["status"] in ENDED:
            return batch
        time.sleep(0.02)
    raise TimeoutError(batch["status"])


def ran(engine: Engine, *lines: dict[str, Any] | str, **more: Any) -> dict[str, Any]:
    return ended(engine, create(engine, uploaded(engine, *lines), **more).json()["id"])


def content(engine: Engine, file_id: str | None) -> list[dict[str, Any]]:
    if file_id is None:
        return []
    reply = engine.http.get(f"{BASE}/files/{file_id}/content", headers=KEY)
    return [json.loads(text) for text in reply.text.splitlines()]


def numbered(count: int) -> list[dict[str, Any]]:
    return [line(str(number)) for number in range(1, count + 1)]


def test_each_line_has_its_reply_and_none_is_where_it_was(engine: Engine) -> None:
    batch = ran(engine, *numbered(10), metadata={"ds_name": "mine"})
    assert (batch["status"], batch["error_file_id"], batch["errors"]) == ("completed", None, None)
    assert batch["request_counts"] == {"total": 10, "completed": 10, "failed": 0}
    replies = content(engine, batch["output_file_id"])
    ids = [reply["custom_id"] for reply in replies]
    assert sorted(ids, key=int) == [str(number) for number in range(1, 11)]
    assert ids != sorted(ids, key=int)
    response = replies[0]["response"]
    assert (response["status_code"], replies[0]["error"]) == (200, None)
    assert "Canned answer" in response["body"]["choices"][0]["message"]["content"]
    assert response["body"]["usage"]["prompt_tokens"] > 0


def test_a_batch_waits_until_its_time_has_come(engine: Engine) -> None:
    behave(engine, queue_seconds=3600, line_seconds=60)
    created = create(engine, uploaded(engine, *numbered(16))).json()
    assert created["status"] == "validating"
    engine.http.post("/batch-clock", json={"seconds": 3601})
    deadline = time.monotonic() + 10
    while (batch := shown(engine, created["id"]))["status"] == "validating" and time.monotonic() < deadline:
        time.sleep(0.02)
    assert (batch["status"], batch["output_file_id"]) == ("in_progress", None)
    for _ in range(3):
        time.sleep(0.1)
        engine.http.post("/batch-clock", json={"seconds": 481})
    assert ended(engine, created["id"])["status"] == "completed"


@pytest.mark.parametrize("place", ["error_file", "output_file"])
def test_one_line_in_three_fails_in_either_file(engine: Engine, place: str) -> None:
    behave(engine, fail_each=3, fail_in=place)
    batch = ran(engine, *numbered(9))
    assert (batch["status"], batch["request_counts"]["failed"]) == ("completed", 3)
    failed = [one for one in content(engine, batch[f"{place}_id"]) if one["response"]["status_code"] != 200]
    assert sorted(one["custom_id"] for one in failed) == ["3", "6", "9"]
    assert {one["error"]["code"] for one in failed} == {"invalid_parameter_error"}


def test_the_models_own_refusal_of_a_line_stands_in_the_error_file(engine: Engine) -> None:
    batch = ran(engine, line("good"), line("bad", messages=[{"role": "user", "content": []}]))
    (refused,) = content(engine, batch["error_file_id"])
    assert (refused["custom_id"], refused["response"]["status_code"]) == ("bad", 400)


def test_lines_can_be_missing_or_cut_short(engine: Engine) -> None:
    behave(engine, miss_each=4, truncate_each=3)
    replies = content(engine, ran(engine, *numbered(8))["output_file_id"])
    assert {one["custom_id"] for one in replies} == {"1", "2", "3", "5", "6", "7"}
    reasons = {one["custom_id"]: one["response"]["body"]["choices"][0]["finish_reason"] for one in replies}
    assert {key for key, reason in reasons.items() if reason == "length"} == {"3", "6"}


def test_the_rest_of_an_expired_batch_is_not_done(engine: Engine) -> None:
    behave(engine, expire_after=8)
    batch = ran(engine, *numbered(12))
    assert (batch["status"], len(content(engine, batch["output_file_id"]))) == ("expired", 8)
    unbegun = content(engine, batch["error_file_id"])
    assert {(one["response"], one["error"]["code"]) for one in unbegun} == {(None, "batch_expired")}
    assert len(unbegun) == 4


def test_a_batch_in_the_queue_expires_with_its_window(engine: Engine) -> None:
    behave(engine, queue_seconds=10**6)
    created = create(engine, uploaded(engine, *numbered(2))).json()
    engine.http.post("/batch-clock", json={"seconds": 24 * 3600 + 1})
    batch = ended(engine, created["id"])
    assert (batch["status"], batch["output_file_id"]) == ("expired", None)


def test_cancelling_keeps_what_is_done(engine: Engine) -> None:
    behave(engine, line_seconds=3600)
    created = create(engine, uploaded(engine, *numbered(12))).json()
    deadline = time.monotonic() + 10
    while shown(engine, created["id"])["request_counts"]["completed"] < 8 and time.monotonic() < deadline:
        time.sleep(0.02)
    reply = engine.http.post(f"{BASE}/batches/{created['id']}/cancel", headers=KEY)
    assert reply.json()["status"] == "cancelling"
    batch = ended(engine, created["id"])
    assert (batch["status"], len(content(engine, batch["output_file_id"]))) == ("cancelled", 8)


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ([line("1"), line("1")], "duplicate_custom_id"),
        ([line("1"), line("2", model="qwen-vl-ocr-latest")], "mismatched_model"),
        ([line("1", model="qwen-vl-ocr-2025-11-20")], "model_not_found"),
        ([line("1", url="/v1/embeddings")], "invalid_url"),
        ([{**line("1"), "method": "GET"}], "invalid_method"),
        ([{**line("1"), "custom_id": None}], "missing_required_parameter"),
        (["{"], "invalid_json_line"),
        ([line("1", padding="x" * 6 * 2**20)], "line_too_large"),
        (["\n"], "empty_file"),
    ],
)
def test_a_file_is_refused_by_a_batch_that_fails(engine: Engine, lines: list[Any], code: str) -> None:
    batch = ran(engine, *lines)
    assert (batch["status"], batch["output_file_id"]) == ("failed", None)
    assert [problem["code"] for problem in batch["errors"]["data"]] == [code]


def test_too_many_lines_are_refused(engine: Engine) -> None:
    short = {"method": "POST", "url": CHAT, "body": {"model": "qwen-vl-ocr"}}
    batch = ran(engine, *({"custom_id": str(number), **short} for number in range(50_001)))
    assert [problem["code"] for problem in batch["errors"]["data"]] == ["too_many_requests"]


def test_validation_fails_if_told_so(engine: Engine) -> None:
    behave(engine, invalid=True)
    assert ran(engine, line("1"))["status"] == "failed"


def test_the_test_model_is_free_and_small(engine: Engine) -> None:
    small = line("1", "/v1/chat/ds-test", model="batch-test-model")
    batch = ran(engine, small, endpoint="/v1/chat/ds-test")
    (reply,) = content(engine, batch["output_file_id"])
    assert reply["response"]["body"]["usage"]["total_tokens"] == 0
    many = [{**small, "custom_id": str(number)} for number in range(101)]
    assert ran(engine, *many, endpoint="/v1/chat/ds-test")["errors"]["data"][0]["code"] == "too_many_requests"


def test_files_are_listed_read_and_deleted(engine: Engine) -> None:
    file_id = uploaded(engine, line("1"))
    described = engine.http.get(f"{BASE}/files/{file_id}", headers=KEY).json()
    assert (described["filename"], described["purpose"], described["object"]) == ("b.jsonl", "batch", "file")
    assert content(engine, file_id) == [line("1")]
    listed = engine.http.get(f"{BASE}/files", params={"limit": 100}, headers=KEY).json()
    assert file_id in [one["id"] for one in listed["data"]]
    deleted = engine.http.delete(f"{BASE}/files/{file_id}", headers=KEY).json()
    assert deleted == {"id": file_id, "object": "file", "deleted": True}
    assert engine.http.get(f"{BASE}/files/{file_id}", headers=KEY).status_code == 404


def test_batches_are_found_by_their_name_page_by_page(engine: Engine) -> None:
    file_id = uploaded(engine, line("1"))
    ids = [create(engine, file_id, metadata={"ds_name": f"lot {number}"}).json()["id"] for number in range(3)]
    found = engine.http.get(f"{BASE}/batches", params={"ds_name": "lot 1"}, headers=KEY).json()["data"]
    assert [one["id"] for one in found] == [ids[1]]
    first = engine.http.get(f"{BASE}/batches", params={"ds_name": "lot", "limit": 2}, headers=KEY).json()
    assert ([one["id"] for one in first["data"]], first["has_more"]) == ([ids[2], ids[1]], True)
    after = {"ds_name": "lot", "limit": 2, "after": first["last_id"]}
    rest = engine.http.get(f"{BASE}/batches", params=after, headers=KEY).json()
    assert ([one["id"] for one in rest["data"]], rest["has_more"]) == ([ids[0]], False)


@pytest.mark.parametrize("window", ["23h", "337h", "1w", "", None])
def test_a_window_is_from_a_day_to_a_fortnight(engine: Engine, window: Any) -> None:
    assert create(engine, uploaded(engine, line("1")), window).status_code == 400


def test_what_is_refused_at_the_door(engine: Engine) -> None:
    assert upload(engine, b"{}", name="b.txt").status_code == 400
    assert upload(engine, b"{}", purpose="assistants").status_code == 400
    assert create(engine, "file-none").json()["error"]["code"] == "FileNotFound"
    assert engine.http.get(f"{BASE}/batches/none", headers=KEY).status_code == 404
    assert engine.http.get(f"{BASE}/batches").status_code == 401


def test_a_create_is_throttled_and_a_download_cut_as_often_as_told(engine: Engine) -> None:
    file_id = uploaded(engine, line("1"))
    behave(engine, refused_creates=1, cut_downloads=1)
    assert [create(engine, file_id).status_code for _ in range(2)] == [429, 200]
    with pytest.raises(httpx.RemoteProtocolError):
        content(engine, file_id)
    assert content(engine, file_id) == [line("1")]


def test_lists_are_rationed() -> None:
    with running_engine("--canned", "--test-controls") as fresh:
        statuses = [fresh.http.get(f"{BASE}/batches", headers=KEY).status_code for _ in range(101)]
    assert (statuses[:100], statuses[100]) == ([200] * 100, 429)


def test_half_a_gigabyte_goes_through_in_bounded_memory(engine: Engine) -> None:
    piece = json.dumps(line("0", padding="x" * 4 * 2**20)).encode() + b"\n"

    def pieces(boundary: bytes) -> Iterator[bytes]:
        yield b"--" + boundary + b'\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n--' + boundary
        yield b'\r\nContent-Disposition: form-data; name="file"; filename="b.jsonl"\r\n\r\n'
        for _ in range(500 * 2**20 // len(piece) - 1):
            yield piece
        yield b"\r\n--" + boundary + b"--\r\n"

    headers = {**KEY, "Content-Type": "multipart/form-data; boundary=boundary"}
    reply = engine.http.post(f"{BASE}/files", content=pieces(b"boundary"), headers=headers)
    assert reply.json()["bytes"] > 490 * 2**20
    read = 0
    with engine.http.stream("GET", f"{BASE}/files/{reply.json()['id']}/content", headers=KEY) as streamed:
        read = sum(len(some) for some in streamed.iter_raw())
    engine.http.delete(f"{BASE}/files/{reply.json()['id']}", headers=KEY)
    assert read == reply.json()["bytes"]
    status = Path(f"/proc/{engine.process.pid}/status").read_text()
    (peak,) = (int(text.split()[1]) for text in status.splitlines() if text.startswith("VmHWM"))
    assert peak < 400_000  # kB
