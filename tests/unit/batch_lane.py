"""The batch lane on in-memory ports, by a clock that is told."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

from pagewise.account.lots import Lot, LotLimits, Lots
from pagewise.account.metering import Unmetered
from pagewise.model import Document, Lane, PageJob
from pagewise.use_cases.collect import Collect
from pagewise.use_cases.follow import Follow, FollowSettings
from pagewise.use_cases.settings import BatchTerms
from pagewise.use_cases.settle import Settle
from tests.fakes.batches import MemoryBatches
from tests.pictures import tiff
from tests.unit.conftest import Pagewise

MODEL = "qwen-vl-ocr"
DAY = 86_400


@dataclass
class Counted(Unmetered):
    counts: dict[str, float] = field(default_factory=dict)

    def batch(self, name: str, number: float = 1) -> None:
        self.counts[name] = self.counts.get(name, 0) + number


@dataclass
class BatchLane:
    pagewise: Pagewise = field(default_factory=Pagewise)
    service: MemoryBatches = field(default_factory=MemoryBatches)
    limits: LotLimits = field(default_factory=LotLimits)
    lane: FollowSettings = field(default_factory=FollowSettings)
    seconds: float = 0.0

    def __post_init__(self) -> None:
        self.pagewise.clock.milliseconds = 10 * DAY * 1000
        self.pagewise.settings = replace(self.pagewise.settings, batch=BatchTerms(MODEL))
        self.meter = Counted()
        self.pagewise.accounting = replace(self.pagewise.accounting, meter=self.meter)

    @property
    def lots(self) -> Lots:
        return Lots(self.pagewise.table, self.limits, pause=lambda _seconds: None)

    @property
    def settings(self) -> Any:
        return replace(self.pagewise.engine_settings, model=MODEL)

    @property
    def collect(self) -> Collect:
        of = self.pagewise
        return Collect(self.lots, of.ledger, of.queues, of.clock, self.settings, self.lane.most_line_bytes)

    @property
    def settle(self) -> Settle:
        of = self.pagewise
        return Settle(self.lots, of.ledger, of.queues, of.accounting, of.clock, self.settings)

    @property
    def follow(self) -> Follow:
        lane = replace(self.lane, read_side_by_side=1, stored_side_by_side=1)
        return Follow(self.service, self.lots, self.pagewise.pages, self.settle, lane, monotonic=lambda: self.seconds)

    # ── what happens ─────────────────────────────────────────────────────────────────────────────────────────────────

    def upload(self, pages: int = 3, **metadata: str) -> Document:
        """Split, and its page jobs gathered; what goes live at once is in the queues."""
        asked = {"ocr_lane": "batch", **metadata}
        document = self.pagewise.split.upload(self.pagewise.upload(tiff(pages), **asked))
        self.gather()
        return document

    def gather(self) -> list[PageJob]:
        jobs = [job for job in self.pagewise.queues.jobs if job.lane is Lane.BATCH]
        self.pagewise.queues.jobs = [job for job in self.pagewise.queues.jobs if job.lane is not Lane.BATCH]
        self.collect.page_jobs(jobs)
        return jobs

    def later(self, seconds: float) -> None:
        self.pagewise.clock.milliseconds += round(seconds * 1000)

    def visit(self, after: float = 0.0, deadline: float = math.inf) -> int:
        self.later(after)
        return self.follow.visit(deadline)

    def send(self) -> None:
        """The lot's time has come, and its batch is created."""
        self.visit(after=self.limits.wait_seconds + 1)

    def finish(self) -> None:
        """The service ends the batch, and its replies are stored."""
        self.service.end_all()
        self.visit(after=601)

    @property
    def lot(self) -> Lot:
        (lot,) = self.lots.all()
        return lot

    def receipt(self, document: Document) -> Any:
        return self.pagewise.receipt_of(document)
