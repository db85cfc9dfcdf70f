"""From an answer that is no success to its error."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from pagewise_client import errors
from pagewise_client.answers import Correction
from pagewise_client.errors import Refused
from pagewise_client.loading import loaded
from pagewise_client.patience import retry_after
from pagewise_client.steps import Reply

# openapi.yaml, components/responses/Error
BY_WORD: dict[str, type[Refused]] = {
    "invalid": errors.Invalid,
    "unauthorized": errors.Unauthorized,
    "forbidden": errors.Forbidden,
    "not_found": errors.NotFound,
    "not_allowed": errors.Invalid,
    "conflict": errors.Conflict,
    "claimed": errors.Claimed,
    "in_progress": errors.InProgress,
    "cancelled": errors.InProgress,
    "rejected": errors.Rejected,
    "deleted": errors.Deleted,
    "too_large": errors.Invalid,
    "over_budget": errors.OverBudget,
    "broken": errors.Broken,
    "busy": errors.Busy,
}
# Of an answer that the API itself did not write: API Gateway's, or a proxy's.
BY_STATUS: dict[int, tuple[type[Refused], str]] = {
    400: (errors.Invalid, "The request was refused as invalid."),
    401: (errors.Unauthorized, "The token is missing, expired or of another issuer. Sign in again."),
    403: (errors.Forbidden, "The token may not do this, or is another server's."),
    404: (errors.NotFound, "There is nothing at this address. Look whether it is the API's."),
    413: (errors.Invalid, "The request is too large."),
    429: (errors.Busy, "Too many requests. Ask again in a moment."),
    500: (errors.Broken, "The server could not answer. Its log says why."),
    502: (errors.Broken, "The server in between had no answer. Ask again in a moment."),
    503: (errors.Busy, "The server is busy. Ask again in a moment."),
    504: (errors.Broken, "The server took too long. Ask again in a moment."),
}


def refusal_of(reply: Reply) -> errors.PagewiseError:
    if 300 <= reply.status < 400:
        return errors.AddressError(
            "The server sends this address elsewhere, where the token does not go. Give the final one."
        )
    said = said_in(reply)
    word, message = said.get("error"), said.get("message")
    kind, default = BY_STATUS.get(reply.status, (Refused, f"The server answered with status {reply.status}."))
    if isinstance(word, str) and isinstance(message, str):
        kind = BY_WORD.get(word, kind)
    else:
        word, message = "", default
    error = kind(message, status=reply.status, error=word)
    tell_more(error, said, reply)
    return error


def said_in(reply: Reply) -> dict[str, Any]:
    try:
        said = json.loads(reply.content)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def tell_more(error: Refused, said: dict[str, Any], reply: Reply) -> None:
    match error:
        case errors.Claimed():
            error.by = loaded(str, said.get("by", ""))
            error.until = loaded(datetime, said["until"]) if "until" in said else None
        case errors.Conflict():
            error.by = loaded(str, said.get("by", ""))
            error.version = loaded(int, said.get("version", 0))
            error.corrections = loaded(tuple[Correction, ...], said.get("corrections", []))
        case errors.Busy():
            error.retry_after = retry_after(reply)
