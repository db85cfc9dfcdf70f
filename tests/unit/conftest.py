"""A whole Pagewise in memory. Unit tests reach no network."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

import pytest
from pytest_socket import disable_socket

from pagewise.account.closing import Accounting
from pagewise.account.deletion import Deletions
from pagewise.account.ledger import Ledger
from pagewise.account.metering import Unmetered
from pagewise.account.records import document_key
from pagewise.account.reuse import Reuse
from pagewise.account.reviews import Reviews
from pagewise.model import Document, PageJob, Result, Upload
from pagewise.qwen.question import Answer
from pagewise.qwen.settings import EngineSettings
from pagewise.table import Update
from pagewise.use_cases.assemble import Assemble
from pagewise.use_cases.cancel import CancelDocument
from pagewise.use_cases.delete import DeleteDocument
from pagewise.use_cases.give_up import GiveUp
from pagewise.use_cases.recognize import Recognize
from pagewise.use_cases.review import ReviewPages
from pagewise.use_cases.settings import SplitSettings
from pagewise.use_cases.show import ShowDocuments
from pagewise.use_cases.split import Split
from pagewise.use_cases.suspension import Suspension
from pagewise.use_cases.sweep import Sweep
from tests.fakes import (
    MemoryClock,
    MemoryLinks,
    MemoryObjects,
    MemoryOutputs,
    MemoryPages,
    MemoryProfiles,
    MemoryPublisher,
    MemoryQueues,
    MemoryTable,
    MemoryUploads,
    ScriptedEngine,
    plainly,
    text_answer,
)


@pytest.fixture(autouse=True)
def _no_network() -> None:
    disable_socket(allow_unix_socket=True)  # asyncio's own wake-up uses a socket pair


@dataclass
class Pagewise:
    """The use cases on in-memory ports, with what a test reads afterwards."""

    settings: SplitSettings = field(default_factory=SplitSettings)
    script: list[Answer | Exception] = field(default_factory=lambda: [text_answer()])
    engine_settings: EngineSettings = field(
        default_factory=lambda: EngineSettings("http://engine", "qwen-vl-ocr-2025-11-20")
    )
    reuses: bool = False
    seconds: float = 1_764_000_000.0

    def __post_init__(self) -> None:
        self.uploads = MemoryUploads()
        self.profiles = MemoryProfiles()
        self.pages = MemoryPages()
        self.outputs = MemoryOutputs(self.pages)
        self.table = MemoryTable()
        self.ledger = Ledger(self.table, self.pages, pause=lambda _seconds: None)
        self.queues = MemoryQueues()
        self.publisher = MemoryPublisher()
        self.clock = MemoryClock()
        self.engine = ScriptedEngine(self.script)
        self.accounting = Accounting(self.ledger, self.pages, self.publisher, self.clock)
        self.give_up = GiveUp(self.ledger, self.accounting, self.clock)
        self.sweep = Sweep(self.ledger, self.accounting, self.clock)

    @property
    def suspension(self) -> Suspension:
        return Suspension(self.queues, self.publisher, Unmetered(), self.clock)

    @property
    def split(self) -> Split:
        return Split(
            self.uploads,
            self.pages,
            self.ledger,
            self.queues,
            self.publisher,
            self.accounting,
            self.clock,
            self.settings,
            self.profiles,
        )

    @property
    def recognize(self) -> Recognize:
        return Recognize(
            self.engine,
            self.ledger,
            self.pages,
            self.queues,
            self.accounting,
            self.clock,
            self.engine_settings,
            wait=lambda _error, attempts: 10.0 * attempts,
            reuse=Reuse(self.ledger, self.engine_settings, now=lambda: self.seconds) if self.reuses else None,
        )

    @property
    def assemble(self) -> Assemble:
        return Assemble(self.ledger, self.uploads, self.outputs, self.publisher, make=plainly)

    @property
    def reviews(self) -> Reviews:
        return Reviews(self.ledger, pause=lambda _seconds: None)

    @property
    def cancel(self) -> CancelDocument:
        return CancelDocument(self.ledger, self.sweep, self.clock)

    @property
    def delete(self) -> DeleteDocument:
        objects = MemoryObjects(self.uploads, self.pages, self.outputs)
        return DeleteDocument(Deletions(self.ledger), self.cancel, objects, self.publisher, self.clock)

    @property
    def show(self) -> ShowDocuments:
        return ShowDocuments(self.ledger, self.reviews, self.outputs, MemoryLinks(self.pages), self.clock)

    @property
    def review(self) -> ReviewPages:
        return ReviewPages(self.ledger, self.reviews, self.accounting, self.show, self.clock)

    def accepted(self, content: bytes, **metadata: str) -> Document:
        return self.split.upload(self.upload(content, **metadata))

    def ended(self, content: bytes, *script: Answer | Exception, **metadata: str) -> Document:
        """A document whose page jobs have ended as the script says."""
        if script:
            self.engine.script = list(script)
        document = self.accepted(content, **metadata)
        self.run_queues()
        return self.stored(document)

    def run_job(self, job: PageJob, deliveries: int = 1) -> Result | None:
        return asyncio.run(self.recognize.page_job(job, deliveries, time.monotonic() + 100))

    def run_queues(self) -> None:
        """Work until the queues are empty: ranges first, then page jobs."""
        while self.queues.ranges:
            self.split.page_range(*self.queues.ranges.pop(0))
        while self.queues.jobs:
            self.run_job(self.queues.jobs.pop(0))

    def upload(self, content: bytes, **metadata: str) -> Upload:
        return self.uploads.put(content, **metadata)

    def stored(self, document: Document) -> Document:
        """The document as it is now."""
        known = self.ledger.document(document.id)
        assert known is not None
        return known

    def forget_announcement(self, document: Document) -> None:
        """As after a crash between publishing a document's end and noting it."""
        self.table.change(Update(document_key(document.id), set={"announced": False, "open": "open"}))

    def receipt_of(self, document: Document) -> dict[str, object]:
        return self.pages.receipts[document.id]


@pytest.fixture
def pagewise() -> Pagewise:
    return Pagewise()
