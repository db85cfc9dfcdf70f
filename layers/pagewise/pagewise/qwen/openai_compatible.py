"""The OpenAI-compatible protocol, of the service itself and of any other server that speaks it (vLLM, SGLang, Ollama).

It has neither `ocr_options` nor `enable_rotate`: a task is its documented prompt, and its result is in the reply's text
(Qwen-OCR documentation, "Prerequisites": "You must manually simulate these features").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pagewise.errors import PagewiseError
from pagewise.qwen.dashscope import counted, first_choice, logprobs_of, merged_content, word
from pagewise.qwen.failures import failure
from pagewise.qwen.prompts import prompt_of
from pagewise.qwen.question import Answer, Question, check_schema
from pagewise.strict_json import as_text

PATH = "/chat/completions"


@dataclass(frozen=True, slots=True)
class OpenAICompatible:
    """`pixel_limits`: whether to send `min_pixels` and `max_pixels`; other servers may reject them."""

    pixel_limits: bool = True
    path: str = PATH

    def headers(self) -> dict[str, str]:
        return {}

    def body(self, question: Question, *images: str) -> dict[str, Any]:
        """The request body, as the vendor's page has its users send it. Raises Permanent `invalid_schema`."""
        said = {
            name: value
            for name in ("min_pixels", "max_pixels")
            if self.pixel_limits and (value := getattr(question, name)) is not None
        }
        content: list[dict[str, Any]] = [{"type": "image_url", "image_url": {"url": image}, **said} for image in images]
        if (prompt := text_of(question)) is not None:
            content.append({"type": "text", "text": prompt})
        return {
            "model": question.model,
            "messages": [{"role": "user", "content": content}],
            **(question.parameters or {}),
        }

    def answer(self, reply: Mapping[str, Any]) -> Answer | None:
        """Read a reply of HTTP 200; None if it is not in the protocol's form. Raises the error that `failure` decides
        for one that is an error all the same."""
        choice = first_choice(reply)
        if choice is None:
            if reply.get("error") or reply.get("code") or reply.get("object") == "error":
                raise self.refusal(200, reply, None)
            return None
        message = choice["message"]
        return Answer(
            text=as_text(merged_content(message).get("text")) or as_text(message.get("refusal")),
            words=None,
            fields=None,
            finish_reason=word(choice.get("finish_reason")),
            usage=counted(reply.get("usage"), "prompt_tokens", "completion_tokens"),
            request_id=word(reply.get("id")),
            model=reply.get("model"),
            logprobs=logprobs_of(choice),
        )

    def refusal(self, status: int, reply: Mapping[str, Any], retry_after: float | None) -> PagewiseError:
        """The error of a reply: {"error": {message, type, param, code}}, the service's own flat form, or that of a
        server that says less: a type in place of the code, a plain text in place of the object."""
        error = reply.get("error")
        if isinstance(error, Mapping):
            code = error.get("code") if isinstance(error.get("code"), str) else error.get("type")
            return failure(status, as_text(code), as_text(error.get("message")), retry_after)
        if isinstance(error, str):
            return failure(status, "", error, retry_after)
        code = reply.get("code") if isinstance(reply.get("code"), str) else reply.get("type")
        message = reply.get("message") or reply.get("detail") or "a reply without choices"
        return failure(status, as_text(code), as_text(message), retry_after)


def text_of(question: Question) -> str | None:
    """The prompt to send; None leaves the model to its default one: it reads all text."""
    if question.task is None:
        return question.prompt
    if question.result_schema is not None:
        check_schema(question.result_schema)
    return prompt_of(question.task, question.result_schema)
