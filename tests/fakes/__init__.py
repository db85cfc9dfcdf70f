"""In-memory implementations of the ports: they keep the ports' promises, atomicity included, and refuse the same
requests as DynamoDB, S3 and EventBridge."""

from __future__ import annotations

import copy
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pagewise import messages
from pagewise.errors import ObjectGone, Superseded, Transient
from pagewise.events import Event
from pagewise.model import (
    DocumentId,
    Edition,
    JobStatus,
    PageJob,
    PageRange,
    Result,
    Source,
    StoredImage,
    Upload,
    Usage,
)
from pagewise.outputs.assembly import AssembledDocument, Pages, Shelf
from pagewise.outputs.manifest import Manifest, OutputFile, digest
from pagewise.outputs.wanted import WantedOutput
from pagewise.ports import DeletedObjects, Download, UploadPlace
from pagewise.qwen.question import Again, Answer, Question
from pagewise.strict_json import dumped
from pagewise.table import Attributes, Change, Index, Key, Put, Refused, Update
from tests.fakes.limits import check_entry, check_key, check_record, check_transaction


@dataclass
class MemoryClock:
    """Each reading is a millisecond later than the last."""

    milliseconds: int = 0

    def now(self) -> str:
        self.milliseconds += 1
        return self.iso(self.milliseconds)

    def after(self, seconds: float) -> str:
        return self.iso(self.milliseconds + round(seconds * 1000))

    @staticmethod
    def iso(milliseconds: int) -> str:
        moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass
class MemoryUploads:
    """Objects by bucket, key and version."""

    objects: dict[tuple[str, str, str], tuple[bytes, dict[str, str]]] = field(default_factory=dict)

    def put(self, content: bytes, key: str = "uploads/document", version: str = "v1", **metadata: str) -> Upload:
        named = {name.replace("_", "-"): value for name, value in metadata.items()}
        self.objects["uploads", key, version] = content, named
        return Upload("uploads", key, version, "etag", "0001", len(content))

    def download(self, upload: Upload, to: Path) -> Download:
        return self.fetch(Source(upload.bucket, upload.key, upload.version, upload.version_id, upload.size), to)

    def download_again(self, source: Source, to: Path) -> Download:
        return self.fetch(source, to)

    def fetch(self, source: Source, to: Path) -> Download:
        stored = self.objects.get((source.bucket, source.key, source.version))
        if stored is None:
            raise ObjectGone("The upload does not exist any more.")
        to.write_bytes(stored[0])
        return Download(replace(source, size=len(stored[0]), sha256="0" * 64), stored[1])


@dataclass
class MemoryProfiles:
    """Profiles by name, as they are stored."""

    stored: dict[str, str] = field(default_factory=dict)

    def text(self, name: str) -> str | None:
        return self.stored.get(name)


@dataclass
class MemoryPages:
    """The pages bucket; also the place of large results."""

    objects: dict[str, bytes] = field(default_factory=dict)
    documents: dict[str, dict[str, Any]] = field(default_factory=dict)
    receipts: dict[DocumentId, dict[str, Any]] = field(default_factory=dict)

    def put_image(self, document_id: DocumentId, page: int, content: bytes, media_type: str) -> str:
        key = f"documents/{document_id}/pages/{page:05}.{media_type.removeprefix('image/')}"
        self.objects[key] = content
        return key

    def image(self, image: StoredImage) -> bytes:
        if image.key not in self.objects:
            raise ObjectGone("The page image does not exist any more.")
        return self.objects[image.key]

    def put_mended(self, image: StoredImage, content: bytes, media_type: str) -> str:
        key = f"{image.key.replace('/pages/', '/sent/').rpartition('.')[0]}.{media_type.removeprefix('image/')}"
        self.objects[key] = content
        return key

    def url(self, key: str, seconds: int) -> str:
        return f"https://pages.example/{key}?seconds={seconds}"

    def put_receipt(self, document_id: DocumentId, receipt: Mapping[str, Any]) -> Mapping[str, str]:
        dumped(receipt).encode()
        self.receipts[document_id] = copy.deepcopy(dict(receipt))
        return {"bucket": "pages", "key": f"documents/{document_id}/receipt.json"}

    def put_json(self, key: str, value: Mapping[str, Any]) -> None:
        check_key(key)
        dumped(value).encode()
        self.documents[key] = copy.deepcopy(dict(value))

    def json(self, key: str) -> dict[str, Any]:
        if key not in self.documents:
            raise ObjectGone("A receipt or result does not exist any more.")
        return copy.deepcopy(self.documents[key])


