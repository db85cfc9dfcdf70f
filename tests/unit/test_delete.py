"""Everything of a document goes, and no late message brings it back."""

from __future__ import annotations

import math
from typing import Any

import pytest

from pagewise.errors import Deleted
from pagewise.model import Document, DocumentId, DocumentStatus, PageRange
from pagewise.ports import DeletedObjects
from pagewise.table import Key
from pagewise.use_cases.delete import QUARANTINE_SECONDS, DeleteDocument
from pagewise.use_cases.redrive import NothingToRedrive, Redrive, Selection
from tests.fakes import text_answer
from tests.pictures import tiff
from tests.unit.conftest import Pagewise

LEFT = {
    "status", "announced", "deleting", "deleted_by", "deleted", "deleted_objects", "deleted_versions",
    "deleted_records", "open", "due",
}  # fmt: skip


def left_of(pagewise: Pagewise, document: Document) -> list[Any]:
    """Everything that still names the document, or lies under its name."""
    records = [key for key in pagewise.table.stored if key.partition == document.id and key.record != "document"]
    known = pagewise.table.stored[Key(document.id, "document")]
    objects = [key for key in (*pagewise.pages.objects, *pagewise.pages.documents) if document.id in key]
    outputs = [key for key in pagewise.outputs.stored if document.id in key]
    uploads = [key for key in pagewise.uploads.objects if key[1] == document.source.key]
    receipts = [one for one in pagewise.pages.receipts if one == document.id]
    return [*records, *objects, *outputs, *uploads, *receipts, *(set(known) - LEFT)]


def later(pagewise: Pagewise) -> None:
    pagewise.clock.milliseconds += round(QUARANTINE_SECONDS * 1000) + 1


def test_a_deleted_document_leaves_its_receipt_and_nothing_else(pagewise: Pagewise) -> None:
    document = pagewise.ended(tiff(3), ocr_outputs="text", ocr_tag="Jane Doe, case 7")
    pagewise.assemble.document(document.id, 1)
    receipt = pagewise.delete.document(document.id, "ana", math.inf)
    assert receipt is not None
    assert (receipt.shown()["status"], receipt.by) == ("deleting", "ana")
    assert left_of(pagewise, document) == []
    later(pagewise)
    assert pagewise.delete.due(math.inf) == []
    receipt = pagewise.delete.deletions.receipt(document.id)
    assert receipt is not None
    shown = receipt.shown()
    # Three images, a receipt, an output with its manifest, and the upload; a page and a result each, and the split.
    assert (shown["status"], shown["objects"], shown["versions"], shown["records"]) == ("deleted", 7, 7, 7)
    (told,) = pagewise.publisher.named("DocumentDeleted")
    assert "Jane" not in str(told)
    assert pagewise.delete.due(math.inf) == []
    assert len(pagewise.publisher.named("DocumentDeleted")) == 1


def test_to_everybody_it_is_gone_at_once(pagewise: Pagewise) -> None:
    document = pagewise.ended(tiff(1))
    pagewise.delete.document(document.id, "ana", math.inf)
    assert pagewise.ledger.document(document.id) is None
    redrive = Redrive(pagewise.ledger, pagewise.queues, pagewise.accounting, pagewise.clock)
    with pytest.raises(NothingToRedrive):
        redrive.document(document.id, Selection())
    assert pagewise.assemble.document(document.id, 1) is None


def test_no_message_revives_it(pagewise: Pagewise) -> None:
    upload = pagewise.upload(tiff(2))
    document = pagewise.split.upload(upload)
    jobs = list(pagewise.queues.jobs)
    pagewise.delete.document(document.id, "ana", math.inf)
    later(pagewise)
    pagewise.delete.due(math.inf)
    events = len(pagewise.publisher.events)
    with pytest.raises(Deleted):
        pagewise.split.upload(upload)
    assert pagewise.split.page_range(document.id, PageRange(1, 2)) is None
    assert [pagewise.run_job(job) for job in jobs] == [None, None]
    pagewise.give_up.page_job(jobs[0], 5)
    pagewise.give_up.page_range(document.id, PageRange(1, 2))
    pagewise.give_up.upload(upload)
    pagewise.sweep.overdue(math.inf)
    assert left_of(pagewise, document) == []
    assert len(pagewise.publisher.events) == events
    assert pagewise.engine.questions == []


def test_what_a_late_invocation_writes_goes_with_the_second_deletion(pagewise: Pagewise) -> None:
    document = pagewise.accepted(tiff(2))
    job = pagewise.queues.jobs[0]
    pagewise.engine.script = [text_answer()]

    def deleted_meanwhile() -> None:
        pagewise.delete.document(document.id, "ana", math.inf)

    pagewise.engine.before_answer = deleted_meanwhile
    pagewise.run_job(job)
    assert left_of(pagewise, document) != []
    later(pagewise)
    assert pagewise.delete.due(math.inf) == []
    assert left_of(pagewise, document) == []


def test_a_document_in_progress_is_cancelled_first(pagewise: Pagewise) -> None:
    document = pagewise.accepted(tiff(3))
    pagewise.delete.document(document.id, "ana", math.inf)
    (completed,) = pagewise.publisher.named("DocumentCompleted")
    assert completed["status"] == "cancelled"
    assert left_of(pagewise, document) == []


