"""Questions that no protocol carries are refused before the call."""

from __future__ import annotations

from typing import Any

import pytest

from pagewise.errors import PagewiseError
from pagewise.qwen.dashscope import DashScope
from pagewise.qwen.openai_compatible import OpenAICompatible
from pagewise.qwen.question import check_schema, layers
from pagewise.tasks import Task
from tests.protocol.conftest import question


def test_a_schema_of_four_layers_is_refused_before_the_call() -> None:
    deep = {"a": {"b": [{"c": {"d": ""}}]}}
    for protocol in (DashScope(), OpenAICompatible()):
        asking = question(Task.KEY_INFORMATION_EXTRACTION, result_schema=deep)
        with pytest.raises(PagewiseError) as refused:
            protocol.body(asking, "x")
        assert refused.value.reason == "invalid_schema"
        assert "at most 3" in refused.value.message
        assert protocol.body(question(Task.KEY_INFORMATION_EXTRACTION, result_schema={"a": {"b": {"c": ""}}}), "x")


@pytest.mark.parametrize("schema", [{}, [], "a", None])
def test_a_schema_has_at_least_one_field(schema: Any) -> None:
    with pytest.raises(PagewiseError, match="at least one field"):
        check_schema(schema)


def test_a_list_counts_as_the_fields_that_it_holds() -> None:
    assert layers({"a": [{"b": ""}, {"c": {"d": ""}}]}) == 3
    assert layers([]) == 0
