"""The counts for dashboards and alarms. Nothing depends on them, and they never raise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from pagewise.errors import UNREADABLE_PAGE, PagewiseError, Rejection
from pagewise.model import Document, Result
from pagewise.qwen.failures import KNOWN_CODES

# A metric for each, where it occurs. Reasons of our own; a test finds those that are missing here.
OWN_REASONS = frozenset(
    {
        *Rejection,
        UNREADABLE_PAGE,
        "access_denied",
        "api_key_malformed",
        "base_url_invalid",
        "broken",
        "cancelled",
        "connection",
        "content_filter",
        "degenerate",
        "deleted",
        "encrypted",
        "exhausted",
        "format_from_4k",
        "given_up",
        "invalid_rules",
        "invalid_schema",
        "malformed",
        "no_fields",
        "no_lines",
        "no_original",
        "no_space",
        "no_tables",
        "not_found",
        "out_of_time",
        "over_8k",
        "overdue",
        "oversized",
        "pages_differ",
        "pdfium_missing",
        "poppler_missing",
        "refusal",
        "rejected",
        "setting_invalid",
        "setting_missing",
        "signed",
        "storage_busy",
        "superseded",
        "timed_out",
        "timeout",
        "too_many_bytes",
        "too_many_pixels",
        "truncated",
        "unclear",
        "unforeseen",
        "unknown_document",
        "unreadable_image",
        "unreadable_original",
        "unstorable",
        "unsupported_format",
    }
)
OTHER = "other"


def dimension(reason: str | None) -> str:
    """A reason as the dimension of a metric. Each value of one is a metric of its own on the bill, and an engine may
    send any code: of its codes the service's own count, and HTTP statuses by their hundreds."""
    if reason is None:
        return OTHER
    if reason in OWN_REASONS or reason in KNOWN_CODES:
        return str(reason)
    status = reason.removeprefix("http_")
    if status != reason and len(status) == 3 and status.isdecimal() and status.isascii():
        return f"http_{status[0]}xx"
    return OTHER


class Meter(Protocol):
    def accepted(self, document: Document) -> None:
        """A document was accepted, with its pages. Once, however often its upload is delivered."""

    def ended(self, document: Document) -> None:
        """A document has ended: complete, partial, failed or rejected. Once in each run of it."""

    def assembled(self, manifest: Mapping[str, Any]) -> None:
        """A document's outputs were made, as far as its manifest says. Once in each run of it."""

    def page_job(self, result: Result, amount: float) -> None:
        """A page job has ended, and cost this amount. Once for each page job, however often it is delivered."""

    def put_off(self, error: PagewiseError) -> None:
        """A page job was put off: throttled, or stopped by the configuration."""

    def batch(self, name: str, number: float = 1) -> None:
        """Something of the batch lane, by its metric's name."""

    def split_put_off(self) -> None:
        """An upload or a page range was put off, stopped by the configuration."""


class Unmetered:
    """Counts nothing."""

    def accepted(self, document: Document) -> None: ...
    def ended(self, document: Document) -> None: ...
    def assembled(self, manifest: Mapping[str, Any]) -> None: ...
    def page_job(self, result: Result, amount: float) -> None: ...
    def put_off(self, error: PagewiseError) -> None: ...
    def batch(self, name: str, number: float = 1) -> None: ...
    def split_put_off(self) -> None: ...
