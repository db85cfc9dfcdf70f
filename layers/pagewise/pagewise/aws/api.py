"""The HTTP API's side of the review function: what a request says, and what an answer looks like. openapi.yaml.

A caller is who the authorizer says (a JWT's claims). Claims cannot be sent along by a request: API Gateway, and the
embedded server in its place, write them.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar
from urllib.parse import urlsplit

from pagewise.account.reviews import Claimed, Conflict, ReviewState
from pagewise.errors import Configuration, PagewiseError, Permanent, Rejection, Transient
from pagewise.model import DocumentId, DocumentStatus
from pagewise.review.corrections import Person
from pagewise.review.pointers import Scalar
from pagewise.strict_json import given
from pagewise.tasks import Task
from pagewise.use_cases.redrive import Selection
from pagewise.use_cases.review import Said
from pagewise.use_cases.show import PATH, Filter, Invalid, NotFound

Event = Mapping[str, Any]
Answer = dict[str, Any]

ID = re.compile(r"[a-z2-7]{32}")
TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")
OPTION = re.compile(r"[a-z][a-z-]{0,40}")
LIMIT, MOST_LIMIT, MOST_PAGE = 50, 200, 100_000
MOST_CORRECTIONS, MOST_VALUE, MOST_POINTER, MOST_NAME_BYTES = 5_000, 200_000, 500, 255
MOST_OPTIONS, MOST_OPTION = 30, 2_000
# Claims that have a person's name, the best first.
NAMES = ("name", "email", "preferred_username", "cognito:username", "username", "sub")

STATUS_OF = {
    "invalid": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "not_found": 404,
    "not_allowed": 405,
    "claimed": 409,
    "conflict": 409,
    "in_progress": 409,
    "rejected": 409,
    "cancelled": 409,
    "deleted": 409,
    "too_large": 413,
    Rejection.OVER_BUDGET.value: 422,
    "unknown_document": 404,
}
Word = TypeVar("Word", bound=StrEnum)


class Unauthorized(Permanent):
    def __init__(self) -> None:
        super().__init__("unauthorized", "The request has no valid token. Sign in, and send it along.")


class NotAllowed(Permanent):
    def __init__(self, methods: list[str]) -> None:
        super().__init__("not_allowed", f"Of this path there are: {', '.join(methods)}.")
        self.methods = methods


def person_of(event: Event, trusted: str = "") -> Person:
    """The caller. `trusted` is the name of whoever asks, where there is no authorizer in front (sam local). Raises
    Unauthorized."""
    authorizer = event.get("requestContext", {}).get("authorizer") or {}
    claims = (authorizer.get("jwt") or {}).get("claims") or {}
    if not claims.get("sub"):
        if trusted:
            return Person(trusted, trusted)
        raise Unauthorized
    name = next(str(claims[name]) for name in NAMES if claims.get(name))
    return Person(str(claims["sub"])[:200], name[:200])


# ── what a request says ──────────────────────────────────────────────────────────────────────────────────────────────


def document_id(text: str) -> DocumentId:
    if not ID.fullmatch(text):
        raise NotFound
    return DocumentId(text)


def page_number(text: str) -> int:
    return whole("page", text, MOST_PAGE)


def whole(name: str, text: str, most: int) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 9 and 1 <= int(text) <= most):
        raise Invalid(f"{name} is no whole number from 1 to {most:,}.")
    return int(text)


@dataclass(frozen=True, slots=True)
class Query:
    """The query of a request. A parameter that comes twice is none of its values."""

    said: Mapping[str, str]

    def number(self, name: str, default: int, most: int) -> int:
        return default if name not in self.said else whole(name, self.said[name], most)

    def limit(self) -> int:
        return self.number("limit", LIMIT, MOST_LIMIT)

    def time(self, name: str) -> str | None:
        text = self.said.get(name)
        if text is not None and not TIME.fullmatch(text):
            raise Invalid(f"{name} is no time such as 2026-11-25T08:30:00.000Z.")
        return text

    def word(self, name: str, words: type[Word]) -> Word | None:
        text = self.said.get(name)
        if text is None:
            return None
        try:
            return words(text)
        except ValueError:
            raise Invalid(f"{name} is none of: {', '.join(words)}.") from None

    def flag(self, name: str) -> bool:
        text = self.said.get(name, "false")
        if text not in ("true", "false"):
            raise Invalid(f"{name} is neither true nor false.")
        return text == "true"

    def filter(self) -> Filter:
        return Filter(
            self.word("status", DocumentStatus),
            self.word("review", ReviewState),
            self.time("after"),
            self.time("before"),
        )

    def cursor(self) -> str | None:
        return self.said.get("next")


def query_of(event: Event, *names: str) -> Query:
    """`names` are all that the operation has: one that is misspelt would silently be none. Raises Invalid."""
    said = event.get("queryStringParameters") or {}
    only(said, *names)
    return Query(said)


def body_of(event: Event, *, required: bool = True) -> dict[str, Any]:
    """The request's JSON object. Raises Invalid."""
    text = event.get("body") or ""
    if event.get("isBase64Encoded"):
        try:
            text = base64.b64decode(text).decode()
        except ValueError:
            raise Invalid("The body is no UTF-8.") from None
    if not text and not required:
        return {}
    media = str((event.get("headers") or {}).get("content-type", "application/json")).partition(";")[0].strip().lower()
    if media != "application/json":
        raise Invalid("The body's content-type is not application/json.")
    try:
        value = given(text)
    except ValueError:
        raise Invalid("The body is no JSON, or nests too deep.") from None
    if not isinstance(value, dict):
        raise Invalid("The body is no JSON object.")
    return value


