"""The service's native protocol: questions to request bodies, reply bodies to answers.

Never streamed: a streamed task comes without its `ocr_result`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pagewise.engine import Answer, Question, check_schema
from pagewise.errors import PagewiseError
from pagewise.failures import failure
from pagewise.model import Usage

PATH = "/services/aigc/multimodal-generation/generation"


@dataclass(frozen=True, slots=True)
class DashScope:
    """`workspace` is the one that the key belongs to, where it is not the account's default one."""

    workspace: str | None = None
    path: str = PATH

    def headers(self) -> dict[str, str]:
        return {"X-DashScope-WorkSpace": self.workspace} if self.workspace else {}

    def body(self, question: Question, image: str) -> dict[str, Any]:
        return body(question, image)

    def answer(self, reply: Mapping[str, Any]) -> Answer:
        return answer(reply)

    def refusal(self, status: int, reply: Mapping[str, Any], retry_after: float | None) -> PagewiseError:
        return failure(status, str(reply.get("code") or ""), str(reply.get("message") or ""), retry_after)


def body(question: Question, image: str) -> dict[str, Any]:
    """The request body, as the vendor's SDK sends it; `image` is the data URL or URL to put in.

    `parameters` is always there, even empty (the service has an error for its absence). A built-in task goes into
    `ocr_options`, without any text; an own prompt is a text, without `ocr_options`.
    Raises Permanent `invalid_schema`.
    """
    element: dict[str, Any] = {"image": image}
    for name in ("min_pixels", "max_pixels", "enable_rotate"):
        if (value := getattr(question, name)) is not None:
            element[name] = value
    content = [element] if question.prompt is None else [element, {"text": question.prompt}]
    parameters: dict[str, Any] = dict(question.parameters or {})
    if question.task is not None:
        parameters["ocr_options"] = ocr_options(question)
    return {
        "model": question.model,
        "input": {"messages": [{"role": "user", "content": content}]},
        "parameters": parameters,
    }


def ocr_options(question: Question) -> dict[str, Any]:
    options: dict[str, Any] = {"task": question.task}
    if question.result_schema is not None:
        check_schema(question.result_schema)
        options["task_config"] = {"result_schema": question.result_schema}
    return options


def answer(reply: Mapping[str, Any]) -> Answer:
    """Read a reply of HTTP 200. Raises what `failure` decides for one that carries a code and no output."""
    output = reply.get("output")
    choices = output.get("choices") if isinstance(output, Mapping) else None
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], Mapping):
        code = str(reply.get("code") or "")
        raise failure(200, code, str(reply.get("message") or "a reply without output"))
    choice = choices[0]
    merged = merged_content(choice.get("message"))
    ocr_result = merged.get("ocr_result")
    ocr_result = ocr_result if isinstance(ocr_result, Mapping) else {}
    return Answer(
        text=str(merged.get("processed_text") or merged.get("text") or ""),
        words=ocr_result.get("words_info"),
        fields=ocr_result.get("kv_result"),
        finish_reason=choice.get("finish_reason"),
        usage=usage(reply.get("usage")),
        request_id=reply.get("request_id"),
    )


def merged_content(message: Any) -> dict[str, Any]:
    """A message's content as one mapping: it is a list of parts, or a plain string."""
    content = message.get("content") if isinstance(message, Mapping) else None
    parts = [{"text": content}] if isinstance(content, str) else content or []
    merged: dict[str, Any] = {}
    for part in parts:
        if isinstance(part, Mapping):
            merged.update(part)
    return merged


def usage(billed: Any) -> Usage:
    """Tokens billed; a count that the reply lacks is derived from the others where it can be."""
    return counted(billed, "input_tokens", "output_tokens")


def counted(billed: Any, input_name: str, output_name: str) -> Usage:
    counts = billed if isinstance(billed, Mapping) else {}
    into, out, total = (tokens(counts.get(name)) for name in (input_name, output_name, "total_tokens"))
    if into is None:
        into = max(0, (total or 0) - (out or 0))
    if out is None:
        out = max(0, (total or 0) - into)
    return Usage(into, out)


def tokens(count: Any) -> int | None:
    return int(count) if isinstance(count, int | float) and not isinstance(count, bool) and count >= 0 else None
