"""What is counted: each page job once, in CloudWatch's embedded metric format."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from aws_lambda_powertools import Metrics

from pagewise.aws.metering import NAMESPACE, CloudWatchMeter
from pagewise.errors import Configuration, PagewiseError, Throttled
from pagewise.model import Document, Result
from tests.fakes import text_answer
from tests.pictures import picture, tiff
from tests.unit.conftest import Pagewise


@dataclass
class MemoryMeter:
    counted: list[tuple[str, Any]] = field(default_factory=list)

    def accepted(self, document: Document) -> None:
        self.counted.append(("accepted", document.pages))

    def ended(self, document: Document) -> None:
        self.counted.append(("ended", str(document.status)))

    def page_job(self, result: Result, amount: float) -> None:
        self.counted.append((str(result.status), amount))

    def put_off(self, error: PagewiseError) -> None:
        self.counted.append(("put off", error.reason))

    def split_put_off(self) -> None:
        self.counted.append(("split put off", 1))


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


def test_metrics_are_lines_of_the_log(pagewise: Pagewise, capsys: pytest.CaptureFixture[str]) -> None:
    metrics = Metrics(namespace=NAMESPACE, service="stack")
    pagewise.accounting = replace(pagewise.accounting, meter=CloudWatchMeter(metrics))
    pagewise.split.upload(pagewise.upload(picture()))
    pagewise.split.upload(pagewise.uploads.put(b"", key="uploads/empty"))
    pagewise.run_queues()
    metrics.flush_metrics()
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {line["_aws"]["CloudWatchMetrics"][0]["Namespace"] for line in lines} == {"Pagewise"}
    (rejection, counts) = lines
    assert (rejection["service"], rejection["reason"], rejection["Rejections"]) == ("stack", "empty", [1.0])
    assert rejection["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["service", "reason"]]
    assert (counts["Pages"], counts["InputTokens"], counts["Cost"]) == ([1.0], [100.0], [0.0000086])
