"""docs/cost.py: what it says of the code, and what the code says of it."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from pagewise.account.ledger import INLINE_RESULT_BYTES
from tests.template import cloudformation

ROOT = Path(__file__).parents[2]
KEYS = 300  # bytes of a stored result besides its JSON: names, keys, status, moments


@pytest.fixture
def cost(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    yield importlib.import_module("cost")
    del sys.modules["cost"]


def test_a_result_is_kept_where_it_costs_least(cost: ModuleType) -> None:
    kilobytes = -(-(INLINE_RESULT_BYTES + KEYS) // 1024)
    assert cost.in_table(kilobytes) <= cost.in_bucket() < cost.in_table(kilobytes + 1)


def test_egress_of_a_million_pages_is_47_dollars(cost: ModuleType) -> None:
    assert 1e6 * cost.lines(cost.Page())["Egress to the engine"] == pytest.approx(46.9, abs=0.1)
    assert 1e6 * cost.lines(cost.Page(sent=1.0))["Egress to the engine"] == pytest.approx(35.2, abs=0.1)


def test_all_metrics_and_queues_are_paid_for(cost: ModuleType) -> None:
    operations = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    counted = operations.partition("## What is counted")[2].partition("\n## ")[0].partition("With the dimension")[0]
    listed = set(re.findall(r"`([A-Z]\w+)`", counted)) - {"Pagewise"}
    assert len({name for name in listed if name.startswith("Batch")}) == cost.BATCH_METRICS
    assert len(listed) == cost.METRICS + cost.BATCH_METRICS
    mappings = cloudformation.of_type(cloudformation.load(), "Lambda::EventSourceMapping")
    assert len([one for name, one in mappings.items() if not name.startswith("Batch")]) == cost.QUEUES
    assert len(mappings) == cost.QUEUES + cost.BATCH_QUEUES


def test_all_metrics_of_alarms_are_paid_for(cost: ModuleType) -> None:
    conditions = {"HasApi": "with the API", "HasBatchLane": "with the batch lane"}
    watched = dict.fromkeys(["always", *conditions.values()], 0)
    for resource in cloudformation.resources(cloudformation.load()).values():
        if resource["Type"] == "AWS::CloudWatch::Alarm":
            metrics = resource["Properties"].get("Metrics", [{}])
            deployed = conditions.get(resource.get("Condition", ""), "always")
            watched[deployed] += len([metric for metric in metrics if "Expression" not in metric])
    assert watched == {
        "always": cost.ALARM_METRICS,
        "with the API": cost.REVIEW_ALARM_METRICS,
        "with the batch lane": cost.BATCH_ALARM_METRICS,
    }


def test_the_api_s_part_of_the_bill_is_told(cost: ModuleType) -> None:
    told = (ROOT / "docs/cost.md").read_text(encoding="utf-8")
    assert f"{cost.review_fixed():.2f} USD a month" in told
    assert f"{1000 * cost.review_request():.4f} USD" in told


def test_the_batch_lane_halves_tokens_and_costs_less_on_aws_too(cost: ModuleType) -> None:
    live, batch = cost.lines(cost.Page()), cost.batch_lines(cost.Page())
    assert batch["Tokens"] == pytest.approx(live["Tokens"] / 2)
    assert batch["Egress to the engine"] == live["Egress to the engine"]
    without_tokens = [sum(lane.values()) - lane["Tokens"] for lane in (live, batch)]
    assert without_tokens[1] == pytest.approx(without_tokens[0], rel=0.1)
