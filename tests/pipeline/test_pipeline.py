"""The whole pipeline through the deployed template: uploads by a plain S3 client, receipts and events at the end."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner
from PIL import Image

from commands.__main__ import cli
from commands.endings import EndingError, cancel, delete
from local.functions.event_sources import Faults
from local.stack import ROOT
from pagewise.account.ledger import Ledger
from pagewise.aws.buckets import S3Pages
from pagewise.aws.table import DynamoTable
from pagewise.model import Document, DocumentId, Problem, Validation
from pagewise.tasks import Task
from tests.pictures import picture, tiff
from tests.running import Running, running
from tests.unit.test_events import SCHEMAS


@pytest.fixture(scope="module")
def pagewise(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("logs"), parameters={"PagesPerRange": "3", "OcrBatchSize": "10"}) as started:
        yield started


def ledger(pagewise: Running) -> Ledger:
    outputs = pagewise.stack.deployment.outputs
    pages = S3Pages(pagewise.stack.client("s3"), outputs["PagesBucket"])
    return Ledger(DynamoTable(pagewise.stack.client("dynamodb"), outputs["ResultsTable"]), pages)


def accounts_for_every_page_job(receipt: dict[str, Any]) -> bool:
    expected = [(page, task) for page in range(1, receipt["pages"] + 1) for task in receipt["tasks"]]
    return [(job["page"], job["task"]) for job in receipt["page_jobs"]] == expected


def test_twenty_documents_at_once_all_end_with_every_page_job_exactly_once(pagewise: Running) -> None:
    before = pagewise.engine.requests()["total"]
    keys = [pagewise.upload(f"twenty/{number}.tif", tiff(1 + number % 4)) for number in range(20)]
    receipts = pagewise.until_ended(*keys)
    assert {receipt["status"] for receipt in receipts.values()} == {"complete"}
    assert all(accounts_for_every_page_job(receipt) for receipt in receipts.values())
    page_jobs = sum(len(receipt["page_jobs"]) for receipt in receipts.values())
    assert page_jobs == sum(1 + number % 4 for number in range(20))
    assert pagewise.engine.requests()["total"] - before == page_jobs


def test_a_document_of_many_ranges_and_all_tasks_is_complete(pagewise: Running) -> None:
    key = pagewise.upload("long.tif", tiff(11), ocr_tasks="all", ocr_tag="long")
    receipt = pagewise.until_ended(key)[key]
    assert (receipt["pages"], receipt["tasks"], receipt["tag"]) == (11, list(Task), "long")
    assert accounts_for_every_page_job(receipt)
    stored = ledger(pagewise).document(receipt["document_id"])
    assert stored is not None
    assert stored.recognized + stored.failed == 77
    assert stored.usage.input_tokens == sum(job["input_tokens"] for job in receipt["page_jobs"])


def test_a_bad_upload_is_rejected_with_an_event(pagewise: Running) -> None:
    key = pagewise.upload("ä b+c #1.pdf", b"no document")
    receipt = pagewise.until_ended(key)[key]
    assert (receipt["status"], receipt["reason"]) == ("rejected", "unsupported_type")


def test_an_engine_in_trouble_is_asked_again_and_its_refusals_are_told(pagewise: Running) -> None:
    pagewise.engine.behave(
        {"name": "internal_error", "times": 1}, {"name": "bad_gateway", "times": 1}, {"name": "cut", "times": 1}
    )
    key = pagewise.upload("trouble.tif", tiff(3))
    receipt = pagewise.until_ended(key)[key]
    assert receipt["status"] == "complete"
    pagewise.engine.behave({"name": "inspection_failed", "times": 1})
    key = pagewise.upload("refused.png", picture())
    receipt = pagewise.until_ended(key)[key]
    assert [(job["status"], job["reason"]) for job in receipt["page_jobs"]] == [("failed", "DataInspectionFailed")]


def test_functions_log_what_they_did_and_libraries_nothing_but_trouble(pagewise: Running) -> None:
    pagewise.until_ended(pagewise.upload("logged.png", picture()))
    logs = "".join(log.read_text() for log in (pagewise.stack.logs / "functions").glob("*.log"))
    assert '"message":"page job done"' in logs
    of_libraries = [line for line in logs.splitlines() if '"logger": ' in line and '"level": "INFO"' in line]
    assert of_libraries == []


def redrive(pagewise: Running, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "commands", "redrive", "--endpoint", pagewise.stack.endpoint, *options]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'layers/pagewise'}{os.pathsep}{ROOT}"}
    return subprocess.run(command, cwd=ROOT, env=environment, check=False, capture_output=True, text=True, timeout=60)


def test_failed_page_jobs_are_redriven_by_one_command(pagewise: Running) -> None:
    pagewise.engine.behave({"name": "inspection_failed", "times": 2})
    key = pagewise.upload("redriven.tif", tiff(3), ocr_tasks="text_recognition,multi_lan")
    first = pagewise.until_ended(key)[key]
    assert (first["status"], first["run"]) == ("partial", 1)
    failed = {(job["page"], job["task"]) for job in first["page_jobs"] if job["status"] == "failed"}
    asked = pagewise.engine.requests()["total"]

    until_announced(pagewise, {key: first})
    done = redrive(pagewise, "--document", first["document_id"])
    assert (done.returncode, done.stdout, done.stderr) == (0, "Run 2: 2 page jobs are queued.\n", "")
    while pagewise.ends()[key]["run"] == 1:
        pagewise.events += pagewise.published.receive(wait=1)
    second = pagewise.until_ended(key)[key]
    assert (second["status"], second["run"]) == ("complete", 2)
    assert accounts_for_every_page_job(second)
    assert {(job["page"], job["task"]) for job in second["page_jobs"] if job["run"] == 2} == failed
    assert pagewise.engine.requests()["total"] - asked == 2

    again = redrive(pagewise, "--document", first["document_id"], "--page", "1", "--task", "multi_lan")
    assert (again.returncode, again.stdout) == (0, "No page job of this choice has failed.\n")


def until_announced(pagewise: Running, receipts: dict[str, dict[str, Any]]) -> None:
    """A document's end is noted as announced just after its event, and counts as one with failures from then on."""
    for receipt in receipts.values():
        document = None
        while document is None or not document.announced:
            document = ledger(pagewise).document(DocumentId(receipt["document_id"]))
            time.sleep(0.05)


