"""The review function as API Gateway invokes it: events of payload format 2.0, answers by openapi.yaml."""

from __future__ import annotations

import base64
import gzip
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from urllib.request import urlopen

import pytest

from local.http_api import Caller, event_of
from pagewise.aws import wiring
from pagewise.model import Document, JobStatus
from tests.deployed import Deployed
from tests.handlers.conftest import Context, Handler
from tests.reviewed import filled, keep_the_contract, operations, recognized

ANA, BEN = Caller("1", "Ana"), Caller("2", "Ben")
HEADERS = {
    "Content-Security-Policy", "Strict-Transport-Security", "X-Content-Type-Options", "Referrer-Policy",
    "Cross-Origin-Opener-Policy", "Cross-Origin-Resource-Policy", "Permissions-Policy", "Cache-Control",
}  # fmt: skip


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: str


@dataclass
class Asking:
    """A program with a person's token at API Gateway."""

    handler: Handler
    bucket: str

    def ask(
        self, method: str, address: str, body: Any = None, caller: Caller | None = ANA, encoding: str = ""
    ) -> Answer:
        parts = urlsplit(address)
        content = b"" if body is None else json.dumps(body).encode()
        sent = [("accept-encoding", encoding), *([("content-type", "application/json")] if body is not None else [])]
        claims = caller.claims() if caller else {}
        event = event_of(method, parts.path, parts.query, parse_qsl(parts.query), sent, content, claims)
        given = self.handler(event, Context(seconds=29.0))
        assert set(given["headers"]) >= HEADERS
        text = given["body"]
        if given["isBase64Encoded"]:
            text = gzip.decompress(base64.b64decode(text)).decode()
        return Answer(given["statusCode"], given["headers"], text)

    def does(self, method: str, path: str, body: Any = None, caller: Caller = ANA, status: int = 200) -> Any:
        """As openapi.yaml has it."""
        answer = self.ask(method, path, body, caller)
        assert answer.status == status, answer.body
        return keep_the_contract(method, urlsplit(path).path, answer.status, answer.body)

    def document(self, **options: Any) -> Document:
        return recognized(wiring.accounting(), self.bucket, **options)


@pytest.fixture
def desk(deployed: Deployed, handler: Callable[..., Handler]) -> Asking:
    return Asking(handler("ReviewFunction", "review"), deployed.outputs["UploadsBucket"])


def test_a_document_is_reviewed_from_the_list_to_its_end(desk: Asking) -> None:
    document = desk.document()
    page = f"/documents/{document.id}/pages/1"
    listed = desk.does("GET", "/reviews?limit=200")["reviews"]
    assert document.id in [one["id"] for one in listed]
    assert desk.does("POST", f"/documents/{document.id}/review/claim")["mine"]
    shown = desk.does("GET", page)
    assert (shown["review"]["version"], shown["fields"][0]["state"]) == (0, "doubtful")
    with urlopen(shown["image"]["url"]) as image:  # noqa: S310  the emulator's
        assert image.read().startswith(b"\x89PNG")
    said = [{"task": "key_information_extraction", "pointer": "/fields/Seller", "value": "Anna"}]
    wanted = {"version": 0, "corrections": said}
    assert desk.does("PUT", f"{page}/corrections?check=true", wanted)["fields"]
    assert desk.does("GET", page)["review"]["version"] == 0
    saved = desk.does("PUT", f"{page}/corrections", wanted)["review"]
    assert (saved["version"], saved["by"], saved["corrections"][0]["machine"]) == (1, "Ana", "An?a")
    done = desk.does("POST", f"/documents/{document.id}/review/done")
    assert (done["state"], done["reviewed_by"], done["corrections"]) == ("done", "Ana", 1)
    whole = desk.does("GET", f"/documents/{document.id}?first=2&limit=1")
    assert [one["page"] for one in whole["progress"]] == [2]
    assert desk.does("GET", f"/documents/{document.id}/outputs")["ready"]


def test_two_people_never_work_on_one_document(desk: Asking) -> None:
    document = desk.document()
    desk.does("POST", f"/documents/{document.id}/review/claim")
    corrections = f"/documents/{document.id}/pages/1/corrections"
    claimed = desk.does("PUT", corrections, {"version": 0, "corrections": []}, BEN, status=409)
    assert (claimed["error"], claimed["by"]) == ("claimed", "Ana")
    desk.does("PUT", corrections, {"version": 0, "corrections": []})
    desk.does("POST", f"/documents/{document.id}/review/release")
    late = desk.does("PUT", corrections, {"version": 0, "corrections": []}, BEN, status=409)
    assert (late["error"], late["version"]) == ("conflict", 1)


