"""Documents, their progress and outputs, as the API shows them."""

from __future__ import annotations

from typing import Any

import pytest

from pagewise.account.reviews import ReviewState
from pagewise.model import DocumentId, DocumentStatus
from pagewise.review.corrections import Person
from pagewise.use_cases.show import Filter, Invalid, NotFound, ShowDocuments
from tests.fakes import text_answer
from tests.pictures import tiff
from tests.unit.conftest import Pagewise

ANA = Person("1", "Ana")


def uploaded(pagewise: Pagewise, count: int, **metadata: str) -> list[str]:
    """Documents of one page each, the oldest first."""
    ids = []
    for number in range(count):
        pagewise.split.upload(
            upload := pagewise.uploads.put(tiff(1), f"uploads/{number}.tif", f"v{number}", **metadata)
        )
        ids.append(str(upload.document_id))
    return ids


def pages(show: ShowDocuments, wanted: Filter, limit: int) -> list[list[str]]:
    """Every page of the list, to its end."""
    found, cursor = [], None
    while True:
        page = show.documents(wanted, limit, cursor, ANA)
        found.append([document["id"] for document in page["documents"]])
        cursor = page["next"]
        if cursor is None:
            return found


def test_a_list_goes_on_from_page_to_page_the_newest_first(pagewise: Pagewise) -> None:
    ids = uploaded(pagewise, 7)
    listed = pages(pagewise.show, Filter(), 3)
    assert [document for page in listed for document in page] == ids[::-1]
    assert [len(page) for page in listed if page] == [3, 3, 1]


def test_documents_of_one_moment_are_each_listed_once(pagewise: Pagewise) -> None:
    ids = uploaded(pagewise, 6)
    for key, stored in pagewise.table.stored.items():
        if key.record == "document":
            stored["started"] = "2026-01-01T00:00:00.000Z"
    listed = [document for page in pages(pagewise.show, Filter(), 2) for document in page]
    assert sorted(listed) == sorted(ids)


def test_documents_are_found_by_status_review_and_time(pagewise: Pagewise) -> None:
    running = uploaded(pagewise, 1)
    ended = pagewise.ended(tiff(1), text_answer(finish_reason="length"), ocr_review="doubtful")
    rejected = pagewise.split.upload(pagewise.uploads.put(b"nothing", "uploads/bad", "v9"))
    show = pagewise.show
    # The queue held the first one's page job, too.
    assert pages(show, Filter(DocumentStatus.FAILED), 9)[0] == [ended.id, *running]
    assert pages(show, Filter(DocumentStatus.REJECTED), 9)[0] == [rejected.id]
    assert pages(show, Filter(review=ReviewState.WAITING), 9)[0] == [ended.id]
    assert pages(show, Filter(review=ReviewState.DONE), 9)[0] == []
    assert pages(show, Filter(after=ended.started), 9)[0] == [rejected.id, ended.id]
    assert pages(show, Filter(before=ended.started), 9)[0] == running


def test_what_waits_is_listed_the_oldest_first(pagewise: Pagewise) -> None:
    uploaded(pagewise, 3, ocr_review="always")
    pagewise.run_queues()
    first = pagewise.show.waiting(2, None, ANA)
    second = pagewise.show.waiting(2, first["next"], ANA)
    listed = [one["name"] for page in (first, second) for one in page["reviews"]]
    assert (listed, second["next"]) == (["0.tif", "1.tif", "2.tif"], None)


def test_a_document_tells_its_progress_by_page_and_task_as_far_as_is_asked(pagewise: Pagewise) -> None:
    document = pagewise.accepted(tiff(3), ocr_tasks="text_recognition,multi_lan")
    pagewise.run_job(pagewise.queues.jobs[0])
    shown = pagewise.show.document(document.id, 1, 2, ANA)
    assert shown["progress"] == [
        {"page": 1, "closed": False, "jobs": {"text_recognition": "recognized"}, "reasons": []},
        {"page": 2, "closed": False, "jobs": {}, "reasons": []},
    ]
    assert (shown["next_page"], shown["receipt"], shown["document"]["status"]) == (3, None, "in_progress")
    last = pagewise.show.document(document.id, 3, 2, ANA)
    assert ([page["page"] for page in last["progress"]], last["next_page"]) == ([3], None)
    beyond = pagewise.show.document(document.id, 99, 2, ANA)
    assert (beyond["progress"], beyond["next_page"]) == ([], None)


def test_outputs_are_ready_once_they_know_the_last_review(pagewise: Pagewise) -> None:
    document = pagewise.ended(tiff(1), ocr_outputs="text")
    assert pagewise.show.made(document.id)["ready"] is False
    pagewise.assemble.document(document.id, 1)
    made = pagewise.show.made(document.id)
    assert (made["ready"], [file["name"] for file in made["files"]]) == (True, ["document.text"])
    pagewise.review.done(document.id, ANA)
    assert pagewise.show.made(document.id) == {**made, "ready": False, "files": []}
    pagewise.assemble.document(document.id, 1)
    assert pagewise.show.made(document.id)["ready"] is True


def test_what_is_not_there_is_not_found(pagewise: Pagewise) -> None:
    for ask in (pagewise.show.made, lambda unknown: pagewise.show.document(unknown, 1, 1, ANA)):
        with pytest.raises(NotFound):
            ask(DocumentId("a" * 32))


@pytest.mark.parametrize("cursor", ["", "x", "WyJhIl0=", "eyJhIjogMX0=", "bnVsbA==", "é"])
def test_a_cursor_that_is_none_is_refused(pagewise: Pagewise, cursor: str) -> None:
    with pytest.raises(Invalid):
        pagewise.show.documents(Filter(), 1, cursor, ANA)


def test_a_file_is_uploaded_under_its_own_name_with_its_options(pagewise: Pagewise) -> None:
    upload: dict[str, Any] = pagewise.show.place_to_upload("..\\a/b c.pdf", {"tasks": "all"}, "one")["upload"]
    assert (upload["key"], upload["headers"], upload["method"]) == (
        "uploads/one/b c.pdf",
        {"x-amz-meta-ocr-tasks": "all"},
        "PUT",
    )


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("/", {}),
        ("..", {}),
        ("\n", {}),
        ("ä" * 500, {}),
        ("a", {"tag": "ä"}),
        ("a", {"tag": "a\nb"}),
        ("a", {"prompt": "x" * 2000}),
    ],
)
def test_what_no_key_or_metadata_can_hold_is_refused(pagewise: Pagewise, name: str, options: dict[str, str]) -> None:
    with pytest.raises(Invalid):
        pagewise.show.place_to_upload(name, options, "one")