def test_the_failed_page_jobs_of_all_documents_are_redriven_by_one_command(tmp_path: Path) -> None:
    with running(tmp_path) as pagewise:
        pagewise.engine.behave({"name": "inspection_failed", "times": 2}, {"name": "invalid_parameter", "times": 1})
        keys = [pagewise.upload(f"all-{number}.tif", tiff(2)) for number in range(3)]
        first = pagewise.until_ended(*keys)
        reasons = Counter(job["reason"] for receipt in first.values() for job in receipt["page_jobs"] if job["reason"])
        assert reasons == {"DataInspectionFailed": 2, "InvalidParameter": 1}

        until_announced(pagewise, first)
        done = redrive(pagewise, "--all", "--reason", "DataInspectionFailed")
        assert (done.returncode, done.stderr) == (0, "")
        assert ": 2 page jobs are queued" in done.stdout.splitlines()[-1]
        until_announced(pagewise, first)
        done = redrive(pagewise, "--all")
        assert ": 1 page jobs are queued" in done.stdout.splitlines()[-1]
        while any(pagewise.ends()[key]["status"] != "complete" for key in keys):
            pagewise.events += pagewise.published.receive(wait=1)
        assert redrive(pagewise, "--all").stdout == "0 documents: 0 page jobs are queued, 0 pages are rendered first.\n"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--document", ""), "Say whose failed page jobs"),
        (("--document", "unknown"), "There is no document unknown"),
        (("--document", "unknown", "--task", "poetry"), "poetry is no task"),
        (("--document", "unknown", "--stack", "elsewhere"), "The stack elsewhere cannot be reached"),
    ],
)
def test_a_redrive_that_cannot_be_says_why(pagewise: Running, options: tuple[str, ...], said: str) -> None:
    done = redrive(pagewise, *options)
    assert (done.returncode, done.stdout) == (3, "")
    assert said in done.stderr


def test_a_refused_key_suspends_recognition_and_says_so(pagewise: Running) -> None:
    pagewise.engine.behave({"name": "invalid_key", "times": 1})
    pagewise.upload("later.png", picture())
    assert pagewise.until_event("RecognitionSuspended").detail["reason"] == "InvalidApiKey"


