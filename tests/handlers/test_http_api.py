"""Real HTTP in front of the review function: API Gateway's part, who is let in, and whether openapi.yaml is kept."""

from __future__ import annotations

import http.client
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPMessage
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

import jwt
import pytest
import schemathesis
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from local.functions.environments import InvocationOutcome, Throttled
from local.http_api import HttpApi
from local.jwt_authorizer import JwtAuthorizer
from local.stack import ROOT
from pagewise.aws import wiring
from tests.deployed import Deployed
from tests.handlers.conftest import Context, Handler
from tests.handlers.issuer import CLIENT, issuing, key, token
from tests.reviewed import filled, operations, recognized


@dataclass
class InThisProcess:
    """A function service with one environment. `takes`: seconds besides, of a slow function."""

    handler: Handler
    takes: float = 0.0
    lock: Any = field(default_factory=Lock)

    def invoke(self, function: str, payload: bytes, /, **_: object) -> InvocationOutcome:
        if function == "throttled":
            raise Throttled(function)
        with self.lock:
            time.sleep(self.takes)
            answer = self.handler(json.loads(payload), Context(seconds=29.0))
        return InvocationOutcome("r", "success", json.dumps(answer).encode())


@contextmanager
def serving(
    handler: Handler,
    authorizer: JwtAuthorizer | None = None,
    function: str = "review",
    *,
    takes: float = 0.0,
    seconds: float = 30.0,
) -> Iterator[HttpApi]:
    api = HttpApi(InThisProcess(handler, takes), function, authorizer=authorizer, seconds=seconds)
    api.start()
    try:
        yield api
    finally:
        api.stop()


@pytest.fixture
def review(handler: Callable[..., Handler]) -> Handler:
    return handler("ReviewFunction", "review")


def telling(event: dict[str, Any], _context: Any) -> Any:
    """A function that answers with the caller's claims."""
    claims = event["requestContext"].get("authorizer", {}).get("jwt", {}).get("claims", {})
    return {"statusCode": 200, "headers": {"Content-Type": "application/json"}, "body": json.dumps(claims)}


@dataclass(frozen=True)
class Answer:
    status: int
    headers: HTTPMessage
    said: Any


def ask(api: HttpApi, method: str, path: str, body: bytes | None = None, /, **headers: str) -> Answer:
    address = urlsplit(api.origin)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    with closing(connection):
        connection.request(method, path, body, {"content-type": "application/json", **sent})
        answer = connection.getresponse()
        content = answer.read()
        is_json = answer.headers.get("Content-Type", "").startswith("application/json")
        return Answer(answer.status, answer.headers, json.loads(content) if is_json else content.decode())


# ── an issuer of tokens ──────────────────────────────────────────────────────────────────────────────────────────────


def bad_tokens(issuer: str) -> dict[str, str]:
    now = int(time.time())
    return {
        "nothing": "",
        "no token": "Bearer opaque",
        "expired": f"Bearer {token(issuer, exp=now - 60)}",
        "without an end": f"Bearer {token(issuer, exp=None)}",
        "not yet": f"Bearer {token(issuer, nbf=now + 600)}",
        "another issuer's": f"Bearer {token('https://other.example')}",
        "another issuer's, under the same name": f"Bearer {token(issuer, signed_by='another')}",
        "another audience's": f"Bearer {token(issuer, aud='another')}",
        "an access token of another client": f"Bearer {token(issuer, aud=None, client_id='another')}",
        "signed by nobody": f"Bearer {jwt.encode({'iss': issuer, 'aud': CLIENT, 'sub': '1'}, '', 'none')}",
        "signed by a secret": f"Bearer {jwt.encode({'iss': issuer, 'sub': '1'}, 'k' * 32, 'HS256', {'kid': '1'})}",
    }


def test_every_operation_refuses_every_token_but_the_issuer_s_own_for_this_client(review: Handler) -> None:
    with issuing() as issuer, serving(review, JwtAuthorizer(issuer, CLIENT)) as api:
        tried = 0
        for method, path in operations():
            for name, authorization in bad_tokens(issuer).items():
                sent = {"Authorization": authorization} if authorization else {}
                answer = ask(api, method, filled(path), b"{}" if method in ("POST", "PUT") else None, **sent)
                if path == "/config":
                    assert answer.status == 200
                    continue
                assert (method, path, name, answer.status) == (method, path, name, 401)
                assert answer.said == {"message": "Unauthorized"}
                assert answer.headers["WWW-Authenticate"].startswith('Bearer scope="" error="invalid_token"')
                tried += 1
        assert tried >= 13 * 11


@pytest.mark.parametrize("claims", [{}, {"aud": ["x", CLIENT]}, {"aud": None, "client_id": CLIENT}])
def test_a_token_of_the_issuer_lets_its_person_in(claims: dict[str, Any]) -> None:
    with issuing() as issuer, serving(telling, JwtAuthorizer(issuer, CLIENT)) as api:
        mine = token(issuer, **claims)
        for authorization in (f"Bearer {mine}", mine):
            answer = ask(api, "GET", "/reviews", Authorization=authorization)
            assert (answer.status, answer.said["sub"], answer.said["name"]) == (200, "1", "Ana")
            assert all(isinstance(value, str) for value in answer.said.values())


def test_an_issuer_out_of_reach_lets_nobody_in() -> None:
    with issuing() as issuer:
        mine = token(issuer)
    with serving(telling, JwtAuthorizer(issuer, CLIENT)) as api:
        assert ask(api, "GET", "/reviews", Authorization=f"Bearer {mine}").status == 401


