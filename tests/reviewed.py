"""Documents as recognition leaves them, for tests of the HTTP API; and answers held against openapi.yaml."""

from __future__ import annotations

import base64
import json
import re
import uuid
from collections.abc import Mapping
from functools import cache
from typing import Any

import jsonschema
import yaml

from local.stack import ROOT
from pagewise.account.closing import Accounting
from pagewise.model import Document, DocumentId, DocumentStatus, JobStatus, Result, Source
from pagewise.tasks import Task
from tests.pictures import picture

STARTED = "2026-01-01T00:00:00.000Z"
DUE = "2026-01-01T06:00:00.000Z"
METHODS = ("get", "post", "put", "delete")


def recognized(accounting: Accounting, bucket: str, *, pages: int = 2, ends: bool = True, **options: Any) -> Document:
    """A document with fields on each page, for a person to look at. Without `ends`, its last page is waited for."""
    document = accounting.ledger.open(new_document(bucket, pages, **options))
    for number in range(1, pages + 1):
        accounting.pages.put_image(document.id, number, picture(), "image/png")
        if ends or number < pages:
            accounting.save(document, read(document, number))
    found = accounting.ledger.document(document.id)
    assert found
    return found


def new_document(bucket: str, pages: int, **options: Any) -> Document:
    document_id = base64.b32encode(uuid.uuid4().bytes + b"test").decode().lower()
    source = Source(bucket, f"uploads/{document_id}/invoice.pdf", "v:1", "v1", 1)
    given = {"tasks": (Task.KEY_INFORMATION_EXTRACTION,), "started": STARTED, "due": DUE, "review": "always"}
    return Document(DocumentId(document_id), source, DocumentStatus.IN_PROGRESS, pages=pages, **{**given, **options})


def read(document: Document, page: int) -> Result:
    fields = {"Total": "12.50", "Seller": "An?a"}
    return Result(
        document.id, page, document.tasks[0], JobStatus.RECOGNIZED, 1, STARTED,
        image_width=200, image_height=100, output={"fields": fields, "text": json.dumps(fields)},
    )  # fmt: skip


# ── the contract ─────────────────────────────────────────────────────────────────────────────────────────────────────


@cache
def contract() -> Any:
    return yaml.safe_load((ROOT / "openapi.yaml").read_text(encoding="utf-8"))


def operations() -> list[tuple[str, str]]:
    """Method and path of every operation."""
    paths = contract()["paths"].items()
    return [(method.upper(), path) for path, found in paths for method in METHODS if method in found]


def filled(path: str, document_id: str = "a" * 32) -> str:
    return path.replace("{id}", document_id).replace("{page}", "1")


def operation_of(method: str, path: str) -> Mapping[str, Any]:
    for declared, operations_of in contract()["paths"].items():
        if re.fullmatch(re.sub(r"{\w+}", "[^/]+", declared), path) and method.lower() in operations_of:
            found: Mapping[str, Any] = operations_of[method.lower()]
            return found
    raise AssertionError(f"openapi.yaml has no {method} {path}")


def keep_the_contract(method: str, path: str, status: int, body: str) -> Any:
    """The answer's JSON, which openapi.yaml has for this status."""
    answers = operation_of(method, path)["responses"]
    answer = answers.get(str(status), answers["default"])
    name = answer.get("$ref", "").rpartition("/")[2]
    answer = contract()["components"]["responses"][name] if name else answer
    said = json.loads(body)
    schema = {**answer["content"]["application/json"]["schema"], "components": contract()["components"]}
    jsonschema.validate(said, schema)
    return said
