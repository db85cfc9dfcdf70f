"""The service's native protocol: questions to request bodies, reply bodies to answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pagewise.engine import Answer, Question
from pagewise.errors import PagewiseError
from pagewise.failures import failure
from pagewise.model import Usage

PATH = "/services/aigc/multimodal-generation/generation"


def headers(api_key: str, workspace: str | None) -> dict[str, str]:
    sent = {"Authorization": f"Bearer {api_key}"}
    if workspace:
        sent["X-DashScope-WorkSpace"] = workspace
    return sent


def body(question: Question) -> dict[str, Any]:
    """The request body, as the vendor's SDK sends it.

    `parameters` is always there, even empty (the service has an error for its absence). A built-in task goes into
    `ocr_options`, without any text; an own prompt is a text, without `ocr_options`.
    """
    image: dict[str, Any] = {"image": question.image}
    for name in ("min_pixels", "max_pixels", "enable_rotate"):
        if (value := getattr(question, name)) is not None:
            image[name] = value
    content = [image] if question.prompt is None else [image, {"text": question.prompt}]
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
        options["task_config"] = {"result_schema": question.result_schema}
    return options


def answer(reply: Mapping[str, Any]) -> Answer:
    """Read a reply of HTTP 200. Raises what `failure` decides for one that carries a code and no output."""
    output = reply.get("output")
    if not isinstance(output, Mapping) or not output.get("choices"):
        raise refusal(200, reply) if reply.get("code") else failure(502, "", "a reply without output")
    choice = output["choices"][0]
    content = choice.get("message", {}).get("content") or []
    parts = [{"text": content}] if isinstance(content, str) else content
    merged: dict[str, Any] = {}
    for part in parts:
        merged.update(part)
    ocr_result = merged.get("ocr_result") or {}
    return Answer(
        text=str(merged.get("processed_text") or merged.get("text") or ""),
        words=ocr_result.get("words_info"),
        fields=ocr_result.get("kv_result"),
        finish_reason=choice.get("finish_reason"),
        usage=usage(reply.get("usage") or {}),
        request_id=reply.get("request_id"),
    )


def usage(billed: Mapping[str, Any]) -> Usage:
    """Tokens billed; a count that the reply lacks is derived from the others where it can be."""
    output_tokens = int(billed.get("output_tokens") or 0)
    input_tokens = billed.get("input_tokens")
    if input_tokens is None:
        input_tokens = max(0, int(billed.get("total_tokens") or 0) - output_tokens)
    return Usage(int(input_tokens), output_tokens)


def refusal(status: int, reply: Mapping[str, Any], retry_after: float | None = None) -> PagewiseError:
    """The error of a reply in the service's flat form: {code, message, request_id}."""
    return failure(status, str(reply.get("code") or ""), str(reply.get("message") or ""), retry_after)
