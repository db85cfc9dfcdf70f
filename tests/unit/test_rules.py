"""What a profile's rules say of a page's fields, and that they always come to an end."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagewise.errors import Permanent
from pagewise.messages import dump_job
from pagewise.model import Document, DocumentId, JobStatus, Look, Problem, Result, ResultSource, Validation
from pagewise.options.profiles import load_profile
from pagewise.options.rules import MOST_PROBLEMS, check_rules, judged
from pagewise.results import dump_result
from pagewise.tasks import Task
from tests.fakes import text_answer
from tests.pictures import picture, tiff
from tests.unit.conftest import Pagewise

ROOT = Path(__file__).parents[2]
INVOICES = load_profile("invoices", (ROOT / "profiles/invoices.json").read_text()).validation
FIELDS = {
    "Seller": {"Name": "Contoso", "Tax number": None},
    "Invoice number": "INV-100",
    "Invoice date": "2019-11-15",
    "Due date": "",
    "Total": "$100.00",
}
EVERY_KEYWORD = {
    "type": "object",
    "required": ["a"],
    "dependentRequired": {"a": ["b"]},
    "properties": {
        "a": {"anyOf": [{"pattern": "^x"}, {"enum": ["y"]}], "not": {"const": "z"}},
        "b": {"oneOf": [{"format": "date"}, {"format": "email"}], "allOf": [{"minLength": 1, "maxLength": 9}]},
        "c": {"prefixItems": [{"type": "string"}], "items": False, "minItems": 1, "maxItems": 3},
        "d": {"contains": {"type": "number"}, "minContains": 1, "maxContains": 2},
        "e": {"minimum": 0, "maximum": 9, "exclusiveMinimum": -1, "exclusiveMaximum": 10},
    },
    "dependentSchemas": {"a": {"if": {"required": ["b"]}, "then": {"required": ["c"]}, "else": {"required": ["d"]}}},
    "additionalProperties": {"type": ["string", "object"], "additionalProperties": False},
    "propertyNames": {"maxLength": 3},
    "minProperties": 2,
    "maxProperties": 4,
    "sums": [{"of": ["a", "b/c"], "equals": "d", "tolerance": 0.1}, {"of": ["e"], "equals": "c/a"}],
    "order": [{"first": "a", "then": "b"}, {"first": "c/d", "then": "e", "same": False}],
}
NO_RULES: list[tuple[Any, str]] = [
    ([], "no JSON object"),
    ("Total", "no JSON object"),
    ({"requried": ["Total"]}, "'requried'"),
    ({"required": "Total"}, "'required'"),
    ({"properties": {"Total": {"type": "money"}}}, "'properties/Total/type'"),
    ({"properties": {"Total": True}}, "properties holds"),
    ({"properties": {"Total": {"pattern": 7}}}, "'properties/Total/pattern'"),
    ({"properties": {"Total": {"pattern": "("}}}, "RE2"),
    ({"properties": {"Total": {"pattern": "(?=a)"}}}, "lookaround"),
    ({"properties": {"Total": {"pattern": r"(a)\1"}}}, "backreferences"),
    ({"properties": {"Total": {"pattern": "(x{999}){999}"}}}, "RE2"),
    ({"properties": {"Total": {"pattern": "\ud800"}}}, "RE2"),
    ({"properties": {"Total": {"format": "money"}}}, "none of the formats"),
    ({"properties": {"Total": {"format": []}}}, "none of the formats"),
    ({"$ref": "https://example.com/rules.json"}, r"'\$ref'"),
    ({"properties": {"Total": {"$ref": "file:///etc/passwd"}}}, r"'\$ref'"),
    ({"anyOf": [{"$ref": "#"}]}, r"'\$ref'"),
    ({"$dynamicRef": "#meta"}, r"'\$dynamicRef'"),
    ({"$id": "https://example.com/rules.json"}, r"'\$id'"),
    ({"$schema": "http://json-schema.org/draft-04/schema#"}, r"'\$schema'"),
    ({"patternProperties": {"(a+)+$": {}}}, "'patternProperties'"),
    (json.loads('{"not":' * 100 + "{}" + "}" * 100), "layers"),
    ({"const": json.loads("[" * 400 + "]" * 400)}, "layers"),
    ({"properties": {"Card": {"format": "bank-crad"}}}, "Did you mean bank-card"),
    ({"sum": [{"of": ["a"], "equals": "b"}]}, "Did you mean sums"),
    ({"sums": []}, "sums is a list"),
    ({"sums": {"of": ["a"], "equals": "b"}}, "sums is a list"),
    ({"sums": [{"of": [], "equals": "b"}]}, "sums is a list"),
    ({"sums": [{"of": "a", "equals": "b"}]}, "sums is a list"),
    ({"sums": [{"of": ["a"], "equals": "b", "tolerance": -1}]}, "sums is a list"),
    ({"sums": [{"of": ["a"], "equals": "b", "tolerance": True}]}, "sums is a list"),
    ({"sums": [{"of": ["a"], "equals": "b", "within": 1}]}, "sums is a list"),
    ({"properties": {"a": {"order": [{"first": "b"}]}}}, "order is a list"),
    ({"order": [{"first": "b", "then": "c", "same": "no"}]}, "order is a list"),
    ({"order": [{"first": "b", "then": 7}]}, "order is a list"),
]


def extracted(fields: Any, **changes: Any) -> Result:
    found = Result(
        document_id=DocumentId("document"),
        page=1,
        task=Task.KEY_INFORMATION_EXTRACTION,
        status=JobStatus.RECOGNIZED,
        attempts=1,
        ended="2026-01-01T00:00:00.000Z",
        output={"text": "{}", "fields": fields},
    )
    return replace(found, **changes)


def problems(fields: Any, rules: Any) -> list[tuple[str | None, str]]:
    check_rules(rules)
    found = judged(extracted(fields), rules).validation
    assert found is not None
    assert found.valid == (not found.problems)
    return [(problem.field, problem.rule) for problem in found.problems]


def test_fields_that_keep_the_rules_are_valid() -> None:
    assert problems(FIELDS, INVOICES) == []


def test_every_problem_is_listed_with_its_field_and_rule() -> None:
    broken = {"Seller": {"Name": None}, "Invoice date": "15/11/2019", "Currency": "euro", "Total": "none"}
    assert problems(broken, INVOICES) == [
        ("Invoice number", "required"),
        ("Seller/Name", "required"),
        ("Invoice date", "format"),
        ("Currency", "pattern"),
        ("Total", "format"),
    ]


@pytest.mark.parametrize("nothing", [None, "", "  \n"])
def test_a_field_that_the_page_does_not_have_is_missing_and_of_no_wrong_form(nothing: str | None) -> None:
    rules = {"required": ["Total"], "properties": {"Total": {"type": "string"}, "Date": {"format": "date"}}}
    assert problems({"Total": nothing, "Date": nothing}, rules) == [("Total", "required")]


def test_members_of_a_list_are_told_by_their_place() -> None:
    rules = {"properties": {"Lines": {"items": {"required": ["Price"]}, "minItems": 3}}}
    assert problems({"Lines": [{"Price": "1"}, {"Price": ""}]}, rules) == [
        ("Lines/1/Price", "required"),
        ("Lines", "minItems"),
    ]


def test_fields_that_came_as_a_list_are_none_unless_the_rules_are_for_a_list() -> None:
    assert problems([{"Total": "1"}], {"required": ["Total"]}) == [(None, "type")]
    assert problems([{"Total": ""}], {"type": "array", "items": {"required": ["Total"]}}) == [("0/Total", "required")]


def test_what_depends_on_another_field_has_a_place_too() -> None:
    assert problems({"VAT": "1"}, {"dependentRequired": {"VAT": ["Tax number"]}}) == [
        ("Tax number", "dependentRequired")
    ]


def test_names_that_were_read_off_the_page_are_not_told() -> None:
    rules = {
        "properties": {"Total": {"additionalProperties": {"maxLength": 1}}},
        "additionalProperties": {"type": "object"},
        "propertyNames": {"maxLength": 5},
    }
    found = judged(extracted({"Patient Jane Roe": "secret", "Total": {"Jane": "Roe"}}), rules)
    shown = json.dumps(dump_result(found)["validation"])
    assert found.valid is False
    assert '"Total/*"' in shown
    assert '"*"' in shown
    for word in ("Patient", "Jane", "Roe", "secret"):
        assert word not in shown


def test_a_long_list_of_problems_is_cut() -> None:
    found = judged(extracted({"Lines": [{}] * 5000}), {"properties": {"Lines": {"items": {"required": ["Price"]}}}})
    assert found.validation is not None
    assert len(found.validation.problems) == MOST_PROBLEMS


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|aa)+$", "(.*a){20}$", "^(([a-z])+.)+[A-Z]([a-z])+$"])
def test_no_pattern_can_go_on_for_ever(pattern: str) -> None:
    began = time.process_time()
    assert problems({"Total": "a" * 50_000 + "!"}, {"properties": {"Total": {"pattern": pattern}}}) == [
        ("Total", "pattern")
    ]
    assert time.process_time() - began < 5


def test_text_that_is_no_unicode_is_looked_through() -> None:
    assert problems({"Total": "\ud800"}, {"properties": {"Total": {"pattern": "[0-9]"}}}) == [("Total", "pattern")]


@pytest.mark.parametrize(("rules", "message"), NO_RULES)
def test_what_could_not_be_held_against_every_page_is_refused(rules: Any, message: str) -> None:
    with pytest.raises(Permanent, match=message) as refused:
        check_rules(rules)
    assert refused.value.reason == "invalid_rules"


def test_a_field_may_be_called_like_a_keyword() -> None:
    rules = {"required": ["$ref"], "properties": {"$ref": {"pattern": "^[0-9]+$"}, "required": {"minLength": 2}}}
    assert problems({"$ref": "7", "required": "1"}, rules) == [("required", "minLength")]


any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abcdef") | st.text(), inner),
    max_leaves=20,
)


@given(any_json)
def test_any_fields_can_be_judged(fields: Any) -> None:
    for rules in (EVERY_KEYWORD, {"type": "array", "items": EVERY_KEYWORD}):
        check_rules(rules)
        found = judged(extracted(fields), rules).validation
        assert found is not None
        places = {part for problem in found.problems for part in (problem.field or "*").split("/")}
        assert all(part in {"*", *"abcde"} or part.isdecimal() for part in places)


def test_only_recognized_fields_are_judged() -> None:
    earlier = Validation((Problem("Total", "required"),))
    for result in (
        extracted(FIELDS, validation=earlier, task=Task.TEXT_RECOGNITION),
        extracted(FIELDS, validation=earlier, status=JobStatus.FAILED, output={}),
    ):
        assert judged(result, INVOICES).validation is None
    assert judged(extracted(FIELDS, validation=earlier), None).validation is None
    assert judged(extracted(FIELDS, validation=earlier), INVOICES).validation == Validation()


def shipped(name: str) -> Any:
    return load_profile(name, (ROOT / f"profiles/{name}.json").read_text()).validation


def test_the_shipped_profiles_compare_fields() -> None:
    dated = FIELDS | {"Net amount": "80.00", "VAT": "20.00", "Due date": "2019-11-14"}
    assert problems(dated, shipped("invoices")) == [("Due date", "order")]
    assert problems(dated | {"VAT": "2.00", "Due date": None}, shipped("invoices")) == [("Total", "sums")]
    lines = [{"Article": "Bread", "Price": "7.80"}, {"Article": "Cheese", "Price": "8.45"}]
    receipt = {"Date": "2025-09-26", "Lines": lines, "Total": "EUR 16.25"}
    assert problems(receipt, shipped("receipts")) == []
    assert problems(receipt | {"Total": "17.39", "Subtotal": "16.25"}, shipped("receipts")) == []
    assert problems(receipt | {"Total": "17.39"}, shipped("receipts")) == [(None, "anyOf")]


def test_the_ticket_of_the_documentation_keeps_the_rules_of_its_profile() -> None:
    """ "Sample response": ten fields, the card's number with four stars."""
    ticket = {
        "Invoice Number": "24329116804000",
        "Train Number": "G1948",
        "Departure Station": "Nanjing South Station",
        "Destination Station": "Zhengzhou East Station",
        "Departure Date and Time": "2024-11-14 11:46",
        "Seat Number": "Car 04, Seat 12A",
        "Seat Type": "Second Class",
        "Ticket Price": "¥337.50",
        "ID Card Number": "4107281991****5515",
        "Passenger Name": "Du Xiaoguang",
    }
    profile = load_profile("tickets", (ROOT / "profiles/tickets.json").read_text())
    assert list(profile.result_schema or ()) == list(ticket)
    assert problems(ticket, profile.validation) == []
    misread = ticket | {"ID Card Number": "11010519491231002O", "Departure Date and Time": "2024-11-14 1l:46"}
    assert problems(misread, profile.validation) == [
        ("Departure Date and Time", "format"),
        ("ID Card Number", "anyOf"),
    ]