def test_the_page_needs_no_token_and_other_methods_of_it_have_no_route() -> None:
    with issuing() as issuer, serving(telling, JwtAuthorizer(issuer, CLIENT)) as api:
        for path in ("/", "/web/main.js", "/config"):
            assert ask(api, "GET", path).status == 200
        assert ask(api, "POST", "/", b"{}", Authorization=token(issuer)).status == 404
        assert ask(api, "PUT", "/web/main.js", b"{}").status == 401


# ── a token in the address ───────────────────────────────────────────────────────────────────────────────────────────


def test_on_one_machine_the_printed_address_becomes_a_cookie() -> None:
    with serving(telling) as api:
        printed = ask(api, "GET", api.address.removeprefix(api.origin))
        assert (printed.status, printed.headers["Cache-Control"]) == (200, "no-store")
        assert 'http-equiv="refresh" content="0; url=/"' in printed.said
        given = printed.headers.get_all("Set-Cookie") or []
        assert all("HttpOnly; SameSite=Strict" in one for one in given)
        cookie = "; ".join(one.partition(";")[0] for one in given)
        assert len(ask(api, "GET", "/", Cookie=cookie).said["sub"]) == 16
        assert ask(api, "GET", "/reviews", Authorization=f"Bearer {api.token}").status == 200
        with serving(telling) as another:  # whose cookies the same browser sends along: they are of one host
            assert ask(another, "GET", "/reviews", Cookie=cookie).status == 401


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({}, 401), ({"Authorization": "Bearer x"}, 403), ({"Cookie": "token=x"}, 401),
        ({"Host": "pages.example"}, 403), ({"Origin": "https://pages.example"}, 403),
        ({"Origin": "http://127.0.0.1:9"}, 403), ({"Origin": "null"}, 403),
    ],
)  # fmt: skip
def test_nobody_else_is_let_in(sent: dict[str, str], status: int) -> None:
    with serving(telling) as api:
        allowed = {"Authorization": f"Bearer {api.token}"} if {"Host", "Origin"} & set(sent) else {}
        assert ask(api, "GET", "/reviews", None, **allowed, **sent).status == status
        assert ask(api, "GET", f"/?token=x{api.token}").status == 403


def test_what_api_gateway_does_not_take_is_refused() -> None:
    with serving(telling) as api:
        mine = {"Authorization": f"Bearer {api.token}"}
        assert ask(api, "POST", "/documents", None, **mine, Content_Length=str(10 * 1024 * 1024 + 1)).status == 413
        assert ask(api, "GET", f"/documents?next={'x' * 10_300}", None, **mine).status == 431


def test_a_function_that_does_not_answer_in_time_is_not_waited_for() -> None:
    with serving(telling, takes=0.5, seconds=0.1) as api:
        answer = ask(api, "GET", "/reviews", Authorization=f"Bearer {api.token}")
        assert (answer.status, answer.said) == (503, {"message": "Service Unavailable"})
    with serving(telling, function="throttled") as api:
        assert ask(api, "GET", "/reviews", Authorization=f"Bearer {api.token}").status == 503


def test_a_function_that_fails_is_a_fault_of_the_server_s() -> None:
    def crashes(_event: dict[str, Any], _context: Any) -> Any:
        raise ZeroDivisionError

    with serving(crashes) as api:
        answer = ask(api, "GET", "/reviews", Authorization=f"Bearer {api.token}")
        assert (answer.status, answer.said) == (500, {"message": "Internal Server Error"})


# ── the contract ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def served(review: Handler, deployed: Deployed) -> Iterator[tuple[HttpApi, str]]:
    """The API, and the id of a document that it has."""
    document = recognized(wiring.accounting(), deployed.outputs["UploadsBucket"])
    with serving(review) as api:
        yield api, document.id


EXAMPLES = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "3"))  # of each operation: docs/review.md
contract = schemathesis.openapi.from_path(ROOT / "openapi.yaml")


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_requests_made_of_the_contract_are_answered_by_it(served: tuple[HttpApi, str], mode: GenerationMode) -> None:
    """A form cannot say all that is refused (2 KB of metadata, a `next` that was made up): such a 400 is an answer."""
    api, document = served
    mine = {"Authorization": f"Bearer {api.token}"}

    @settings(
        max_examples=EXAMPLES,
        derandomize="SCHEMATHESIS_EXAMPLES" not in os.environ,  # the same requests in every run of the tests
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    @given(picked=st.data())
    def keeps(picked: st.DataObject, operation: Any) -> None:
        case = picked.draw(operation.as_strategy(generation_mode=mode))
        if mode is GenerationMode.POSITIVE and "id" in case.path_parameters:
            case.path_parameters["id"] = document
        # An empty list or object is no part of a query's text: what was to be wrong would not be sent.
        assume(all(value not in ([], {}, None) for value in (case.query or {}).values()))
        case.call_and_validate(base_url=api.origin, headers=mine, excluded_checks=[positive_data_acceptance])

    every: Any = contract.get_all_operations()
    found = [operation.ok() for operation in every]
    for operation in sorted(found, key=lambda one: one.method == "delete"):  # after which there is nothing to ask for
        if mode is GenerationMode.POSITIVE or operation.path != "/config":  # which has nothing to say wrong
            keeps(operation=operation)
    assert len(found) == len(operations())


def test_a_key_of_another_is_another_s() -> None:
    assert key("issuer") is key("issuer")
    assert key("issuer") is not key("another")
