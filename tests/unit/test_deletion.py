"""The deletion receipt, in the place of a document's record."""

from __future__ import annotations

import pytest

from pagewise.account.deletion import Deletions
from pagewise.account.records import corrections_key
from pagewise.account.reviews import MOST_CORRECTION_BYTES
from pagewise.errors import Deleted
from pagewise.model import DocumentId
from pagewise.ports import DeletedObjects
from pagewise.table import Key, Put
from tests.pictures import tiff
from tests.unit.conftest import Pagewise


def test_what_is_not_known_cannot_be_deleted(pagewise: Pagewise) -> None:
    deletions = Deletions(pagewise.ledger)
    assert deletions.ask(DocumentId("unknown"), "ana", "now") is None
    assert list(deletions.listed("~")) == []


def test_a_document_in_progress_is_asked_to_end_and_an_ended_one_is_listed(pagewise: Pagewise) -> None:
    deletions = Deletions(pagewise.ledger)
    running = pagewise.accepted(tiff(1))
    asked = deletions.ask(running.id, "ana", "2026-01-01T00:00:01.000Z")
    assert asked is not None
    assert (asked.deleted, pagewise.stored(running).cancelled) == (None, "2026-01-01T00:00:01.000Z")
    assert list(deletions.listed("~")) == []
    pagewise.run_queues()
    assert list(deletions.listed("~")) == [running.id]


def test_counts_add_up_over_all_attempts_and_stay_with_the_receipt(pagewise: Pagewise) -> None:
    deletions = Deletions(pagewise.ledger)
    document = pagewise.ended(tiff(2))
    deletions.ask(document.id, "ana", "then")
    deletions.count(document.id, DeletedObjects(2, 3), 0)
    records = sum(deletions.delete_records(document.id))
    deletions.count(document.id, DeletedObjects(1, 1), records)
    deletions.bury(deletions.ended(document.id) or document, "due")
    assert [key.record for key in pagewise.table.stored if key.partition == document.id] == ["document"]
    assert deletions.is_buried(document.id, "due")
    deletions.finish(document.id, "now")
    assert deletions.is_untold(document.id)
    deletions.told(document.id)
    receipt = deletions.receipt(document.id)
    assert receipt is not None
    assert (receipt.objects, receipt.versions, receipt.records, receipt.deleted) == (3, 4, records, "now")
    assert "open" not in pagewise.table.stored[Key(document.id, "document")]


def test_large_corrections_are_deleted_a_few_at_a_time(pagewise: Pagewise) -> None:
    deletions = Deletions(pagewise.ledger)
    document = pagewise.ended(tiff(1))
    large = {"version": 1, "corrections": "x" * MOST_CORRECTION_BYTES}
    for page in range(1, 25):
        pagewise.table.change(Put(corrections_key(document.id, page), large))
    batches = list(deletions.delete_records(document.id))
    assert (sum(batches), max(batches)) == (27, 10)


def test_a_deleted_document_cannot_be_opened_again(pagewise: Pagewise) -> None:
    deletions = Deletions(pagewise.ledger)
    document = pagewise.ended(tiff(1))
    deletions.ask(document.id, "ana", "then")
    deletions.bury(deletions.ended(document.id) or document, "due")
    with pytest.raises(Deleted):
        pagewise.ledger.open(document)
