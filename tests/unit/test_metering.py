"""What is counted: each page job once, in CloudWatch's embedded metric format."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pagewise as pagewise_core
from pagewise.account.metering import OWN_REASONS, dimension
from pagewise.errors import Configuration, PagewiseError, StorageBusy, Throttled, Transient
from pagewise.model import Document, PageJob, Result
from pagewise.qwen.failures import KNOWN_CODES
from tests.fakes import MemoryQueues, text_answer
from tests.pictures import picture, tiff
from tests.unit.conftest import Pagewise


@dataclass
class MemoryMeter:
    counted: list[tuple[str, Any]] = field(default_factory=list)

    def accepted(self, document: Document) -> None:
        self.counted.append(("accepted", document.pages))

    def ended(self, document: Document) -> None:
        self.counted.append(("ended", str(document.status)))

    def assembled(self, manifest: Mapping[str, Any]) -> None:
        self.counted.append(("assembled", len(manifest["files"])))

    def page_job(self, result: Result, amount: float) -> None:
        self.counted.append((str(result.status), amount))

    def put_off(self, error: PagewiseError) -> None:
        self.counted.append(("put off", error.reason))

    def batch(self, name: str, number: float = 1) -> None:
        self.counted.append((name, number))

    def split_put_off(self) -> None:
        self.counted.append(("split put off", 1))


class FailingQueues(MemoryQueues):
    def send_jobs(self, _jobs: Sequence[PageJob]) -> None:
        raise StorageBusy("The queue is busy.")


@pytest.fixture
def meter(pagewise: Pagewise) -> MemoryMeter:
    meter = MemoryMeter()
    pagewise.accounting = replace(pagewise.accounting, meter=meter)
    return meter


def test_a_page_job_is_counted_once_however_often_it_is_delivered(pagewise: Pagewise, meter: MemoryMeter) -> None:
    pagewise.split.upload(pagewise.upload(tiff(2)))
    first, second = pagewise.queues.jobs
    for job in (first, first, second, first):
        pagewise.run_job(job)
    cost = pagewise.accounting.price.amount(text_answer().usage)
    assert meter.counted == [("accepted", 2), ("recognized", cost), ("recognized", cost), ("ended", "complete")]


def test_waiting_is_counted_and_no_page_job(pagewise: Pagewise, meter: MemoryMeter) -> None:
    pagewise.split.upload(pagewise.upload(picture()))
    pagewise.engine.script = [Throttled("Throttling", "m"), Configuration("InvalidApiKey", "m")]
    for _ in range(2):
        pagewise.run_job(pagewise.queues.jobs[0])
    assert meter.counted[1:] == [("put off", "Throttling"), ("put off", "InvalidApiKey")]


def test_a_rejection_is_an_end(pagewise: Pagewise, meter: MemoryMeter) -> None:
    pagewise.split.upload(pagewise.upload(b""))
    assert meter.counted == [("ended", "rejected")]


def test_a_splitter_s_retry_counts_its_document_once(pagewise: Pagewise, meter: MemoryMeter) -> None:
    upload = pagewise.upload(tiff(3))
    queues, pagewise.queues = pagewise.queues, FailingQueues()
    with pytest.raises(Transient):
        pagewise.split.upload(upload)
    pagewise.queues = queues
    for _ in range(2):
        pagewise.split.upload(upload)
    assert meter.counted == [("accepted", 3)]
    assert len(pagewise.queues.jobs) == 3


def test_an_end_that_several_announce_is_counted_once(pagewise: Pagewise, meter: MemoryMeter) -> None:
    document = pagewise.split.upload(pagewise.upload(picture()))
    pagewise.run_queues()
    ended = pagewise.stored(document)
    for _ in range(2):  # each read it before the other's announcement was noted
        pagewise.accounting.announce(replace(ended, announced=False))
    assert [count for count in meter.counted if count[0] == "ended"] == [("ended", "complete")]


def test_every_reason_of_our_own_is_a_dimension() -> None:
    errors = {error.__name__ for error in subclasses(PagewiseError)}
    core = Path(pagewise_core.__file__).parent
    found = {
        call.args[0].value
        for path in core.rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id in errors
        and call.args
        and isinstance(call.args[0], ast.Constant)
        and re.fullmatch(r"[a-z0-9_]+", str(call.args[0].value))
    }
    assert len(found) > 15
    assert found <= OWN_REASONS


def subclasses(kind: type[PagewiseError]) -> Iterator[type[PagewiseError]]:
    for inner in kind.__subclasses__():
        yield inner
        yield from subclasses(inner)


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("InvalidParameter", "InvalidParameter"),
        ("DataInspectionFailed", "DataInspectionFailed"),
        ("too_small", "too_small"),
        ("http_418", "http_4xx"),
        ("http_٤٢٢", "other"),
        ("Made.Up.By.A.Server", "other"),
        ("x" * 10_000, "other"),
        (None, "other"),
    ],
)
def test_an_engine_s_codes_make_no_endless_metrics(reason: str | None, expected: str) -> None:
    assert dimension(reason) == expected


@given(st.text())
def test_whatever_an_engine_calls_its_failure_the_dimensions_are_few(reason: str) -> None:
    assert dimension(reason) in {*OWN_REASONS, *KNOWN_CODES, "other", *(f"http_{digit}xx" for digit in range(10))}


def test_outputs_are_counted_once_in_each_run(pagewise: Pagewise, meter: MemoryMeter) -> None:
    document = pagewise.split.upload(pagewise.upload(tiff(1), ocr_outputs="text,html"))
    pagewise.run_queues()
    for _ in range(2):
        replace(pagewise.assemble, meter=meter).document(document.id, 1)
    assert [counted for counted in meter.counted if counted[0] == "assembled"] == [("assembled", 2)]
