"""A person looks at a page, says what is wrong, and is done."""

from __future__ import annotations

from typing import Any

import pytest

from pagewise.account.reviews import Conflict
from pagewise.errors import Deleted, Permanent
from pagewise.model import Document, DocumentId
from pagewise.review.corrections import Person
from pagewise.tasks import Task
from pagewise.use_cases.review import InProgress, Said
from pagewise.use_cases.show import Invalid, NotFound, Rejected
from tests.fakes import text_answer
from tests.pictures import tiff
from tests.unit.conftest import Pagewise

ANA, BEN = Person("1", "Ana"), Person("2", "Ben")
FIELDS = Task.KEY_INFORMATION_EXTRACTION


def invoice(pagewise: Pagewise, **metadata: str) -> Document:
    pagewise.profiles.stored["invoices"] = (
        '{"review": "doubtful", "tasks": ["key_information_extraction"], "outputs": ["text"],'
        ' "validation": {"required": ["Date"], "properties": {"Total": {"type": "string", "pattern": "^[0-9.]+$"}}}}'
    )
    answer = text_answer('{"Total": "7.O0"}', fields={"Total": "7.O0"})
    return pagewise.ended(tiff(1), answer, ocr_profile="invoices", **metadata)


def said(pointer: str, value: Any, task: Task = FIELDS) -> Said:
    return Said(task, pointer, value)


def states(shown: dict[str, Any]) -> dict[str, tuple[str, list[str]]]:
    return {one["pointer"]: (one["state"], [reason["detail"] for reason in one["reasons"]]) for one in shown["fields"]}


def test_a_page_shows_its_image_results_and_doubtful_values(pagewise: Pagewise) -> None:
    document = invoice(pagewise)
    page = pagewise.review.page(document.id, 1, ANA)
    assert states(page) == {"/fields/Total": ("doubtful", ["pattern"]), "/fields/Date": ("doubtful", ["required"])}
    assert (page["image"]["width"], page["review"]["version"]) == (120, 0)
    assert page["results"][FIELDS]["fields"] == {"Total": "7.O0"}
    assert page["document_review"]["state"] == "waiting"


def test_what_is_typed_is_held_against_the_rules_and_nothing_stored(pagewise: Pagewise) -> None:
    document = invoice(pagewise)
    checked = pagewise.review.check(document.id, 1, 0, [said("/fields/Total", "7,00")], ANA)
    assert states(checked)["/fields/Total"] == ("corrected", ["pattern"])
    checked = pagewise.review.check(
        document.id, 1, 0, [said("/fields/Total", "7.00"), said("/fields/Date", "2026")], ANA
    )
    assert states(checked) == {"/fields/Total": ("corrected", []), "/fields/Date": ("corrected", [])}
    assert pagewise.reviews.corrections(document.id, 1).version == 0


def test_both_values_are_kept_with_who_and_when_and_an_unchanged_one_keeps_its_author(pagewise: Pagewise) -> None:
    document = invoice(pagewise)
    first = pagewise.review.save(document.id, 1, 0, [said("/fields/Total", "7.00")], ANA)
    pagewise.review.release(document.id, ANA)
    both = [said("/fields/Total", "7.00"), said("/fields/Date", "2026")]
    second = pagewise.review.save(document.id, 1, 1, both, BEN)
    total, date = second["review"]["corrections"]
    assert total == first["review"]["corrections"][0]
    assert (total["machine"], total["value"], total["by"], date["machine"], date["by"]) == (
        "7.O0",
        "7.00",
        "Ana",
        None,
        "Ben",
    )
    page = pagewise.review.page(document.id, 1, BEN)
    assert page["results"][FIELDS]["fields"] == {"Total": "7.O0"}
    assert page["results"][FIELDS]["review"] == [total, date]


def test_a_save_of_an_older_version_is_told(pagewise: Pagewise) -> None:
    document = invoice(pagewise)
    pagewise.review.save(document.id, 1, 0, [said("/fields/Total", "7.00")], ANA)
    with pytest.raises(Conflict):
        pagewise.review.save(document.id, 1, 0, [said("/fields/Total", "8.00")], ANA)


