"""Bucket notifications and schedules: asynchronous, retried twice, then sent to the destination."""

from __future__ import annotations

import json
from typing import Any

import pytest

from local.emulator.deployment import Schedule
from local.functions import schedules
from tests.local.conftest import Toys, eventually


def entries_of(toys: Toys, key: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in toys.journal.read_text().splitlines()] if toys.journal.exists() else []
    return [line for line in lines if "began" in line and {"do": key} in line["orders"]]


def upload(toys: Toys, key: str) -> None:
    toys.stack.client("s3").put_object(Bucket="toy-bucket", Key=key, Body=b"x")


def test_an_upload_invokes_the_function_once(toys: Toys) -> None:
    upload(toys, "nothing")
    [entry] = eventually(lambda: entries_of(toys, "nothing"))
    [record] = entry["event"]["Records"]
    assert record["eventSource"] == "aws:s3"
    assert record["eventName"].startswith("ObjectCreated:")
    assert record["s3"]["bucket"]["name"] == "toy-bucket"


def test_many_uploads_at_once_are_all_noticed(toys: Toys) -> None:
    for number in range(30):
        upload(toys, f"one of many {number}")
    assert eventually(lambda: all(entries_of(toys, f"one+of+many+{number}") for number in range(30)))


def test_a_failing_event_is_tried_three_times_and_then_sent_on(toys: Toys) -> None:
    upload(toys, "raise")
    queue = toys.stack.deployment.outputs["FailedEventsQueue"]
    [message] = eventually(
        lambda: toys.stack.client("sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=1).get("Messages")
    )
    entries = entries_of(toys, "raise")
    assert len(entries) == 3
    record = json.loads(message["Body"])
    assert set(record) == {
        "version",
        "timestamp",
        "requestContext",
        "requestPayload",
        "responseContext",
        "responsePayload",
    }
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 3
    assert record["requestContext"]["functionArn"].endswith(":function:toy-Upload:$LATEST")
    assert record["requestPayload"] == entries[0]["event"]
    assert record["responseContext"] == {
        "statusCode": 200,
        "executedVersion": "$LATEST",
        "functionError": "Unhandled",
    }
    assert record["responsePayload"]["errorType"] == "ValueError"


def test_the_templates_schedule_is_run_here_and_not_by_the_emulator(toys: Toys) -> None:
    [schedule] = toys.stack.deployment.schedules
    assert (schedule.expression, schedule.function) == ("rate(1 hour)", "toy-Upload")
    [rule] = [rule for rule in toys.stack.client("events").list_rules()["Rules"] if rule["Name"] == schedule.rule]
    assert rule["State"] == "DISABLED"


class RecordedInvocations:
    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any], str]] = []

    def invoke(self, function: str, event: dict[str, Any], trigger: str) -> None:
        self.events.append((function, event, trigger))


def test_a_rate_fires_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(schedules.SECONDS, "minute", 0.05)
    invocations = RecordedInvocations()
    arn = "arn:aws:events:us-east-1:000000000000:rule/sweep"
    rule = Schedule(rule="sweep", arn=arn, expression="rate(1 minute)", function="sweeper", constant_input=None)
    scheduler = schedules.Scheduler((rule,), invocations)  # type: ignore[arg-type]
    scheduler.start()
    assert eventually(lambda: len(invocations.events) >= 3)
    scheduler.stop()
    function, event, trigger = invocations.events[0]
    assert (function, trigger) == ("sweeper", "schedule")
    assert event["detail-type"] == "Scheduled Event"
    assert event["resources"] == [arn]


@pytest.mark.parametrize(
    ("expression", "seconds"),
    [("rate(5 minutes)", 300), ("rate(1 hour)", 3600), ("rate(2 days)", 172800), ("cron(0 * * * ? *)", None)],
)
def test_rates_in_seconds(expression: str, seconds: float | None) -> None:
    assert schedules.seconds(expression) == seconds
