"""The lines of a batch: what the service demands of a file of requests, and the lines of its replies."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MOST_LINES = 50_000
MOST_LINE_BYTES = 6 * 2**20
MODELS = ("qwen-vl-ocr", "qwen-vl-ocr-latest")
CHAT = "/v1/chat/completions"
TEST_MODEL, TEST_ENDPOINT = "batch-test-model", "/v1/chat/ds-test"
MOST_TEST_LINES, MOST_TEST_BYTES = 100, 2**20


@dataclass(frozen=True, slots=True)
class Line:
    number: int
    custom_id: str
    body: dict[str, Any]


class BadLine(Exception):
    """`code` and message of a line, or of the file, that the service refuses."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Replied:
    """The reply to one line."""

    status: int
    request_id: str
    body: dict[str, Any]

    def line(self, custom_id: str) -> bytes:
        refused = self.body.get("error") if self.status != 200 else None
        error = {"code": refused["code"], "message": refused["message"]} if refused else None
        response = {"status_code": self.status, "request_id": self.request_id, "body": self.body}
        return written(custom_id, response, error)


def written(custom_id: str, response: dict[str, Any] | None, error: dict[str, Any] | None) -> bytes:
    line = {"id": str(uuid.uuid4()), "custom_id": custom_id, "response": response, "error": error}
    return json.dumps(line).encode() + b"\n"


def unbegun(custom_id: str) -> bytes:
    """The line of a request that its batch's window left no time for."""
    error = {"code": "batch_expired", "message": "This request could not be executed before the window expired."}
    return written(custom_id, None, error)


def lines_of(path: Path, endpoint: str) -> Iterator[Line]:
    """One at a time. Raises BadLine."""
    with path.open("rb") as file:
        number = 0
        while text := file.readline(MOST_LINE_BYTES + 2):
            if len(text.rstrip(b"\r\n")) > MOST_LINE_BYTES:
                raise BadLine("line_too_large", f"A line exceeds {MOST_LINE_BYTES} bytes.")
            if text.strip():
                number += 1
                yield line_of(text, number, endpoint)


def line_of(text: bytes, number: int, endpoint: str) -> Line:
    try:
        request = json.loads(text)
    except ValueError:
        raise BadLine("invalid_json_line", "This line is not parseable as valid JSON.") from None
    if not isinstance(request, dict):
        raise BadLine("invalid_json_line", "This line is no JSON object.")
    custom_id, body = request.get("custom_id"), request.get("body")
    if not isinstance(custom_id, str) or not custom_id:
        raise BadLine("missing_required_parameter", "custom_id is missing.")
    if request.get("method") != "POST":
        raise BadLine("invalid_method", "The method must be POST.")
    if request.get("url") != endpoint:
        raise BadLine("invalid_url", "The url of a line must be the endpoint of the batch.")
    if not isinstance(body, dict) or not isinstance(body.get("model"), str):
        raise BadLine("missing_required_parameter", "The body has no model.")
    return Line(number, custom_id, body)


@dataclass(slots=True)
class Inspection:
    """Of an input file, line by line."""

    path: Path
    endpoint: str
    count: int = 0
    seen: set[str] = field(default_factory=set)
    models: set[str] = field(default_factory=set)

    def problems(self) -> list[dict[str, Any]]:
        """What is wrong with the file: nothing, or the first that is found."""
        try:
            for line in lines_of(self.path, self.endpoint):
                self.count = line.number
                self.look_at(line)
            self.look_at_the_whole()
        except BadLine as bad:
            return [{"code": bad.code, "message": str(bad), "line": self.count, "param": None}]
        return []

    def look_at(self, line: Line) -> None:
        if line.custom_id in self.seen:
            raise BadLine("duplicate_custom_id", "The custom_id occurs in an earlier line.")
        self.seen.add(line.custom_id)
        self.models.add(line.body["model"])
        if len(self.models) > 1:
            raise BadLine("mismatched_model", "All lines of a file must name the same model.")

    def look_at_the_whole(self) -> None:
        if not self.count:
            raise BadLine("empty_file", "The input file has no request.")
        testing = self.endpoint == TEST_ENDPOINT
        (model,) = self.models
        if model not in ((TEST_MODEL,) if testing else MODELS):
            raise BadLine("model_not_found", f"The model {model} does not support the Batch API.")
        if self.count > (MOST_TEST_LINES if testing else MOST_LINES):
            raise BadLine("too_many_requests", "The file has too many lines.")
        if testing and self.path.stat().st_size > MOST_TEST_BYTES:
            raise BadLine("file_too_large", "A file for the test model has 1 MB at most.")