def test_a_document_goes_up_is_cancelled_and_done_again(desk: Asking) -> None:
    place = desk.does("POST", "/documents", {"name": "a.pdf", "options": {"tag": "t"}}, status=201)["upload"]
    assert place["headers"] == {"x-amz-meta-ocr-tag": "t"}
    document = desk.document(ends=False)
    assert desk.does("POST", f"/documents/{document.id}/redrive", {}, status=202)["page_jobs"] == 0
    assert desk.does("POST", f"/documents/{document.id}/cancel", status=202)["status"] == "cancelled"
    job = wiring.ledger().result(document.id, 2, document.tasks[0])
    assert job
    assert (job.status, job.reason) == (JobStatus.FAILED, "cancelled")


def test_of_a_deleted_document_the_receipt_is_left(desk: Asking) -> None:
    document = desk.document()
    receipt = desk.does("DELETE", f"/documents/{document.id}", status=202)
    assert (receipt["status"], receipt["by"]) == ("deleting", "Ana")
    assert desk.does("GET", f"/documents/{document.id}")["requested"] == receipt["requested"]
    assert desk.ask("GET", f"/documents/{document.id}/pages/1").status in (404, 409)


def test_the_page_and_its_files_come_without_a_token_and_hold_nothing(desk: Asking) -> None:
    document = desk.document()
    index = desk.ask("GET", "/", caller=None)
    assert index.headers["Content-Type"] == "text/html; charset=utf-8"
    files = ["/", "/config", *(f"/web/{name}" for name in ("main.js", "page.css", "icon.svg"))]
    for path in files:
        answer = desk.ask("GET", path, caller=None)
        assert (answer.status, document.id in answer.body) == (200, False)
    for path in ("/web/handler.py", "/web/..%2fhandler.py", "/web/.hidden"):
        assert desk.ask("GET", path, caller=None).status in (401, 404)
    assert json.loads(desk.ask("GET", "/config", caller=None).body) == {"stack": "pagewise", "sign_in": None}


def test_every_operation_wants_a_person(desk: Asking) -> None:
    """Behind API Gateway's own refusal: a function that is invoked past it answers nobody."""
    refused = 0
    for method, path in operations():
        if path != "/config":
            answer = desk.ask(method, filled(path), {} if method in ("POST", "PUT") else None, caller=None)
            assert (method, path, answer.status) == (method, path, 401)
            assert keep_the_contract(method, filled(path), 401, answer.body)["error"] == "unauthorized"
            refused += 1
    assert refused >= 13


def test_what_is_not_there_is_told_from_what_may_not_be_done(desk: Asking) -> None:
    assert desk.ask("GET", "/nowhere").status == 404
    assert desk.ask("GET", "/nowhere", caller=None).status == 401
    refused = desk.ask("DELETE", "/reviews")
    assert (refused.status, refused.headers["Allow"]) == (405, "GET")
    assert desk.does("GET", f"/documents/{'a' * 32}", status=404)["error"] == "not_found"
    assert desk.does("GET", "/documents?limit=0", status=400)["error"] == "invalid"
    assert desk.does("POST", "/documents", {"name": ""}, status=400)["error"] == "invalid"


def test_times_in_the_wrong_order_list_nothing_and_a_made_up_next_is_refused(desk: Asking) -> None:
    """DynamoDB refuses both: a BETWEEN that ends before it begins, and a key that is empty or long."""
    desk.document()
    turned = "/documents?status=complete&after=2026-06-01T00:00:00.000Z&before=2026-01-01T00:00:00.000Z"
    assert desk.does("GET", turned)["documents"] == []
    for moment in ("", "x" * 40, "2026"):
        made_up = base64.urlsafe_b64encode(json.dumps([moment, "a" * 32]).encode()).decode()
        for path in ("/documents", "/reviews"):
            assert desk.does("GET", f"{path}?next={made_up}", status=400)["error"] == "invalid"


def test_long_answers_are_compressed_for_who_can_read_them(desk: Asking) -> None:
    document = desk.document()
    answer = desk.ask("GET", f"/documents/{document.id}", encoding="gzip, br")
    assert answer.headers["Content-Encoding"] == "gzip"
    assert json.loads(answer.body)["document"]["id"] == document.id


def test_a_fault_of_the_stack_says_nothing_of_its_inside(deployed: Deployed, handler: Callable[..., Handler]) -> None:
    desk = Asking(handler("ReviewFunction", "review", RESULTS_TABLE="no-such-table"), "b")
    answer = desk.ask("GET", "/reviews")
    assert (answer.status, json.loads(answer.body)["error"]) == (500, "broken")
    assert "no-such-table" not in answer.body
    assert os.environ["RESULTS_TABLE"] == "no-such-table"


def test_a_reader_sees_no_other_stack_s_documents(desk: Asking, deployed: Deployed) -> None:
    """All that is listed is in this stack's table, and every link leads into this stack's buckets."""
    document = desk.document()
    links = [
        desk.does("GET", f"/documents/{document.id}")["receipt"]["url"],
        desk.does("GET", f"/documents/{document.id}/pages/1")["image"]["url"],
    ]
    assert all(f"/{deployed.outputs['PagesBucket']}/documents/{document.id}/" in link for link in links)
    other = f"/documents/{document.id}%2F..%2F{'b' * 32}"
    assert desk.ask("GET", other).status == 404
