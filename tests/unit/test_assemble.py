"""A document's outputs: once for each run, told of, and never those of an earlier run in a later one's place."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pagewise.errors import DocumentRejected, Permanent, StorageBusy, Superseded
from pagewise.messages import load_end
from pagewise.model import Document, Edition
from pagewise.options.metadata import document_options
from pagewise.options.profiles import Profile
from pagewise.outputs.wanted import WantedOutput
from pagewise.tasks import Task
from pagewise.use_cases.assemble import GIVEN_UP, StoredPages
from pagewise.use_cases.redrive import Redrive, Selection
from tests.fakes import plainly, text_answer
from tests.pictures import tiff
from tests.unit.conftest import Pagewise


def ended(pagewise: Pagewise, pages: int = 2, outputs: str = "text,markdown") -> Document:
    document = pagewise.split.upload(pagewise.upload(tiff(pages), ocr_outputs=outputs))
    pagewise.run_queues()
    return pagewise.stored(document)


def redriven(pagewise: Pagewise, document: Document) -> Document:
    redrive = Redrive(pagewise.ledger, pagewise.queues, pagewise.accounting, pagewise.clock)
    redrive.document(document.id, Selection())
    pagewise.run_queues()
    return pagewise.stored(document)


def manifest(pagewise: Pagewise, document: Document) -> dict[str, Any]:
    found = pagewise.outputs.manifest(document.id)
    assert found is not None
    return found


def test_a_document_that_has_ended_is_assembled_and_told_of(pagewise: Pagewise) -> None:
    document = ended(pagewise)
    assert document.outputs == ("text", "markdown")
    pagewise.assemble.document(document.id, 1)
    assert {name for _, name in pagewise.outputs.stored} == {"document.text", "document.markdown", "manifest.json"}
    (told,) = pagewise.publisher.named("DocumentAssembled")
    assert (told["outputs"], told["files"], told["failed"]) == (["text", "markdown"], 2, [])
    assert told["manifest"]["key"] == f"documents/{document.id}/outputs/manifest.json"
    assert pagewise.stored(document).assembled == 1


def test_a_message_that_comes_again_repeats_the_event_alone(pagewise: Pagewise) -> None:
    document = ended(pagewise)
    pagewise.assemble.document(document.id, 1)
    before = dict(pagewise.outputs.stored)
    refusing = replace(pagewise.assemble, make=lambda *_: pytest.fail("made again"))
    refusing.document(document.id, 1)
    first, second = pagewise.publisher.named("DocumentAssembled")
    assert first == second
    assert pagewise.outputs.stored == before


def test_a_document_that_wants_none_has_none(pagewise: Pagewise) -> None:
    document = ended(pagewise, outputs="none")
    assert pagewise.assemble.document(document.id, 1) is None
    assert pagewise.outputs.stored == {}
    (completed,) = pagewise.publisher.named("DocumentCompleted")
    assert completed["outputs"] == []


def test_a_document_all_of_whose_pages_failed_has_its_manifest(pagewise: Pagewise) -> None:
    pagewise.engine.script = [Permanent("x", "y")]
    document = ended(pagewise)
    assert document.status == "failed"
    pagewise.assemble.document(document.id, 1)
    assert manifest(pagewise, document)["run"] == 1


def test_a_redrive_assembles_again_and_an_older_message_does_nothing(pagewise: Pagewise) -> None:
    pagewise.engine.script = [Permanent("x", "y")]
    document = ended(pagewise, pages=1)
    pagewise.assemble.document(document.id, 1)
    pagewise.engine.script = [text_answer("read at last")]
    document = redriven(pagewise, document)
    assert document.run == 2
    assert pagewise.assemble.document(document.id, 1) is None
    assert manifest(pagewise, document)["run"] == 1
    pagewise.assemble.document(document.id, 2)
    assert manifest(pagewise, document)["run"] == 2
    assert [told["event_id"].rpartition("/")[2] for told in pagewise.publisher.named("DocumentAssembled")] == [
        "DocumentAssembled",
        "run-2",
    ]
    assert b"read at last" in pagewise.outputs.stored[document.id, "document.text"][1]


def test_a_run_that_is_overtaken_in_the_midst_leaves_the_later_one_s_outputs(pagewise: Pagewise) -> None:
    pagewise.engine.script = [Permanent("x", "y")]
    document = ended(pagewise, pages=1)

    def overtaken(*arguments: Any) -> Any:
        pagewise.engine.script = [text_answer()]
        redriven(pagewise, document)
        pagewise.assemble.document(document.id, 2)
        return plainly(*arguments)

    late = replace(pagewise.assemble, make=overtaken)
    assert late.document(document.id, 1) is None
    assert {edition for edition, _ in pagewise.outputs.stored.values()} == {Edition(2)}
    (told,) = pagewise.publisher.named("DocumentAssembled")
    assert told["run"] == 2


def test_the_fake_keeps_a_later_run(pagewise: Pagewise, tmp_path: Path) -> None:
    document = ended(pagewise)
    file = tmp_path / "file"
    file.write_text("2")
    pagewise.outputs.put_output(document.id, Edition(2), "a", "text/plain", file)
    with pytest.raises(Superseded):
        pagewise.outputs.put_output(document.id, Edition(1), "a", "text/plain", file)


def test_what_was_given_up_has_a_manifest_that_says_so(pagewise: Pagewise) -> None:
    document = ended(pagewise)
    pagewise.assemble.give_up(document.id, 1)
    told = manifest(pagewise, document)
    assert [(one["output"], one["reason"]) for one in told["failed"]] == [("text", GIVEN_UP), ("markdown", GIVEN_UP)]
    assert len(pagewise.publisher.named("DocumentAssembled")) == 1
    assert pagewise.stored(document).status == "complete"


def test_outputs_whose_message_was_lost_are_asked_for_again(pagewise: Pagewise) -> None:
    document = ended(pagewise)
    pagewise.clock.milliseconds += 9 * 3600 * 1000
    for _ in range(2):  # the second visit leaves them their time
        pagewise.sweep.overdue(deadline=float("inf"))
    first, second = pagewise.publisher.named("DocumentCompleted")
    assert first == second
    pagewise.assemble.document(document.id, 1)
    pagewise.clock.milliseconds += 9 * 3600 * 1000
    pagewise.sweep.overdue(deadline=float("inf"))
    assert len(pagewise.publisher.named("DocumentCompleted")) == 2


def test_assembled_before_its_end_was_noted(pagewise: Pagewise) -> None:
    """The event is out before the ledger knows that it is."""
    document = ended(pagewise)
    pagewise.forget_announcement(document)
    pagewise.assemble.document(document.id, 1)
    assert list(pagewise.ledger.unfinished("2999")) == [document.id]
    pagewise.accounting.close(document.id)
    assert list(pagewise.ledger.unfinished("2999")) == []
    assert list(pagewise.ledger.unassembled("2999")) == []


def test_a_redrive_of_all_finds_what_waits_for_its_outputs(pagewise: Pagewise) -> None:
    pagewise.engine.script = [Permanent("x", "y")]
    document = ended(pagewise)
    assert list(pagewise.ledger.with_failures()) == [document.id]
    pagewise.assemble.document(document.id, 1)
    assert list(pagewise.ledger.with_failures()) == [document.id]


def test_storage_that_is_busy_leaves_no_manifest(pagewise: Pagewise) -> None:
    document = ended(pagewise)

    def busy(*_: Any) -> Any:
        raise StorageBusy("An output: SlowDown.")

    with pytest.raises(StorageBusy):
        replace(pagewise.assemble, make=busy).document(document.id, 1)
    assert pagewise.outputs.manifest(document.id) is None
    assert pagewise.stored(document).assembled == 0


def test_results_come_page_by_page_and_once(pagewise: Pagewise, tmp_path: Path) -> None:
    document = ended(pagewise, pages=3)
    pages = StoredPages(pagewise.ledger.results(document.id), document.id, pagewise.outputs, tmp_path)
    assert [[result.page for result in pages.results(page)] for page in (1, 2, 3, 4)] == [[1], [2], [3], []]
    first = pages.image(1)
    assert first is not None
    assert first.read_bytes()
    assert pages.image(9) is None


def test_the_end_of_a_document_is_read_as_the_bus_hands_it_on(pagewise: Pagewise) -> None:
    document = ended(pagewise)
    (completed,) = pagewise.publisher.named("DocumentCompleted")
    body = json.dumps({"detail-type": "DocumentCompleted", "detail": completed}, default=str)
    assert load_end(body) == (document.id, 1)


# ── what is wanted ───────────────────────────────────────────────────────────────────────────────────────────────────

TEXT = (Task.TEXT_RECOGNITION,)
ALL = tuple(Task)


def test_an_output_asks_for_the_task_that_it_needs(pagewise: Pagewise) -> None:
    document = pagewise.split.upload(pagewise.upload(tiff(1), ocr_tasks="text_recognition", ocr_outputs="pdf,xlsx"))
    assert document.tasks == (Task.TEXT_RECOGNITION, Task.TABLE_PARSING, Task.ADVANCED_RECOGNITION)
    pagewise.run_queues()
    receipt = pagewise.receipt_of(document)
    assert receipt["outputs"] == ["tables", "pdf"]
    assert receipt["tasks_for_outputs"] == ["table_parsing", "advanced_recognition"]


def test_what_was_asked_for_already_is_not_asked_for_again() -> None:
    options = document_options({"ocr-outputs": "pdf", "ocr-tasks": "advanced_recognition"}, TEXT, ALL)
    assert (options.tasks, options.tasks_for_outputs) == ((Task.ADVANCED_RECOGNITION,), ())


def test_an_output_takes_the_deployed_one_of_its_tasks() -> None:
    deployed = (Task.TEXT_RECOGNITION, Task.DOCUMENT_PARSING)
    assert document_options({"ocr-outputs": "tables"}, TEXT, deployed).tasks_for_outputs == (Task.DOCUMENT_PARSING,)


def test_an_output_whose_task_is_not_deployed_is_refused() -> None:
    with pytest.raises(DocumentRejected, match="The output pdf needs advanced_recognition") as refused:
        document_options({"ocr-outputs": "pdf"}, TEXT, TEXT)
    assert refused.value.reason == "undeployed_task"


def test_an_unknown_output_is_refused_with_its_neighbour() -> None:
    with pytest.raises(DocumentRejected, match=r"markdwn.*none, text, markdown.*markdown") as refused:
        document_options({"ocr-outputs": "markdwn"}, TEXT, ALL)
    assert refused.value.reason == "invalid_option"


@pytest.mark.parametrize(
    ("said", "profile", "wanted"),
    [
        (None, None, (WantedOutput.TEXT,)),
        ("", None, (WantedOutput.TEXT,)),
        ("none", None, ()),
        (" HTML , md", None, (WantedOutput.MARKDOWN, WantedOutput.HTML)),
        (None, (), ()),
        (None, (WantedOutput.LATEX,), (WantedOutput.LATEX,)),
        ("text", (WantedOutput.LATEX,), (WantedOutput.TEXT,)),
        ("all", None, tuple(WantedOutput)),
    ],
)
def test_the_upload_says_it_before_the_profile_and_that_before_the_stack(
    said: str | None, profile: tuple[WantedOutput, ...] | None, wanted: tuple[WantedOutput, ...]
) -> None:
    metadata = {} if said is None else {"ocr-outputs": said}
    options = document_options(metadata, TEXT, ALL, Profile(outputs=profile), default_outputs=(WantedOutput.TEXT,))
    assert options.outputs == wanted


def test_a_schema_goes_with_the_task_that_fields_ask_for() -> None:
    options = document_options({"ocr-outputs": "fields", "ocr-result-schema": '{"total": ""}'}, TEXT, ALL)
    assert Task.KEY_INFORMATION_EXTRACTION in options.tasks
