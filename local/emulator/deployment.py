"""Deploys a SAM template into the emulator and reads back what was deployed, resolved.

What the runner does follows from the answers of CloudFormation, Lambda, S3 and EventBridge alone, so any template
can be run. What the emulator would do by itself with functions (poll queues, fire schedules) is switched off.
"""

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from local.emulator.process import Emulator
from local.errors import EmbeddedModeError

ARTIFACTS = "artifacts"
# As `sam package` does: a local folder becomes the location of its artifact.
LOCAL_ARTIFACT = re.compile(r"^(\s*(?:CodeUri|ContentUri):\s+)(?!s3://)[\"']?([^\s\"'#]+)[\"']?", re.MULTILINE)
# Alarms on metric math are refused by the emulator, and no alarm could fire here: blocks of this type are left out.
ALARM = re.compile(r"^( +)\S+:\n\1  Type: AWS::CloudWatch::Alarm\n(?:\1  .*\n|\s*\n)*", re.MULTILINE)
UPLOAD_NOTIFICATIONS_QUEUE = "runner-bucket-notifications"
CREATE_SECONDS = 120.0
LARGEST_INLINE_TEMPLATE = 51_200  # bytes; a larger one is put into a bucket, as `sam deploy` does
LARGEST_TEMPLATE = 1_000_000


class DeploymentError(EmbeddedModeError):
    """The template could not be deployed; the message says what CloudFormation said."""


@dataclass(frozen=True)
class Function:
    name: str
    arn: str
    role: str
    handler: str
    runtime: str
    timeout: float
    memory: int
    variables: Mapping[str, str]
    log_format: str
    log_level: str  # of Lambda's own filter for application logs in JSON
    code: Path
    layers: tuple[Path, ...]
    may_loop: bool = False  # RecursiveLoop: Allow


@dataclass(frozen=True)
class QueueMapping:
    """An event source mapping from a queue to a function."""

    function: str
    queue_url: str
    queue_arn: str
    batch_size: int
    window: float
    concurrency: int | None
    reports_failures: bool
    filters: tuple[str, ...]
    visibility: float = 30.0  # seconds, of the queue's messages


@dataclass(frozen=True)
class AsynchronousConfiguration:
    """What happens to an event that a function failed to handle."""

    retries: int = 2
    on_failure: str | None = None
    on_success: str | None = None


@dataclass(frozen=True)
class Schedule:
    rule: str
    arn: str
    expression: str
    function: str
    constant_input: str | None


@dataclass(frozen=True)
class Deployment:
    stack: str
    outputs: Mapping[str, str]
    parameters: Mapping[str, str]
    functions: Mapping[str, Function]
    queue_mappings: tuple[QueueMapping, ...]
    notified_functions: Mapping[str, str]  # notification id → function
    notified_queues: Mapping[str, str]  # notification id → URL of a queue
    notifications_queue_url: str | None
    asynchronous: Mapping[str, AsynchronousConfiguration]
    schedules: tuple[Schedule, ...]
    queue_urls: tuple[str, ...]

    def function_arns(self) -> dict[str, str]:
        return {function.arn: name for name, function in self.functions.items()}


def senders_policy(service: str) -> str:
    """The policy of a queue of the runner's that a service may send to."""
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sqs:SendMessage", "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def deploy(emulator: Emulator, template: Path, stack: str, parameters: Mapping[str, str]) -> Deployment:
    """Create the stack; the folders that CodeUri and ContentUri name are relative to the template."""
    return _Deployer(emulator, template, stack).deploy(parameters)


