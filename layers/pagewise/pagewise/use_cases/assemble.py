"""Use case: make the outputs of a document that has ended, and tell of them. Once for each run of it.

The manifest comes last and decides: where one of this run is stored, only its event may be missing. A message of an
earlier run than the document's does nothing. Outputs of a run that a redrive overtakes in the midst are left where the
later run puts its own: no object of a later run is ever replaced by one of an earlier.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from pagewise import events
from pagewise.account.ledger import Ledger
from pagewise.account.metering import Meter, Unmetered
from pagewise.account.reviews import reviews_of
from pagewise.errors import ObjectGone, Superseded
from pagewise.model import Document, DocumentId, DocumentStatus, Edition, Result
from pagewise.options.metadata import PASSWORD
from pagewise.outputs import assembly, manifest
from pagewise.outputs.assembly import AssembledDocument, Bounds, Pages, Shelf
from pagewise.outputs.manifest import FailedOutput, Manifest
from pagewise.outputs.wanted import Options, WantedOutput
from pagewise.ports import OutputsBucket, Publisher, UploadsBucket
from pagewise.use_cases.split import workspace

# Outputs that need the uploaded file itself.
OF_THE_ORIGINAL = frozenset({WantedOutput.PDF})
GIVEN_UP = "given_up"
NEVER_FINISHED = (
    "No attempt at the outputs came to its end, for want of time or memory, or because a service was away. The pages' "
    "results are complete: make outputs of them with ./pagewise assemble."
)

Maker = Callable[[AssembledDocument, Pages, Sequence[WantedOutput], Shelf, Options, Bounds], Manifest]


@dataclass(frozen=True, slots=True)
class Assembled:
    """A document's manifest as it is stored. `causes` are for the log: for each failed output the place in the code."""

    manifest: Mapping[str, Any]
    causes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Assemble:
    """`disk`: a folder that is this execution environment's alone, as the splitter's."""

    ledger: Ledger
    uploads: UploadsBucket
    outputs: OutputsBucket
    publisher: Publisher
    meter: Meter = field(default_factory=Unmetered)
    make: Maker = assembly.assemble
    bounds: Bounds = assembly.BOUNDS
    disk: Path | None = None

    def document(self, document_id: DocumentId, run: int, deadline: float = math.inf) -> Assembled | None:
        """Make the outputs of a document's run; None if it wants none, or is not in this run any more.

        An output that is not made by the deadline (of time.monotonic) has failed, and stands in the manifest.
        """
        document = self.awaited(document_id, run)
        if document is None or self.has_manifest(document):
            return self.finished(document)
        causes: tuple[str, ...] = ()
        with suppress(Superseded), workspace(self.disk) as folder:
            made = self.make(
                self.described(document, folder),
                StoredPages(self.results(document), document_id, self.outputs, folder),
                tuple(map(WantedOutput, document.outputs)),
                RunShelf(self.ledger, self.outputs, document),
                assembly.OPTIONS,
                replace(self.bounds, deadline=deadline),
            )
            causes = tuple(f"{one.output}: {one.cause}" for one in made.failed if one.cause)
        return self.finished(document, causes)

    def give_up(self, document_id: DocumentId, run: int) -> None:
        """Outputs that no invocation could finish have failed: the manifest says so."""
        document = self.awaited(document_id, run)
        if document and not self.has_manifest(document):
            failed = tuple(FailedOutput(output, GIVEN_UP, NEVER_FINISHED) for output in document.outputs)
            nothing = Manifest(
                document_id, document.pages, document.outputs, (), failed, run=run, reviews=document.reviews
            )
            with suppress(Superseded), workspace(self.disk) as folder:
                file = folder / manifest.NAME
                file.write_text(nothing.text(), encoding="utf-8")
                RunShelf(self.ledger, self.outputs, document).put(manifest.NAME, "application/json", file)
        self.finished(document)

    def results(self, document: Document) -> Iterator[Result]:
        """As they are stored; with what persons have said, once a review of the document is done."""
        reviews = reviews_of(self.ledger)
        said = dict(reviews.all_corrections(document.id)) if document.reviews else {}
        for result in self.ledger.results(document.id):
            corrections = said.get(result.page)
            yield reviews.corrected(document, result, corrections) if corrections else result

    def awaited(self, document_id: DocumentId, run: int) -> Document | None:
        """The document, if it has ended in this run and wants outputs."""
        document = self.ledger.document(document_id)
        if document is None or document.run != run or not document.outputs or document.deleting:
            return None
        ended = document.status not in (DocumentStatus.IN_PROGRESS, DocumentStatus.REJECTED)
        return document if ended else None

    def has_manifest(self, document: Document) -> bool:
        return self.manifest(document) is not None

    def manifest(self, document: Document) -> Mapping[str, Any] | None:
        stored = self.outputs.manifest(document.id)
        made = Edition(stored["run"], stored.get("reviews", 0)) if stored else None
        return stored if made == document.edition else None

    def finished(self, document: Document | None, causes: tuple[str, ...] = ()) -> Assembled | None:
        """Publish the stored manifest, of this or an earlier invocation, and note it."""
        stored = self.manifest(document) if document else None
        if document is None or stored is None:
            return None
        pointer = self.outputs.manifest_pointer(document.id)
        self.publisher.publish([events.document_assembled(document, stored, pointer)])
        if self.ledger.assembled(document):
            self.meter.assembled(stored)
        return Assembled(stored, causes)

    def described(self, document: Document, folder: Path) -> AssembledDocument:
        title = document.source.key.rpartition("/")[2]
        whole = AssembledDocument(document.id, title, document.pages, run=document.run, reviews=document.reviews)
        if not OF_THE_ORIGINAL.intersection(document.outputs):
            return whole
        path = folder / "original"
        try:
            download = self.uploads.download_again(document.source, path)
        except ObjectGone:
            return whole
        return replace(whole, original=path, password=download.metadata.get(PASSWORD))


@dataclass(frozen=True, slots=True)
class RunShelf:
    """Puts the outputs of one run into the bucket, while the document is in that run."""

    ledger: Ledger
    bucket: OutputsBucket
    document: Document

    def put(self, name: str, media_type: str, file: Path) -> None:
        if name == manifest.NAME:
            now = self.ledger.document(self.document.id)
            if now is None or now.edition != self.document.edition:
                raise Superseded
        self.bucket.put_output(self.document.id, self.document.edition, name, media_type, file)


class StoredPages:
    """A document's results as they come, page after page, and its images as they are asked for."""

    def __init__(self, results: Iterable[Result], document_id: DocumentId, bucket: OutputsBucket, folder: Path) -> None:
        self._by_page = groupby(results, key=lambda result: result.page)
        self._next: tuple[int, Iterator[Result]] | None = next(self._by_page, None)
        self._document_id = document_id
        self._bucket = bucket
        self._folder = folder
        self._image: Path | None = None

    def results(self, page: int) -> list[Result]:
        """The page's results; pages are asked for in ascending order, each once."""
        while self._next and self._next[0] < page:
            self._next = next(self._by_page, None)
        if self._next is None or self._next[0] != page:
            return []
        found = list(self._next[1])
        self._next = next(self._by_page, None)
        return found

    def image(self, page: int) -> Path | None:
        if self._image:
            self._image.unlink(missing_ok=True)
        self._image = self._bucket.page_image(self._document_id, page, self._folder)
        return self._image