def test_each_event_on_the_bus_keeps_its_schema(pagewise: Running) -> None:
    names = Counter(event.name for event in pagewise.events)
    # The splitter's configuration is right here; tests/handlers and tests/unit have the wrong ones. Persons come later,
    # and to other stacks.
    assert set(names) == set(SCHEMAS) - {"SplittingSuspended", "ReviewNeeded", "DocumentReviewed", "DocumentDeleted"}
    for event in pagewise.events:
        jsonschema.validate(event.detail, SCHEMAS[event.name])


def test_nothing_waits_in_the_dead_letter_queue(pagewise: Running) -> None:
    url = pagewise.stack.deployment.outputs["DeadLetterQueue"]
    waiting = pagewise.stack.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert waiting["ApproximateNumberOfMessages"] == "0"


def test_duplicated_and_reordered_messages_change_no_account(tmp_path: Path) -> None:
    faults = Faults(duplicates=0.5, shuffled=True, chance=Random(7))
    with running(tmp_path, parameters={"PagesPerRange": "2"}, faults=faults) as pagewise:
        keys = [
            pagewise.upload(f"{number}.tif", tiff(5), ocr_tasks="text_recognition,multi_lan") for number in range(3)
        ]
        receipts = pagewise.until_ended(*keys)
        for receipt in receipts.values():
            assert receipt["status"] == "complete"
            assert accounts_for_every_page_job(receipt)
            stored = ledger(pagewise).document(receipt["document_id"])
            assert stored is not None
            assert (stored.pages_closed, stored.recognized, stored.failed) == (5, 10, 0)


def test_a_profile_s_rules_judge_each_result_and_its_steps_prepare_each_page_of_every_range(tmp_path: Path) -> None:
    """The canned engine answers every information extraction with one field, `canned`."""
    profile = {
        "tasks": ["key_information_extraction"],
        "preprocessing": ["equalize"],
        "validation": {"required": ["canned", "Total"]},
    }
    # A gradient has nothing on it to recognize.
    with running(tmp_path, parameters={"PagesPerRange": "2", "BlankPages": "send"}) as pagewise:
        path = f"{pagewise.stack.deployment.outputs['Profiles']}/strict"
        pagewise.stack.client("ssm").put_parameter(Name=path, Value=json.dumps(profile), Type="String")
        strict, plain = pagewise.upload("strict/a.tif", grey_tiff(3)), pagewise.upload("a.tif", grey_tiff(3))
        receipts = pagewise.until_ended(strict, plain)
        assert (receipts[strict]["status"], receipts[strict]["invalid"]) == ("complete", 3)
        assert {job["valid"] for job in receipts[strict]["page_jobs"]} == {False}
        assert {job["valid"] for job in receipts[plain]["page_jobs"]} == {None}
        result = ledger(pagewise).result(DocumentId(receipts[strict]["document_id"]), 1, "key_information_extraction")
        assert result is not None
        assert result.validation == Validation((Problem("Total", "required"),))
        assert all(
            stored_page(pagewise, receipts[strict], page) != stored_page(pagewise, receipts[plain], page)
            for page in (1, 2, 3)
        )


