"""The client's values and openapi.yaml say the same: fields, their kinds, words, paths and errors."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
import yaml

from pagewise_client import answers, errors, operations
from pagewise_client.loading import loaded
from pagewise_client.patience import Pace
from pagewise_client.refusals import BY_WORD
from pagewise_client.steps import Ask, Reply, Tell

ROOT = Path(__file__).parents[2]
CONTRACT: dict[str, Any] = yaml.safe_load((ROOT / "openapi.yaml").read_text(encoding="utf-8"))
SCHEMAS: dict[str, Any] = CONTRACT["components"]["schemas"]
NO_JSON = object()
ID, TIME = "a" * 32, "2026-11-26T08:30:00.000Z"


def answer(path: str, method: str, status: str) -> dict[str, Any]:
    found = CONTRACT["paths"][path][method]["responses"][status]
    return dict(resolved(resolved(found)["content"]["application/json"]["schema"]))


def resolved(schema: Any) -> Any:
    while "$ref" in schema:
        found: Any = CONTRACT
        for part in schema["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        schema = found
    return schema


def inner(schema: Mapping[str, Any], *path: str) -> Any:
    """The schema of a member, of an array's elements, or of the object that may be null."""
    for name in path:
        schema = resolved(schema["items"] if name == "[]" else schema["properties"][name])
        schema = next((one for one in schema.get("oneOf", ()) if one.get("type") != "null"), schema)
    return resolved(schema)


OUTPUTS = answer("/documents/{id}/outputs", "get", "200")
SUBMISSION = answer("/documents", "post", "201")
SAVED = answer("/documents/{id}/pages/{page}/corrections", "put", "200")
DATACLASSES: dict[type[Any], Any] = {
    **{getattr(answers, name): schema for name, schema in SCHEMAS.items() if name in (
        "Link", "DocumentSummary", "Document", "Deletion", "Reason", "ReasonCount", "Review", "PageReview",
        "Correction", "Field", "Page")},
    answers.PageJobs: inner(SCHEMAS["DocumentSummary"], "page_jobs"),
    answers.PageProgress: inner(SCHEMAS["Document"], "progress", "[]"),
    answers.Usage: inner(SCHEMAS["Document"], "usage"),
    answers.PageImage: inner(SCHEMAS["Page"], "image"),
    answers.Outputs: OUTPUTS,
    answers.OutputFile: inner(OUTPUTS, "files", "[]"),
    answers.FailedOutput: inner(OUTPUTS, "failed", "[]"),
    answers.Submission: SUBMISSION,
    answers.Upload: inner(SUBMISSION, "upload"),
    answers.Redriven: answer("/documents/{id}/redrive", "post", "202"),
    answers.SavedPage: SAVED,
    answers.DocumentList: answer("/documents", "get", "200"),
    answers.ReviewList: answer("/reviews", "get", "200"),
    answers.Config: answer("/config", "get", "200"),
    answers.SignIn: inner(answer("/config", "get", "200"), "sign_in"),
}  # fmt: skip
ENUMERATIONS: dict[type[StrEnum], Any] = {
    answers.Task: SCHEMAS["Task"],
    answers.DocumentStatus: SCHEMAS["DocumentStatus"],
    answers.ReviewState: SCHEMAS["ReviewState"],
    answers.DeletionStatus: inner(SCHEMAS["Deletion"], "status"),
    answers.JobStatus: inner(SCHEMAS["Document"], "progress", "[]", "jobs")["additionalProperties"],
    answers.FieldKind: inner(SCHEMAS["Field"], "kind"),
    answers.FieldState: inner(SCHEMAS["Field"], "state"),
}
# Of the client's own.
WITHOUT_SCHEMA = {answers.Progress}


PLAIN = {"number": 0.5, "boolean": True}


def example(schema: Any, *, least: bool) -> Any:
    """A value that the schema admits: null wherever that may be (`least`), or nowhere."""
    schema = resolved(schema)
    if "const" in schema or "enum" in schema:
        return schema.get("const") or schema["enum"][0]
    kinds = schema.get("oneOf") or [{**schema, "type": kind} for kind in listed(schema["type"])]
    if least and any(kind.get("type") == "null" for kind in kinds):
        return None
    chosen = next(resolved(kind) for kind in kinds if kind.get("type") != "null")
    return example(chosen, least=least) if "oneOf" in schema else example_of(chosen, least=least)


def example_of(schema: Any, *, least: bool) -> Any:
    match schema["type"]:
        case "object":
            members = {name: example(one, least=least) for name, one in schema.get("properties", {}).items()}
            return members or {"name": example(schema.get("additionalProperties") or {"type": "string"}, least=least)}
        case "array":
            return [] if least else [example(schema["items"], least=least)] * schema.get("minItems", 1)
        case "string":
            return TIME if "T" in schema.get("pattern", "") else "a"
        case "integer":
            return schema.get("minimum", 7)
    return PLAIN[schema["type"]]


