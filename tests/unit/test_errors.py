"""Errors carry a reason for programs and a message for people."""

from __future__ import annotations

from pagewise.errors import (
    Configuration,
    DocumentGone,
    DocumentRejected,
    Overdue,
    PageUnreadable,
    PagewiseError,
    Permanent,
    Rejection,
    StorageBusy,
    StorageRefused,
    Throttled,
    Transient,
)


def test_a_rejection_s_reason_is_its_word() -> None:
    error = DocumentRejected(Rejection.TOO_LARGE, "The document has more than 10 MB.")
    assert (error.reason, error.message) == ("too_large", "The document has more than 10 MB.")


def test_each_error_says_whether_another_try_can_help() -> None:
    again, never = (Throttled, Transient), (Permanent, Configuration)
    assert all(issubclass(kind, again) and not issubclass(kind, never) for kind in (Overdue, StorageBusy))
    assert all(issubclass(kind, Permanent) for kind in (DocumentRejected, PageUnreadable, DocumentGone))
    assert issubclass(StorageRefused, StorageBusy)


def test_reasons_are_stable_words() -> None:
    errors: list[PagewiseError] = [PageUnreadable("x"), DocumentGone("x"), Overdue(), StorageBusy("x")]
    assert [error.reason for error in errors] == ["unreadable_page", "gone", "overdue", "storage_busy"]
