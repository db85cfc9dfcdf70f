"""The service's native protocol: questions to request bodies, reply bodies to answers.

Never streamed: a streamed task comes without its `ocr_result`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pagewise.errors import PagewiseError
from pagewise.model import Usage
from pagewise.qwen.failures import failure
from pagewise.qwen.question import Answer, Question, check_schema
from pagewise.strict_json import as_text, fit

PATH = "/services/aigc/multimodal-generation/generation"
# The bound of an id or a finish reason: the service's have 36 at most.
WORD_CHARACTERS = 200
# No context is as long; beyond it a count is none.
MOST_TOKENS = 100_000_000
# Servers say -9999 for a token that could not come; no probability is above 1.
LEAST_LOGPROB = -10_000.0


@dataclass(frozen=True, slots=True)
class DashScope:
    """`workspace` is the one that the key belongs to, where it is not the account's default one."""

    workspace: str | None = None
    path: str = PATH

    def headers(self) -> dict[str, str]:
        return {"X-DashScope-WorkSpace": self.workspace} if self.workspace else {}

    def body(self, question: Question, *images: str) -> dict[str, Any]:
        return body(question, *images)

    def answer(self, reply: Mapping[str, Any]) -> Answer | None:
        return answer(reply)

    def refusal(self, status: int, reply: Mapping[str, Any], retry_after: float | None) -> PagewiseError:
        return failure(status, as_text(reply.get("code")), as_text(reply.get("message")), retry_after)


def body(question: Question, *images: str) -> dict[str, Any]:
    """The request body, as the vendor's SDK sends it; `images` are the data URLs or URLs to put in.

    `parameters` is always there, even empty (the service has an error for its absence). A built-in task goes into
    `ocr_options`, without any text; an own prompt is a text, without `ocr_options`.
    Raises Permanent `invalid_schema`.
    """
    said = {
        name: value
        for name in ("min_pixels", "max_pixels", "enable_rotate")
        if (value := getattr(question, name)) is not None
    }
    content: list[dict[str, Any]] = [{"image": image, **said} for image in images]
    if question.prompt is not None:
        content.append({"text": question.prompt})
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


def answer(reply: Mapping[str, Any]) -> Answer | None:
    """Read a reply of HTTP 200; None if it is not in the protocol's form. Raises the error that `failure` decides for
    one that carries a code and no output."""
    output = reply.get("output")
    choice = first_choice(output)
    if choice is None:
        if isinstance(code := reply.get("code"), str) and code:
            raise failure(200, code, as_text(reply.get("message")) or "a reply without output")
        return None
    merged = merged_content(choice.get("message"))
    ocr_result = merged.get("ocr_result")
    ocr_result = ocr_result if isinstance(ocr_result, Mapping) else {}
    return Answer(
        text=as_text(merged.get("processed_text")) or as_text(merged.get("text")),
        words=ocr_result.get("words_info"),
        fields=ocr_result.get("kv_result"),
        finish_reason=word(choice.get("finish_reason")),
        usage=usage(reply.get("usage")),
        request_id=word(reply.get("request_id")),
        layouts=ocr_result.get("layouts"),
        logprobs=logprobs_of(choice),
    )


def logprobs_of(choice: Mapping[str, Any]) -> tuple[tuple[str, float], ...]:
    """A choice's `logprobs.content`: [{"token", "logprob"}], the same in both protocols. None of them if one is off: a
    gap would move all that follow."""
    said = choice.get("logprobs")
    tokens = said.get("content") if isinstance(said, Mapping) else None
    pairs = tuple(pair for pair in map(logprob, tokens if isinstance(tokens, list) else ()) if pair is not None)
    return pairs if isinstance(tokens, list) and len(pairs) == len(tokens) else ()


def logprob(entry: Any) -> tuple[str, float] | None:
    token, number = (entry.get("token"), entry.get("logprob")) if isinstance(entry, Mapping) else (None, None)
    if not isinstance(token, str) or isinstance(number, bool) or not isinstance(number, int | float):
        return None
    return (token, float(number)) if LEAST_LOGPROB <= number <= 0 else None


def first_choice(output: Any) -> Mapping[str, Any] | None:
    choices = output.get("choices") if isinstance(output, Mapping) else None
    first = choices[0] if isinstance(choices, list) and choices else None
    return first if isinstance(first, Mapping) and isinstance(first.get("message"), Mapping) else None


def merged_content(message: Any) -> dict[str, Any]:
    """A message's content as one mapping: it is a list of parts, or a plain string."""
    content = message.get("content") if isinstance(message, Mapping) else None
    parts = content if isinstance(content, list) else [{"text": content}]
    merged: dict[str, Any] = {}
    for part in parts:
        if isinstance(part, Mapping):
            merged.update(part)
    return merged


def word(value: Any) -> str | None:
    """The value as an id or a name; None for any other kind."""
    return fit(value) if isinstance(value, str) and len(value) <= WORD_CHARACTERS else None


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
    if isinstance(count, bool) or not isinstance(count, int | float):
        return None
    return int(count) if 0 <= count <= MOST_TOKENS else None


COUNT = re.compile(r'"(input|prompt|output|completion)_tokens"\s*:\s*(\d{1,9})(?![\d.eE])')


def salvaged_usage(text: str) -> Usage:
    """The tokens of an unreadable reply: the last counts in its text."""
    counts = {name[0]: int(count) for name, count in COUNT.findall(text)}
    return Usage(counts.get("i", counts.get("p", 0)), counts.get("o", counts.get("c", 0)))
