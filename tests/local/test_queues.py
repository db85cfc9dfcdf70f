"""Event source mappings keep the Lambda service's promises about batches, failures and concurrency."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tests.local.conftest import Toys, eventually


def test_a_record_has_the_shape_that_lambda_gives_it(toys: Toys) -> None:
    url = toys.queue_url("Plain")
    toys.stack.client("sqs").send_message(
        QueueUrl=url,
        MessageBody=json.dumps({"mark": "shape"}),
        MessageGroupId="a document",
        MessageAttributes={
            "text": {"DataType": "String", "StringValue": "word"},
            "bytes": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
        },
    )
    [entry] = toys.wait_for("shape", 1)
    [record] = entry["event"]["Records"]
    assert set(record) == {
        "messageId",
        "receiptHandle",
        "body",
        "attributes",
        "messageAttributes",
        "md5OfBody",
        "eventSource",
        "eventSourceARN",
        "awsRegion",
    }
    assert record["eventSource"] == "aws:sqs"
    assert record["eventSourceARN"].endswith(":toy-Plain")
    assert record["attributes"]["ApproximateReceiveCount"] == "1"
    assert record["attributes"]["MessageGroupId"] == "a document"
    assert {"SentTimestamp", "SenderId", "ApproximateFirstReceiveTimestamp"} <= set(record["attributes"])
    assert record["messageAttributes"]["text"]["stringValue"] == "word"
    assert record["messageAttributes"]["bytes"]["binaryValue"] == "AP8="


def numbers(entry: Mapping[str, Any]) -> set[int]:
    """Of the orders in a batch. A busy machine can gather a message twice: it comes back after two seconds."""
    return {order["number"] for order in entry["orders"]}


def test_reported_failures_return_and_the_others_are_gone(toys: Toys) -> None:
    mark = toys.send("Windowed", {"do": "report"}, {"do": "nothing"}, {"do": "nothing"})
    first, second = toys.wait_for(mark, 2)
    assert numbers(first) == {0, 1, 2}
    assert numbers(second) == {0}
    assert second["event"]["Records"][0]["attributes"]["ApproximateReceiveCount"] == "2"


def test_an_error_fails_the_whole_batch(toys: Toys) -> None:
    mark = toys.send("Windowed", {"do": "nothing"}, {"do": "raise"})
    first, second = toys.wait_for(mark, 2)
    assert numbers(first) == numbers(second) == {0, 1}


def test_malformed_responses_fail_the_whole_batch(toys: Toys) -> None:
    malformed: list[Any] = [
        "done",
        {"batchItemFailures": "all"},
        {"batchItemFailures": [{"itemIdentifier": ""}]},
        {"batchItemFailures": [{"itemIdentifier": None}]},
        {"batchItemFailures": [{"identifier": "1"}]},
        {"batchItemFailures": [{"itemIdentifier": "unknown"}]},
    ]
    marks = [toys.send("Plain", {"answer": answer}) for answer in malformed]
    for mark in marks:
        assert toys.wait_for(mark, 2), malformed[marks.index(mark)]


def test_empty_responses_mean_success(toys: Toys) -> None:
    empty: list[Any] = [None, {}, {"batchItemFailures": None}, {"batchItemFailures": []}]
    marks = [toys.send("Narrow", {"answer": answer}) for answer in empty]
    assert eventually(lambda: all(toys.entries(mark, "ended") for mark in marks))
    assert eventually(lambda: toys.left("Narrow") == 0)
    assert [len(toys.entries(mark)) for mark in marks] == [1, 1, 1, 1]


def test_without_reporting_an_answer_is_no_failure(toys: Toys) -> None:
    mark = toys.send("Unreported", {"do": "report"})
    assert eventually(lambda: toys.entries(mark, "ended"))
    assert eventually(lambda: toys.left("Unreported") == 0)
    assert len(toys.entries(mark)) == 1


def test_what_fails_too_often_goes_to_the_dead_letter_queue(toys: Toys) -> None:
    mark = toys.send("Plain", {"do": "report"})
    dead = toys.stack.deployment.outputs["DeadLetterQueue"]
    sqs = toys.stack.client("sqs")

    def found() -> bool:  # what is received stays hidden, so that the queue is read from its start to its end
        messages = sqs.receive_message(QueueUrl=dead, MaxNumberOfMessages=10).get("Messages", [])
        return any(json.loads(message["Body"])["mark"] == mark for message in messages)

    assert eventually(found)
    assert len(toys.entries(mark)) == 2


def test_a_window_fills_batches(toys: Toys) -> None:
    mark = toys.send("Windowed", *[{"do": "nothing"}] * 25)
    assert eventually(lambda: sum(len(entry["orders"]) for entry in toys.entries(mark)) == 25)
    assert sorted(len(entry["orders"]) for entry in toys.entries(mark)) == [5, 20]


def test_no_more_batches_are_in_flight_than_the_mapping_allows(toys: Toys) -> None:
    mark = toys.send("Narrow", *[{"do": "sleep", "seconds": 0.3}] * 6)
    assert eventually(lambda: len(toys.entries(mark, "ended")) == 6)
    moments = sorted(
        [(entry["began"], 1) for entry in toys.entries(mark)]
        + [(entry["ended"], -1) for entry in toys.entries(mark, "ended")]
    )
    in_flight = [sum(change for _, change in moments[: position + 1]) for position in range(len(moments))]
    assert max(in_flight) == 2


def test_a_filter_lets_pass_what_it_matches_and_drops_the_rest(toys: Toys) -> None:
    url = toys.stack.deployment.outputs["FilteredQueue"]
    sqs = toys.stack.client("sqs")
    for body in ({"kind": "other", "mark": "dropped"}, {"kind": "wanted", "mark": "passed"}):
        sqs.send_message(QueueUrl=url, MessageBody=json.dumps(body))
    assert eventually(lambda: toys.entries("passed", "ended"))
    assert not toys.entries("dropped")

    def left() -> int:
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        return int(attributes["ApproximateNumberOfMessages"]) + int(attributes["ApproximateNumberOfMessagesNotVisible"])

    assert eventually(lambda: left() == 0)