def test_what_there_is_no_time_for_is_gone_on_with(pagewise: Pagewise) -> None:
    document = pagewise.accepted(tiff(45))
    receipt = pagewise.delete.document(document.id, "ana", -math.inf)
    assert receipt is not None
    assert receipt.deleted is None
    for _ in range(5):
        pagewise.sweep.overdue(math.inf)
        assert pagewise.delete.due(math.inf) == []
        later(pagewise)
    assert left_of(pagewise, document) == []
    receipt = pagewise.delete.deletions.receipt(document.id)
    assert receipt is not None
    assert receipt.deleted is not None


def test_a_deletion_that_was_never_told_of_is_told_of_once_its_receipt_stands(pagewise: Pagewise) -> None:
    document = pagewise.ended(tiff(1))
    pagewise.delete.document(document.id, "ana", math.inf)
    later(pagewise)
    deletions = pagewise.delete.deletions
    deletions.finish(document.id, pagewise.clock.now())  # and the invocation died
    assert pagewise.publisher.named("DocumentDeleted") == []
    deletions.count(document.id, DeletedObjects(7, 7), 7)
    for _ in range(2):
        assert pagewise.delete.due(math.inf) == []
        later(pagewise)
    (told,) = pagewise.publisher.named("DocumentDeleted")
    receipt = deletions.receipt(document.id)
    assert receipt is not None
    assert (told["deleted"], told["objects"]) == (receipt.deleted, 3)


def test_two_deletions_side_by_side_leave_one_receipt(pagewise: Pagewise) -> None:
    document = pagewise.ended(tiff(1))
    deletions = pagewise.delete.deletions
    deletions.ask(document.id, "ana", pagewise.clock.now())
    seen = deletions.ended(document.id)
    assert seen is not None
    pagewise.delete.go_on(document.id, math.inf)
    later(pagewise)
    assert pagewise.delete.due(math.inf) == []
    finished = deletions.receipt(document.id)
    deletions.bury(seen, pagewise.clock.after(1800))  # by an invocation that is late
    deletions.finish(document.id, pagewise.clock.now())
    assert deletions.receipt(document.id) == finished
    assert list(deletions.listed("~")) == []


def test_no_answer_of_a_deleted_document_is_used_again_nor_pointed_to() -> None:
    pagewise = Pagewise(reuses=True)
    document = pagewise.ended(tiff(1), ocr_outputs="none")
    again = pagewise.split.upload(pagewise.uploads.put(tiff(1), version="v2", ocr_outputs="none"))
    pagewise.run_queues()
    assert len(pagewise.engine.questions) == 1
    pagewise.delete.document(document.id, "ana", math.inf)
    assert [key for key in pagewise.table.stored if key.partition.startswith("reuse#")] == []
    third = pagewise.split.upload(pagewise.uploads.put(tiff(1), version="v3", ocr_outputs="none"))
    pagewise.run_queues()
    assert len(pagewise.engine.questions) == 2
    pagewise.delete.document(again.id, "ana", math.inf)
    (answer,) = [stored for key, stored in pagewise.table.stored.items() if key.partition.startswith("reuse#")]
    assert answer["of_document"] == third.id


def test_a_late_answer_of_a_deleted_document_is_not_used_again() -> None:
    pagewise = Pagewise(reuses=True)
    document = pagewise.accepted(tiff(1))

    def deleted_meanwhile() -> None:
        pagewise.delete.document(document.id, "ana", math.inf)
        pagewise.engine.before_answer = lambda: None

    pagewise.engine.before_answer = deleted_meanwhile
    pagewise.run_queues()
    assert pagewise.ledger.result(document.id, 1, "text_recognition") is not None
    pagewise.split.upload(pagewise.uploads.put(tiff(1), "uploads/other"))
    pagewise.run_queues()
    assert len(pagewise.engine.questions) == 2
    later(pagewise)
    assert pagewise.delete.due(math.inf) == []
    assert left_of(pagewise, document) == []


def test_the_same_deletion_again_changes_nothing(pagewise: Pagewise) -> None:
    document = pagewise.ended(tiff(1))
    first = pagewise.delete.document(document.id, "ana", math.inf)
    assert pagewise.delete.document(document.id, "ben", math.inf) == first
    delete: DeleteDocument = pagewise.delete
    assert delete.document(DocumentId("unknown"), "ana", math.inf) is None


def test_a_rejected_document_is_deleted_too(pagewise: Pagewise) -> None:
    document = pagewise.accepted(b"no document")
    assert document.status is DocumentStatus.REJECTED
    pagewise.delete.document(document.id, "ana", math.inf)
    assert left_of(pagewise, document) == []


def test_the_same_file_uploaded_again_is_another_document(pagewise: Pagewise) -> None:
    document = pagewise.ended(tiff(1))
    pagewise.delete.document(document.id, "ana", math.inf)
    again = pagewise.split.upload(pagewise.uploads.put(tiff(1), version="v2"))
    assert again.status is DocumentStatus.IN_PROGRESS