def test_a_reviewed_document_is_told_of_its_receipt_has_both_values_and_its_outputs_are_made_again(
    pagewise: Pagewise,
) -> None:
    document = invoice(pagewise)
    pagewise.assemble.document(document.id, 1)
    pagewise.review.save(document.id, 1, 0, [said("/text", "Total 7.00")], ANA)
    done = pagewise.review.done(document.id, ANA)
    assert (done["state"], done["reviewed_by"], done["corrections"]) == ("done", "Ana", 1)
    (reviewed,) = pagewise.publisher.named("DocumentReviewed")
    assert (reviewed["by"], reviewed["corrections"], reviewed["outputs"]) == ("Ana", 1, ["text"])
    receipt: dict[str, Any] = pagewise.receipt_of(document)
    (correction,) = receipt["review"]["corrections"]
    assert (correction["page"], correction["machine"], correction["value"]) == (1, '{"Total": "7.O0"}', "Total 7.00")
    assembled = pagewise.assemble.document(document.id, 1)
    assert assembled is not None
    assert (assembled.manifest["run"], assembled.manifest["reviews"]) == (1, 1)
    assert b"Total 7.00" in pagewise.outputs.stored[document.id, "document.text"][1]
    first, second = pagewise.publisher.named("DocumentAssembled")
    assert first["event_id"] != second["event_id"]


def test_outputs_that_were_not_made_again_are_asked_for_by_the_sweeper(pagewise: Pagewise) -> None:
    document = invoice(pagewise)
    pagewise.assemble.document(document.id, 1)
    pagewise.review.done(document.id, ANA)
    pagewise.clock.milliseconds += 9 * 3600 * 1000
    before = len(pagewise.publisher.named("DocumentCompleted"))
    pagewise.sweep.overdue(float("inf"))
    assert len(pagewise.publisher.named("DocumentCompleted")) == before + 1
    pagewise.assemble.document(document.id, 1)
    assert pagewise.stored(document).assembled_reviews == 1


def test_done_again_publishes_nothing_more(pagewise: Pagewise) -> None:
    document = invoice(pagewise)
    assert pagewise.review.done(document.id, ANA) == pagewise.review.done(document.id, BEN)
    assert len(pagewise.publisher.named("DocumentReviewed")) == 1


def test_a_review_that_was_never_told_of_is_told_of_by_the_sweeper_as_it_was_done(pagewise: Pagewise) -> None:
    document = invoice(pagewise)
    pagewise.review.save(document.id, 1, 0, [said("/fields/Total", "7.00")], ANA)
    done = pagewise.clock.now()
    pagewise.reviews.done(document, ANA, done, "due")  # and the invocation died
    pagewise.reviews.claim(document, BEN, pagewise.clock.now(), pagewise.clock.after(900))
    for _ in range(2):
        pagewise.sweep.overdue(float("inf"))
    (told,) = pagewise.publisher.named("DocumentReviewed")
    assert (told["by"], told["reviewed"], told["corrections"], told["run"]) == ("Ana", done, 1, 1)


def test_a_save_whose_answer_was_lost_can_be_made_again(pagewise: Pagewise) -> None:
    document = invoice(pagewise)
    wanted = [said("/fields/Total", "7.00")]
    first = pagewise.review.save(document.id, 1, 0, wanted, ANA)
    assert pagewise.review.save(document.id, 1, 0, wanted, ANA) == first
    with pytest.raises(Conflict):
        pagewise.review.save(document.id, 1, 0, [said("/fields/Total", "8.00")], ANA)
    assert pagewise.reviews.of(document.id).changed == 1


def test_a_document_that_is_deleted_amid_its_review_is_said_to_be(pagewise: Pagewise) -> None:
    document = invoice(pagewise)
    pagewise.delete.document(document.id, "ana", float("inf"))
    with pytest.raises(Deleted):
        pagewise.reviews.done(document, ANA, pagewise.clock.now(), "due")


def test_what_is_in_progress_rejected_or_not_there_cannot_be_reviewed(pagewise: Pagewise) -> None:
    running = pagewise.accepted(tiff(1))
    rejected = pagewise.split.upload(pagewise.uploads.put(b"no document", "uploads/bad", "v9"))
    refusals: list[tuple[str, type[Permanent]]] = [
        (running.id, InProgress),
        (rejected.id, Rejected),
        ("a" * 32, NotFound),
    ]
    for document_id, refusal in refusals:
        with pytest.raises(refusal):
            pagewise.review.claim(DocumentId(document_id), ANA)
        with pytest.raises(refusal):
            pagewise.review.done(DocumentId(document_id), ANA)
    with pytest.raises(NotFound):
        pagewise.review.page(running.id, 2, ANA)


@pytest.mark.parametrize("pointer", ["/model", "/fields", "/lines/0/text"])
def test_a_pointer_to_nothing_is_refused(pagewise: Pagewise, pointer: str) -> None:
    document = invoice(pagewise)
    with pytest.raises(Invalid):
        pagewise.review.save(document.id, 1, 0, [said(pointer, "x")], ANA)


def test_a_task_that_was_not_asked_for_is_refused(pagewise: Pagewise) -> None:
    document = invoice(pagewise)
    with pytest.raises(Invalid):
        pagewise.review.save(document.id, 1, 0, [said("/text", "x", Task.MULTI_LAN)], ANA)
