"""All errors of Pagewise, as one tree.

    PagewiseError
    ├── Throttled         the account's rate is used up: wait; costs no attempt
    ├── Transient         may work next time: try again, up to the allowed attempts
    │   ├── Overdue            no time is left to wait in
    │   └── StorageBusy        our own storage or queues refuse for now
    │       └── StorageRefused     … and will refuse the same again: its form or size is against their limits
    ├── Configuration     key, region, access, arrears: stop, alarm, never blame a page
    └── Permanent         will never work
        ├── DocumentRejected   the whole upload
        ├── DocumentGone       its upload was deleted after it was accepted
        ├── Cancelled          nothing of the document is to be done any more
        ├── Deleted            the document itself was deleted: there is no account left to write to
        ├── PageUnreadable     one page of it cannot be rendered
        ├── ImageRejected      a page image breaks a limit of the service
        ├── ResultUnusable     the engine answered, but not with a result
        └── Superseded         of a document's earlier run: a later one has come

Every error has a `reason`, a short stable word for programs (receipts, events, metrics), and a message that tells
people the fault and the next step.
"""

from __future__ import annotations

from enum import StrEnum


class PagewiseError(Exception):
    """Base of the tree.

    Parameters
    ----------
    reason: stable lower-case word that names the cause.
    message: a sentence for people. Never holds document text, keys or image bytes.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class Throttled(PagewiseError):
    """The engine's rate or token limit is reached; `retry_after` seconds if the server said so."""

    def __init__(self, reason: str, message: str, retry_after: float | None = None) -> None:
        super().__init__(reason, message)
        self.retry_after = retry_after


class Transient(PagewiseError):
    """A failure that may pass: server errors, lost connections, time-outs; `retry_after` in seconds, if directed.

    `once`: may pass at the second try, and is permanent if it does not.
    """

    def __init__(self, reason: str, message: str, retry_after: float | None = None, once: bool = False) -> None:
        super().__init__(reason, message)
        self.retry_after = retry_after
        self.once = once


class Configuration(PagewiseError):
    """Nothing will work until an operator acts; no page is to blame."""


class Permanent(PagewiseError):
    """Trying again cannot help."""


class Rejection(StrEnum):
    """The reasons for rejecting an upload."""

    EMPTY = "empty"
    UNSUPPORTED_TYPE = "unsupported_type"
    UNREADABLE = "unreadable"
    ENCRYPTED = "encrypted"
    TOO_SMALL = "too_small"
    EXTREME_ASPECT_RATIO = "extreme_aspect_ratio"
    TOO_MANY_PAGES = "too_many_pages"
    TOO_LARGE = "too_large"
    UNKNOWN_TASK = "unknown_task"
    UNDEPLOYED_TASK = "undeployed_task"
    INVALID_OPTION = "invalid_option"
    INVALID_PROFILE = "invalid_profile"
    OVER_BUDGET = "over_budget"
    GONE = "gone"
    SPLIT_FAILED = "split_failed"


class DocumentRejected(Permanent):
    """The upload ends as a rejected document."""

    def __init__(self, rejection: Rejection, message: str) -> None:
        super().__init__(rejection.value, message)


UNREADABLE_PAGE = "unreadable_page"
OVERDUE = "overdue"
CANCELLED = "cancelled"


class PageUnreadable(Permanent):
    """One page cannot be rendered; the document's other pages can."""

    def __init__(self, message: str) -> None:
        super().__init__(UNREADABLE_PAGE, message)


class DocumentGone(Permanent):
    """A document that was accepted has been deleted: none of its pages can be rendered any more."""

    def __init__(self, message: str) -> None:
        super().__init__(Rejection.GONE.value, message)


class Cancelled(Permanent):
    """A page job of a document that was cancelled."""

    def __init__(self) -> None:
        super().__init__(CANCELLED, "The document was cancelled before the page was recognized. Redrive it to go on.")


class Deleted(Permanent):
    """The document was deleted while it was worked on."""

    def __init__(self) -> None:
        super().__init__("deleted", "The document was deleted. Upload it again if it is needed after all.")


class Overdue(Transient):
    """A page job that has no time left to wait in."""

    def __init__(self) -> None:
        super().__init__(OVERDUE, "The page was not recognized in the time that a document has.")


class ImageRejected(Permanent):
    """An image breaks a rule of "Image limits"; `reason` is the rule."""


class ResultUnusable(Permanent):
    """The engine's answer is truncated, degenerate or not in the task's form."""


class Superseded(Permanent):
    """A document was redriven: outputs of its earlier run are worth nothing any more."""

    def __init__(self) -> None:
        super().__init__("superseded", "A later run of the document makes its outputs.")


class StorageBusy(Transient):
    """Our own storage or queues refused for now."""

    def __init__(self, message: str) -> None:
        super().__init__("storage_busy", message)


class StorageRefused(StorageBusy):
    """Our own storage will never take this, as it is."""


class ObjectGone(PagewiseError):
    """The object version is not there any more."""

    def __init__(self, message: str) -> None:
        super().__init__("gone", message)
