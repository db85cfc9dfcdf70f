"""The OpenAI-compatible protocol: request body to call, and the native reply in this protocol's form.

A task is its documented prompt here; `ocr_options` and `enable_rotate` are not known and passed over. The reply's text
is all there is of a result.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

from local.engine import identity, refusal, tokens
from local.engine.protocol_native import MODELS, Call, ImageElement, image_element, last_question, whole
from local.engine.tasks import wish_for_prompt

PATHS = ("/compatible-mode/v1/chat/completions", "/api/v1/chat/completions", "/v1/chat/completions")
"""The service's own path, and other servers' paths of the same protocol."""

CODES = {
    "InvalidApiKey": "invalid_api_key",
    "ModelNotFound": "model_not_found",
    "InvalidParameter": "invalid_parameter_error",
    "InvalidParameter.DataInspection": "invalid_parameter_error",
    "DataInspectionFailed": "data_inspection_failed",
    "Throttling": "limit_requests",
    "Throttling.RateQuota": "limit_requests",
    "Throttling.BurstRate": "limit_burst_rate",
    "Throttling.AllocationQuota": "insufficient_quota",
    "AccessDenied": "access_denied",
    "InternalError": "internal_error",
}
TYPES = {400: "invalid_request_error", 401: "invalid_request_error", 404: "invalid_request_error"}


def read_call(body: bytes) -> Call:
    try:
        request = json.loads(body)
    except ValueError:
        raise refusal.not_json() from None
    if not isinstance(request, dict):
        raise refusal.not_json()
    if not isinstance(request.get("model"), str) or not request["model"]:
        raise refusal.invalid("you must provide a model parameter")
    if request["model"] not in MODELS:
        raise refusal.model_not_found()
    elements = last_question(request.get("messages"))
    most = request.get("max_completion_tokens", request.get("max_tokens"))
    return Call(
        model=request["model"],
        images=_images(elements),
        wish=wish_for_prompt("\n".join(str(element.get("text", "")) for element in elements if _is(element, "text"))),
        max_tokens=whole({"max_tokens": most}, "max_tokens", tokens.MOST_OUTPUT_TOKENS, tokens.MOST_OUTPUT_TOKENS),
        incremental=True,
        streaming=request.get("stream") is True,
        usage_at_end=(request.get("stream_options") or {}).get("include_usage") is True,
    )


def _is(element: dict[str, Any], kind: str) -> bool:
    return element.get("type") == kind


def _images(elements: list[dict[str, Any]]) -> tuple[ImageElement, ...]:
    found = tuple(_image(element) for element in elements if _is(element, "image_url"))
    if not found:
        raise refusal.invalid("The request has no image: the last user message must have an image_url element.")
    return found


def _image(element: dict[str, Any]) -> ImageElement:
    given = element.get("image_url")
    source = given.get("url") if isinstance(given, dict) else given
    return image_element(element | {"image": source, "enable_rotate": False})


def reply(_: Call, whole_reply: dict[str, Any]) -> dict[str, Any]:
    """The native reply as a chat completion."""
    (choice,) = whole_reply["output"]["choices"]
    return {
        "id": f"chatcmpl-{whole_reply['request_id']}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": identity.MODEL,
        "system_fingerprint": None,
        "choices": [
            {
                "index": 0,
                "finish_reason": choice["finish_reason"],
                "logprobs": None,
                "message": {"role": "assistant", "content": choice["message"]["content"][0]["text"]},
            }
        ],
        "usage": _usage(whole_reply["usage"]),
    }


def _usage(native: dict[str, Any]) -> dict[str, Any]:
    counted = {
        "prompt_tokens": native["input_tokens"],
        "completion_tokens": native["output_tokens"],
        "total_tokens": native["input_tokens"] + native["output_tokens"],
    }
    if "image_tokens" in native:
        details = native["input_tokens_details"]
        counted["prompt_tokens_details"] = {name: details[name] for name in ("text_tokens", "image_tokens")}
    return counted


def events(call: Call, whole_reply: dict[str, Any]) -> Iterator[bytes]:
    """The reply as a stream of chunks."""
    done = reply(call, whole_reply)
    (choice,) = done["choices"]
    text = choice["message"]["content"]
    common = {name: done[name] for name in ("id", "created", "model", "system_fingerprint")}
    common["object"] = "chat.completion.chunk"
    parts = [text[start : start + 80] for start in range(0, len(text), 80)]
    deltas: list[tuple[dict[str, Any], str | None]] = [({"role": "assistant", "content": ""}, None)]
    deltas += [({"content": part}, None) for part in parts]
    deltas.append(({}, choice["finish_reason"]))
    for delta, finish_reason in deltas:
        yield _event(common | {"choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]})
    if call.usage_at_end:
        yield _event(common | {"choices": [], "usage": done["usage"]})
    yield b"data: [DONE]\n\n"


def _event(body: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(body, ensure_ascii=False)}\n\n".encode()


def error_body(error: refusal.Refusal, request_id: str) -> dict[str, Any]:
    code = CODES.get(error.code, error.code)
    kind = TYPES.get(error.status, code)
    return {
        "error": {"message": error.message, "type": kind, "param": None, "code": code},
        "request_id": request_id,
    }


def error_event(_status: int, body: dict[str, Any]) -> bytes:
    return _event(body)
