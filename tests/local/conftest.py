"""A small stack of toy functions on the real emulator, under the real runtime interface client."""

from __future__ import annotations

import json
import textwrap
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest

from local.children import Children
from local.stack import Stack
from tests.environments import needs

T = TypeVar("T")

TEMPLATE = """\
AWSTemplateFormatVersion: "2010-09-09"
Transform: [AWS::LanguageExtensions, AWS::Serverless-2016-10-31]
Parameters:
  Journal: {Type: String}
Mappings:
  Toys:
    Plain: {Batch: 5, Window: 0, Concurrency: 5, Loop: Terminate, Responses: [ReportBatchItemFailures]}
    Windowed: {Batch: 20, Window: 1, Concurrency: 2, Loop: Terminate, Responses: [ReportBatchItemFailures]}
    Narrow: {Batch: 1, Window: 0, Concurrency: 2, Loop: Allow, Responses: [ReportBatchItemFailures]}
Globals:
  Function:
    Runtime: python3.13
    Handler: handler.handler
    MemorySize: 256
    Timeout: 2
    Layers: [!Ref ToyLayer]
    Environment:
      Variables:
        JOURNAL: !Ref Journal
Resources:
  ToyLayer:
    Type: AWS::Serverless::LayerVersion
    Properties:
      ContentUri: layers/toy
  DeadLetterQueue:
    Type: AWS::SQS::Queue
  Fn::ForEach::Toys:
    - Toy
    - [Plain, Windowed, Narrow]
    - "${Toy}Queue":
        Type: AWS::SQS::Queue
        Properties:
          QueueName: !Sub "toy-${Toy}"
          VisibilityTimeout: 2
          RedrivePolicy:
            deadLetterTargetArn: !GetAtt DeadLetterQueue.Arn
            maxReceiveCount: 2
      "${Toy}Function":
        Type: AWS::Serverless::Function
        Properties:
          FunctionName: !Sub "toy-${Toy}"
          RecursiveLoop: !FindInMap [Toys, !Ref Toy, Loop]
          Runtime: python3.13
          Handler: handler.handler
          CodeUri: functions/toy
          Environment:
            Variables:
              OWN_QUEUE: {Ref: !Sub "${Toy}Queue"}
      "${Toy}Mapping":
        Type: AWS::Lambda::EventSourceMapping
        Properties:
          EventSourceArn: !GetAtt [!Sub "${Toy}Queue", Arn]
          FunctionName: {Ref: !Sub "${Toy}Function"}
          BatchSize: !FindInMap [Toys, !Ref Toy, Batch]
          MaximumBatchingWindowInSeconds: !FindInMap [Toys, !Ref Toy, Window]
          FunctionResponseTypes: !FindInMap [Toys, !Ref Toy, Responses]
          ScalingConfig:
            MaximumConcurrency: !FindInMap [Toys, !Ref Toy, Concurrency]
  UnreportedQueue:
    Type: AWS::SQS::Queue
    Properties: {QueueName: toy-Unreported}
  UnreportedFunction:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: toy-Unreported
      CodeUri: functions/toy
      Environment:
        Variables:
          OWN_QUEUE: !Ref UnreportedQueue
      Events:
        Message:
          Type: SQS
          Properties: {Queue: !GetAtt UnreportedQueue.Arn, BatchSize: 5}
  FilteredQueue:
    Type: AWS::SQS::Queue
  FilteredMapping:
    Type: AWS::Lambda::EventSourceMapping
    Properties:
      EventSourceArn: !GetAtt FilteredQueue.Arn
      FunctionName: !Ref PlainFunction
      FilterCriteria:
        Filters: [{Pattern: '{"body": {"kind": ["wanted"]}}'}]
  Bucket:
    Type: AWS::S3::Bucket
    Properties:
      BucketName: toy-bucket
  FailedEventsQueue:
    Type: AWS::SQS::Queue
  UploadFunction:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: toy-Upload
      CodeUri: functions/toy
      EventInvokeConfig:
        MaximumRetryAttempts: 2
        DestinationConfig:
          OnFailure: {Type: SQS, Destination: !GetAtt FailedEventsQueue.Arn}
      Events:
        Created:
          Type: S3
          Properties: {Bucket: !Ref Bucket, Events: s3:ObjectCreated:*}
        Hourly:
          Type: Schedule
          Properties: {Schedule: rate(1 hour), Input: '{"why": "schedule"}'}
Outputs:
  DeadLetterQueue: {Value: !Ref DeadLetterQueue}
  FilteredQueue: {Value: !Ref FilteredQueue}
  FailedEventsQueue: {Value: !Ref FailedEventsQueue}
"""

