"""Everything that can go wrong, in one tree. A message says what happened, and what to do next.

PagewiseError
├── AddressError       the address cannot be used
├── InputError         a file that cannot be read, or a document without a name
├── NoAnswer           nobody answered, after all tries
├── UnexpectedAnswer   an answer that is not the API's
├── TransferFailed     a file was not uploaded or downloaded
├── OutOfTime          the document, or its outputs, took longer than was to be waited for
└── Refused            the API's own refusals, by `status` and `error`
    ├── Invalid        400, 413
    ├── Unauthorized   401
    ├── Forbidden      403
    ├── NotFound       404
    ├── InProgress     409 in_progress, cancelled
    ├── Rejected       409 rejected
    ├── Deleted        409 deleted; `deletion` where it is known
    ├── Claimed        409 claimed: `by`, `until`
    ├── Conflict       409 conflict: `by`, `version`, `corrections`
    ├── OverBudget     422
    ├── Busy           429, 503: ask again, after `retry_after` seconds where the API has said so
    └── Broken         500, 502, 504
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pagewise_client.answers import Correction, Deletion, Progress


class PagewiseError(Exception):
    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class AddressError(PagewiseError):
    pass


class InputError(PagewiseError):
    pass


class NoAnswer(PagewiseError):
    pass


class UnexpectedAnswer(PagewiseError):
    pass


class TransferFailed(PagewiseError):
    """`key` of an upload that may have arrived all the same."""

    def __init__(self, message: str, key: str | None = None) -> None:
        super().__init__(message)
        self.key = key


class OutOfTime(PagewiseError):
    """`progress` as it was seen last."""

    def __init__(self, message: str, progress: Progress | None = None) -> None:
        super().__init__(message)
        self.progress = progress


class Refused(PagewiseError):
    def __init__(self, message: str, *, status: int = 0, error: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.error = error


class Invalid(Refused):
    pass


class Unauthorized(Refused):
    pass


class Forbidden(Refused):
    pass


class NotFound(Refused):
    pass


class InProgress(Refused):
    pass


class Rejected(Refused):
    pass


class Deleted(Refused):
    deletion: Deletion | None = None


class Claimed(Refused):
    by: str = ""
    until: datetime | None = None


class Conflict(Refused):
    by: str = ""
    version: int = 0
    corrections: tuple[Correction, ...] = ()


class OverBudget(Refused):
    pass


class Busy(Refused):
    retry_after: float | None = None


class Broken(Refused):
    pass
