"""Events on the bus, against the emulator's own endpoint."""

from __future__ import annotations

import json

from pagewise.aws.bus import EventBridgePublisher
from pagewise.events import Event
from tests.adapters.test_queues import received
from tests.deployed import Deployed


def test_every_event_reaches_a_subscriber(deployed: Deployed) -> None:
    sqs, events = deployed.client("sqs"), deployed.client("events")
    url = sqs.create_queue(QueueName="subscriber")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    bus = deployed.outputs["EventBus"]
    events.put_rule(Name="all", EventBusName=bus, EventPattern=json.dumps({"source": ["pagewise"]}))
    events.put_targets(Rule="all", EventBusName=bus, Targets=[{"Id": "1", "Arn": arn}])
    sent = [Event("PageRecognized", {"event_id": str(number)}) for number in range(23)]
    EventBridgePublisher(events, bus).publish(sent)
    found = [json.loads(str(message["Body"])) for message in received(deployed, url, 23)]
    assert {message["detail"]["event_id"] for message in found} == {event.id for event in sent}
    assert {message["detail-type"] for message in found} == {"PageRecognized"}
