"""What a test can ask of the engine: misbehaviour, delays, and what it was asked."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest

from tests.engine.asking import Engine, content, drawn, encode, running_engine

PAGE = encode(drawn("Hello"))


def behave(engine: Engine, *steps: dict[str, Any]) -> None:
    assert engine.http.post("/behaviour", json=list(steps)).status_code == 204


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("rate_quota", 429, "Throttling.RateQuota"),
        ("burst_rate", 429, "Throttling.BurstRate"),
        ("allocation_quota", 429, "Throttling.AllocationQuota"),
        ("not_purchased", 429, "CommodityNotPurchased"),
        ("internal_error", 500, "InternalError"),
        ("unavailable", 503, "ModelUnavailable"),
        ("access_denied", 403, "AccessDenied"),
        ("arrears", 400, "Arrearage"),
        ("error_in_200", 200, "InternalError"),
    ],
)
def test_it_fails_as_the_service_does(canned: Engine, name: str, status: int, code: str) -> None:
    behave(canned, {"name": name})
    reply = canned.ask(PAGE)
    assert (reply.status_code, reply.json()["code"]) == (status, code)
    assert "output" not in reply.json()
    assert canned.ask(PAGE).status_code == 200


def test_it_fails_as_often_as_it_is_told_for_the_task_that_is_named(canned: Engine) -> None:
    behave(canned, {"name": "rate_quota", "times": 2, "task": "multi_lan"}, {"name": "cut", "task": "table_parsing"})
    statuses = [canned.ask(PAGE, task).status_code for task in ("text_recognition", *["multi_lan"] * 3)]
    assert statuses == [200, 429, 429, 200]
    with pytest.raises(httpx.RemoteProtocolError):
        canned.ask(PAGE, "table_parsing")


def test_it_fails_for_ever_if_told_so(canned: Engine) -> None:
    behave(canned, {"name": "error", "status": 418, "code": "Teapot", "times": None, "retry_after": "3"})
    replies = [canned.ask(PAGE) for _ in range(4)]
    assert {(reply.status_code, reply.json()["code"], reply.headers["retry-after"]) for reply in replies} == {
        (418, "Teapot", "3")
    }


@pytest.mark.parametrize(("name", "status"), [("bad_gateway", 502), ("gateway_timeout", 504)])
def test_a_gateway_answers_in_html(canned: Engine, name: str, status: int) -> None:
    behave(canned, {"name": name})
    reply = canned.ask(PAGE)
    assert (reply.status_code, reply.headers["content-type"].split(";")[0]) == (status, "text/html")


def test_a_truncated_answer_says_length(canned: Engine) -> None:
    behave(canned, {"name": "truncated"})
    bad, good = (canned.ask(PAGE, "text_recognition") for _ in range(2))
    assert bad.json()["output"]["choices"][0]["finish_reason"] == "length"
    assert content(good)["text"].startswith(content(bad)["text"])
    assert len(content(bad)["text"]) < len(content(good)["text"])


def test_a_fence_can_stay_open_and_json_be_broken(canned: Engine) -> None:
    behave(canned, {"name": "unterminated_fence"}, {"name": "broken_json"}, {"name": "text_only"})
    unterminated, broken, text_only, good = (content(canned.ask(PAGE, "advanced_recognition")) for _ in range(4))
    assert unterminated["text"] + "```" == good["text"]
    assert broken["text"] != good["text"]
    assert broken["text"].endswith("```")
    assert "ocr_result" not in broken
    assert text_only == {"text": good["text"]}


def test_it_can_be_slow(canned: Engine) -> None:
    behave(canned, {"name": "slow", "seconds": 0.6})
    began = time.monotonic()
    assert canned.ask(PAGE).status_code == 200
    assert time.monotonic() - began >= 0.6


def test_an_unknown_behaviour_is_named(canned: Engine) -> None:
    reply = canned.http.post("/behaviour", json={"name": "dance"})
    assert reply.status_code == 400
    assert "rate_quota" in reply.json()["message"]


def test_it_counts_what_it_is_asked(canned: Engine) -> None:
    for task in ("multi_lan", "multi_lan", "table_parsing"):
        canned.ask(PAGE, task)
    assert canned.http.get("/requests").json()["by_task"] == {"multi_lan": 2, "table_parsing": 1}


def test_a_delayed_canned_answer_comes_after_its_time_and_says_what_it_is() -> None:
    with running_engine("--canned", "--delay", "0.5") as engine:
        began = time.monotonic()
        assert "Canned answer" in engine.text(PAGE)
        assert time.monotonic() - began >= 0.5
        assert engine.http.post("/behaviour", json={"name": "cut"}).status_code == 404


def test_what_is_over_the_rate_is_refused() -> None:
    with running_engine("--canned", "--test-controls", "--requests-per-minute", "120") as engine:
        replies = [engine.ask(PAGE) for _ in range(4)]
        assert [reply.status_code for reply in replies] == [200, 200, 429, 429]
        assert replies[2].json()["code"] == "Throttling.RateQuota"
        assert engine.http.get("/requests").json()["over_rate"] == 2
        time.sleep(1)
        assert engine.ask(PAGE).status_code == 200
