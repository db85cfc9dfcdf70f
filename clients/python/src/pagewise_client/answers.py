"""The API's answers, by the names of openapi.yaml.

Members that a newer server adds are left out, and a word that it adds to an enumeration stays a text: both compare
with texts. Times are aware datetimes, coordinates pixels of the page image.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

Scalar = str | int | float | bool | None


class Task(StrEnum):
    TEXT_RECOGNITION = "text_recognition"
    ADVANCED_RECOGNITION = "advanced_recognition"
    KEY_INFORMATION_EXTRACTION = "key_information_extraction"
    TABLE_PARSING = "table_parsing"
    DOCUMENT_PARSING = "document_parsing"
    FORMULA_RECOGNITION = "formula_recognition"
    MULTI_LAN = "multi_lan"


class DocumentStatus(StrEnum):
    IN_PROGRESS = "in_progress"
    COMPLETE = "complete"
    PARTIAL = "partial"
    FAILED = "failed"
    REJECTED = "rejected"
    CANCELLED = "cancelled"


class ReviewState(StrEnum):
    NONE = "none"
    WAITING = "waiting"
    CLAIMED = "claimed"
    DONE = "done"


class DeletionStatus(StrEnum):
    DELETING = "deleting"
    DELETED = "deleted"


class JobStatus(StrEnum):
    RECOGNIZED = "recognized"
    FAILED = "failed"


class FieldKind(StrEnum):
    FIELD = "field"
    TEXT = "text"
    LINE = "line"
    TABLE = "table"
    LATEX = "latex"


class FieldState(StrEnum):
    DOUBTFUL = "doubtful"
    SURE = "sure"
    ACCEPTED = "accepted"
    CORRECTED = "corrected"


@dataclass(frozen=True, slots=True)
class Link:
    """`url` needs no token, and ends after `expires`."""

    url: str
    expires: datetime


@dataclass(frozen=True, slots=True)
class Upload:
    """The place of one upload."""

    bucket: str
    key: str
    url: str
    method: str
    headers: Mapping[str, str]
    expires: datetime


@dataclass(frozen=True, slots=True)
class Reason:
    """Of a doubt. `code` is one of openapi.yaml's list, `detail` depends on it."""

    code: str
    task: str | None
    detail: str | None


@dataclass(frozen=True, slots=True)
class ReasonCount:
    code: str
    detail: str | None
    count: int


@dataclass(frozen=True, slots=True)
class Review:
    """Of a document. `corrections`: values that a person changed."""

    state: ReviewState | str
    reasons: tuple[ReasonCount, ...]
    pages: tuple[int, ...]
    claimed_by: str | None
    claimed_until: datetime | None
    mine: bool
    reviewed: datetime | None
    reviewed_by: str | None
    corrections: int


@dataclass(frozen=True, slots=True)
class PageJobs:
    """`recognized` and `failed` count page jobs of closed pages."""

    expected: int
    recognized: int
    failed: int


@dataclass(frozen=True, slots=True)
class DocumentSummary:
    id: str
    name: str
    key: str
    profile: str | None
    tag: str | None
    status: DocumentStatus | str
    reason: str | None
    message: str | None
    started: datetime
    ended: datetime | None
    run: int
    pages: int
    pages_closed: int
    tasks: tuple[Task | str, ...]
    page_jobs: PageJobs
    review: Review


@dataclass(frozen=True, slots=True)
class PageProgress:
    """`jobs` has the ended ones, by task."""

    page: int
    closed: bool
    jobs: Mapping[str, JobStatus | str]
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class Usage:
    input_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True)
class Document:
    """`next_page` is the first page that `progress` leaves out; `receipt` is None until the document has ended."""

    document: DocumentSummary
    progress: tuple[PageProgress, ...]
    next_page: int | None
    usage: Usage
    cost: Mapping[str, Any]
    receipt: Link | None
    outputs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Deletion:
    """The receipt of a deletion: all that remains of a document."""

    id: str
    status: DeletionStatus | str
    requested: datetime
    by: str
    deleted: datetime | None
    objects: int
    versions: int
    records: int