@dataclass
class MemoryOutputs:
    """A document's outputs beside the pages: each with the run that it is of."""

    pages: MemoryPages
    stored: dict[tuple[DocumentId, str], tuple[Edition, bytes]] = field(default_factory=dict)

    def put_output(self, document_id: DocumentId, edition: Edition, name: str, media_type: str, file: Path) -> None:  # noqa: ARG002
        check_key(f"documents/{document_id}/outputs/{name}")
        there, _ = self.stored.get((document_id, name), (Edition(0), b""))
        if there > edition:
            raise Superseded
        if there < edition or name != "manifest.json":
            self.stored[document_id, name] = edition, file.read_bytes()

    def manifest(self, document_id: DocumentId) -> dict[str, Any] | None:
        stored = self.stored.get((document_id, "manifest.json"))
        return dict(json.loads(stored[1])) if stored else None

    def manifest_pointer(self, document_id: DocumentId) -> dict[str, str]:
        return {"bucket": "pages", "key": f"documents/{document_id}/outputs/manifest.json"}

    def page_image(self, document_id: DocumentId, page: int, folder: Path) -> Path | None:
        content = self.pages.objects.get(f"documents/{document_id}/pages/{page:05}.png")
        if content is None:
            return None
        path = folder / "page.png"
        path.write_bytes(content)
        return path


@dataclass
class MemoryLinks:
    pages: MemoryPages

    def page_image(self, document_id: DocumentId, page: int) -> str | None:
        key = f"documents/{document_id}/pages/{page:05}.png"
        return key if key in self.pages.objects else None

    def url(self, key: str, seconds: int) -> str:
        return self.pages.url(key, seconds)

    def origin(self) -> str:
        return "https://pages.example"

    def upload(self, key: str, metadata: Mapping[str, str], seconds: int) -> UploadPlace:
        check_key(key)
        headers = {f"x-amz-meta-{name}": value for name, value in metadata.items()}
        return UploadPlace("uploads", key, f"https://uploads.example/{key}?seconds={seconds}", headers)


@dataclass
class MemoryObjects:
    """Both buckets of a document, for its deletion."""

    uploads: MemoryUploads
    pages: MemoryPages
    outputs: MemoryOutputs

    def delete_upload(self, source: Source) -> int:
        return 0 if self.uploads.objects.pop((source.bucket, source.key, source.version), None) is None else 1

    def delete_objects(self, document_id: DocumentId) -> Iterator[DeletedObjects]:
        prefix = f"documents/{document_id}/"
        for kept in (self.pages.objects, self.pages.documents):
            for key in [key for key in kept if key.startswith(prefix)]:
                kept.pop(key, None)  # another deletion may be as quick; S3 deletes an object that is not there, too
                yield DeletedObjects(1, 1)
        for output in [output for output in self.outputs.stored if output[0] == document_id]:
            self.outputs.stored.pop(output, None)
            yield DeletedObjects(1, 1)
        if self.pages.receipts.pop(document_id, None):
            yield DeletedObjects(1, 1)


def plainly(
    document: AssembledDocument, pages: Pages, wanted: Sequence[WantedOutput], to: Shelf, _options: Any, _bounds: Any
) -> Manifest:
    """As assembly.assemble, but in this process, and of text alone."""
    texts = [str(result.output.get("text")) for page in range(1, document.pages + 1) for result in pages.results(page)]
    files = []
    with tempfile.TemporaryDirectory() as folder:
        for output in wanted:
            path = Path(folder) / output
            path.write_text("\n".join([str(document.run), *texts]))
            size, sha256 = digest(path)
            to.put(f"document.{output}", "text/plain", path)
            files.append(OutputFile(f"document.{output}", output, "text/plain", size, sha256, {}))
        about = document.document_id, document.pages, tuple(wanted)
        manifest = Manifest(*about, tuple(files), (), run=document.run, reviews=document.reviews)
        path = Path(folder) / "manifest.json"
        path.write_text(manifest.text())
        to.put("manifest.json", "application/json", path)
    return manifest


@dataclass
class MemoryQueues:
    ranges: list[tuple[DocumentId, PageRange]] = field(default_factory=list)
    jobs: list[PageJob] = field(default_factory=list)
    deferred: list[tuple[PageJob, float]] = field(default_factory=list)
    deferred_splits: list[tuple[str, float]] = field(default_factory=list)

    def send_ranges(self, document_id: DocumentId, ranges: Sequence[PageRange]) -> None:
        self.ranges += [(document_id, pages) for pages in ranges]

    def send_jobs(self, jobs: Sequence[PageJob]) -> None:
        self.jobs += jobs

    def defer(self, job: PageJob, seconds: float) -> None:
        self.deferred.append((job, seconds))

    def defer_upload(self, upload: Upload, seconds: float) -> None:
        self.deferred_splits.append((messages.dump_upload(upload), seconds))

    def defer_range(self, document_id: DocumentId, pages: PageRange, seconds: float) -> None:
        self.deferred_splits.append((messages.dump_range(document_id, pages), seconds))


