"""Use case: show documents, their progress and results, as the API has them (openapi.yaml)."""

from __future__ import annotations

import base64
import heapq
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import groupby, islice
from typing import Any

from pagewise.account.ledger import Ledger
from pagewise.account.records import REVIEW
from pagewise.account.reviews import Reviews, ReviewState
from pagewise.errors import Permanent
from pagewise.model import Document, DocumentId, DocumentStatus, Edition, PageRange
from pagewise.ports import Clock, DocumentLinks, OutputsBucket
from pagewise.qwen.tokens import Price
from pagewise.review import doubts
from pagewise.review.corrections import Person
from pagewise.strict_json import dumped
from pagewise.table import BY_DUE, BY_STATUS

# A link lives as long as a page is looked at, and shorter than the credentials that sign it.
LINK_SECONDS = 900
UPLOAD_SECONDS = 3_600
# Of a list that looks for a state of review, which no index has for all: then the next page goes on.
MOST_LOOKED_AT = 400
READERS = 16
UPLOADS = "uploads/"

# Of a `next`, which comes back from outside: a key of the index, which can be neither empty nor of any length.
MOMENT = re.compile(r"[0-9T:.Z-]{20,30}")

DOCUMENT, PAGE, PATH, FILE = "document", "page", "path", "file"
Shown = dict[str, Any]
Entry = tuple[str, str]


class NotFound(Permanent):
    """There is nothing of this name."""

    def __init__(self, what: str = DOCUMENT) -> None:
        super().__init__("not_found", f"There is no such {what}. Look for it in the list of documents.")


class Invalid(Permanent):
    """A request that is not as openapi.yaml has it."""

    def __init__(self, message: str) -> None:
        super().__init__("invalid", message)


class Rejected(Permanent):
    def __init__(self, document: Document) -> None:
        super().__init__(
            "rejected", f"The document was rejected ({document.reason}) and has no pages. Upload it again."
        )


@dataclass(frozen=True, slots=True)
class Filter:
    status: DocumentStatus | None = None
    review: ReviewState | None = None
    after: str | None = None
    before: str | None = None


