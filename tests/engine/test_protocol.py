"""The engine keeps the service's rules: keys, parameters, image limits, errors, usage, streams."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.engine.asking import KEY, PATH, Engine, content, data_url, drawn, encode, request, running_engine

PAGE = encode(drawn("Hello"))


def refused(reply: httpx.Response) -> tuple[int, str]:
    body = reply.json()
    assert set(body) == {"code", "message", "request_id"}
    assert body["request_id"] == reply.headers["x-request-id"]
    return reply.status_code, body["code"]


def blank(width: int, height: int) -> Image.Image:
    return Image.new("L", (width, height), 255)


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer"}, {"Authorization": "Basic abc"}])
def test_a_request_without_a_key_is_refused(canned: Engine, headers: dict[str, str]) -> None:
    assert refused(canned.post(request(data_url(PAGE)), headers)) == (401, "InvalidApiKey")


def test_only_the_agreed_key_is_accepted() -> None:
    with running_engine("--canned", "--api-key", "sk-right") as engine:
        assert refused(engine.ask(PAGE)) == (401, "InvalidApiKey")
        assert engine.post(request(data_url(PAGE)), {"Authorization": "Bearer sk-right"}).status_code == 200


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"parameters": None}, (400, "BadRequest.EmptyParameters")),
        ({"input": {}}, (400, "BadRequest.EmptyInput")),
        ({"input": {"messages": []}}, (400, "BadRequest.EmptyInput")),
        ({"model": ""}, (400, "BadRequest.EmptyModel")),
        ({"model": "qwen-who"}, (404, "ModelNotFound")),
        ({"parameters": {"ocr_options": {"task": "cook_dinner"}}}, (400, "InvalidParameter")),
        ({"parameters": {"ocr_options": {}}}, (400, "InvalidParameter")),
        ({"parameters": {"max_tokens": 0}}, (400, "InvalidParameter")),
        ({"input": {"messages": [{"role": "user", "content": [{"text": "Read"}]}]}}, (400, "InvalidParameter")),
        ({"input": {"messages": [{"role": "user", "content": "Read"}]}}, (400, "InvalidParameter")),
    ],
)
def test_what_the_service_needs_must_be_there(
    canned: Engine, change: dict[str, Any], expected: tuple[int, str]
) -> None:
    assert refused(canned.post(request(data_url(PAGE)) | change)) == expected


def test_a_body_that_is_no_json_is_refused(canned: Engine) -> None:
    assert refused(canned.http.post(PATH, content=b"{", headers=KEY)) == (400, "InvalidParameter")


def test_a_schema_has_at_most_three_layers(canned: Engine) -> None:
    three = {"a": {"b": {"c": ""}}}
    assert canned.ask(PAGE, "key_information_extraction", result_schema=three).status_code == 200
    four = {"a": {"b": [{"c": {"d": ""}}]}}
    reply = canned.ask(PAGE, "key_information_extraction", result_schema=four)
    assert refused(reply) == (400, "InvalidParameter")


@pytest.mark.parametrize(
    ("width", "height", "words"),
    [
        (10, 100, "larger than 10"),
        (100, 10, "larger than 10"),
        (2211, 11, "aspect ratio must be smaller than 200"),
        (11, 2211, "aspect ratio must be smaller than 200"),
        (4000, 3921, "15680000"),
    ],
)
def test_an_image_beyond_the_dimensions_is_refused(canned: Engine, width: int, height: int, words: str) -> None:
    reply = canned.ask(blank(width, height))
    assert refused(reply) == (400, "InvalidParameter")
    assert reply.json()["message"].startswith("The image length and width do not meet the model restrictions")
    assert words in reply.json()["message"]


@pytest.mark.parametrize(("width", "height"), [(11, 11), (2200, 11), (4000, 3920)])
def test_an_image_at_the_limit_is_accepted(canned: Engine, width: int, height: int) -> None:
    assert canned.ask(blank(width, height)).status_code == 200


@pytest.mark.parametrize("form", ["BMP", "JPEG", "PNG", "TIFF", "WEBP"])
def test_each_documented_format_is_accepted_below_4k(canned: Engine, form: str) -> None:
    assert canned.ask(encode(drawn("Hello"), form)).status_code == 200


@pytest.mark.parametrize(("form", "accepted"), [("JPEG", True), ("PNG", True), ("BMP", False), ("WEBP", False)])
def test_from_4k_only_jpeg_and_png_are_accepted(canned: Engine, form: str, accepted: bool) -> None:
    reply = canned.ask(encode(blank(3840, 2160), form))
    assert (reply.status_code == 200) is accepted


def test_a_format_that_is_not_listed_is_refused(canned: Engine) -> None:
    reply = canned.post(request(data_url(encode(drawn("Hello"), "GIF"), "image/gif")))
    assert refused(reply) == (400, "InvalidParameter")


def test_the_mime_type_must_be_the_real_one(canned: Engine) -> None:
    assert refused(canned.post(request(data_url(PAGE, "image/jpeg")))) == (400, "InvalidParameter")


def test_what_is_no_image_cannot_be_decoded(canned: Engine) -> None:
    reply = canned.post(request(data_url(b"<html>", "image/png")))
    assert refused(reply) == (400, "InvalidParameter")
    assert "Failed to decode the image during the data inspection" in reply.json()["message"]


def test_a_data_url_over_10_mb_is_refused_in_the_services_words(canned: Engine) -> None:
    reply = canned.post(request("data:image/png;base64," + "A" * 10_485_764))
    assert refused(reply) == (400, "InvalidParameter")
    assert reply.json()["message"] == "Exceeded limit on max bytes per data-uri item : 10485760"


@pytest.mark.parametrize("source", ["file:///etc/passwd", "oss://bucket/key", "page.png", "data:text/plain,abc"])
def test_a_source_that_is_no_url_of_an_image_is_refused(canned: Engine, source: str) -> None:
    assert refused(canned.post(request(source))) == (400, "InvalidURL")


class Pages(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/page.png?X-Signature=a%2Fb%20c":
            self._answer(200, PAGE)
        elif self.path == "/huge.png":
            self._answer(200, bytes(10_485_761))
        else:
            self._answer(404, b"")

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Nothing: the test's output is the test's."""


