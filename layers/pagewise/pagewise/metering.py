"""What is counted for dashboards and alarms. Nothing depends on it, and it never raises."""

from __future__ import annotations

from typing import Protocol

from pagewise.errors import PagewiseError
from pagewise.model import Document, Result


class Meter(Protocol):
    def accepted(self, document: Document) -> None:
        """A document was accepted, with its pages."""

    def ended(self, document: Document) -> None:
        """A document has ended: complete, partial, failed or rejected."""

    def page_job(self, result: Result, amount: float) -> None:
        """A page job has ended, and cost this amount. Once for each page job, however often it is delivered."""

    def put_off(self, error: PagewiseError) -> None:
        """A page job was put off: throttled, or stopped by the configuration."""

    def split_put_off(self) -> None:
        """An upload or a page range was put off, stopped by the configuration."""


class Unmetered:
    """Where nobody watches."""

    def accepted(self, document: Document) -> None: ...
    def ended(self, document: Document) -> None: ...
    def page_job(self, result: Result, amount: float) -> None: ...
    def put_off(self, error: PagewiseError) -> None: ...
    def split_put_off(self) -> None: ...