def only(said: Mapping[str, Any], *names: str) -> None:
    if strangers := sorted(set(said) - set(names)):
        raise Invalid(f"{strangers[0][:100]!r} is no part of this request. There are: {', '.join(names)}.")


def upload_of(said: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
    only(said, "name", "options")
    name, options = said.get("name"), said.get("options", {})
    if not isinstance(name, str) or not name or len(name) > 255 or len(name.encode()) > 3 * MOST_NAME_BYTES:
        raise Invalid("name is no text of 1 to 255 characters.")
    if not isinstance(options, dict) or len(options) > MOST_OPTIONS:
        raise Invalid("options is no JSON object of texts.")
    for option, value in options.items():
        if not OPTION.fullmatch(option) or not isinstance(value, str) or len(value) > MOST_OPTION:
            raise Invalid(f"options: {option[:100]!r} is no option, or its value no text of 2,000 characters at most.")
    return name, options


def selection_of(said: Mapping[str, Any]) -> Selection:
    only(said, "page", "task", "reason")
    page, reason = said.get("page"), said.get("reason")
    if "page" in said and not 1 <= as_whole("page", page) <= MOST_PAGE:
        raise Invalid(f"page is no whole number from 1 to {MOST_PAGE:,}.")
    if "reason" in said and (not isinstance(reason, str) or len(reason) > 100):
        raise Invalid("reason is no text of 100 characters at most.")
    return Selection(None if page is None else int(page), as_task(said["task"]) if "task" in said else None, reason)


def corrections_of(said: Mapping[str, Any]) -> tuple[int, list[Said]]:
    only(said, "version", "corrections")
    version, corrections = as_whole("version", said.get("version")), said.get("corrections")
    if version < 0 or not isinstance(corrections, list) or len(corrections) > MOST_CORRECTIONS:
        raise Invalid("version is a whole number from 0 up, corrections a list of 5,000 at most.")
    return version, [correction_of(one) for one in corrections]


def correction_of(one: Any) -> Said:
    if not isinstance(one, dict) or set(one) != {"task", "pointer", "value"}:
        raise Invalid("A correction has task, pointer and value, and nothing else.")
    place = one["pointer"]
    if not isinstance(place, str) or not place.startswith("/") or len(place) > MOST_POINTER:
        raise Invalid("A pointer is no JSON Pointer such as /fields/Total.")
    return Said(as_task(one["task"]), place, as_scalar(one["value"]))


def as_scalar(value: Any) -> Scalar:
    if isinstance(value, dict | list) or (isinstance(value, str) and len(value) > MOST_VALUE):
        raise Invalid("A value is a text of 200,000 characters at most, a number, true, false or null.")
    scalar: Scalar = value
    return scalar


def as_whole(name: str, value: Any) -> int:
    """JSON has one kind of numbers: 1.0 is whole."""
    whole_number = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    if isinstance(value, bool) or not whole_number or abs(value) > 2**53:
        raise Invalid(f"{name} is no whole number.")
    return int(value)


def as_task(name: Any) -> Task:
    if not isinstance(name, str) or name not in list(Task):
        raise Invalid(f"task is none of: {', '.join(Task)}.")
    return Task(name)


# ── what an answer looks like ────────────────────────────────────────────────────────────────────────────────────────


def refusal(error: PagewiseError) -> Answer:
    """An error as openapi.yaml's Error."""
    shown: Answer = {"error": "not_found" if status_of(error) == 404 else error.reason, "message": error.message}
    match error:
        case Claimed():
            shown |= {"by": error.claim.person.name, "until": error.claim.until}
        case Conflict():
            corrections = [correction.shown() for correction in error.stored.corrections]
            shown |= {"by": error.stored.by or "", "version": error.stored.version, "corrections": corrections}
        case Configuration():
            shown |= {"error": "broken", "message": "The stack is set up wrong. Its operator finds why in the log."}
        case Transient():
            shown |= {"error": "busy", "message": "The stack is busy. Ask again in a moment."}
    return shown


def status_of(error: PagewiseError) -> int:
    if isinstance(error, Transient):
        return 503
    return 500 if isinstance(error, Configuration) else STATUS_OF.get(error.reason, 400)


BROKEN: Answer = {"error": "broken", "message": "The request could not be answered. The log says why."}


@dataclass(frozen=True, slots=True)
class Paths:
    """The methods of each path that was declared, `<id>` for a part that is handed on."""

    methods: dict[str, list[str]] = field(default_factory=dict)

    def declare(self, method: str, path: str) -> None:
        self.methods.setdefault(path, []).append(method)

    def refusal(self, path: str) -> PagewiseError:
        """Why a request has no function: its path is none, or has other methods."""
        for declared, methods in self.methods.items():
            if re.fullmatch(re.sub(r"<\w+>", "[^/]+", declared), path):
                return NotAllowed(sorted(methods))
        return NotFound(PATH)


@dataclass(frozen=True, slots=True)
class SignIn:
    """OpenID Connect, for the page: an issuer's client without a secret. `domain` is Cognito's, whose endpoints lie
    elsewhere than its issuer."""

    issuer: str
    client: str
    domain: str = ""

    def shown(self) -> Answer:
        at = f"https://{self.domain}/" if self.domain else None
        return {
            "issuer": self.issuer,
            "client_id": self.client,
            "authorize": at and f"{at}oauth2/authorize",
            "token": at and f"{at}oauth2/token",
            "sign_out": at and f"{at}logout",
            "scope": "openid profile email",
        }

    def origins(self) -> str:
        address = urlsplit(self.issuer)
        return " ".join([f"{address.scheme}://{address.netloc}", *([f"https://{self.domain}"] if self.domain else [])])


def security_headers(images: str, connects: str) -> dict[str, str]:
    """Of every answer. `images` is the origin of page images, `connects` those of the sign-in, separated by blanks."""
    policy = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "font-src": "'self'",
        "img-src": f"'self' data: blob: {images}",
        "connect-src": f"'self' {connects}",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    return {
        "Content-Security-Policy": "; ".join(f"{name} {value}".strip() for name, value in policy.items()),
        "Strict-Transport-Security": "max-age=31536000",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
        "Cache-Control": "no-store",
    }