def listed(kind: Any) -> list[Any]:
    return kind if isinstance(kind, list) else [kind]


def test_every_value_has_its_schema() -> None:
    own = {
        value for value in vars(answers).values() if isinstance(value, type) and value.__module__ == answers.__name__
    }
    assert own == {*DATACLASSES, *ENUMERATIONS, *WITHOUT_SCHEMA}


@pytest.mark.parametrize("kind", DATACLASSES, ids=lambda kind: kind.__name__)
def test_a_value_has_the_fields_of_its_schema_and_takes_all_that_it_admits(kind: type[Any]) -> None:
    schema = DATACLASSES[kind]
    assert [field.name for field in fields(kind)] == list(schema["properties"])
    assert sorted(schema["required"]) == sorted(schema["properties"])
    for least in (True, False):
        given = example(schema, least=least)
        value = loaded(kind, {**given, "of_a_newer_server": [1]})
        for name, member in given.items():
            assert (getattr(value, name) is None) == (member is None)
        for name in given:
            with pytest.raises(errors.UnexpectedAnswer, match=f"/{name} is missing"):
                loaded(kind, {other: given[other] for other in given if other != name})
            with pytest.raises(errors.UnexpectedAnswer):
                loaded(kind, given | {name: NO_JSON})


@pytest.mark.parametrize("words", ENUMERATIONS, ids=lambda words: words.__name__)
def test_an_enumeration_has_the_words_of_its_schema(words: type[StrEnum]) -> None:
    assert [str(word) for word in words] == ENUMERATIONS[words]["enum"]


def test_a_newer_word_stays_a_text_and_times_are_aware() -> None:
    deletion = example(SCHEMAS["Deletion"], least=False) | {"status": "buried"}
    value = loaded(answers.Deletion, deletion)
    assert (value.status, type(value.status)) == ("buried", str)
    assert value.requested == datetime.fromisoformat("2026-11-26T08:30:00+00:00")


def test_each_word_of_a_refusal_has_its_error() -> None:
    said = CONTRACT["components"]["responses"]["Error"]["description"]
    assert set(re.findall(r"`(\w+)`", said)) <= set(BY_WORD)


# ── requests ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def asked(steps: Any) -> list[Ask]:
    """The requests of an operation, each answered with an example of what openapi.yaml has for it."""
    found: list[Ask] = []
    outcome: Any = None
    while len(found) < 2:
        try:
            step = steps.send(outcome)
        except StopIteration:
            break
        except errors.PagewiseError:
            break
        outcome = None
        if isinstance(step, Ask):
            found.append(step)
            outcome = answered(step)
        elif not isinstance(step, Tell):
            break
    return found


def route_of(ask: Ask) -> tuple[str, Any]:
    for path, methods in CONTRACT["paths"].items():
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", path), ask.path) and ask.method.lower() in methods:
            return path, methods
    raise AssertionError(f"{ask.method} {ask.path} is not in openapi.yaml")


def answered(ask: Ask) -> Reply:
    path, methods = route_of(ask)
    status = next(iter(methods[ask.method.lower()]["responses"]))
    content = example(answer(path, ask.method.lower(), status), least=False)
    return Reply(int(status), {}, json.dumps(content).encode())


REQUESTS = [
    operations.submit(b"", "scan.pdf", {"tag": "mine"}),
    operations.document(ID),
    operations.documents("complete", "done", datetime(2026, 11, 26, tzinfo=UTC), TIME),
    operations.follow(ID, 1, Pace()),
    operations.receipt(ID),
    operations.page(ID, 1),
    operations.pages(ID),
    operations.cancel(ID),
    operations.delete(ID),
    operations.redrive(ID, 1, "text_recognition", "truncated"),
    operations.outputs(ID),
    operations.made(ID, 1, Pace()),
    operations.download(ID, ".", None, 1, Pace()),
    operations.reviews(),
    *(operations.turned(ID, how) for how in ("claim", "release", "done")),
    operations.correct(ID, 1, 0, [("text_recognition", "/text", None)], check=True),
    operations.config(),
]


def test_all_requests_are_openapi_s_and_none_of_its_is_missing() -> None:
    made = [ask for steps in REQUESTS for ask in asked(steps)]
    for ask in made:
        _, methods = route_of(ask)
        operation = methods[ask.method.lower()]
        declared = [resolved(one) for one in [*methods.get("parameters", []), *operation.get("parameters", [])]]
        assert set(ask.query) <= {one["name"] for one in declared if one["in"] == "query"}
        body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
        assert set(ask.body or {}) <= set(body.get("properties", {}))
        assert set(body.get("required", [])) <= set(ask.body or {})
    done = {(route_of(ask)[0], ask.method.lower()) for ask in made}
    there = {
        (path, method) for path, methods in CONTRACT["paths"].items() for method in methods if method != "parameters"
    }
    assert done == there


def test_the_page_that_is_made_of_it_is_current() -> None:
    subprocess.run([sys.executable, ROOT / "docs/api.py", "--check"], check=True)
