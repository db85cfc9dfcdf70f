"""Which documents wait for a person, which person has one, and that no two overwrite each other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pagewise.account.records import review_key
from pagewise.account.reviews import Claimed, Conflict, Reviews, ReviewState, TooLarge
from pagewise.model import Document, DocumentStatus, Usage
from pagewise.review.corrections import Correction, Person
from pagewise.table import BY_DUE
from pagewise.tasks import Task
from pagewise.use_cases.redrive import Redrive, Selection
from tests.fakes import text_answer
from tests.pictures import tiff
from tests.unit.conftest import Pagewise

ANA, BEN = Person("1", "Ana"), Person("2", "Ben")
EARLY, LATE = "2026-01-01T00:10:00.000Z", "2026-01-01T00:30:00.000Z"
UNREADABLE = text_answer(finish_reason="length")
FIELDS = "key_information_extraction"


def waiting(pagewise: Pagewise) -> list[str]:
    return [partition for _, partition in pagewise.table.along(BY_DUE, "review", None, None)]


def reasons(pagewise: Pagewise, document: Document) -> list[tuple[str, str | None, int]]:
    return [(one.code, one.detail, one.count) for one in pagewise.reviews.of(document.id).reasons]


def said(value: str = "b", machine: str = "text", by: str = "Ana") -> Correction:
    return Correction(Task.TEXT_RECOGNITION, "/text", machine, value, by, EARLY)


def test_a_doubtful_document_waits_and_is_told_of_with_its_reasons(pagewise: Pagewise) -> None:
    document = pagewise.ended(tiff(2), text_answer(), UNREADABLE, ocr_review="doubtful")
    assert (document.review, waiting(pagewise)) == ("doubtful", [document.id])
    assert reasons(pagewise, document) == [("failed", "truncated", 1), ("warning", "text_kept", 1)]
    (needed,) = pagewise.publisher.named("ReviewNeeded")
    assert (needed["pages"], needed["status"]) == ([2], "partial")
    receipt: dict[str, Any] = pagewise.receipt_of(document)
    assert receipt["review"]["state"] == "waiting"


def test_a_sound_document_waits_for_nobody_unless_it_always_shall(pagewise: Pagewise) -> None:
    pagewise.ended(tiff(1), text_answer(), ocr_review="doubtful")
    assert waiting(pagewise) == []
    always = pagewise.split.upload(pagewise.uploads.put(tiff(1), version="v2", ocr_review="always"))
    pagewise.run_queues()
    assert (waiting(pagewise), reasons(pagewise, always)) == ([always.id], [("always", None, 1)])


def test_nobody_is_asked_where_nobody_wants_it(pagewise: Pagewise) -> None:
    document = pagewise.ended(tiff(1), UNREADABLE)
    assert waiting(pagewise) == []
    assert pagewise.publisher.named("ReviewNeeded") == []
    assert pagewise.receipt_of(document)["review"] is None


def test_a_profile_says_when_a_person_shall_look(pagewise: Pagewise) -> None:
    pagewise.profiles.stored["careful"] = '{"review": "Always"}'
    document = pagewise.ended(tiff(1), text_answer(), ocr_profile="careful")
    assert (document.profile, document.review, waiting(pagewise)) == ("careful", "always", [document.id])


def test_a_broken_rule_and_a_field_without_a_place_make_a_document_doubtful(pagewise: Pagewise) -> None:
    tasks = '["key_information_extraction", "advanced_recognition"]'
    rules = f'{{"review": "doubtful", "validation": {{"required": ["Date"]}}, "tasks": {tasks}}}'
    pagewise.profiles.stored["receipts"] = rules
    lines = text_answer(
        words=[{"text": "Total 7.00", "location": [0, 0, 9, 0, 9, 9, 0, 9], "rotate_rect": [4, 4, 9, 9, 0]}]
    )
    document = pagewise.ended(tiff(1), text_answer("{}", fields={"Total": "31.25"}), lines, ocr_profile="receipts")
    assert reasons(pagewise, document) == [("no_place", None, 1), ("rule", "required", 1)]


def test_an_end_that_is_published_again_asks_for_the_same(pagewise: Pagewise) -> None:
    document = pagewise.ended(tiff(1), UNREADABLE, ocr_review="doubtful")
    pagewise.reviews.claim(document, ANA, EARLY, LATE)
    pagewise.forget_announcement(document)
    pagewise.accounting.close(document.id)
    first, second = pagewise.publisher.named("ReviewNeeded")
    assert first == second
    assert pagewise.reviews.of(document.id).claim is not None


def test_two_persons_never_work_on_one_document_but_a_claim_ends_by_itself(pagewise: Pagewise) -> None:
    document = pagewise.ended(tiff(1), UNREADABLE, ocr_review="doubtful")
    pagewise.reviews.claim(document, ANA, EARLY, LATE)
    for attempt in (
        lambda: pagewise.reviews.claim(document, BEN, EARLY, LATE),
        lambda: pagewise.reviews.release(document, BEN, EARLY),
        lambda: pagewise.reviews.save(document, 1, 0, [said()], BEN, EARLY, LATE),
        lambda: pagewise.reviews.done(document, BEN, EARLY, LATE),
    ):
        with pytest.raises(Claimed) as refused:
            attempt()
        assert refused.value.claim.person == ANA
    assert pagewise.reviews.of(document.id).state_at(EARLY) is ReviewState.CLAIMED
    assert pagewise.reviews.of(document.id).state_at(LATE) is ReviewState.WAITING
    assert pagewise.reviews.claim(document, BEN, LATE, "2026-01-01T00:45:00.000Z").claim is not None
    with pytest.raises(Claimed):
        pagewise.reviews.claim(document, ANA, LATE, LATE)


def test_who_releases_a_document_leaves_it_to_others(pagewise: Pagewise) -> None:
    document = pagewise.ended(tiff(1), UNREADABLE, ocr_review="doubtful")
    pagewise.reviews.claim(document, ANA, EARLY, LATE)
    assert pagewise.reviews.release(document, ANA, EARLY).claim is None
    pagewise.reviews.claim(document, BEN, EARLY, LATE)
    assert waiting(pagewise) == [document.id]


def test_a_save_that_meets_anothers_is_told_with_what_the_other_said(pagewise: Pagewise) -> None:
    document = pagewise.ended(tiff(1))
    pagewise.reviews.save(document, 1, 0, [said("from Ana")], ANA, EARLY, EARLY)
    with pytest.raises(Conflict) as refused:
        pagewise.reviews.save(document, 1, 0, [said("from Ben")], BEN, LATE, LATE)
    assert (refused.value.stored.by, refused.value.stored.corrections[0].value) == ("Ana", "from Ana")
    stored = pagewise.reviews.save(document, 1, 1, [said("from both", by="Ben")], BEN, LATE, LATE)
    assert (stored.version, pagewise.reviews.corrections(document.id, 1)) == (2, stored)


def test_changed_values_are_counted_over_all_pages(pagewise: Pagewise) -> None:
    document = pagewise.ended(tiff(2))
    pagewise.reviews.save(document, 1, 0, [said("x"), said("text")], ANA, EARLY, LATE)
    pagewise.reviews.save(document, 2, 0, [said("y")], ANA, EARLY, LATE)
    assert pagewise.reviews.of(document.id).changed == 2
    pagewise.reviews.save(document, 1, 1, [], ANA, EARLY, LATE)
    assert pagewise.reviews.of(document.id).changed == 1


def test_corrections_that_no_record_holds_are_refused(pagewise: Pagewise) -> None:
    document = pagewise.ended(tiff(1))
    with pytest.raises(TooLarge):
        pagewise.reviews.save(document, 1, 0, [said("x" * 199_000), said("y" * 199_000)], ANA, EARLY, LATE)


def test_a_review_is_done_once_and_the_document_waits_no_longer(pagewise: Pagewise) -> None:
    document = pagewise.ended(tiff(1), UNREADABLE, ocr_review="doubtful")
    document, review = pagewise.reviews.done(document, ANA, EARLY, LATE)
    assert (review.state, review.reviewed_by, review.number, document.reviews) == (ReviewState.DONE, "Ana", 1, 1)
    assert waiting(pagewise) == []
    assert pagewise.reviews.done(document, BEN, LATE, LATE) == (document, review)


def test_a_reviewed_document_that_is_claimed_again_is_reviewed_again(pagewise: Pagewise) -> None:
    document = pagewise.ended(tiff(1), UNREADABLE, ocr_review="doubtful")
    document, _ = pagewise.reviews.done(document, ANA, EARLY, LATE)
    pagewise.reviews.claim(document, BEN, EARLY, LATE)
    assert waiting(pagewise) == [document.id]
    document, review = pagewise.reviews.done(document, BEN, EARLY, LATE)
    assert (review.number, document.reviews, review.reviewed_by) == (2, 2, "Ben")


def test_a_redrive_decides_anew_and_keeps_what_was_said(pagewise: Pagewise) -> None:
    document = pagewise.ended(tiff(2), text_answer(), UNREADABLE, text_answer(), ocr_review="doubtful")
    pagewise.reviews.save(document, 2, 0, [said("read by Ana")], ANA, EARLY, EARLY)
    Redrive(pagewise.ledger, pagewise.queues, pagewise.accounting, pagewise.clock).document(document.id, Selection())
    pagewise.run_queues()
    assert pagewise.stored(document).status is DocumentStatus.COMPLETE
    assert (waiting(pagewise), pagewise.reviews.of(document.id).state) == ([], ReviewState.NONE)
    assert pagewise.reviews.corrections(document.id, 2).version == 1


def test_the_index_lists_no_review_that_waits_for_nobody(pagewise: Pagewise) -> None:
    document = pagewise.ended(tiff(1), text_answer(usage=Usage(1, 1)), ocr_review="doubtful")
    assert review_key(document.id) not in pagewise.table.stored
    assert isinstance(pagewise.reviews, Reviews)


def test_the_late_end_of_an_earlier_run_changes_nothing(pagewise: Pagewise) -> None:
    document = pagewise.ended(tiff(1), ocr_review="always")
    second = replace(document, run=2)
    decided = pagewise.reviews.decide(second, list(pagewise.ledger.pages(document.id)))
    later = pagewise.reviews.ended(second, decided)
    assert later is not None
    assert later.run == 2
    assert pagewise.reviews.ended(document, None) == later