@dataclass
class MemoryPublisher:
    events: list[Event] = field(default_factory=list)

    def publish(self, events: Sequence[Event]) -> None:
        for event in events:
            check_entry(event.name, dumped(event.detail))
        for event in events:
            self.taken(copy.deepcopy(event))

    def taken(self, event: Event) -> None:
        self.events.append(event)

    def named(self, name: str) -> list[Mapping[str, Any]]:
        return [event.detail for event in self.events if event.name == name]


def refuse_fractions(value: object) -> None:
    """DynamoDB's client takes no Python float, however deep it lies."""
    if isinstance(value, Put):
        refuse_fractions(value.attributes)
    elif isinstance(value, Update):
        refuse_fractions(value.set)
    elif isinstance(value, Mapping):
        for member in value.values():
            refuse_fractions(member)
    elif isinstance(value, list | tuple):
        for member in value:
            refuse_fractions(member)
    elif isinstance(value, float):
        raise TypeError("Float types are not supported. Use Decimal types instead.")


@dataclass
class MemoryTable:
    """Records by key; changes are checked, then made, all or none."""

    stored: dict[Key, Attributes] = field(default_factory=dict)

    def get(self, key: Key) -> Attributes | None:
        return copy.deepcopy(self.stored.get(key))

    def records(self, partition: str, prefix: str) -> Iterator[Attributes]:
        yield from self.between(partition, prefix, prefix + "\U0010ffff")

    def between(self, partition: str, first: str, last: str) -> Iterator[Attributes]:
        found = [key for key in self.stored if key.partition == partition and first <= key.record <= last]
        for key in sorted(found, key=lambda key: key.record):
            yield {**copy.deepcopy(self.stored[key]), "record": key.record}

    def listed(self, word: str, before: str | None = None) -> Iterator[str]:
        listed = [(record["due"], key.partition) for key, record in self.stored.items() if record.get("open") == word]
        yield from [partition for due, partition in sorted(listed) if before is None or due < before]

    def along(self, index: Index, word: str, after: str | None, before: str | None) -> Iterator[tuple[str, str]]:
        found = [
            (record[index.order], key.partition)
            for key, record in self.stored.items()
            if record.get(index.word) == word and index.order in record
        ]
        within = [one for one in found if (after is None or one[0] >= after) and (before is None or one[0] < before)]
        yield from sorted(within, key=lambda one: one[0], reverse=index.newest_first)

    def change(self, *changes: Change) -> None:
        for change in changes:
            refuse_fractions(change)
        unmet = {position for position, change in enumerate(changes) if not self.holds(change)}
        if unmet:
            raise Refused(frozenset(unmet))
        check_transaction(changes, [self.stored.get(change.key, {}) for change in changes])
        for change in changes:
            if (record := self.made(change)) is not None:
                check_record(change.key, record)
        for change in changes:
            self.make(change)

    def updated(self, update: Update) -> Attributes:
        self.change(update)
        return copy.deepcopy(self.stored[update.key])

    def holds(self, change: Change) -> bool:
        record, condition = self.stored.get(change.key), change.condition
        known = record or {}
        return (
            condition.exists in (None, record is not None)
            and all(known.get(name) == value for name, value in condition.equal.items())
            and all(known.get(name, bound) <= bound for name, bound in condition.at_most.items())
        )

    def make(self, change: Change) -> None:
        record = self.made(change)
        if record is None:
            self.stored.pop(change.key, None)
        else:
            self.stored[change.key] = record

    def made(self, change: Change) -> Attributes | None:
        """The record as a change makes it; None if it is deleted."""
        match change:
            case Put():
                return copy.deepcopy(change.attributes)
            case Update():
                record = {**self.stored.get(change.key, {}), **copy.deepcopy(change.set)}
                for name, number in change.add.items():
                    record[name] = record.get(name, 0) + number
                return {name: value for name, value in record.items() if name not in change.remove}
        return None


@dataclass
class ScriptedEngine:
    """Answers each question by the next of `script` (the last for ever): an answer, or an error to raise.

    `tries`: how often it asks in vain before that, as far as it may.
    """

    script: list[Answer | Exception]
    questions: list[Question] = field(default_factory=list)
    before_answer: Callable[[], None] = lambda: None
    tries: int = 0

    async def recognize(self, question: Question, seconds: float, again: Again) -> Answer:
        assert seconds > 0
        for _ in range(self.tries):
            self.questions.append(question)
            if not await again():
                raise Transient("InternalError", "the engine's own trouble")
        self.questions.append(question)
        self.before_answer()
        said = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(said, Exception):
            raise said
        return said


def text_answer(text: str = "text", **changes: Any) -> Answer:
    answer = Answer(text, None, None, "stop", Usage(100, 10), "request-1")
    return replace(answer, **changes)


def recognized(result: Result) -> bool:
    return result.status is JobStatus.RECOGNIZED
