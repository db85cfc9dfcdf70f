"""Records of the results table: keys in the order of pages, and documents that come back as they were."""

from __future__ import annotations

from pagewise.account.records import dump_document, load_document, page_key, result_key, superseded_key
from pagewise.model import DocumentId
from tests.pictures import tiff
from tests.unit.conftest import Pagewise

DOCUMENT = DocumentId("d")


def test_pages_lie_in_their_order() -> None:
    keys = [page_key(DOCUMENT, page).record for page in (1, 2, 10, 99, 10_000)]
    assert keys == sorted(keys)
    assert len({key.partition("#")[0] for key in keys}) == 1


def test_each_result_and_each_superseded_one_has_a_record() -> None:
    found = {result_key(DOCUMENT, 1, "a"), result_key(DOCUMENT, 1, "b"), result_key(DOCUMENT, 2, "a")}
    found |= {superseded_key(DOCUMENT, 1, "a", run) for run in (1, 2)}
    assert len(found) == 5


def test_a_document_comes_back_as_it_was_written(pagewise: Pagewise) -> None:
    document = pagewise.split.upload(pagewise.upload(tiff(2), ocr_tasks="all", ocr_tag="ä"))
    assert load_document(document.id, dump_document(document)) == document