class _Deployer:
    def __init__(self, emulator: Emulator, template: Path, stack: str) -> None:
        self._template = template
        self._stack = stack
        self._cloudformation = emulator.client("cloudformation")
        self._lambda = emulator.client("lambda")
        self._events = emulator.client("events")
        self._s3 = emulator.client("s3")
        self._sqs = emulator.client("sqs")

    def deploy(self, parameters: Mapping[str, str]) -> Deployment:
        description = self._create_stack(parameters)
        resources = self._cloudformation.describe_stack_resources(StackName=self._stack)["StackResources"]
        physical = {resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in resources}
        functions = self._functions(physical)
        names_by_arn = {function.arn: name for name, function in functions.items()}
        buckets = [r["PhysicalResourceId"] for r in resources if r["ResourceType"] == "AWS::S3::Bucket"]
        notified, notified_queues, notifications_queue_url = self._take_over_notifications(buckets, names_by_arn)
        return Deployment(
            stack=self._stack,
            outputs={output["OutputKey"]: output["OutputValue"] for output in description.get("Outputs", [])},
            parameters={p["ParameterKey"]: p["ParameterValue"] for p in description.get("Parameters", [])},
            functions=functions,
            queue_mappings=self._take_over_queue_mappings(names_by_arn),
            notified_functions=notified,
            notified_queues=notified_queues,
            notifications_queue_url=notifications_queue_url,
            asynchronous={name: self._asynchronous_configuration(name) for name in functions},
            schedules=self._take_over_schedules(names_by_arn),
            queue_urls=tuple(r["PhysicalResourceId"] for r in resources if r["ResourceType"] == "AWS::SQS::Queue"),
        )

    def _create_stack(self, parameters: Mapping[str, str]) -> Any:
        body = LOCAL_ARTIFACT.sub(rf"\1s3://{ARTIFACTS}/\2", self._template.read_text(encoding="utf-8"))
        body = ALARM.sub("", body)
        if len(body.encode()) > LARGEST_TEMPLATE:
            raise DeploymentError(f"{self._template} is larger than CloudFormation takes ({LARGEST_TEMPLATE:,} B).")
        try:
            self._cloudformation.create_stack(
                StackName=self._stack,
                **self._template_argument(body.encode()),
                Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
                Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
            )
        except ClientError as error:
            raise DeploymentError(f"{self._template.name} was refused: {error}") from error
        give_up = time.monotonic() + CREATE_SECONDS
        while time.monotonic() < give_up:
            description = self._cloudformation.describe_stacks(StackName=self._stack)["Stacks"][0]
            if description["StackStatus"] == "CREATE_COMPLETE":
                return description
            if not description["StackStatus"].endswith("_IN_PROGRESS"):
                raise DeploymentError(
                    f"{self._template.name} was not deployed: {description['StackStatus']}, "
                    f"{description.get('StackStatusReason', 'no reason given')}"
                )
            time.sleep(0.02)
        raise DeploymentError(f"{self._template.name} was not deployed within {CREATE_SECONDS:.0f} s.")

    def _template_argument(self, body: bytes) -> dict[str, str]:
        if len(body) <= LARGEST_INLINE_TEMPLATE:
            return {"TemplateBody": body.decode()}
        self._s3.create_bucket(Bucket=ARTIFACTS)
        self._s3.put_object(Bucket=ARTIFACTS, Key=self._template.name, Body=body)
        return {"TemplateURL": f"{self._s3.meta.endpoint_url}/{ARTIFACTS}/{self._template.name}"}

    def _functions(self, physical: Mapping[str, str]) -> dict[str, Function]:
        processed = self._cloudformation.get_template(StackName=self._stack, TemplateStage="Processed")["TemplateBody"]
        resources = (json.loads(processed) if isinstance(processed, str) else processed)["Resources"]
        code, layers, loops = {}, {}, set()
        for logical_id, resource in resources.items():
            if logical_id not in physical:  # its condition does not hold
                continue
            if resource["Type"] == "AWS::Lambda::Function":
                code[physical[logical_id]] = self._folder(resource["Properties"]["Code"])
                if resource["Properties"].get("RecursiveLoop") == "Allow":
                    loops.add(physical[logical_id])
            elif resource["Type"] == "AWS::Lambda::LayerVersion":
                layers[physical[logical_id]] = self._folder(resource["Properties"]["Content"])
        return {
            configuration["FunctionName"]: Function(
                name=configuration["FunctionName"],
                arn=configuration["FunctionArn"],
                role=configuration["Role"],
                handler=configuration["Handler"],
                runtime=configuration["Runtime"],
                timeout=float(configuration["Timeout"]),
                memory=int(configuration["MemorySize"]),
                variables=configuration.get("Environment", {}).get("Variables", {}),
                log_format=configuration.get("LoggingConfig", {}).get("LogFormat", "Text"),
                log_level=configuration.get("LoggingConfig", {}).get("ApplicationLogLevel", "INFO"),
                code=code[configuration["FunctionName"]],
                layers=tuple(layers[layer["Arn"]] for layer in configuration.get("Layers", [])),
                may_loop=configuration["FunctionName"] in loops,
            )
            for page in self._lambda.get_paginator("list_functions").paginate()
            for configuration in page["Functions"]
            if configuration["FunctionName"] in code
        }

    def _folder(self, artifact: Mapping[str, str]) -> Path:
        return self._template.parent.resolve() / artifact["S3Key"]

    def _take_over_queue_mappings(self, names_by_arn: Mapping[str, str]) -> tuple[QueueMapping, ...]:
        mappings = []
        for page in self._lambda.get_paginator("list_event_source_mappings").paginate():
            for mapping in page["EventSourceMappings"]:
                if mapping["FunctionArn"] not in names_by_arn or not mapping["State"].startswith("Enabl"):
                    continue
                if ":sqs:" not in mapping["EventSourceArn"]:
                    raise DeploymentError(f"Only queues are polled here, not {mapping['EventSourceArn']}.")
                self._lambda.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
                mappings.append(self._queue_mapping(mapping, names_by_arn[mapping["FunctionArn"]]))
        return tuple(mappings)

    def _queue_mapping(self, mapping: Mapping[str, Any], function: str) -> QueueMapping:
        arn = mapping["EventSourceArn"]
        concurrency = mapping.get("ScalingConfig", {}).get("MaximumConcurrency")
        queue_url = self._queue_url(arn)
        attributes = self._sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["All"])["Attributes"]
        return QueueMapping(
            function=function,
            queue_url=queue_url,
            queue_arn=arn,
            batch_size=int(mapping.get("BatchSize") or 10),
            window=float(mapping.get("MaximumBatchingWindowInSeconds") or 0),
            concurrency=int(concurrency) if concurrency else None,
            reports_failures="ReportBatchItemFailures" in mapping.get("FunctionResponseTypes", []),
            filters=tuple(f["Pattern"] for f in mapping.get("FilterCriteria", {}).get("Filters", [])),
            visibility=float(attributes["VisibilityTimeout"]),
        )

    def _take_over_notifications(
        self, buckets: list[str], names_by_arn: Mapping[str, str]
    ) -> tuple[dict[str, str], dict[str, str], str | None]:
        """Let the buckets notify a queue of the runner's instead of functions and queues, under the same filters. From
        a queue of the stack, the emulator could lose a notification: see bucket_notifications.py."""
        functions: dict[str, str] = {}
        queues: dict[str, str] = {}
        queue_url = None
        for bucket in buckets:
            configuration = self._s3.get_bucket_notification_configuration(Bucket=bucket)
            configuration.pop("ResponseMetadata")
            targets = [
                *configuration.pop("LambdaFunctionConfigurations", []),
                *configuration.pop("QueueConfigurations", []),
            ]
            if not targets:
                continue
            queue_url, queue_arn = self._notifications_queue()
            for number, target in enumerate(targets):
                notification_id = f"{bucket}-{number}"
                if "QueueArn" in target:
                    queues[notification_id] = self._queue_url(target.pop("QueueArn"))
                else:
                    functions[notification_id] = names_by_arn[target.pop("LambdaFunctionArn")]
                configuration.setdefault("QueueConfigurations", []).append(
                    target | {"Id": notification_id, "QueueArn": queue_arn}
                )
            self._s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=configuration)
        return functions, queues, queue_url

    def _queue_url(self, arn: str) -> str:
        url: str = self._sqs.get_queue_url(QueueName=arn.rsplit(":", 1)[1])["QueueUrl"]
        return url

    def _notifications_queue(self) -> tuple[str, str]:
        url = self._sqs.create_queue(
            QueueName=UPLOAD_NOTIFICATIONS_QUEUE,
            # Never deleted from, see bucket_notifications.py; so hidden as long as SQS can hide a message.
            Attributes={
                "VisibilityTimeout": "43200",
                "MessageRetentionPeriod": "1209600",
                "Policy": senders_policy("s3.amazonaws.com"),
            },
        )["QueueUrl"]
        attributes = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
        return url, attributes["QueueArn"]

    def _asynchronous_configuration(self, function: str) -> AsynchronousConfiguration:
        configurations = self._lambda.list_function_event_invoke_configs(FunctionName=function)
        for configuration in configurations["FunctionEventInvokeConfigs"]:
            destinations = configuration.get("DestinationConfig", {})
            return AsynchronousConfiguration(
                retries=int(configuration.get("MaximumRetryAttempts", 2)),
                on_failure=destinations.get("OnFailure", {}).get("Destination"),
                on_success=destinations.get("OnSuccess", {}).get("Destination"),
            )
        return AsynchronousConfiguration()

    def _take_over_schedules(self, names_by_arn: Mapping[str, str]) -> tuple[Schedule, ...]:
        schedules = []
        for rule in self._events.list_rules()["Rules"]:
            if not rule.get("ScheduleExpression") or rule["State"] != "ENABLED":
                continue
            targets = self._events.list_targets_by_rule(Rule=rule["Name"])["Targets"]
            ours = [target for target in targets if target["Arn"] in names_by_arn]
            if ours:
                self._events.disable_rule(Name=rule["Name"])
            schedules += [
                Schedule(
                    rule=rule["Name"],
                    arn=rule["Arn"],
                    expression=rule["ScheduleExpression"],
                    function=names_by_arn[target["Arn"]],
                    constant_input=target.get("Input"),
                )
                for target in ours
            ]
        return tuple(schedules)
