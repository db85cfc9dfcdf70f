"""The values of the language: what identifies a document, and what a page's account adds up to."""

from __future__ import annotations

from dataclasses import replace

from pagewise.model import DocumentId, JobAccount, JobStatus, PageAccount, PageRange, Upload, Usage
from pagewise.tasks import Task

UPLOAD = Upload("uploads", "scan.pdf", "v1", '"etag"', "7", 10)
LINE = JobAccount(Task.TEXT_RECOGNITION, JobStatus.RECOGNIZED, None, 1, Usage(100, 20))
FAILED = JobAccount(Task.TABLE_PARSING, JobStatus.FAILED, "truncated", 2, Usage(50, 10))


def test_a_document_is_an_object_s_version() -> None:
    again = replace(UPLOAD, etag="other", sequencer="8", size=11, put_offs=3)
    assert again.document_id == UPLOAD.document_id
    others = [replace(UPLOAD, bucket="b"), replace(UPLOAD, key="k"), replace(UPLOAD, version_id="v2")]
    assert len({UPLOAD.document_id, *(other.document_id for other in others)}) == 4


def test_without_versions_etag_and_sequencer_stand_in() -> None:
    for none in (None, "null"):
        assert replace(UPLOAD, version_id=none).version == '"etag":7'


def test_a_range_counts_both_its_ends() -> None:
    pages = PageRange(3, 5)
    assert (len(pages), list(pages.numbers())) == (3, [3, 4, 5])


def test_a_page_closes_with_the_last_of_its_tasks_and_adds_up() -> None:
    page = PageAccount(DocumentId("d"), 1, (), closed=False)
    half = page.with_jobs([FAILED], 2)
    assert not half.closed
    whole = half.with_jobs([LINE], 2)
    assert whole.closed
    assert [job.task for job in whole.jobs] == [Task.TEXT_RECOGNITION, Task.TABLE_PARSING]
    assert (whole.recognized, whole.failed, whole.usage) == (1, 1, Usage(150, 30))


def test_a_redriven_page_job_is_awaited_until_it_has_ended_again() -> None:
    page = PageAccount(DocumentId("d"), 1, (LINE,), closed=False, runs={Task.TABLE_PARSING: 2})
    assert page.awaited == {Task.TABLE_PARSING: 2}
    assert (page.run, page.run_of(Task.TEXT_RECOGNITION)) == (2, 1)
    assert page.with_jobs([FAILED], 2).awaited == {}
