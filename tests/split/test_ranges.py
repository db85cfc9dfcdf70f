"""Large documents: every page of every range exactly once, whatever is delivered how often."""

from __future__ import annotations

import io
import math
import random
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from pypdf import PdfWriter

from pagewise.errors import PageUnreadable, StorageBusy
from pagewise.model import DocumentId, PageJob, PageRange
from pagewise.pages.images import PageImage
from pagewise.pages.ranges import MAX_SUBRANGES, subranges
from pagewise.pages.rendering import Contents, LostPage, Rendered, Renderer, Unreached
from pagewise.use_cases.settings import SplitSettings
from tests.fakes import MemoryQueues
from tests.pictures import picture
from tests.split.documents import text_pdf
from tests.unit.conftest import Pagewise

IMAGE = picture(20, 20)


@dataclass(frozen=True, slots=True)
class ScriptedRenderer(Renderer):
    """Draws nothing; loses every page in `lost`, and reaches so many pages at a time."""

    lost: frozenset[int] = frozenset()
    at_a_time: int = 10**9

    def render(
        self,
        _path: Path,
        _contents: Contents,
        pages: PageRange,
        _password: str | None = None,
        _deadline: float = math.inf,
    ) -> Generator[Rendered, None, None]:
        for number in pages.numbers():
            if number - pages.first == self.at_a_time:
                yield Unreached(number)
                return
            if number in self.lost:
                yield LostPage(number, PageUnreadable("lost"))
            else:
                yield PageImage(number, IMAGE, "image/png", 20, 20)


@dataclass
class StrictQueues(MemoryQueues):
    """Takes nothing before its document is written, and sometimes fails after it has taken something."""

    written: Callable[[DocumentId], object] = lambda _: None
    fails: Callable[[], bool] = lambda: False

    def send_ranges(self, document_id: DocumentId, ranges: Sequence[PageRange]) -> None:
        assert self.written(document_id)
        super().send_ranges(document_id, ranges)
        self.perhaps_fail()

    def send_jobs(self, jobs: Sequence[PageJob]) -> None:
        assert all(self.written(job.document_id) for job in jobs)
        super().send_jobs(jobs)
        self.perhaps_fail()

    def perhaps_fail(self) -> None:
        if self.fails():
            raise StorageBusy("The queue took it, and said that it did not.")


def split(pages: int, size: int, renderer: ScriptedRenderer, chance: random.Random, trouble: float) -> Pagewise:
    """Upload, and deliver the ranges in any order, some of them several times, some after a failure in the middle."""
    pagewise = Pagewise(settings=SplitSettings(pages_per_range=size, renderer=renderer))
    pagewise.queues = StrictQueues(written=pagewise.ledger.document, fails=lambda: chance.random() < trouble)
    upload = pagewise.upload(text_pdf(pages))
    deliver(lambda: pagewise.split.upload(upload))
    while pagewise.queues.ranges:
        delivered = pagewise.queues.ranges.pop(chance.randrange(len(pagewise.queues.ranges)))
        deliver(lambda delivered=delivered: pagewise.split.page_range(*delivered))  # type: ignore[misc]
        if chance.random() < trouble:
            pagewise.queues.ranges.append(delivered)
            deliver(lambda: pagewise.split.upload(upload))
    return pagewise


def deliver(delivery: Callable[[], object]) -> None:
    """As often as it takes."""
    while True:
        try:
            delivery()
        except StorageBusy:
            continue
        return


@settings(max_examples=15, deadline=None)
@given(
    pages=st.integers(1, 60),
    size=st.integers(1, 60),
    at_a_time=st.integers(1, 30),
    trouble=st.sampled_from((0.0, 0.3)),
    chance=st.randoms(use_true_random=False),
)
def test_no_page_is_lost_and_none_is_recognized_twice(
    pages: int, size: int, at_a_time: int, trouble: float, chance: random.Random
) -> None:
    lost = {page for page in range(1, pages + 1) if chance.random() < 0.1} if pages > 1 else set()
    pagewise = split(pages, size, ScriptedRenderer(lost=frozenset(lost), at_a_time=at_a_time), chance, trouble)
    jobs = Counter(job.page for job in pagewise.queues.jobs)
    assert set(jobs) == set(range(1, pages + 1)) - lost
    assert trouble or set(jobs.values()) <= {1}
    assert len(pagewise.pages.objects) == pages - len(lost)
    pagewise.run_queues()
    assert len(pagewise.engine.questions) == pages - len(lost)
    (receipt,) = pagewise.pages.receipts.values()
    assert [(job["page"], job["status"]) for job in receipt["page_jobs"]] == [
        (number, "failed" if number in lost else "recognized") for number in range(1, pages + 1)
    ]


def test_five_thousand_pages_are_split_by_many_invocations() -> None:
    pagewise = split(5000, 20, ScriptedRenderer(), random.Random(1), 0.05)
    assert {job.page for job in pagewise.queues.jobs} == set(range(1, 5001))


def test_ranges_of_a_real_document_come_out_once(pagewise: Pagewise) -> None:
    pagewise.settings = SplitSettings(pages_per_range=3, renderer=Renderer(dpi=36))
    document = pagewise.split.upload(pagewise.upload(text_pdf(11)))
    pagewise.run_queues()
    receipt = pagewise.receipt_of(document)
    assert receipt["status"] == "complete"
    assert [job["page"] for job in receipt["page_jobs"]] == list(range(1, 12))  # type: ignore[attr-defined]


def test_the_password_opens_every_range(pagewise: Pagewise) -> None:
    writer = PdfWriter(clone_from=io.BytesIO(text_pdf(5)))
    writer.encrypt("open sesame", algorithm="RC4-128")
    buffer = io.BytesIO()
    writer.write(buffer)
    pagewise.settings = SplitSettings(pages_per_range=2, renderer=Renderer(dpi=36))
    assert pagewise.split.upload(pagewise.upload(buffer.getvalue())).reason == "encrypted"
    password = {"ocr_password": "open sesame"}
    again = pagewise.uploads.put(buffer.getvalue(), version="v2", **password)
    document = pagewise.split.upload(again)
    pagewise.run_queues()
    receipt = pagewise.receipt_of(document)
    assert (document.pages, receipt["status"]) == (5, "complete")
    assert "sesame" not in str(receipt) + str(pagewise.table.__dict__) + str(pagewise.publisher.events)


@given(first=st.integers(1, 10**6), length=st.integers(1, 10**6), size=st.integers(1, 1000))
def test_subranges_are_exactly_the_range(first: int, length: int, size: int) -> None:
    pages = PageRange(first, first + length - 1)
    pieces = subranges(pages, size)
    assert pieces[0].first == pages.first
    assert pieces[-1].last == pages.last
    assert all(left.last + 1 == right.first for left, right in pairwise(pieces))
    assert len(pieces) <= MAX_SUBRANGES
    assert all(len(piece) % size == 0 for piece in pieces[:-1])
    assert length <= size or max(len(piece) for piece in pieces) < length