def grey_tiff(pages: int) -> bytes:
    """Pages of dull greys, which equalizing changes."""
    frames = [
        Image.linear_gradient("L").point(lambda level, page=page: 100 + level // 4 + page) for page in range(pages)
    ]
    buffer = io.BytesIO()
    frames[0].save(buffer, format="TIFF", save_all=True, append_images=frames[1:])
    return buffer.getvalue()


def stored_page(pagewise: Running, receipt: dict[str, Any], page: int) -> bytes:
    bucket = pagewise.stack.deployment.outputs["PagesBucket"]
    key = f"documents/{receipt['document_id']}/pages/{page:05}.png"
    return bytes(pagewise.stack.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read())


def test_with_reuse_the_same_pages_are_asked_about_once_however_often_they_are_uploaded(tmp_path: Path) -> None:
    with running(tmp_path, parameters={"ReuseResults": "true"}, delay=0.5) as pagewise:
        keys = [pagewise.upload(f"{number}.tif", tiff(4)) for number in range(5)]
        receipts = pagewise.until_ended(*keys)
        assert pagewise.engine.requests()["total"] == 4
        jobs = [job for receipt in receipts.values() for job in receipt["page_jobs"]]
        assert {job["status"] for job in jobs} == {"recognized"}
        assert sum(job["reused_from"] is not None for job in jobs) == 16
        assert all((job["input_tokens"] == 0) == (job["reused_from"] is not None) for job in jobs)
        stored = [
            ledger(pagewise).result(DocumentId(receipt["document_id"]), page, "text_recognition")
            for receipt in receipts.values()
            for page in range(1, 5)
        ]
        assert len({(result.page, json.dumps(result.output)) for result in stored if result}) == 4


def test_a_function_killed_in_mid_page_is_redelivered_and_nothing_stored_is_paid_again(tmp_path: Path) -> None:
    """Two pages are stored, then the function that works on the others dies; only those are asked again."""
    with running(tmp_path, parameters={"OcrBatchSize": "2"}, delay=1.5, visibility_timeout=20) as pagewise:
        stored_first = pagewise.upload("first.tif", tiff(2))
        pagewise.until_ended(stored_first)
        key = pagewise.upload("killed.tif", tiff(2))
        while pagewise.engine.requests()["total"] < 4:
            time.sleep(0.05)
        kill_environments_of("text_recognition", pagewise.stack.endpoint)
        receipts = pagewise.until_ended(stored_first, key)
        assert receipts[key]["status"] == "complete"
        assert accounts_for_every_page_job(receipts[key])
        assert max(job["attempts"] for job in receipts[key]["page_jobs"]) == 2
        assert "crash" in json.dumps(pagewise.invocations()).lower()
        # Two for the first document, two that died with the function, two again.
        assert pagewise.engine.requests()["total"] == 6


def kill_environments_of(task: str, endpoint: str) -> None:
    """Of this stack alone: another's functions may run on the same machine."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            variables = (process / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if {f"TASK={task}".encode(), f"AWS_ENDPOINT_URL={endpoint}".encode()} <= set(variables):
            os.kill(int(process.name), signal.SIGKILL)


def test_a_document_is_cancelled_and_deleted_by_one_command_each(pagewise: Running) -> None:
    pagewise.engine.behave({"name": "invalid_key", "times": 1})  # its page job waits for five minutes
    key = pagewise.upload("ended.tif", tiff(1), ocr_outputs="text")
    document_id = suspended(pagewise, key)
    cancelled = cancel(document_id, "pagewise", pagewise.stack.endpoint)
    assert cancelled.startswith("Cancelled: 0 of 1 page jobs were recognized")
    receipt = pagewise.until_ended(key)[key]
    assert (receipt["status"], receipt["page_jobs"][0]["reason"]) == ("cancelled", "cancelled")
    # An assembler at work would store its outputs after the first look of the deletion. The second is much later.
    while pagewise.until_event("DocumentAssembled").detail["document"]["key"] != key:
        pagewise.events += pagewise.published.receive(wait=1)

    words = ["delete", document_id, "--endpoint", pagewise.stack.endpoint]
    unsure = CliRunner().invoke(cli, words, input="n\n")
    assert (unsure.exit_code, document_of(pagewise, document_id) is None) == (1, False)
    deleted = CliRunner().invoke(cli, [*words, "--yes"])
    assert (deleted.exit_code, deleted.output[:16]) == (0, "Deleted so far: ")
    assert document_of(pagewise, document_id) is None
    outputs = pagewise.stack.deployment.outputs
    for bucket, prefix in ((outputs["UploadsBucket"], key), (outputs["PagesBucket"], f"documents/{document_id}/")):
        left = pagewise.stack.client("s3").list_object_versions(Bucket=bucket, Prefix=prefix)
        assert (left.get("Versions", []), left.get("DeleteMarkers", [])) == ([], [])


def test_what_is_not_there_can_be_neither_cancelled_nor_deleted(pagewise: Running) -> None:
    for command in (cancel, delete):
        with pytest.raises(EndingError, match="There is no document unknown"):
            command("unknown", "pagewise", pagewise.stack.endpoint)


def suspended(pagewise: Running, key: str) -> str:
    """The id of the document of this key, once a page job of it waits."""
    while True:
        named = {
            e.detail["document"]["key"]: e.detail["document"]["id"] for e in pagewise.events if "document" in e.detail
        }
        waiting = {e.detail["document_id"] for e in pagewise.events if e.name == "RecognitionSuspended"}
        if named.get(key) in waiting:
            return str(named[key])
        pagewise.events += pagewise.published.receive(wait=1)


def document_of(pagewise: Running, document_id: str) -> Document | None:
    return ledger(pagewise).document(DocumentId(document_id))