@pytest.fixture
def pages() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Pages) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_an_image_is_fetched_from_a_presigned_url_as_it_is_spelled(canned: Engine, pages: str) -> None:
    assert canned.post(request(f"{pages}/page.png?X-Signature=a%2Fb%20c")).status_code == 200


def test_an_image_over_10_mb_by_url_is_refused(canned: Engine, pages: str) -> None:
    assert refused(canned.post(request(f"{pages}/huge.png"))) == (400, "InvalidParameter")


@pytest.mark.parametrize("gone", ["/gone.png", None])
def test_an_image_that_cannot_be_fetched_is_named_so(canned: Engine, pages: str, gone: str | None) -> None:
    source = f"{pages}{gone}" if gone else "http://127.0.0.1:9/page.png"
    assert refused(canned.post(request(source))) == (400, "InvalidParameter.DataInspection")


@pytest.mark.parametrize(
    ("width", "height", "tokens"),
    [
        (689, 487, 332),  # measured on the live service
        (2400, 12, 27),  # an edge that rounds to zero
        (800, 600, 477),
        (32, 32, 6),  # enlarged to min_pixels
    ],
)
def test_image_tokens_follow_the_documented_formula(canned: Engine, width: int, height: int, tokens: int) -> None:
    usage = canned.ask(blank(width, height), "text_recognition").json()["usage"]
    assert usage["image_tokens"] == usage["input_tokens_details"]["image_tokens"] == tokens
    assert usage["input_tokens"] == tokens + usage["input_tokens_details"]["text_tokens"]
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]


def test_an_answer_over_max_tokens_is_cut_and_says_so(canned: Engine) -> None:
    body = request(data_url(PAGE), "text_recognition")
    body["parameters"]["max_tokens"] = 5
    reply = canned.post(body).json()
    assert reply["output"]["choices"][0]["finish_reason"] == "length"
    assert reply["usage"]["output_tokens"] == 5


@pytest.mark.parametrize("incremental", [True, False])
def test_a_streamed_task_has_its_text_but_no_ocr_result(canned: Engine, incremental: bool) -> None:
    body = request(data_url(PAGE), "advanced_recognition")
    body["parameters"]["incremental_output"] = incremental
    reply = canned.post(body, KEY | {"X-DashScope-SSE": "enable", "Accept": "text/event-stream"})
    events = [json.loads(line[5:]) for line in reply.text.splitlines() if line.startswith("data:")]
    parts = [event["output"]["choices"][0]["message"]["content"][0] for event in events]
    text = "".join(part["text"] for part in parts) if incremental else parts[-1]["text"]
    assert text == content(canned.ask(PAGE, "advanced_recognition"))["text"]
    assert not any("ocr_result" in part for part in parts)
    assert events[-1]["output"]["choices"][0]["finish_reason"] == "stop"


def test_formulas_are_refused_and_never_invented(engine: Engine) -> None:
    reply = engine.ask(PAGE, "formula_recognition")
    assert refused(reply) == (400, "InvalidParameter")
    assert "real Qwen-OCR endpoint" in reply.json()["message"]


def test_a_prompt_that_is_no_documented_one_is_refused(engine: Engine) -> None:
    reply = engine.post(request(data_url(PAGE), prompt="What is the mood of this page?"))
    assert refused(reply) == (400, "InvalidParameter")


def test_the_model_without_built_in_tasks_takes_prompts_alone(engine: Engine) -> None:
    asked = {**request(data_url(PAGE), task="text_recognition"), "model": "qwen-vl-ocr-2024-10-28"}
    reply = engine.post(asked)
    assert refused(reply) == (400, "InvalidParameter")
    assert "no built-in tasks" in reply.json()["message"]
    assert engine.post({**request(data_url(PAGE), prompt=""), "model": "qwen-vl-ocr-2024-10-28"}).status_code == 200


def test_an_animated_or_many_paged_image_is_read_by_its_first_frame(engine: Engine) -> None:
    buffer = io.BytesIO()
    drawn("First page").save(buffer, "TIFF", save_all=True, append_images=[drawn("Second page")])
    assert engine.text(buffer.getvalue()) == "First page"
