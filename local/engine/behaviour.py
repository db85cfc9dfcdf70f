"""Misbehaviour on demand, for tests: the answers of a service under load or in trouble."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

THROTTLED = {
    "throttled": ("Throttling", "Requests throttling triggered."),
    "rate_quota": ("Throttling.RateQuota", "Requests rate limit exceeded, please try again later."),
    "burst_rate": ("Throttling.BurstRate", "Request rate increased too quickly."),
    "allocation_quota": ("Throttling.AllocationQuota", "Allocated quota exceeded, please increase your quota limit."),
    "free_quota_exceeded": ("Throttling.AllocationQuota", "Free allocated quota exceeded."),
    "not_purchased": ("CommodityNotPurchased", "Commodity has not purchased yet."),
    "prepaid_overdue": ("PrepaidBillOverdue", "The prepaid bill is overdue."),
    "postpaid_overdue": ("PostpaidBillOverdue", "The postpaid bill is overdue."),
}
ERRORS: dict[str, tuple[int, str, str]] = {name: (429, *error) for name, error in THROTTLED.items()} | {
    "internal_error": (500, "InternalError", "An internal error has occured."),
    "algorithm_error": (500, "InternalError.Algo", "An internal error has occured during algorithm execution."),
    "algorithm_timeout": (500, "InternalError.Timeout", "An internal timeout error has occured."),
    "system_error": (500, "SystemError", "An system error has occured, please try again later."),
    "model_failed": (500, "ModelServiceFailed", "Failed to request model service."),
    "request_timeout": (500, "RequestTimeOut", "Request timed out, please try again later."),
    "serving_error": (503, "ModelServingError", "Too many requests. Your requests are being throttled."),
    "unavailable": (503, "ModelUnavailable", "Model is unavailable, please try again later."),
    "request_timed_out": (408, "RequestTimeOut", "Request timed out, please try again later."),
    "arrears": (400, "Arrearage", "Access denied, please make sure your account is in good standing."),
    "inspection_failed": (400, "DataInspectionFailed", "Input data may contain inappropriate content."),
    "inspection_download": (400, "InvalidParameter.DataInspection", "Unable to download the media resource."),
    "url_timeout": (400, "InvalidURL.Timeout", "Download the media resource timed out."),
    "invalid_parameter": (400, "InvalidParameter", "The request is invalid."),
    "algorithm_parameter": (400, "InternalError.Algo.InvalidParameter", "The request is invalid."),
    "invalid_key": (401, "InvalidApiKey", "Invalid API-key provided."),
    "access_denied": (403, "AccessDenied", "Access denied."),
    "unpurchased": (403, "AccessDenied.Unpurchased", "Access to model denied."),
    "model_denied": (403, "Model.AccessDenied", "Model access denied."),
    "workspace_denied": (403, "Workspace.AccessDenied", "Workspace access denied."),
    "free_tier_only": (403, "AllocationQuota.FreeTierOnly", "The free tier of the model has been exhausted."),
    "model_not_found": (404, "ModelNotFound", "Model not exist."),
    "workspace_not_found": (404, "WorkSpaceNotFound", "WorkSpace can not be found."),
    "error_in_200": (200, "InternalError", "An internal error has occured."),
}
HTML = {"bad_gateway": 502, "gateway_timeout": 504, "html_in_200": 200}
ON_THE_WAY = ("slow", "cut")
IN_THE_ANSWER = (
    "truncated",
    "unterminated_fence",
    "broken_json",
    "text_only",
    "fenced",
    "looping",
    "processed_text",
    "bare_usage",
    "no_output",
    "half_surrogate",
    "far_coordinate",
    "not_a_number",
    "refusal",
    "chinese_refusal",
    "unclear",
    "empty",
    "no_line_text",
    "content_filter",
    "prose",
    "leading_zeros",
    "heading_loop",
    "huge",
)
# Answers of a model that speaks for itself, or of nothing.
SPOKEN = {
    "refusal": "I'm sorry, but I can't read this image.",
    "chinese_refusal": "抱歉，我无法识别这张图片中的文字。",
    "unclear": "[unclear]\n[unclear] [illegible]",
    "empty": "",
    "leading_zeros": '{"invoice": 007, "time": 08:30}',
    "heading_loop": "ACME Trading Ltd\n12 Main Street\nInvoice No. 2041\n\n" * 20,
    "huge": "a" * 6_000_000,
}
NAMES = (*ERRORS, *HTML, *ON_THE_WAY, *IN_THE_ANSWER, "error")


@dataclass(slots=True)
class Behaviour:
    name: str
    times: int | None = 1
    """None: for ever."""
    task: str | None = None
    """None: any task."""
    seconds: float = 0.0
    status: int = 500
    code: str = "InternalError"
    message: str = "An internal error has occured."
    retry_after: str | None = None


class Script:
    """Behaviours in order: each call takes the first that fits its task, until it is used up."""

    def __init__(self) -> None:
        self._steps: list[Behaviour] = []

    def set(self, steps: Any) -> None:
        """Replace the script by one behaviour or a list of them. Raises ValueError with the script's fault."""
        given = steps if isinstance(steps, list) else [steps]
        self._steps = [_behaviour(step) for step in given]

    def next_for(self, task: str) -> Behaviour | None:
        for step in self._steps:
            if step.task not in (None, task):
                continue
            if step.times is not None:
                step.times -= 1
                if step.times <= 0:
                    self._steps.remove(step)
            return step
        return None


