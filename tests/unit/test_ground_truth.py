"""What persons said beside what the machine said, over all documents."""

from __future__ import annotations

from typing import Any

from pagewise.model import Document
from pagewise.review.corrections import Correction, Person
from pagewise.tasks import Task
from pagewise.use_cases.ground_truth import Choice, GroundTruth
from pagewise.use_cases.redrive import Redrive, Selection
from pagewise.use_cases.review import Said
from tests.fakes import text_answer
from tests.pictures import tiff
from tests.unit.conftest import Pagewise

ANA = Person("1", "Ana")
EARLY, LATE = "2026-01-01T00:10:00.000Z", "2026-01-01T00:30:00.000Z"
FIELDS, WORDS = Task.KEY_INFORMATION_EXTRACTION, Task.ADVANCED_RECOGNITION


def collected(pagewise: Pagewise, **choice: Any) -> list[dict[str, Any]]:
    return list(GroundTruth(pagewise.ledger, pagewise.reviews, together=2).lines(Choice(**choice)))


def document(pagewise: Pagewise, version: str, **metadata: str) -> Document:
    accepted = pagewise.split.upload(pagewise.uploads.put(tiff(2), f"uploads/{version}.tif", version, **metadata))
    pagewise.run_queues()
    return pagewise.stored(accepted)


def say(pagewise: Pagewise, of: Document, page: int, value: str, at: str = EARLY) -> None:
    version = pagewise.reviews.corrections(of.id, page).version
    correction = Correction(Task.TEXT_RECOGNITION, "/text", "text", value, "Ana", at)
    pagewise.reviews.save(of, page, version, [correction], ANA, at, at)


def test_each_value_with_its_document_its_place_and_its_model(pagewise: Pagewise) -> None:
    pagewise.profiles.stored["receipts"] = f'{{"tasks": ["{FIELDS}", "{WORDS}"]}}'
    total = {"text": "Total 7.00", "location": [0, 0, 9, 0, 9, 9, 0, 9], "rotate_rect": [4, 4, 9, 9, 0]}
    pagewise.engine.script = [text_answer("{}", fields={"Total": "7.00"}), text_answer(words=[total])]
    of = pagewise.split.upload(pagewise.uploads.put(tiff(1), "uploads/receipt.tif", "v1", ocr_profile="receipts"))
    pagewise.run_queues()
    pagewise.review.save(of.id, 1, 0, [Said(FIELDS, "/fields/Total", "7.50"), Said(FIELDS, "/fields/Tax", "1")], ANA)
    pagewise.review.done(of.id, ANA)
    first, second = collected(pagewise)
    assert first == {
        "document_id": of.id,
        "key": "uploads/receipt.tif",
        "version": "v1",
        "profile": "receipts",
        "page": 1,
        "task": FIELDS,
        "pointer": "/fields/Total",
        "machine": "7.00",
        "value": "7.50",
        "confirmed": False,
        "by": "Ana",
        "at": first["at"],
        "reviewed": pagewise.reviews.of(of.id).reviewed,
        "box": [0, 0, 9, 0, 9, 9, 0, 9],
        "model": pagewise.engine_settings.model,
    }
    assert (second["pointer"], second["machine"], second["box"]) == ("/fields/Tax", None, None)


def test_documents_come_the_newest_first_and_their_pages_in_order(pagewise: Pagewise) -> None:
    of = [document(pagewise, f"v{number}") for number in range(5)]
    for page in (2, 1):
        for each in (of[3], of[0], of[4]):
            say(pagewise, each, page, "seen")
    lines = [(line["version"], line["page"]) for line in collected(pagewise)]
    assert lines == [("v4", 1), ("v4", 2), ("v3", 1), ("v3", 2), ("v0", 1), ("v0", 2)]


def test_a_choice_is_by_time_by_profile_and_of_confirmed_values_too(pagewise: Pagewise) -> None:
    pagewise.profiles.stored["careful"] = "{}"
    early, late = document(pagewise, "early"), document(pagewise, "late", ocr_profile="careful")
    say(pagewise, early, 1, "seen")
    say(pagewise, late, 1, "seen", LATE)
    say(pagewise, late, 2, "text", LATE)

    def chosen(**choice: Any) -> list[tuple[str, int, bool]]:
        return [(line["version"], line["page"], line["confirmed"]) for line in collected(pagewise, **choice)]

    assert chosen() == [("late", 1, False), ("early", 1, False)]
    assert chosen(since=LATE) == chosen(profile="careful") == [("late", 1, False)]
    assert chosen(since=LATE, confirmed=True) == [("late", 1, False), ("late", 2, True)]
    assert chosen(profile="other") == []


def test_what_was_said_of_an_earlier_result_has_no_model_and_no_box(pagewise: Pagewise) -> None:
    of = pagewise.ended(tiff(1), text_answer(finish_reason="length"))
    pagewise.review.save(of.id, 1, 0, [Said(Task.TEXT_RECOGNITION, "/text", "seen")], ANA)
    (before,) = collected(pagewise)
    Redrive(pagewise.ledger, pagewise.queues, pagewise.accounting, pagewise.clock).document(of.id, Selection())
    pagewise.engine.script = [text_answer("something else")]
    pagewise.run_queues()
    (after,) = collected(pagewise)
    assert (before["model"], after) == (pagewise.engine_settings.model, before | {"model": None})


def test_a_deleted_document_is_told_of_no_more(pagewise: Pagewise) -> None:
    of = document(pagewise, "v1")
    say(pagewise, of, 1, "seen")
    assert len(collected(pagewise)) == 1
    pagewise.delete.document(of.id, "Ana", 0.0)
    assert collected(pagewise) == []