@dataclass(frozen=True, slots=True)
class Correction:
    """The machine's value beside a person's; `pointer` is a JSON Pointer into the task's result."""

    task: Task | str
    pointer: str
    machine: Scalar
    value: Scalar
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class PageReview:
    """A page's corrections, all of them; `version` 0 before the first save."""

    version: int
    corrections: tuple[Correction, ...]
    saved: datetime | None
    by: str | None


@dataclass(frozen=True, slots=True)
class Field:
    """One value of a page. `value` is the person's where there is one, else the machine's."""

    task: Task | str
    pointer: str
    name: str
    kind: FieldKind | str
    machine: Scalar
    value: Scalar
    confidence: float | None
    reasons: tuple[Reason, ...]
    box: tuple[float, ...] | None
    state: FieldState | str


@dataclass(frozen=True, slots=True)
class PageImage:
    url: str
    expires: datetime
    width: int | None
    height: int | None


@dataclass(frozen=True, slots=True)
class Page:
    """`results` by task, as results/<page>.<task>.json has them: the machine's, with `review` beside it."""

    document_id: str
    name: str
    page: int
    pages: int
    status: DocumentStatus | str
    image: PageImage | None
    results: Mapping[str, Mapping[str, Any]]
    fields: tuple[Field, ...]
    reasons: tuple[Reason, ...]
    review: PageReview
    document_review: Review

    @property
    def text(self) -> str:
        """The machine's text: of the first task that has one."""
        return next((str(result["text"]) for result in self.results.values() if result.get("text")), "")


@dataclass(frozen=True, slots=True)
class OutputFile:
    """`sha256` is in hexadecimal, `size` in bytes."""

    name: str
    output: str
    media_type: str
    size: int
    sha256: str
    url: str
    expires: datetime


@dataclass(frozen=True, slots=True)
class FailedOutput:
    output: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Outputs:
    """`ready` is false while they are being made."""

    document_id: str
    ready: bool
    wanted: tuple[str, ...]
    files: tuple[OutputFile, ...]
    failed: tuple[FailedOutput, ...]


@dataclass(frozen=True, slots=True)
class Redriven:
    """`over_cap`: page jobs that stay failed, as the day's cap has no room for them."""

    document_id: str
    run: int
    page_jobs: int
    pages_to_render: int
    over_cap: int


@dataclass(frozen=True, slots=True)
class SavedPage:
    """A page's corrections as they are stored, or with `check` would be."""

    review: PageReview
    fields: tuple[Field, ...]
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class SignIn:
    """OpenID Connect, code flow with PKCE; an endpoint that is None stands in the issuer's configuration."""

    issuer: str
    client_id: str
    authorize: str | None
    token: str | None
    sign_out: str | None
    scope: str


@dataclass(frozen=True, slots=True)
class Config:
    """`sign_in` is None on one machine."""

    stack: str
    sign_in: SignIn | None


@dataclass(frozen=True, slots=True)
class DocumentList:
    documents: tuple[DocumentSummary, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class ReviewList:
    reviews: tuple[DocumentSummary, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class Submission:
    upload: Upload


@dataclass(frozen=True, slots=True)
class Progress:
    """A document on its way. `status` is None until the upload has been taken up."""

    document_id: str
    status: DocumentStatus | str | None = None
    name: str = ""
    pages: int = 0
    pages_closed: int = 0
    page_jobs: PageJobs = PageJobs(0, 0, 0)

    @property
    def has_ended(self) -> bool:
        return self.status not in (None, DocumentStatus.IN_PROGRESS)

    def __str__(self) -> str:
        if self.status is None:
            return f"{self.document_id}: arriving"
        failed = f", {self.page_jobs.failed} page jobs failed" if self.page_jobs.failed else ""
        return f"{self.name}: {self.status}, pages {self.pages_closed}/{self.pages}{failed}"


def progress_of(document: DocumentSummary) -> Progress:
    return Progress(
        document.id, document.status, document.name, document.pages, document.pages_closed, document.page_jobs
    )
