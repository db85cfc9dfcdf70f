"""Progress follows from the published events alone, in whatever order and however often they come."""

from __future__ import annotations

import io
import time
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

import pytest

from commands.console import Console
from commands.documents import DocumentsProgress, time_left
from commands.progress import PlainLines, reasons, summary
from commands.run import EXIT_CODES
from commands.uploads import LocalDocument, Uploaded
from local.emulator.published_events import PublishedEvent

RECEIPT = {"bucket": "pages", "key": "receipt.json"}


def document(name: str) -> LocalDocument:
    return LocalDocument(Path(name), PurePath(name))


def uploaded(name: str, version: str = "1") -> Uploaded:
    return Uploaded(document(name), f"uploads/{name}", version, time.monotonic())


def event(kind: str, name: str, version: str = "1", **facts: Any) -> PublishedEvent:
    return PublishedEvent(kind, {"document": {"key": f"uploads/{name}", "version": version}} | facts)


def accepted(name: str, pages: int = 2) -> PublishedEvent:
    return event("DocumentAccepted", name, pages=pages, tasks=["text_recognition", "multi_lan"])


def completed(name: str, status: str, recognized: int, failed: int) -> PublishedEvent:
    jobs = {"recognized": recognized, "failed": failed}
    return event("DocumentCompleted", name, status=status, pages=2, page_jobs=jobs, outputs=[], receipt=RECEIPT)


def page_failed(name: str) -> PublishedEvent:
    return event("PageFailed", name, task="multi_lan", reason="truncated", message="The text is too long.")


@pytest.fixture
def accounts() -> DocumentsProgress:
    accounts = DocumentsProgress([document("a.pdf"), document("b.pdf")])
    accounts.uploaded([uploaded("a.pdf"), uploaded("b.pdf")])
    return accounts


def test_page_jobs_and_pages_are_counted(accounts: DocumentsProgress) -> None:
    accounts.record([accepted("a.pdf"), event("PageRecognized", "a.pdf"), page_failed("a.pdf")])
    [moved] = accounts.record([event("PageCompleted", "a.pdf")])
    assert (moved.expected, moved.done, moved.failed, moved.pages_done) == (4, 2, 1, 1)
    assert len(accounts.open()) == 2
    accounts.record([completed("a.pdf", "partial", 3, 1)])
    assert [account.document.name for account in accounts.open()] == ["b.pdf"]


def test_events_that_come_before_the_upload_has_returned_are_kept() -> None:
    accounts = DocumentsProgress([document("a.pdf")])
    assert accounts.record([accepted("a.pdf")]) == []
    accounts.uploaded([uploaded("a.pdf")])
    [account] = accounts.record([])
    assert account.pages == 2


def test_documents_of_one_key_are_told_apart_by_version() -> None:
    first, second = LocalDocument(Path("x/a.pdf"), PurePath("x/a.pdf")), LocalDocument(Path("a.pdf"), PurePath("a.pdf"))
    accounts = DocumentsProgress([first, second])
    accounts.uploaded([Uploaded(first, "uploads/a.pdf", "1", 0.0), Uploaded(second, "uploads/a.pdf", "2", 0.0)])
    [account] = accounts.record([event("DocumentAccepted", "a.pdf", "2", pages=1, tasks=["multi_lan"])])
    assert account.document is second


def test_the_time_left_is_known_once_something_is_done(accounts: DocumentsProgress) -> None:
    assert time_left(accounts.all) is None
    accounts.record([accepted("a.pdf")])
    assert time_left(accounts.all) is None
    account = accounts.all[0]
    account.accepted = time.monotonic() - 10
    accounts.record([event("PageRecognized", "a.pdf")])
    # 1 of 4 in 10 s; the other document, not accepted yet, is taken to be of the same size.
    assert time_left([account]) == pytest.approx(30, abs=1)
    assert time_left(accounts.all) == pytest.approx(70, abs=1)


def test_the_worst_document_decides_the_exit_code() -> None:
    assert EXIT_CODES == {"complete": 0, "partial": 1, "failed": 1, "rejected": 2}


def test_without_a_terminal_there_are_plain_lines_and_a_table(accounts: DocumentsProgress) -> None:
    output = io.StringIO()
    console = Console(file=output, width=80)
    rejected = event("DocumentRejected", "b.pdf", reason="empty", message="The file is empty.", receipt=RECEIPT)
    with PlainLines(accounts, console) as lines:
        lines.show(accounts.record([accepted("a.pdf"), rejected]))
        lines.show(accounts.record([completed("a.pdf", "complete", 4, 0)]))
    receipt = {"usage": {"input_tokens": 5, "output_tokens": 2}, "cost": {"amount": 0.01, "currency": "USD"}}
    console.print(summary(accounts.all, {id(accounts.all[0]): receipt}))
    shown = output.getvalue()
    assert "a.pdf: recognizing, pages 0/2, tasks 0/4" in shown
    assert "a.pdf: complete" in shown
    assert "b.pdf: rejected, empty: The file is empty." in shown
    assert "\x1b" not in shown
    [row] = [line.split() for line in shown.splitlines() if line.strip().startswith("a.pdf") and "0.0100" in line]
    assert row[:7] == ["a.pdf", "complete", "2", "4", "0", "7", "0.0100"]
    assert reasons(accounts.all) == ["b.pdf: empty: The file is empty."]


def test_each_reason_of_a_failure_is_told_once(accounts: DocumentsProgress) -> None:
    accounts.record([accepted("a.pdf"), page_failed("a.pdf"), page_failed("a.pdf")])
    assert reasons(accounts.all) == ["a.pdf: 2 pages, multi_lan: truncated: The text is too long."]
    accounts.all[1].invalid["key_information_extraction: invalid: Total (required)"] += 1
    assert reasons(accounts.all)[1:] == ["b.pdf: 1 page, key_information_extraction: invalid: Total (required)"]


def test_a_document_with_outputs_ends_when_they_are_made_in_whichever_order_the_events_come() -> None:
    made = event("DocumentAssembled", "a.pdf")
    wants = completed("a.pdf", "complete", 4, 0)
    wants = replace(wants, detail={**wants.detail, "outputs": ["text"]})
    for events in ([wants, made], [made, wants]):
        progress = DocumentsProgress([document("a.pdf")])
        progress.uploaded([uploaded("a.pdf")])
        progress.record([accepted("a.pdf"), events[0]])
        assert len(progress.open()) == 1
        progress.record([events[1]])
        assert progress.open() == []
