"""Lines of the Batch API: requests as the vendor's page has them, replies of each kind; who has it at all."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagewise.errors import Configuration, Permanent, Throttled, Transient
from pagewise.qwen.batches import LineReader, RemoteBatch, lacks_batches, request_line
from pagewise.qwen.models import BATCH_MODELS
from pagewise.qwen.openai_compatible import OpenAICompatible
from pagewise.tasks import Task
from tests.fakes.batches import chat, refused
from tests.protocol.conftest import PAGE, question


def read(said: Any) -> Any:
    return LineReader().read(json.dumps(said).encode())


def test_a_request_is_one_line_with_the_page_and_the_tasks_prompt() -> None:
    line = request_line("id-1", question(Task.TABLE_PARSING, model="qwen-vl-ocr"), OpenAICompatible())
    assert line.count(b"\n") == 1
    said = json.loads(line)
    assert {name: said[name] for name in ("custom_id", "method", "url")} == {
        "custom_id": "id-1",
        "method": "POST",
        "url": "/v1/chat/completions",
    }
    image, text = said["body"]["messages"][0]["content"]
    assert base64.b64decode(image["image_url"]["url"].partition(",")[2]) == PAGE
    assert (said["body"]["model"], image["max_pixels"], "HTML" in text["text"]) == ("qwen-vl-ocr", 8_388_608, True)


def test_a_good_line_is_an_answer_with_its_bill() -> None:
    reply = read({"custom_id": "1", "response": chat("hello", tokens=(7, 3)), "error": None})
    assert (reply.answer.text, reply.answer.usage.input_tokens, reply.answer.finish_reason) == ("hello", 7, "stop")
    assert reply.answer.model == BATCH_MODELS[0]


@pytest.mark.parametrize(
    ("response", "error", "kind"),
    [
        (refused(), None, Permanent),
        (refused("InternalError", 500), None, Transient),
        (refused("limit_requests", 429), None, Throttled),
        (refused("access_denied", 403), None, Configuration),
        (None, {"code": "batch_expired", "message": "no time"}, Permanent),
        (None, None, Permanent),
        ({"status_code": None, "body": None}, None, Transient),
        ({"status_code": 200, "body": {"error": {"code": "data_inspection_failed", "message": "no"}}}, None, Permanent),
    ],
)
def test_a_bad_line_is_an_error_and_no_answer(response: Any, error: Any, kind: type[Exception]) -> None:
    reply = read({"custom_id": "1", "response": response, "error": error})
    assert reply.answer is None
    assert isinstance(reply.error, kind)


def test_a_reply_in_no_known_form_was_paid_for() -> None:
    reply = read({"custom_id": "1", "response": {"status_code": 200, "body": {"usage": {"prompt_tokens": 5}}}})
    assert (reply.answer.problem, reply.answer.usage.input_tokens) == ("malformed", 5)


@pytest.mark.parametrize("line", [b"{", b"[]", b"null", b'{"custom_id": 1}', b"\xff\xfe", b'{"response": {}}'])
def test_a_line_that_names_no_request_is_none(line: bytes) -> None:
    assert LineReader().read(line) is None


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["status_code", "body", "error", "choices", "message", "content", "usage"]), inner
            )
        ),
    )
)
def test_no_response_raises(response: Any) -> None:
    reply = read({"custom_id": "1", "response": response})
    assert (reply.answer is None) != (reply.error is None)


@pytest.mark.parametrize(
    ("url", "model", "word"),
    [
        ("https://dashscope.aliyuncs.com/api/v1", "qwen-vl-ocr", None),
        ("https://ws-1.cn-beijing.maas.aliyuncs.com/compatible-mode/v1", "qwen-vl-ocr-latest", None),
        ("http://127.0.0.1:4567/api/v1", "qwen-vl-ocr", None),
        ("https://dashscope-intl.aliyuncs.com/api/v1", "qwen-vl-ocr", "mainland"),
        ("https://dashscope-us.aliyuncs.com/api/v1", "qwen-vl-ocr", "mainland"),
        ("https://ws-1.ap-southeast-1.maas.aliyuncs.com/api/v1", "qwen-vl-ocr", "mainland"),
        ("https://dashscope.aliyuncs.com/api/v1", "qwen-vl-ocr-2025-11-20", "takes qwen-vl-ocr"),
        ("https://dashscope.aliyuncs.com/api/v1", "", "BatchModel"),
    ],
)
def test_who_has_batches(url: str, model: str, word: str | None) -> None:
    why = lacks_batches(url, model)
    assert why is None if word is None else why and word in why


def test_a_batch_has_ended_in_every_state_that_does_not_prepare_one() -> None:
    going_on = ("validating", "in_progress", "finalizing", "cancelling")
    assert not any(RemoteBatch("1", status).ended for status in going_on)
    assert all(RemoteBatch("1", status).ended for status in ("completed", "failed", "expired", "cancelled", "unheard"))