def test_a_page_that_nobody_was_asked_about_breaks_no_rule() -> None:
    rules = {"required": ["Total"]}
    blank = extracted({}, look=Look(blank=True))
    assert judged(blank, rules).validation is None
    assert judged(replace(blank, source=ResultSource.ENGINE), rules).valid is False
    assert judged(extracted({}), rules).valid is False


def test_functions_without_rules_do_not_load_what_checks_them() -> None:
    modules = "pagewise.aws.wiring, pagewise.use_cases.recognize, pagewise.use_cases.split, pagewise.options.profiles"
    imports = f"import sys, {modules}"
    loaded = f"{imports}; print([name for name in ('jsonschema', 're2', 'stdnum') if name in sys.modules])"
    command = [sys.executable, "-c", loaded]
    path = {"PYTHONPATH": "layers/pagewise"}
    done = subprocess.run(command, env=path, cwd=ROOT, check=False, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")


# ── in the pipeline ──────────────────────────────────────────────────────────────────────────────────────────────────


def ruled(pagewise: Pagewise, content: bytes, *totals: str | None, rules: Any = None) -> Document:
    """A document whose pages have these totals, recognized by a profile with rules."""
    profile: dict[str, Any] = {
        "tasks": ["key_information_extraction"],
        "validation": rules or {"required": ["Total"], "properties": {"Total": {"pattern": "[0-9]"}}},
    }
    pagewise.profiles.stored["bills"] = json.dumps(profile)
    pagewise.engine.script = [text_answer("{}", fields={"Total": total}) for total in totals]
    document = pagewise.split.upload(pagewise.uploads.put(content, key="uploads/bills/a"))
    pagewise.run_queues()
    return document


def test_an_invalid_result_is_recognized_and_says_so_everywhere(pagewise: Pagewise) -> None:
    document = ruled(pagewise, tiff(3), "12", None, "none")
    results = [pagewise.ledger.result(document.id, page, "key_information_extraction") for page in (1, 2, 3)]
    assert [result and result.status for result in results] == [JobStatus.RECOGNIZED] * 3
    assert [dump_result(result)["validation"] for result in results if result] == [
        {"valid": True, "problems": []},
        {"valid": False, "problems": [{"field": "Total", "rule": "required"}]},
        {"valid": False, "problems": [{"field": "Total", "rule": "pattern"}]},
    ]
    assert [event["valid"] for event in pagewise.publisher.named("PageRecognized")] == [True, False, False]
    (completed,) = pagewise.publisher.named("DocumentCompleted")
    assert completed["page_jobs"] == {"recognized": 3, "failed": 0, "invalid": 2}
    receipt = pagewise.receipt_of(document)
    assert [job["valid"] for job in receipt["page_jobs"]] == [True, False, False]  # type: ignore[attr-defined]
    assert (receipt["status"], receipt["invalid"]) == ("complete", 2)


def test_a_blank_page_of_a_profile_with_required_fields_is_not_judged(pagewise: Pagewise) -> None:
    document = ruled(pagewise, tiff(2, colour=255))
    receipt: Any = pagewise.receipt_of(document)
    assert [(job["blank"], job["valid"]) for job in receipt["page_jobs"]] == [(True, None)] * 2
    assert (receipt["status"], receipt["invalid"]) == ("complete", 0)


def test_a_repetition_says_the_same(pagewise: Pagewise) -> None:
    ruled(pagewise, tiff(1), "12")
    pagewise.engine.script = [text_answer("{}", fields={"Total": "none"})]
    pagewise.split.upload(pagewise.uploads.put(tiff(1), key="uploads/bills/b"))
    job = pagewise.queues.jobs[0]
    pagewise.run_job(job)
    pagewise.run_job(job, deliveries=2)
    first, second = pagewise.publisher.named("PageRecognized")[-2:]
    assert first == second
    assert second["valid"] is False


def test_without_rules_nothing_is_said(pagewise: Pagewise) -> None:
    document = pagewise.split.upload(pagewise.upload(picture()))
    pagewise.run_queues()
    assert pagewise.publisher.named("PageRecognized")[0]["valid"] is None
    receipt = pagewise.receipt_of(document)
    assert ([job["valid"] for job in receipt["page_jobs"]], receipt["invalid"]) == ([None], 0)  # type: ignore[attr-defined]


def test_rules_are_nothing_that_the_engine_is_asked(pagewise: Pagewise) -> None:
    document = pagewise.split.upload(pagewise.upload(picture(), ocr_tasks="key_information_extraction"))
    (plain,) = pagewise.queues.jobs
    pagewise.profiles.stored["bills"] = json.dumps(
        {"tasks": ["key_information_extraction"], "validation": {"required": ["Total"]}}
    )
    other = pagewise.split.upload(pagewise.uploads.put(picture(), key="uploads/bills/a"))
    asked = pagewise.queues.jobs[1]
    assert dump_job(asked).replace(other.id, document.id) == dump_job(plain)
