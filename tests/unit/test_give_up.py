"""What the queues give up on is ended as failed."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from pagewise.errors import Transient
from pagewise.model import PageRange, Upload
from pagewise.ports import Download
from pagewise.table import Attributes, Key
from pagewise.use_cases.give_up import GiveUp
from tests.fakes import MemoryTable, MemoryUploads
from tests.pictures import picture, tiff
from tests.unit.conftest import Pagewise
from tests.unit.test_delete import later
from tests.unit.test_sweep import LARGE, Overdue, expected_events


def test_a_failed_splitter_ends_the_document(pagewise: Pagewise) -> None:
    upload = pagewise.upload(picture())
    pagewise.give_up.upload(upload)
    document = pagewise.ledger.document(upload.document_id)
    assert document is not None
    assert document.reason == "split_failed"
    assert len(pagewise.publisher.named("DocumentRejected")) == 1


@pytest.mark.parametrize("pages", [1, 2])
def test_a_document_that_is_given_up_while_it_is_split_is_not_accepted(pagewise: Pagewise, pages: int) -> None:
    upload = pagewise.upload(tiff(pages))
    split = pagewise.split

    class Overtaken(MemoryUploads):
        def download(self, upload: Upload, to: Path) -> Download:
            pagewise.give_up.upload(upload)
            return super().download(upload, to)

    document = replace(split, uploads=Overtaken(pagewise.uploads.objects)).upload(upload)
    assert document.reason == "split_failed"
    assert [event.name for event in pagewise.publisher.events] == ["DocumentRejected"]
    assert pagewise.queues.jobs == []


def test_a_failed_range_fails_its_pages_and_no_other(pagewise: Pagewise) -> None:
    pagewise.settings = replace(pagewise.settings, pages_per_range=1)
    document = pagewise.split.upload(pagewise.upload(tiff(2)))
    pagewise.give_up.page_range(*pagewise.queues.ranges.pop(0))
    pagewise.run_queues()
    receipt = pagewise.receipt_of(document)
    assert [(job["page"], job["status"]) for job in receipt["page_jobs"]] == [(1, "failed"), (2, "recognized")]  # type: ignore[attr-defined]


@dataclass
class Overtaken(MemoryTable):
    """Something is done right after the first look at any document."""

    meanwhile: Callable[[], object] | None = None

    def get(self, key: Key) -> Attributes | None:
        found = super().get(key)
        if key.record == "document" and (deed := self.meanwhile):
            self.meanwhile = None
            deed()
        return found


@pytest.mark.parametrize("is_split", [False, True])
def test_an_upload_that_is_deleted_while_it_is_given_up_does_not_come_back(pagewise: Pagewise, is_split: bool) -> None:
    upload = pagewise.upload(tiff(2), ocr_tasks="text_recognition,table_parsing")
    if is_split:
        pagewise.split.upload(upload)

    def split_and_deleted() -> None:
        pagewise.split.upload(upload)
        pagewise.delete.document(upload.document_id, "ana", math.inf)

    ledger = replace(pagewise.ledger, table=Overtaken(pagewise.table.stored, meanwhile=split_and_deleted))
    accounting = replace(pagewise.accounting, ledger=ledger)
    GiveUp(ledger, accounting, pagewise.clock).upload(upload)
    later(pagewise)
    assert pagewise.delete.due(math.inf) == []
    (told,) = pagewise.publisher.named("DocumentCompleted")
    assert told["status"] == "cancelled"
    assert pagewise.publisher.named("DocumentRejected") == []
    assert len(pagewise.publisher.named("DocumentDeleted")) == 1
    assert pagewise.ledger.document(upload.document_id) is None
    named = [key.record for key in pagewise.table.stored if key.partition == upload.document_id]
    assert named == ["document"]
    assert [key for key in (*pagewise.pages.objects, *pagewise.pages.receipts) if upload.document_id in key] == []


LETTER_SECONDS = 50.0  # the dead-letter function's


def test_a_range_that_is_given_up_goes_on_where_the_last_delivery_was_cut_short() -> None:
    overdue = Overdue()
    pages = max(600, LARGE)
    document_id = overdue.add("document", pages)
    seconds = LETTER_SECONDS * pages / 10_000
    deliveries = 0
    while not overdue.ledger.is_split(document_id, PageRange(1, pages)):
        deliveries += 1
        assert deliveries <= 12, "no delivery ends it"
        try:
            overdue.give_up.page_range(document_id, PageRange(1, pages), overdue.time.now + seconds)
        except Transient:
            continue
    published = overdue.published()
    assert deliveries > 1
    assert published.total() == expected_events(pages, 7)
    assert set(published.values()) == {1}
    assert overdue.status(document_id) == "failed"
