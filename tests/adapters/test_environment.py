"""Settings: what the functions' variables say, and what is refused with the variable's name."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest

from pagewise.aws.environment import base_url, deployed_tasks, engine_settings, price_settings, review, tasks
from pagewise.aws.wiring import protocol
from pagewise.errors import Configuration
from pagewise.qwen.dashscope import DashScope
from pagewise.qwen.openai_compatible import OpenAICompatible
from pagewise.qwen.settings import ApiStyle, PixelLimits
from pagewise.tasks import Task
from tests.template.cloudformation import load

VARIABLES = {
    "QWEN_BASE_URL": "https://dashscope-intl.aliyuncs.com/api/v1/",
    "QWEN_MODEL": "qwen-vl-ocr-2025-11-20",
    "QWEN_API_STYLE": "dashscope",
    "QWEN_WORKSPACE": "ws-1",
    "QWEN_PIXEL_LIMITS": "send",
    "QWEN_PARAMETERS": '{"max_tokens": 4096}',
    "IMAGE_TRANSPORT": "auto",
    "BLANK_PAGES": "skip",
    "MAX_PIXELS": "8388608",
    "MAX_ATTEMPTS": "5",
}
PRICES = {
    "INPUT_PRICE_PER_MILLION": "0.07",
    "OUTPUT_PRICE_PER_MILLION": "0.16",
    "PRICE_CURRENCY": "USD",
    "ENGINE_BILLS": "true",
    "PRICE_REGION": "international",
    "PRICES_AS_OF": "2026-11-22",
}


def test_the_engine_is_what_the_variables_say() -> None:
    settings = engine_settings(VARIABLES)
    assert settings.base_url == "https://dashscope-intl.aliyuncs.com/api/v1"
    assert settings.parameters == {"max_tokens": 4096}
    assert protocol(settings) == DashScope("ws-1")
    compatible = engine_settings({**VARIABLES, "QWEN_API_STYLE": "openai", "QWEN_PIXEL_LIMITS": "omit"})
    assert protocol(compatible) == OpenAICompatible(pixel_limits=False)
    assert compatible.pixel_limits is PixelLimits.OMIT


def test_the_deployed_tasks_are_the_templates_keys() -> None:
    listed = "TextRecognition, KeyInformationExtraction,MultiLan"
    assert deployed_tasks({"DEPLOYED_TASKS": listed}) == (
        Task.TEXT_RECOGNITION,
        Task.KEY_INFORMATION_EXTRACTION,
        Task.MULTI_LAN,
    )
    with pytest.raises(Configuration, match="DEPLOYED_TASKS names 'Handwriting'"):
        deployed_tasks({"DEPLOYED_TASKS": "TextRecognition,Handwriting"})


@pytest.mark.parametrize(
    ("url", "style", "expected"),
    [
        (
            "https://dashscope-intl.aliyuncs.com/api/v1",
            "openai",
            "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
        ),
        ("https://dashscope.aliyuncs.com/compatible-mode/v1", "dashscope", "https://dashscope.aliyuncs.com/api/v1"),
        (
            "https://ws.cn-beijing.maas.aliyuncs.com/api/v1",
            "dashscope",
            "https://ws.cn-beijing.maas.aliyuncs.com/api/v1",
        ),
        ("https://openrouter.ai/api/v1", "openai", "https://openrouter.ai/api/v1"),
        ("http://gpu:8000/v1/", "openai", "http://gpu:8000/v1"),
    ],
)
def test_each_protocol_has_its_own_path_on_the_services_hosts_alone(url: str, style: str, expected: str) -> None:
    assert base_url(url, ApiStyle(style)) == expected


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"QWEN_API_STYLE": "grpc"}, "QWEN_API_STYLE"),
        ({"QWEN_PIXEL_LIMITS": "yes"}, "QWEN_PIXEL_LIMITS"),
        ({"IMAGE_TRANSPORT": "pigeon"}, "IMAGE_TRANSPORT"),
        ({"QWEN_PARAMETERS": "[1]"}, "QWEN_PARAMETERS"),
        ({"QWEN_PARAMETERS": "{"}, "QWEN_PARAMETERS"),
        ({"MAX_PIXELS": "0"}, "MAX_PIXELS"),
    ],
)
def test_a_wrong_variable_is_named(changes: Mapping[str, str], name: str) -> None:
    with pytest.raises(Configuration, match=name):
        engine_settings({**VARIABLES, **changes})


@pytest.mark.parametrize("value", ["-1", "nan", "free", "inf"])
def test_a_price_is_a_number(value: str) -> None:
    with pytest.raises(Configuration, match="INPUT_PRICE_PER_MILLION"):
        price_settings({**PRICES, "INPUT_PRICE_PER_MILLION": value})


@pytest.mark.parametrize("value", [",", " , ", ",,"])
def test_tasks_that_name_none_would_make_documents_without_an_end(value: str) -> None:
    with pytest.raises(Configuration, match="DEFAULT_TASKS names no task"):
        tasks({"DEFAULT_TASKS": value}, "DEFAULT_TASKS")
    allowed = load()["Parameters"]["DefaultTasks"]["AllowedPattern"]
    assert not re.fullmatch(allowed, value)
    for good in ("text_recognition", "all", "text_recognition, multi_lan", "TEXT_RECOGNITION,multi_lan"):
        assert re.fullmatch(allowed, good)


@pytest.mark.parametrize(
    ("value", "good"),
    [("never", True), ("doubtful", True), ("sample 5%", True), ("sample 12.5 %", True), ("sometimes", False),
     ("sample 101%", False), ("", False)],
)  # fmt: skip
def test_template_and_function_take_the_same_reviews(value: str, good: bool) -> None:
    assert bool(re.fullmatch(load()["Parameters"]["Review"]["AllowedPattern"], value)) == good
    if good:
        assert review({"REVIEW": value}, "REVIEW")
    else:
        with pytest.raises(Configuration, match="REVIEW"):
            review({"REVIEW": value}, "REVIEW")