def _behaviour(step: Any) -> Behaviour:
    if not isinstance(step, dict) or step.get("name") not in NAMES:
        raise ValueError(f"a behaviour needs a name: {', '.join(NAMES)}")
    try:
        return Behaviour(**step)
    except TypeError as error:
        raise ValueError(str(error)) from None


def spoiled(name: str, reply: dict[str, Any]) -> dict[str, Any]:
    """A good reply, made bad, or unusual, in one of the ways of IN_THE_ANSWER."""
    bad = copy.deepcopy(reply)
    choice = bad["output"]["choices"][0]
    content = choice["message"]["content"][0]
    match name:
        case "truncated":
            content["text"] = content["text"][: len(content["text"]) // 2]
            content.pop("ocr_result", None)
            choice["finish_reason"] = "length"
        case "looping":
            content["text"] += "\n" + "the same line again\n" * 400
            content.pop("ocr_result", None)
            choice["finish_reason"] = "length"
        case "unterminated_fence":
            content["text"] = content["text"].removesuffix("```")
        case "fenced":
            content["text"] = f"```markdown\n{content['text']}\n```"
        case "broken_json":
            content["text"] = content["text"].replace("]", "", 1).replace('",', '"', 1)
            content.pop("ocr_result", None)
        case "text_only":
            content.pop("ocr_result", None)
        case "processed_text":
            content["processed_text"] = f"{content['text']} (processed)"
        case "bare_usage":
            bad["usage"] = {counted: bad["usage"][counted] for counted in ("input_tokens", "output_tokens")}
        case "no_output":
            bad["output"] = {"choices": []}
        case _:
            misread(name, content, choice)
    return bad


def misread(name: str, content: dict[str, Any], choice: dict[str, Any]) -> None:
    """An answer that is well formed, with text of no page."""
    match name:
        case "half_surrogate":
            content["text"] += " Caf\ud83d"
        case "far_coordinate":
            _each_word(content, lambda word: word.update(location=[10**400] * 8, rotate_rect=[10**400] * 5))
        case "not_a_number":
            _each_word(content, lambda word: word.update(location=[float("nan")] * 8, rotate_rect=[float("inf")] * 5))
            if "kv_result" in content.get("ocr_result", {}):
                content["ocr_result"]["kv_result"] = {"amount": float("nan"), "balance": float("-inf")}
        case "no_line_text":
            _each_word(content, lambda word: word.update(text=""))
        case "content_filter":
            content["text"] = content["text"][: len(content["text"]) // 2]
            choice["finish_reason"] = "content_filter"
        case "prose":
            content["text"] = f"Here is what the page says:\n\n{content['text']}\n\nIs there anything else?"
            content.pop("ocr_result", None)
        case _ if name in SPOKEN:
            content["text"] = SPOKEN[name]
            content.pop("ocr_result", None)


def _each_word(content: dict[str, Any], change: Callable[[dict[str, Any]], None]) -> None:
    for word in content.get("ocr_result", {}).get("words_info", ()):
        change(word)