HANDLER = '''
"""Does to each record, or event, what it says."""
import json
import os
import signal
import subprocess
import sys
import time

import toy_layer


def handler(event, context):
    orders = [json.loads(record["body"]) for record in event["Records"] if "body" in record] or [event_order(event)]
    journal({"began": time.time(), "pid": os.getpid(), "event": event, "layer": toy_layer.NAME,
             "orders": orders, "variables": dict(os.environ), "left": context.get_remaining_time_in_millis(),
             "request_id": context.aws_request_id})
    answers = [obey(order) for order in orders]
    journal({"ended": time.time(), "orders": orders})
    for order in orders:
        if "answer" in order:
            return order["answer"]
    return {"batchItemFailures": [
        {"itemIdentifier": record["messageId"]}
        for record, order in zip(event["Records"], orders) if order.get("do") == "report"
    ]}


def event_order(event):
    return {"do": event["Records"][0]["s3"]["object"]["key"]}


def obey(order):
    match order.get("do"):
        case "sleep":
            time.sleep(order["seconds"])
        case "raise":
            raise ValueError("as ordered")
        case "exit":
            os._exit(1)
        case "leave and crash":
            with open(os.environ["TMPDIR"] + "/left", "w") as file:
                file.write("something")
            os.kill(os.getpid(), signal.SIGKILL)
        case "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "spawn and sleep":
            child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
            journal({"grandchild": child.pid, "orders": [order]})
            time.sleep(600)
        case "pass on":
            import botocore.session
            follows = json.dumps({**order, "number": order["number"] + 1})
            if order["number"] < order["times"]:
                sqs = botocore.session.get_session().create_client("sqs")
                sqs.send_message(QueueUrl=os.environ["OWN_QUEUE"], MessageBody=follows)
        case "print":
            print("printed by the function", flush=True)


def journal(entry):
    with open(os.environ["JOURNAL"], "a", encoding="utf-8") as file:
        file.write(json.dumps(entry) + "\\n")
'''


@dataclass
class Toys:
    stack: Stack
    journal: Path

    def send(self, toy: str, *orders: dict[str, Any]) -> str:
        """Send orders to a toy's queue; returns the mark by which the journal knows them."""
        mark = uuid.uuid4().hex
        entries = [
            {"Id": str(number), "MessageBody": json.dumps(order | {"mark": mark, "number": number})}
            for number, order in enumerate(orders)
        ]
        sqs = self.stack.client("sqs")
        for start in range(0, len(entries), 10):
            answer = sqs.send_message_batch(QueueUrl=self.queue_url(toy), Entries=entries[start : start + 10])
            assert not answer.get("Failed")
        return mark

    def queue_url(self, toy: str) -> str:
        url: str = self.stack.client("sqs").get_queue_url(QueueName=f"toy-{toy}")["QueueUrl"]
        return url

    def entries(self, mark: str, kind: str = "began") -> list[dict[str, Any]]:
        if not self.journal.exists():
            return []
        # A reader may come in the middle of a write: what has no end yet is read the next time.
        written = self.journal.read_text(encoding="utf-8").rpartition("\n")[0]
        lines = [json.loads(line) for line in written.splitlines()]
        return [line for line in lines if kind in line and any(order.get("mark") == mark for order in line["orders"])]

    def wait_for(self, mark: str, count: int, kind: str = "began") -> list[dict[str, Any]]:
        eventually(lambda: len(self.entries(mark, kind)) >= count)
        entries = self.entries(mark, kind)
        assert len(entries) == count
        return entries

    def left(self, toy: str) -> int:
        """Messages in the toy's queue, visible or not."""
        attributes = self.stack.client("sqs").get_queue_attributes(
            QueueUrl=self.queue_url(toy), AttributeNames=["All"]
        )["Attributes"]
        return int(attributes["ApproximateNumberOfMessages"]) + int(attributes["ApproximateNumberOfMessagesNotVisible"])

    def invocations(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.stack.logs / "invocations.jsonl").read_text().splitlines()]


def write_toys(folder: Path) -> Path:
    (folder / "functions/toy").mkdir(parents=True)
    (folder / "functions/toy/handler.py").write_text(textwrap.dedent(HANDLER))
    (folder / "layers/toy").mkdir(parents=True)
    (folder / "layers/toy/toy_layer.py").write_text('NAME = "toy layer"\n')
    template = folder / "template.yaml"
    template.write_text(TEMPLATE)
    return template


@pytest.fixture(scope="session")
def toy_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    needs("emulator", "functions")
    return write_toys(tmp_path_factory.mktemp("toys"))


@pytest.fixture(scope="session")
def toys(toy_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Toys]:
    folder = tmp_path_factory.mktemp("run")
    journal = folder / "journal.jsonl"
    with Children() as children:
        stack = Stack(
            children,
            toy_template,
            name="toys",
            logs=folder / "logs",
            parameters={"Journal": str(journal)},
            retry_delays=(0.1, 0.2),
            concurrency=5,
        )
        with stack:
            yield Toys(stack, journal)


def eventually(probe: Callable[[], T], seconds: float = 60.0) -> T:
    """The first true value of the probe; its last value when time is up."""
    give_up = time.monotonic() + seconds
    while True:
        value = probe()
        if value or time.monotonic() > give_up:
            return value
        time.sleep(0.05)
