"""Metrics as lines of the log."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from aws_lambda_powertools import Metrics

from pagewise.aws.metering import NAMESPACE, CloudWatchMeter
from tests.pictures import picture
from tests.unit.conftest import Pagewise


def test_metrics_are_lines_of_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    pagewise = Pagewise()
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