@dataclass(frozen=True, slots=True)
class ShowDocuments:
    ledger: Ledger
    reviews: Reviews
    outputs: OutputsBucket
    links: DocumentLinks
    clock: Clock
    price: Price = field(default_factory=Price)

    def documents(self, wanted: Filter, limit: int, cursor: str | None, person: Person) -> Shown:
        """The newest first."""
        last = entry_of(cursor)
        before = wanted.before if last is None else min(f"{last[0]}!", wanted.before or f"{last[0]}!")
        statuses = [wanted.status] if wanted.status else list(DocumentStatus)
        lists = [
            in_order(self.ledger.table.along(BY_STATUS, status, wanted.after, before), newest_first=True)
            for status in statuses
        ]
        entries = (entry for entry in heapq.merge(*lists, reverse=True) if last is None or entry < last)
        shown, following = self.filled(entries, limit, wanted, person)
        return {"documents": shown, "next": following}

    def waiting(self, limit: int, cursor: str | None, person: Person) -> Shown:
        """What waits for a review, the oldest first."""
        last = entry_of(cursor)
        listed = in_order(self.ledger.table.along(BY_DUE, REVIEW, last[0] if last else None, None))
        entries = (entry for entry in listed if last is None or entry > last)
        shown, following = self.filled(entries, limit, Filter(), person)
        return {"reviews": shown, "next": following}

    def filled(
        self, entries: Iterator[Entry], limit: int, wanted: Filter, person: Person
    ) -> tuple[list[Shown], str | None]:
        """As many documents as fit, and where the next page begins."""
        shown: list[Shown] = []
        looked_at = 0
        while looked_at < MOST_LOOKED_AT:
            some = list(islice(entries, limit - len(shown)))
            if not some:
                return shown, None
            looked_at += len(some)
            with ThreadPoolExecutor(READERS) as readers:
                found = list(readers.map(lambda entry: self.listed(DocumentId(entry[1]), person), some))
            shown += [one for one in found if one and matches(one, wanted)]
            if len(shown) >= limit:
                return shown, cursor_of(some[-1])
        return shown, cursor_of(some[-1])

    def listed(self, document_id: DocumentId, person: Person) -> Shown | None:
        document = self.ledger.document(document_id)
        return self.summary(document, person) if document else None

    def summary(self, document: Document, person: Person) -> Shown:
        review = self.reviews.of(document.id).shown(self.clock.now(), person)
        return {
            "id": document.id,
            "name": document.source.key.rpartition("/")[2],
            "key": document.source.key,
            "profile": document.profile,
            "tag": document.tag,
            "status": document.status,
            "reason": document.reason,
            "message": document.message,
            "started": document.started,
            "ended": document.ended,
            "run": document.run,
            "pages": document.pages,
            "pages_closed": document.pages_closed,
            "tasks": list(document.tasks),
            "page_jobs": {
                "expected": document.page_jobs,
                "recognized": document.recognized,
                "failed": document.failed,
            },
            "review": review,
        }

    def document(self, document_id: DocumentId, first: int, limit: int, person: Person) -> Shown:
        """Raises NotFound."""
        document = self.known(document_id)
        last = min(document.pages, first + limit - 1)
        return {
            "document": self.summary(document, person),
            "progress": self.progress(document, first, last),
            "next_page": last + 1 if last < document.pages and last >= first else None,
            "usage": {"input_tokens": document.usage.input_tokens, "output_tokens": document.usage.output_tokens},
            "cost": self.price.cost(document.usage),
            "receipt": self.link(f"documents/{document.id}/receipt.json") if document.announced else None,
            "outputs": list(document.outputs),
        }

    def progress(self, document: Document, first: int, last: int) -> list[Shown]:
        if last < first:
            return []
        known = {page.page: page for page in self.ledger.pages(document.id, PageRange(first, last))}
        shown = []
        for number in range(first, last + 1):
            page = known.get(number)
            shown.append(
                {
                    "page": number,
                    "closed": page is not None and page.closed,
                    "jobs": {job.task: job.status for job in page.jobs} if page else {},
                    "reasons": [doubt.shown() for doubt in doubts.of_account(page)] if page else [],
                }
            )
        return shown

    def made(self, document_id: DocumentId) -> Shown:
        """A document's outputs. Raises NotFound."""
        document = self.known(document_id)
        manifest = self.outputs.manifest(document.id) if document.outputs else None
        ready = not document.outputs or (manifest is not None and edition_of(manifest) == document.edition)
        files: Sequence[Mapping[str, Any]] = manifest["files"] if manifest and ready else ()
        return {
            "document_id": document.id,
            "ready": ready,
            "wanted": list(document.outputs),
            "files": [
                {
                    **{name: file[name] for name in ("name", "output", "media_type", "size", "sha256")},
                    **self.link(f"documents/{document.id}/outputs/{file['name']}"),
                }
                for file in files
            ],
            "failed": list(manifest["failed"]) if manifest and ready else [],
        }

    def place_to_upload(self, name: str, options: Mapping[str, str], unique: str) -> Shown:
        """`unique` keeps files of one name apart. The name is the last part of the key, and of a path the last part."""
        base = "".join(letter for letter in name.replace("\\", "/").rpartition("/")[2] if letter.isprintable()).strip()
        if base in ("", ".", ".."):
            raise Invalid("name is no name of a file.")
        if len(base.encode()) > MOST_NAME_BYTES:
            raise Invalid(f"name has more than {MOST_NAME_BYTES} bytes.")
        metadata = {f"ocr-{option}": value for option, value in options.items()}
        if any(not value.isascii() or not value.isprintable() for value in metadata.values()):
            raise Invalid("An option has characters beyond ASCII, which S3 takes no metadata of. Use a profile.")
        if sum(len(option) + len(value) for option, value in metadata.items()) > MOST_METADATA_BYTES:
            raise Invalid(f"The options have more than {MOST_METADATA_BYTES} bytes, S3's limit. Use a profile.")
        place = self.links.upload(f"{UPLOADS}{unique}/{base}", metadata, UPLOAD_SECONDS)
        return {
            "upload": {
                "bucket": place.bucket,
                "key": place.key,
                "url": place.url,
                "method": "PUT",
                "headers": dict(place.headers),
                "expires": self.clock.after(UPLOAD_SECONDS),
            }
        }

    def link(self, key: str) -> Shown:
        return {"url": self.links.url(key, LINK_SECONDS), "expires": self.clock.after(LINK_SECONDS)}

    def known(self, document_id: DocumentId) -> Document:
        if document := self.ledger.document(document_id):
            return document
        raise NotFound


# https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html
MOST_METADATA_BYTES = 2_000
# Of a key's 1,024.
MOST_NAME_BYTES = 900


def matches(shown: Shown, wanted: Filter) -> bool:
    """What the index has listed may have changed since."""
    return wanted.status in (None, shown["status"]) and wanted.review in (None, shown["review"]["state"])


def in_order(entries: Iterable[Entry], *, newest_first: bool = False) -> Iterator[Entry]:
    """An index leaves the order of what is sorted by the same text to chance; a list that goes on cannot."""
    for _, together in groupby(entries, key=lambda entry: entry[0]):
        yield from sorted(together, reverse=newest_first)


def edition_of(manifest: Mapping[str, Any]) -> Edition:
    return Edition(manifest["run"], manifest.get("reviews", 0))


def cursor_of(entry: Entry) -> str:
    return base64.urlsafe_b64encode(dumped(entry).encode()).decode()


def entry_of(cursor: str | None) -> Entry | None:
    """Raises Invalid."""
    if cursor is None:
        return None
    try:
        moment, document_id = json.loads(base64.b64decode(cursor, altchars=b"-_", validate=True))
    except (ValueError, TypeError):
        raise Invalid("next is no `next` of a page before. Begin again without it.") from None
    if not isinstance(moment, str) or not MOMENT.fullmatch(moment) or not isinstance(document_id, str):
        raise Invalid("next is no `next` of a page before. Begin again without it.")
    return moment, document_id
