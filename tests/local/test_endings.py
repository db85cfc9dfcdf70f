"""The lines of `./pagewise cancel` and `./pagewise delete`; tests/pipeline runs both."""

from __future__ import annotations

from dataclasses import replace

import pytest

from commands.endings import cancelled_line, deleted_line
from pagewise.account.deletion import DeletionReceipt
from pagewise.model import Document, DocumentId, DocumentStatus, Source
from pagewise.tasks import Task

DOCUMENT = Document(
    DocumentId("any"), Source("bucket", "key", "1", "1", 1), DocumentStatus.CANCELLED, (Task.TEXT_RECOGNITION,), 3,
    "then", "later", recognized=2, failed=1,
)  # fmt: skip


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (DocumentStatus.CANCELLED, "Cancelled: 2 of 3 page jobs were recognized. `./pagewise redrive any` does"),
        (DocumentStatus.IN_PROGRESS, "Cancelled: nothing more is asked. The sweeper ends the pages"),
        (DocumentStatus.COMPLETE, "The document has ended as complete. Nothing was cancelled."),
    ],
)
def test_what_has_become_of_a_document_is_said(status: DocumentStatus, said: str) -> None:
    assert cancelled_line(replace(DOCUMENT, status=status)).startswith(said)


def test_a_deletion_says_what_is_still_to_come() -> None:
    receipt = DeletionReceipt(DocumentId("any"), "then", "ana", None, 7, 8, 9)
    assert "7 objects in 8 versions and 9 records are gone. The sweeper goes on" in deleted_line(receipt)
    assert deleted_line(replace(receipt, deleted="now")) == (
        "Deleted on now: 7 objects in 8 versions and 9 records are gone."
    )
