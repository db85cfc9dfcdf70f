"""The native protocol's replies."""

from __future__ import annotations

from typing import Any

import pytest

from pagewise.model import Usage
from pagewise.qwen.dashscope import answer
from pagewise.qwen.openai_compatible import OpenAICompatible
from tests.protocol.test_parsing import native, understood


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"input_tokens": 10, "output_tokens": 2, "total_tokens": 12}, Usage(10, 2)),
        ({"input_tokens": 10, "output_tokens": 2}, Usage(10, 2)),
        ({"output_tokens": 2, "total_tokens": 12}, Usage(10, 2)),
        ({"input_tokens": 10, "total_tokens": 12}, Usage(10, 2)),
        ({"input_tokens": None, "output_tokens": 2}, Usage(0, 2)),
        ({}, Usage()),
    ],
)
def test_usage_may_lack_parts(usage: dict[str, int], expected: Usage) -> None:
    assert native({"text": ""}, usage).usage == expected
    names = {"input_tokens": "prompt_tokens", "output_tokens": "completion_tokens"}
    choice = {"finish_reason": "stop", "message": {"content": "a"}}
    told = {names.get(name, name): count for name, count in usage.items()}
    assert understood(OpenAICompatible().answer({"choices": [choice], "usage": told})).usage == expected


@pytest.mark.parametrize("reply", [{}, {"output": None}, {"output": {"choices": []}}, {"output": {"choices": [5]}}])
def test_a_reply_of_another_form_is_no_answer(reply: dict[str, Any]) -> None:
    assert answer(reply) is None
