"""What the HTTP API reads out of a request, and how it refuses one."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from pagewise.account.reviews import Claim, Claimed, Conflict
from pagewise.aws import api
from pagewise.errors import Configuration, DocumentRejected, PagewiseError, Rejection, StorageBusy
from pagewise.model import DocumentStatus
from pagewise.review.corrections import PageCorrections, Person
from pagewise.tasks import Task
from pagewise.use_cases.show import Invalid, NotFound


def event(claims: dict[str, Any] | None = None, **parts: Any) -> dict[str, Any]:
    context = {"authorizer": {"jwt": {"claims": claims, "scopes": None}}} if claims is not None else {}
    return {"version": "2.0", "requestContext": context, **parts}


@pytest.mark.parametrize(
    ("claims", "person"),
    [
        ({"sub": "1", "name": "Ana", "email": "ana@example.org"}, Person("1", "Ana")),
        ({"sub": "1", "email": "ana@example.org"}, Person("1", "ana@example.org")),
        ({"sub": "1", "name": ""}, Person("1", "1")),
    ],
)
def test_the_caller_is_who_the_authorizer_says(claims: dict[str, Any], person: Person) -> None:
    assert api.person_of(event(claims)) == person


@pytest.mark.parametrize("claims", [None, {}, {"name": "Ana"}, {"sub": ""}])
def test_without_a_subject_nobody_calls(claims: dict[str, Any] | None) -> None:
    with pytest.raises(api.Unauthorized):
        api.person_of(event(claims, headers={"authorization": "Bearer made-up"}))
    assert api.person_of(event(claims), trusted="sam") == Person("sam", "sam")


def test_a_query_is_read_by_its_types() -> None:
    said = {"status": "partial", "after": "2026-01-01T00:00:00.000Z"}
    query = api.query_of(event(queryStringParameters=said), "status", "after")
    assert (query.filter().status, query.filter().after) == (DocumentStatus.PARTIAL, "2026-01-01T00:00:00.000Z")
    assert (query.limit(), query.cursor()) == (50, None)


@pytest.mark.parametrize(
    "said",
    [
        {"limit": "0"}, {"limit": "201"}, {"limit": "1,2"}, {"limit": "٣"}, {"limit": ""}, {"limit": "9" * 5000},
        {"status": "deleted"}, {"review": ""}, {"after": "2026"}, {"before": "2026-01-01T00:00:00.000Z\n"},
    ],
)  # fmt: skip
def test_what_a_query_cannot_be_is_refused(said: dict[str, str]) -> None:
    query = api.query_of(event(queryStringParameters=said), *said)
    with pytest.raises(Invalid):
        (query.filter(), query.limit())


@pytest.mark.parametrize("name", ["limt", "", "Limit"])
def test_a_misspelt_parameter_is_not_passed_over(name: str) -> None:
    with pytest.raises(Invalid, match="There are: limit"):
        api.query_of(event(queryStringParameters={name: "1"}), "limit")


@pytest.mark.parametrize(
    "parts",
    [
        {"body": "[]"}, {"body": "{"}, {"body": '{"a": NaN}'}, {"body": ""}, {"body": '{"a": "\\ud800"}'},
        {"body": "{}", "headers": {"content-type": "text/plain"}}, {"body": "/w==", "isBase64Encoded": True},
    ],
)  # fmt: skip
def test_a_body_that_is_no_object_is_refused(parts: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        api.body_of(event(**parts))


def test_a_body_comes_as_text_or_as_base64() -> None:
    assert api.body_of(event(body='{"ä": 1}')) == {"ä": 1}
    assert api.body_of(event(body=base64.b64encode('{"ä": 1}'.encode()).decode(), isBase64Encoded=True)) == {"ä": 1}
    assert api.body_of(event(), required=False) == {}


CORRECTION = {"task": "multi_lan", "pointer": "/text", "value": "x"}


@pytest.mark.parametrize(
    "said",
    [
        {}, {"version": 0}, {"version": -1, "corrections": []}, {"version": True, "corrections": []},
        {"version": 0.5, "corrections": []}, {"version": 1e300, "corrections": []}, {"version": 0, "corrections": {}},
        {"version": 0, "corrections": [{}]}, {"version": 0, "corrections": [{**CORRECTION, "by": "Ben"}]},
        {"version": 0, "corrections": [{**CORRECTION, "pointer": "text"}]},
        {"version": 0, "corrections": [{**CORRECTION, "value": []}]},
        {"version": 0, "corrections": [{**CORRECTION, "value": "x" * 200_001}]},
        {"version": 0, "corrections": [{**CORRECTION, "task": "ocr"}]}, {"version": 0, "corrections": [], "x": 1},
    ],
)  # fmt: skip
def test_corrections_of_another_form_are_refused(said: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        api.corrections_of(said)


def test_corrections_are_read() -> None:
    version, (said,) = api.corrections_of({"version": 1.0, "corrections": [CORRECTION]})
    assert (version, said.task, said.pointer, said.value) == (1, Task.MULTI_LAN, "/text", "x")


@pytest.mark.parametrize(
    "said", [{"page": 0}, {"page": "1"}, {"page": None}, {"task": "x"}, {"reason": 1}, {"pages": 1}]
)
def test_a_selection_of_another_form_is_refused(said: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        api.selection_of(said)


@pytest.mark.parametrize(
    "said", [{}, {"name": ""}, {"name": 1}, {"name": "a", "options": []}, {"name": "a", "options": {"A": "x"}},
             {"name": "a", "options": {"tag": 1}}, {"name": "a", "metadata": {}}]
)  # fmt: skip
def test_an_upload_of_another_form_is_refused(said: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        api.upload_of(said)


@pytest.mark.parametrize("text", ["", "A" * 32, "a" * 31, "../x", "a" * 32 + "\n"])
def test_an_id_of_another_form_is_of_no_document(text: str) -> None:
    with pytest.raises(NotFound):
        api.document_id(text)


CLAIM = Claimed(Claim(Person("2", "Ben"), "2026-01-01T00:15:00.000Z"))


@pytest.mark.parametrize(
    ("error", "status", "word"),
    [
        (Invalid("x"), 400, "invalid"),
        (api.Unauthorized(), 401, "unauthorized"),
        (NotFound(), 404, "not_found"),
        (CLAIM, 409, "claimed"),
        (Conflict(PageCorrections(3, (), "then", "Ben")), 409, "conflict"),
        (DocumentRejected(Rejection.OVER_BUDGET, "x"), 422, "over_budget"),
        (StorageBusy("The results table: ThrottlingException."), 503, "busy"),
        (Configuration("access_denied", "arn:aws:secret"), 500, "broken"),
    ],
)
def test_an_error_says_what_to_do_and_nothing_of_the_inside(error: PagewiseError, status: int, word: str) -> None:
    shown = api.refusal(error)
    assert (api.status_of(error), shown["error"]) == (status, word)
    assert "arn:" not in shown["message"]
    assert "Exception" not in shown["message"]


def test_a_refusal_names_the_other_person() -> None:
    assert api.refusal(CLAIM)["by"] == "Ben"
    assert api.refusal(Conflict(PageCorrections(3, (), "then", "Ben")))["version"] == 3


def test_another_method_of_a_path_is_told_from_no_path() -> None:
    paths = api.Paths()
    paths.declare("GET", "/documents/<document_id>")
    refused = paths.refusal("/documents/x")
    assert isinstance(refused, api.NotAllowed)
    assert refused.methods == ["GET"]
    assert isinstance(paths.refusal("/documents/x/y"), NotFound)


def test_the_page_may_load_from_its_own_origin_alone_but_images_and_the_sign_in() -> None:
    sign_in = api.SignIn("https://issuer.example/pool", "client", "login.example")
    policy = api.security_headers("https://pages.example", sign_in.origins())["Content-Security-Policy"]
    assert "default-src 'none'; script-src 'self';" in policy
    assert "img-src 'self' data: blob: https://pages.example;" in policy
    assert "connect-src 'self' https://issuer.example https://login.example;" in policy
    assert "unsafe" not in policy
    assert sign_in.shown()["authorize"] == "https://login.example/oauth2/authorize"
    assert api.SignIn("https://issuer.example", "client").shown()["authorize"] is None
