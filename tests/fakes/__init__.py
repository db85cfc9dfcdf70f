"""In-memory implementations of the ports: they keep the ports' promises, atomicity included."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pagewise.engine import Answer, Question
from pagewise.errors import ObjectGone
from pagewise.events import Event
from pagewise.model import (
    Document,
    DocumentId,
    DocumentStatus,
    JobAccount,
    JobStatus,
    PageAccount,
    PageJob,
    PageRange,
    Result,
    Source,
    StoredImage,
    Upload,
    Usage,
)
from pagewise.ports import Download, Recorded


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
        seconds, rest = divmod(milliseconds, 1000)
        clock = f"{seconds // 3600 % 24:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{rest:03}"
        return f"2026-01-{1 + seconds // 86400:02}T{clock}Z"


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
class MemoryPages:
    objects: dict[str, bytes] = field(default_factory=dict)
    receipts: dict[DocumentId, dict[str, Any]] = field(default_factory=dict)

    def put_image(self, document_id: DocumentId, page: int, content: bytes, media_type: str) -> str:
        key = f"documents/{document_id}/pages/{page:05}.{media_type.removeprefix('image/')}"
        self.objects[key] = content
        return key

    def image(self, image: StoredImage) -> bytes:
        if image.key not in self.objects:
            raise ObjectGone("The page image does not exist any more.")
        return self.objects[image.key]

    def put_receipt(self, document_id: DocumentId, receipt: Mapping[str, Any]) -> Mapping[str, str]:
        self.receipts[document_id] = copy.deepcopy(dict(receipt))
        return {"bucket": "pages", "key": f"documents/{document_id}/receipt.json"}


@dataclass
class MemoryQueues:
    ranges: list[tuple[DocumentId, PageRange]] = field(default_factory=list)
    jobs: list[PageJob] = field(default_factory=list)
    deferred: list[tuple[PageJob, float]] = field(default_factory=list)

    def send_ranges(self, document_id: DocumentId, ranges: Sequence[PageRange]) -> None:
        self.ranges += [(document_id, pages) for pages in ranges]

    def send_jobs(self, jobs: Sequence[PageJob]) -> None:
        self.jobs += jobs

    def defer(self, job: PageJob, seconds: float) -> None:
        self.deferred.append((job, seconds))


@dataclass
class MemoryPublisher:
    events: list[Event] = field(default_factory=list)

    def publish(self, events: Sequence[Event]) -> None:
        self.events += copy.deepcopy(list(events))

    def named(self, name: str) -> list[Mapping[str, Any]]:
        return [event.detail for event in self.events if event.name == name]


@dataclass
class MemoryLedger:
    documents: dict[DocumentId, Document] = field(default_factory=dict)
    results: dict[tuple[DocumentId, int, str], Result] = field(default_factory=dict)
    page_accounts: dict[tuple[DocumentId, int], PageAccount] = field(default_factory=dict)
    split: set[tuple[DocumentId, PageRange]] = field(default_factory=set)

    def open(self, document: Document) -> Document:
        return self.documents.setdefault(document.id, document)

    def document(self, document_id: DocumentId) -> Document | None:
        return self.documents.get(document_id)

    def result(self, document_id: DocumentId, page: int, task: str) -> Result | None:
        return self.results.get((document_id, page, task))

    def page(self, document_id: DocumentId, page: int) -> PageAccount | None:
        return self.page_accounts.get((document_id, page))

    def pages(self, document_id: DocumentId) -> Iterator[PageAccount]:
        yield from (page for (owner, _), page in sorted(self.page_accounts.items()) if owner == document_id)

    def record(self, result: Result, page_tasks: int) -> Recorded:
        key = (result.document_id, result.page, str(result.task))
        before = self.page_accounts.get(key[:2]) or PageAccount(result.document_id, result.page, (), closed=False)
        if key in self.results:
            return Recorded(self.results[key], first=False, page_closed=before.closed)
        line = JobAccount(result.task, result.status, result.reason, result.attempts, result.usage)
        closes = len(before.jobs) == page_tasks - 1
        page = replace(before, jobs=(*before.jobs, line), closed=closes)
        self.results[key] = result
        self.page_accounts[key[:2]] = page
        if closes:
            document = self.documents[result.document_id]
            self.documents[document.id] = replace(
                document,
                pages_closed=document.pages_closed + 1,
                recognized=document.recognized + page.recognized,
                failed=document.failed + page.failed,
                usage=document.usage + page.usage,
            )
        return Recorded(result, first=True, page_closed=closes)

    def close(self, document_id: DocumentId, ended: str) -> Document | None:
        document = self.documents.get(document_id)
        if document and document.status is DocumentStatus.IN_PROGRESS and document.pages_closed == document.pages:
            status = DocumentStatus.PARTIAL if document.recognized and document.failed else DocumentStatus.COMPLETE
            status = status if document.recognized else DocumentStatus.FAILED
            self.documents[document_id] = replace(document, status=status, ended=ended)
        return self.documents.get(document_id)

    def announced(self, document_id: DocumentId) -> None:
        self.documents[document_id] = replace(self.documents[document_id], announced=True)

    def is_split(self, document_id: DocumentId, pages: PageRange) -> bool:
        return (document_id, pages) in self.split

    def mark_split(self, document_id: DocumentId, pages: PageRange) -> None:
        self.split.add((document_id, pages))

    def unfinished(self, before: str) -> Iterable[DocumentId]:
        return [
            document.id
            for document in list(self.documents.values())
            if not document.announced and document.due < before
        ]


@dataclass
class ScriptedEngine:
    """Answers each question by the next of `script` (the last for ever): an answer, or an error to raise."""

    script: list[Answer | Exception]
    questions: list[Question] = field(default_factory=list)
    before_answer: Callable[[], None] = lambda: None

    async def recognize(self, question: Question, seconds: float) -> Answer:
        assert seconds > 0
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
