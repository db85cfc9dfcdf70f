"""What we send is what the vendor's own SDKs send, by value: golden requests."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from pagewise.errors import PagewiseError
from pagewise.qwen.client import EngineClient
from pagewise.qwen.dashscope import DashScope
from pagewise.qwen.openai_compatible import OpenAICompatible
from pagewise.qwen.question import Question
from pagewise.tasks import Task
from tests.protocol import captures
from tests.protocol.conftest import Served, key, question

GOLDEN = Path(__file__).with_name("golden")
needs_captures = pytest.mark.skipif(not captures.FOLDER.exists(), reason="../shared/wire-captures is not here")


def sent(asking: Question, native: bool, workspace: str | None = None) -> httpx.Request:
    """The request that the client makes of a question."""
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(400, json={"code": "InvalidParameter"})

    async def ask() -> None:
        async with httpx.AsyncClient(transport=Served(answer)) as http:
            protocol = DashScope(workspace) if native else OpenAICompatible()
            base = "http://host/api/v1" if native else "http://host/compatible-mode/v1"
            with pytest.raises(PagewiseError):
                await EngineClient(http, protocol, base, key).recognize(asking, 10)

    asyncio.run(ask())
    return seen[0]


@needs_captures
@pytest.mark.parametrize("name", captures.names())
def test_each_capture_is_matched_or_named_as_not_ours(name: str) -> None:
    if name in captures.NOT_OURS:
        return
    for request in captures.capture(name)["requests"]:
        given = dict(request["headers"])
        ours = sent(
            captures.question_of(name, request), name.startswith("dashscope"), given.get("X-DashScope-WorkSpace")
        )
        assert (ours.method, ours.url.path) == (request["method"], request["path"])
        assert ours.headers["content-type"] == "application/json"
        assert ours.headers["authorization"] == "Bearer sk-any"
        assert ours.headers.get("x-dashscope-workspace") == given.get("X-DashScope-WorkSpace")
        assert ours.headers["content-length"] == str(len(ours.content))
        body, expected = json.loads(ours.content), dict(request["body"])
        if name == "dashscope-v2-client-multimodal-chat":
            # Another client of the SDK says its default aloud; it is a sampling parameter here.
            assert expected["parameters"]["result_format"] == "message"
        assert without_layout(body) == without_layout(expected)
        if "key_information_extraction-schema" not in name or name.startswith("dashscope"):
            assert body == expected


def without_layout(value: Any) -> Any:
    """The sample's prompt holds the line breaks and indents of the program that it stands in."""
    if isinstance(value, dict):
        return {name: without_layout(member) for name, member in value.items()}
    if isinstance(value, list):
        return [without_layout(member) for member in value]
    return " ".join(value.split()) if isinstance(value, str) else value


@needs_captures
def test_what_is_named_as_not_ours_exists_and_is_what_it_is_called() -> None:
    assert set(captures.NOT_OURS) <= set(captures.names())
    for name, reason in captures.NOT_OURS.items():
        requests = captures.capture(name)["requests"]
        if reason == captures.STREAMED:
            assert all(captures.is_streamed(request) for request in requests) or "sse" in name
        elif reason == captures.UPLOADED:
            assert any("/uploads?" in request["path"] or "oss://" in json.dumps(request) for request in requests)
        elif reason == captures.BATCHED:
            assert all("/batches" in request["path"] or "/files" in request["path"] for request in requests)


SCHEMA = {"Invoice Number": "", "Items": [{"Name": "", "Price": ""}]}
OWN = {
    "native-advanced": (question(Task.ADVANCED_RECOGNITION, image="https://host/page.png", enable_rotate=True), True),
    "native-fields": (
        question(Task.KEY_INFORMATION_EXTRACTION, image="https://host/page.png", result_schema=SCHEMA),
        True,
    ),
    "native-prompt": (
        question(None, image="https://host/page.png", prompt="Read.", parameters={"max_tokens": 100}, max_pixels=None),
        True,
    ),
    "compatible-fields": (
        question(Task.KEY_INFORMATION_EXTRACTION, image="https://host/page.png", result_schema=SCHEMA),
        False,
    ),
    "native-pages": (
        question(Task.TABLE_PARSING, image="https://host/1.png", further_images=("https://host/2.png",)),
        True,
    ),
    "compatible-pages": (
        question(
            Task.KEY_INFORMATION_EXTRACTION,
            image="https://host/1.png",
            further_images=("https://host/2.png",),
            result_schema=SCHEMA,
        ),
        False,
    ),
    "compatible-table": (question(Task.TABLE_PARSING, image="https://host/page.png"), False),
    "compatible-plain": (question(None, image="https://host/page.png"), False),
}


@pytest.mark.parametrize("name", OWN)
def test_our_own_golden_bodies(name: str) -> None:
    asking, native = OWN[name]
    assert json.loads(sent(asking, native).content) == json.loads((GOLDEN / f"{name}.json").read_text())


@pytest.mark.parametrize("native", [True, False])
def test_a_page_travels_as_the_data_url_of_its_very_bytes(native: bool) -> None:
    page = bytes(range(256)) * 3_000 + b"!"  # 768,001 bytes: several pieces, the last of them not a whole triple
    from pagewise.qwen.fitting import Inline

    body = json.loads(sent(question(image=Inline(page, "image/jpeg")), native).content)
    element = (body["input"]["messages"] if native else body["messages"])[0]["content"][0]
    source = element["image"] if native else element["image_url"]["url"]
    assert captures.image_of(source) == Inline(page, "image/jpeg")


@pytest.mark.parametrize("native", [True, False])
def test_pages_of_one_call_travel_in_order_each_as_it_is(native: bool) -> None:
    from pagewise.qwen.fitting import Inline

    first, second = Inline(b"1" * 200_000, "image/jpeg"), Inline(b"2" * 7, "image/png")
    asking = question(image=first, further_images=("https://host/2.png", second))
    request = sent(asking, native)
    assert request.headers["content-length"] == str(len(request.content))
    body = json.loads(request.content)
    elements = (body["input"]["messages"] if native else body["messages"])[0]["content"]
    sources = [
        element["image"] if native else element["image_url"]["url"]
        for element in elements
        if element.get("image") or element.get("image_url")
    ]
    assert [captures.image_of(source) for source in sources] == [first, "https://host/2.png", second]
