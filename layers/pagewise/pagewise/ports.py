"""The use cases' ports to the outside world. `pagewise.aws` has the adapters, the tests have in-memory fakes.

Every port may raise `StorageBusy` where the service behind it is throttled or temporarily away.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pagewise.events import Event
from pagewise.model import DocumentId, Edition, PageAccount, PageJob, PageRange, Result, Source, StoredImage, Upload


class Clock(Protocol):
    def now(self) -> str:
        """The time as ISO 8601 in UTC with milliseconds: it sorts as text."""

    def after(self, seconds: float) -> str:
        """The time that many seconds from now, in the same form."""


@dataclass(frozen=True, slots=True)
class Download:
    """An upload that was brought to disk; `metadata` are the uploader's own, with lower-case names."""

    source: Source
    metadata: Mapping[str, str]


class UploadsBucket(Protocol):
    def download(self, upload: Upload, to: Path) -> Download:
        """Bring the object version to disk. Raises ObjectGone."""

    def download_again(self, source: Source, to: Path) -> Download:
        """Bring the same version again, for a page range of a document that is known. Raises ObjectGone."""


class PagesBucket(Protocol):
    """The pages bucket: page images and receipts."""

    def put_image(self, document_id: DocumentId, page: int, content: bytes, media_type: str) -> str:
        """Store a page image and return its key; storing the same page again replaces it by the same."""

    def image(self, image: StoredImage) -> bytes:
        """The image's bytes. Raises ObjectGone."""

    def put_mended(self, image: StoredImage, content: bytes, media_type: str) -> str:
        """Store the copy that is sent in the place of a page image, and return its key."""

    def url(self, key: str, seconds: int) -> str:
        """A URL by which anyone can read this object, for so many seconds."""

    def put_json(self, key: str, value: Mapping[str, Any]) -> None:
        """Store a companion of a page image: the page's own text."""

    def json(self, key: str) -> dict[str, Any]:
        """Raises ObjectGone."""

    def put_receipt(self, document_id: DocumentId, receipt: Mapping[str, Any]) -> Mapping[str, str]:
        """Store the receipt; its pointer: {"bucket", "key"}."""


class OutputsBucket(Protocol):
    """A document's outputs, in the pages bucket."""

    def put_output(self, document_id: DocumentId, edition: Edition, name: str, media_type: str, file: Path) -> None:
        """Store an output in place of an earlier edition's; the same again changes nothing. Raises Superseded, and
        changes nothing, where a later edition has stored its own."""

    def manifest(self, document_id: DocumentId) -> Mapping[str, Any] | None:
        """The document's manifest as it is stored, of whichever run; None if there is none."""

    def manifest_pointer(self, document_id: DocumentId) -> Mapping[str, str]:
        """The manifest's location: {"bucket", "key"}."""

    def page_image(self, document_id: DocumentId, page: int, folder: Path) -> Path | None:
        """The page image as a file in the folder; None if the page has none."""


@dataclass(frozen=True, slots=True)
class UploadPlace:
    """Where a file is to be put, by whom is handed this: with exactly these headers."""

    bucket: str
    key: str
    url: str
    headers: Mapping[str, str]


class DocumentLinks(Protocol):
    """Presigned URLs: whoever has one can do with it what it is for, for so many seconds."""

    def page_image(self, document_id: DocumentId, page: int) -> str | None:
        """The key of a page image in the pages bucket; None if there is none."""

    def url(self, key: str, seconds: int) -> str:
        """Of an object in the pages bucket, to read it."""

    def origin(self) -> str:
        """Where such URLs lead: scheme and host."""

    def upload(self, key: str, metadata: Mapping[str, str], seconds: int) -> UploadPlace:
        """Into the uploads bucket, with these metadata."""


class DocumentObjects(Protocol):
    """Everything of a document in the buckets, to be deleted for good."""

    def delete_upload(self, source: Source) -> int:
        """The uploaded version alone: other versions are other documents. How many objects that were: 1, or 0."""

    def delete_objects(self, document_id: DocumentId) -> Iterator[DeletedObjects]:
        """All versions of all objects of the document, batch after batch; what each batch was."""


@dataclass(frozen=True, slots=True)
class DeletedObjects:
    """`objects` by their keys, and the `versions` and delete markers that these were."""

    objects: int = 0
    versions: int = 0

    def __add__(self, other: DeletedObjects) -> DeletedObjects:
        return DeletedObjects(self.objects + other.objects, self.versions + other.versions)


class Queues(Protocol):
    def send_ranges(self, document_id: DocumentId, ranges: Sequence[PageRange]) -> None:
        """Queue page ranges for the splitter. All of them, or an error."""

    def send_jobs(self, jobs: Sequence[PageJob]) -> None:
        """Queue page jobs, each on its task's queue. All of them, or an error."""

    def defer(self, job: PageJob, seconds: float) -> None:
        """Queue a fresh copy of a page job that becomes visible after this time (at most 900 seconds)."""

    def defer_upload(self, upload: Upload, seconds: float) -> None:
        """Likewise an upload, for the splitter."""

    def defer_range(self, document_id: DocumentId, pages: PageRange, seconds: float) -> None:
        """Likewise a page range."""


class Publisher(Protocol):
    def publish(self, events: Sequence[Event]) -> None:
        """Publish all of them, or raise: an event that the bus did not take is an error."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """The outcome of `Ledger.record`.

    `result` is the stored one: ours, or an earlier one. `page_closed`: the page's last job has ended.
    `superseded`: ours belongs to an earlier run than the page job's present one; it counts for nothing.
    """

    result: Result
    first: bool
    page_closed: bool
    superseded: bool = False


@dataclass(frozen=True, slots=True)
class RecordedGroup:
    """The outcome of `Ledger.record_group`: the results that it stored, the holder's first, and the pages these closed.

    `others`: the stored results of pages that had ended before. A page in a later run is in neither.
    """

    results: tuple[Result, ...]
    closed: frozenset[int]
    others: tuple[Result, ...]


@dataclass(frozen=True, slots=True)
class RecordedPage:
    """The outcome of `Ledger.record_failures`: the results it stored, and the page's account before and after."""

    results: tuple[Result, ...]
    before: PageAccount
    after: PageAccount


class LargeResults(Protocol):
    """The store of results that are too large for the table."""

    def put_json(self, key: str, value: Mapping[str, Any]) -> None: ...

    def json(self, key: str) -> dict[str, Any]:
        """Raises ObjectGone."""
