"""Every event that is published keeps its schema."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from pagewise.errors import Configuration, Permanent, Rejection
from pagewise.events import INLINE_OUTPUT_BYTES, Event
from pagewise.model import WarningCode
from pagewise.qwen.parsing import UNUSABLE
from pagewise.review.corrections import Person
from pagewise.use_cases.delete import QUARANTINE_SECONDS
from tests.fakes import text_answer
from tests.pictures import tiff
from tests.unit.conftest import Pagewise

SCHEMAS = {
    path.name.partition(".")[0]: json.loads(path.read_text())
    for path in (Path(__file__).parents[2] / "events/schemas").glob("*.v1.json")
}


def check(event: Event) -> None:
    # Through JSON, as a subscriber sees it: enumerations become strings, tuples lists.
    jsonschema.validate(json.loads(json.dumps(event.detail)), SCHEMAS[event.name])


def everything_that_can_happen(pagewise: Pagewise) -> None:
    """A document with a recognized and a failed page, one that is rejected, and an engine that refuses the account."""
    uploaded = pagewise.upload(
        tiff(3), ocr_tasks="text_recognition", ocr_tag="t", ocr_outputs="text,html", ocr_review="always"
    )
    document = pagewise.split.upload(uploaded)
    pagewise.engine.script = [text_answer(), Permanent("x", "y"), Configuration("InvalidApiKey", "z"), text_answer()]
    jobs = list(pagewise.queues.jobs)
    pagewise.queues.jobs.clear()
    for job in jobs[:2]:
        pagewise.run_job(job)
    assert pagewise.run_job(jobs[2]) is None
    pagewise.run_job(jobs[2])
    pagewise.assemble.document(document.id, 1)
    empty = pagewise.uploads.put(b"", key="uploads/empty")
    rejected = pagewise.split.upload(empty)
    pagewise.review.done(document.id, Person("1", "Ana"))
    pagewise.delete.document(rejected.id, "Ana", math.inf)
    pagewise.clock.milliseconds += round(QUARANTINE_SECONDS * 1000) + 1
    pagewise.delete.due(math.inf)
    pagewise.suspension.upload(empty, Configuration("access_denied", "The upload: AccessDenied."))


def test_each_published_event_keeps_its_schema(pagewise: Pagewise) -> None:
    everything_that_can_happen(pagewise)
    for event in pagewise.publisher.events:
        check(event)
    assert {event.name for event in pagewise.publisher.events} == set(SCHEMAS)


def test_the_schemas_bite(pagewise: Pagewise) -> None:
    everything_that_can_happen(pagewise)
    for event in pagewise.publisher.events:
        for name in event.detail:
            without = {key: value for key, value in event.detail.items() if key != name}
            with pytest.raises(jsonschema.ValidationError):
                check(replace(event, detail=without))
        with pytest.raises(jsonschema.ValidationError):
            check(replace(event, detail={**event.detail, "surprise": 1}))


def test_every_rejection_is_in_the_schema() -> None:
    assert set(SCHEMAS["DocumentRejected"]["properties"]["reason"]["enum"]) == {str(reason) for reason in Rejection}


def test_the_warnings_page_the_schemas_and_the_code_name_the_same_codes() -> None:
    page = (Path(__file__).parents[2] / "docs/warnings.md").read_text()
    of_pages, of_wishes = (
        codes_of(page.partition(f"| {column} |")[2].partition("\n\n")[0]) for column in ("code", "wish")
    )
    assert {str(code) for code in WarningCode} <= of_pages | of_wishes
    for name in ("PageRecognized", "PageFailed"):
        assert set(SCHEMAS[name]["properties"]["warnings"]["items"]["enum"]) == of_pages


def codes_of(table: str) -> set[str]:
    return {line.split("`")[1] for line in table.splitlines() if line.startswith("| `")}


def test_every_reason_of_an_unusable_answer_is_on_the_warnings_page() -> None:
    page = (Path(__file__).parents[2] / "docs/warnings.md").read_text()
    assert all(f"failed, `{reason}`" in page for reason in UNUSABLE)


def test_a_long_result_is_left_to_be_fetched(pagewise: Pagewise) -> None:
    pagewise.split.upload(pagewise.upload(tiff(1)))
    pagewise.engine.script = [text_answer("x" * (INLINE_OUTPUT_BYTES + 1))]
    pagewise.run_queues()
    (event,) = pagewise.publisher.named("PageRecognized")
    assert event["output"] is None
    assert event["result"]["record"] == "result#00001#text_recognition"


def test_the_contracts_page_is_fresh() -> None:
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, root / "docs/generate.py", "--check"], check=False, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
