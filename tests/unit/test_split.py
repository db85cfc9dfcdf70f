"""Uploads become documents, page images and page jobs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pagewise.account.records import split_key
from pagewise.errors import StorageBusy
from pagewise.model import DocumentStatus, PageRange, Upload
from pagewise.table import Delete
from pagewise.tasks import Task
from pagewise.use_cases.settings import SplitSettings
from tests.fakes import MemoryQueues
from tests.pictures import picture, tiff
from tests.unit.conftest import Pagewise


def test_an_image_becomes_one_page_with_one_job_for_each_task(pagewise: Pagewise) -> None:
    document = pagewise.split.upload(
        pagewise.upload(picture(), ocr_tasks="text_recognition, multi_lan", ocr_tag="case 7")
    )

    assert (document.pages, document.tasks) == (1, (Task.TEXT_RECOGNITION, Task.MULTI_LAN))
    assert [(job.page, job.task) for job in pagewise.queues.jobs] == [(1, "text_recognition"), (1, "multi_lan")]
    assert {job.image.key for job in pagewise.queues.jobs} == set(pagewise.pages.objects)
    (accepted,) = pagewise.publisher.named("DocumentAccepted")
    assert accepted["page_jobs"] == 2
    assert accepted["tag"] == "case 7"


def test_a_fitting_png_is_stored_to_the_byte(pagewise: Pagewise) -> None:
    content = picture()
    pagewise.split.upload(pagewise.upload(content))
    assert list(pagewise.pages.objects.values()) == [content]


def test_a_large_document_is_cut_into_ranges_that_others_render(pagewise: Pagewise) -> None:
    pagewise.settings = replace(pagewise.settings, pages_per_range=2)
    document = pagewise.split.upload(pagewise.upload(tiff(5)))

    assert pagewise.queues.jobs == []
    assert [pages for _, pages in pagewise.queues.ranges] == [PageRange(1, 2), PageRange(3, 4), PageRange(5, 5)]
    while pagewise.queues.ranges:
        pagewise.split.page_range(*pagewise.queues.ranges.pop())
    assert sorted(job.page for job in pagewise.queues.jobs) == [1, 2, 3, 4, 5]
    assert len(pagewise.pages.objects) == document.pages == 5


def test_the_document_is_written_before_anything_is_fanned_out(pagewise: Pagewise) -> None:
    upload = pagewise.upload(picture())

    class Refusing(type(pagewise.queues)):  # type: ignore[misc]
        def send_jobs(self, _jobs: object) -> None:
            assert pagewise.ledger.document(upload.document_id) is not None
            raise StorageBusy("no")

    pagewise.queues = Refusing()
    with pytest.raises(StorageBusy):
        pagewise.split.upload(upload)


def test_the_same_event_again_does_nothing_once_the_pages_are_fanned_out(pagewise: Pagewise) -> None:
    upload = pagewise.upload(tiff(2))
    pagewise.split.upload(upload)
    pagewise.split.upload(upload)
    assert len(pagewise.queues.jobs) == 2


def test_the_same_event_again_continues_what_a_crash_left(pagewise: Pagewise) -> None:
    upload = pagewise.upload(tiff(2))
    pagewise.split.upload(upload)
    # The crash: pages and jobs are out, the note that they are is not.
    pagewise.table.change(Delete(split_key(upload.document_id, PageRange(1, 2))))
    pagewise.split.upload(upload)
    assert len(pagewise.queues.jobs) == 4
    pagewise.run_queues()
    assert [receipt["status"] for receipt in pagewise.pages.receipts.values()] == ["complete"]
    assert len(pagewise.engine.questions) == 2


def test_two_uploads_under_one_name_are_two_documents(pagewise: Pagewise) -> None:
    first = pagewise.uploads.put(picture(100, 50), version="v1")
    second = pagewise.uploads.put(picture(60, 50), version="v2")
    widths = [pagewise.split.upload(upload) and pagewise.queues.jobs[-1].image.width for upload in (first, second)]
    assert widths == [100, 60]
    assert first.document_id != second.document_id


def test_an_unversioned_bucket_tells_uploads_apart_by_etag_and_sequencer(pagewise: Pagewise) -> None:
    upload = replace(pagewise.upload(picture()), version_id=None)
    assert upload.version == "etag:0001"
    assert replace(upload, sequencer="0002").document_id != upload.document_id


@pytest.mark.parametrize(
    ("content", "metadata", "reason"),
    [
        (b"", {}, "empty"),
        (b"<html>", {}, "unsupported_type"),
        (b"GIF89a", {}, "unsupported_type"),
        (b"%PDF-1.7\n", {}, "unreadable"),
        (picture()[:200], {}, "unreadable"),
        (picture(10, 10), {}, "too_small"),
        (picture(2300, 11), {}, "extreme_aspect_ratio"),
        (picture(), {"ocr_tasks": "text_recognition,translate"}, "unknown_task"),
        (picture(), {"ocr_tasks": "multi_lan"}, "undeployed_task"),
        (picture(), {"ocr_tasks": "all,multi_lan"}, "undeployed_task"),
        (picture(), {"ocr_result_schema": "{"}, "invalid_option"),
        (picture(), {"ocr_result_schema": '{"a": {"b": {"c": {"d": ""}}}}'}, "invalid_option"),
        (picture(), {"ocr_tag": "x" * 257}, "invalid_option"),
        (tiff(4), {}, "too_many_pages"),
    ],
)
def test_a_bad_upload_is_rejected_with_its_reason_a_receipt_and_an_event(
    pagewise: Pagewise, content: bytes, metadata: dict[str, str], reason: str
) -> None:
    pagewise.settings = SplitSettings(deployed_tasks=(Task.TEXT_RECOGNITION,), max_pages=3)
    document = pagewise.split.upload(pagewise.upload(content, **metadata))

    assert (document.status, document.reason) == (DocumentStatus.REJECTED, reason)
    (rejected,) = pagewise.publisher.named("DocumentRejected")
    assert rejected["reason"] == reason
    assert rejected["message"] == document.message
    assert pagewise.receipt_of(document)["status"] == "rejected"
    assert pagewise.stored(document).announced
    assert pagewise.queues.jobs == []


def test_an_upload_that_was_deleted_is_rejected_as_gone(pagewise: Pagewise) -> None:
    upload = pagewise.upload(picture())
    pagewise.uploads.objects.clear()
    assert pagewise.split.upload(upload).reason == "gone"


def test_a_rejection_whose_event_was_lost_is_announced_by_the_next_delivery(pagewise: Pagewise) -> None:
    upload = pagewise.upload(b"")
    document = pagewise.split.upload(upload)
    pagewise.forget_announcement(document)
    pagewise.split.upload(upload)
    first, second = pagewise.publisher.named("DocumentRejected")
    assert first == second


def test_a_document_deleted_between_ranges_fails_its_remaining_pages(pagewise: Pagewise) -> None:
    pagewise.settings = replace(pagewise.settings, pages_per_range=2)
    document = pagewise.split.upload(pagewise.upload(tiff(3)))
    pagewise.split.page_range(*pagewise.queues.ranges.pop(0))
    pagewise.uploads.objects.clear()
    pagewise.run_queues()
    receipt = pagewise.receipt_of(document)
    assert receipt["status"] == "partial"
    assert [job["status"] for job in receipt["page_jobs"]] == ["recognized", "recognized", "failed"]  # type: ignore[attr-defined]


def test_an_upload_over_the_disk_s_size_is_rejected_unread(pagewise: Pagewise) -> None:
    upload = replace(pagewise.upload(tiff(1)), size=2_000_000_001)
    pagewise.uploads.objects.clear()
    document = pagewise.split.upload(upload)
    assert (document.status, document.reason) == (DocumentStatus.REJECTED, "too_large")
    assert document.message == "The document has 2,000 MB, over 2,000 (MaxUploadMegabytes). Upload it in parts."
    (event,) = pagewise.publisher.named("DocumentRejected")
    assert event["reason"] == "too_large"


class Crash(Exception):
    pass


class DyingQueues(MemoryQueues):
    """The invocation dies after it has accepted the document, before anything is fanned out."""

    def send_jobs(self, _jobs: object) -> None:
        raise Crash

    def send_ranges(self, _document_id: object, _ranges: object) -> None:
        raise Crash


def accepted_and_deleted(pagewise: Pagewise, pages: int) -> Upload:
    upload = pagewise.upload(tiff(pages))
    queues, pagewise.queues = pagewise.queues, DyingQueues()
    with pytest.raises(Crash):
        pagewise.split.upload(upload)
    pagewise.queues = queues
    pagewise.uploads.objects.clear()
    return upload


@pytest.mark.parametrize("pages", [1, 2, 7])
def test_an_accepted_upload_that_is_deleted_before_the_retry_ends_as_gone(pagewise: Pagewise, pages: int) -> None:
    pagewise.settings = replace(pagewise.settings, pages_per_range=2)
    upload = accepted_and_deleted(pagewise, pages)
    document = pagewise.split.upload(upload)
    pagewise.run_queues()
    receipt = pagewise.receipt_of(document)
    assert receipt["status"] == "failed"
    assert [job["reason"] for job in receipt["page_jobs"]] == ["gone"] * pages  # type: ignore[attr-defined]


def test_an_accepted_upload_is_not_held_against_new_rules_at_the_retry(pagewise: Pagewise) -> None:
    """Whatever would reject it today, nobody would hear of: it has been accepted."""
    upload = pagewise.upload(tiff(3))
    queues, pagewise.queues = pagewise.queues, DyingQueues()
    with pytest.raises(Crash):
        pagewise.split.upload(upload)
    pagewise.queues = queues
    pagewise.settings = replace(pagewise.settings, max_pages=2)
    document = pagewise.split.upload(upload)
    pagewise.run_queues()
    assert pagewise.receipt_of(document)["status"] == "complete"
