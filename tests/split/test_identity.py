"""A document is one version of an object, whatever happens to its name meanwhile."""

from __future__ import annotations

import io
from dataclasses import replace

from PIL import Image

from pagewise.model import DocumentStatus
from pagewise.pages.rendering import Renderer
from pagewise.use_cases.settings import SplitSettings
from tests.split.documents import text_pdf
from tests.unit.conftest import Pagewise


def in_ranges(pagewise: Pagewise) -> None:
    pagewise.settings = SplitSettings(pages_per_range=2, renderer=Renderer(dpi=72))


def widths(pagewise: Pagewise, document_id: str) -> set[int]:
    stored = [content for key, content in pagewise.pages.objects.items() if f"/{document_id}/" in key]
    return {Image.open(io.BytesIO(content)).width for content in stored}


def test_an_overwrite_while_the_first_is_worked_on_mixes_no_pages(pagewise: Pagewise) -> None:
    in_ranges(pagewise)
    first = pagewise.uploads.put(text_pdf(5, "0 0 200 100"), version="v1")
    pagewise.split.upload(first)
    pagewise.split.page_range(*pagewise.queues.ranges.pop(0))
    second = pagewise.uploads.put(text_pdf(4, "0 0 300 100"), version="v2")
    pagewise.split.upload(second)
    pagewise.run_queues()
    assert widths(pagewise, first.document_id) == {200}
    assert widths(pagewise, second.document_id) == {300}
    receipts = pagewise.pages.receipts
    assert [receipts[upload.document_id]["pages"] for upload in (first, second)] == [5, 4]
    assert {receipt["status"] for receipt in receipts.values()} == {"complete"}


def test_events_that_come_late_and_twice_change_nothing(pagewise: Pagewise) -> None:
    in_ranges(pagewise)
    first = pagewise.uploads.put(text_pdf(3), version="v1")
    second = pagewise.uploads.put(text_pdf(3), version="v2")
    for upload in (second, first, second, first):
        pagewise.split.upload(upload)
    pagewise.run_queues()
    for upload in (first, second):
        pagewise.split.upload(upload)
    assert pagewise.queues.ranges == []
    assert pagewise.queues.jobs == []
    assert len(pagewise.engine.questions) == 6
    assert len(pagewise.publisher.named("DocumentAccepted")) == 2
    assert len(pagewise.publisher.named("DocumentCompleted")) == 2


def test_an_object_that_is_gone_before_it_is_read_is_rejected_once(pagewise: Pagewise) -> None:
    upload = pagewise.upload(text_pdf(2))
    pagewise.uploads.objects.clear()
    documents = [pagewise.split.upload(upload) for _ in range(2)]
    assert {(document.status, document.reason) for document in documents} == {(DocumentStatus.REJECTED, "gone")}
    assert len(pagewise.publisher.named("DocumentRejected")) == 1


def test_where_a_bucket_has_no_versions_the_same_bytes_again_are_another_document(pagewise: Pagewise) -> None:
    upload = replace(pagewise.upload(text_pdf(1)), version_id=None)
    again = replace(upload, sequencer="0002")
    assert upload.document_id != again.document_id
