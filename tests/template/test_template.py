"""The template against the code and against its own rules. A rule lists what breaks it; each is shown to bite."""

import copy
import json
import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from pagewise.aws.metering import NAMESPACE
from pagewise.aws.table import EXPIRES
from pagewise.outputs.wanted import ALIASES, WantedOutput
from pagewise.tasks import Task
from tests.template import cloudformation, wiring
from tests.template.cloudformation import LOOP, functions, listed, of_type, resources, statements, target

Template = dict[str, Any]
Rule = Callable[[Template], Iterator[str]]

# Read by Powertools itself.
POWERTOOLS = {"POWERTOOLS_SERVICE_NAME", "POWERTOOLS_METRICS_NAMESPACE", "POWERTOOLS_LOG_LEVEL"}
# Read by boto3 itself.
BOTO3 = {"AWS_ENDPOINT_URL"}
OF_THE_STACK = [{"Name": "service", "Value": {"Ref": "AWS::StackName"}}]


# Nothing comes after it: no queue, no consumer, only an alarm.
LAST_QUEUE = "UnreadableLettersQueue"
# What a new account may have: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
NEW_ACCOUNTS_MEMORY = 3008
LONGEST_TIMEOUT = 900
# README tells both. AWS's longest region is ap-southeast-1 or one of its kind.
LONGEST_STACK_NAME = 27
LONGEST_REGION = 14
LONGEST_NAMES = {
    ("S3::Bucket", "BucketName"): 63,
    ("Serverless::Function", "FunctionName"): 64,
    ("SQS::Queue", "QueueName"): 80,
    ("Events::EventBus", "Name"): 256,
    ("Logs::LogGroup", "LogGroupName"): 512,
    ("CloudWatch::Dashboard", "DashboardName"): 255,
}
MOST_RESOURCES = 500


def deployed_keys(template: Template) -> list[str]:
    keys: list[str] = template["Mappings"]["Deployed"]["Tasks"]["Keys"]
    return keys


def tasks_are_the_codes(template: Template) -> Iterator[str]:
    names = {key: entry["Name"] for key, entry in template["Mappings"]["Tasks"].items()}
    if list(names.values()) != list(Task):
        yield f"the template's tasks are {list(names.values())}, the code's {list(Task)}"
    for key, name in names.items():
        if key.lower() != name.replace("_", ""):
            yield f"{key} is not the key of {name} that DEPLOYED_TASKS is read by"
    for key in sorted(set(deployed_keys(template)) - set(names)):
        yield f"{key} is deployed and no task"
    if not set(template["Parameters"]["DefaultTasks"]["Default"].split(",")) <= {
        names.get(key) for key in deployed_keys(template)
    }:
        yield "a default task is not deployed"


def one_list_says_which_tasks_are_deployed(template: Template) -> Iterator[str]:
    if template["Resources"][LOOP][1] != deployed_keys(template):
        yield "Fn::ForEach has another list than Mappings.Deployed"
    listed_keys = {"Fn::Join": [",", {"Fn::FindInMap": ["Deployed", "Tasks", "Keys"]}]}
    if template["Globals"]["Function"]["Environment"]["Variables"]["DEPLOYED_TASKS"] != listed_keys:
        yield "DEPLOYED_TASKS is another list than Mappings.Deployed"


def task_functions_are_named_as_the_code_finds_them(template: Template) -> Iterator[str]:
    for key in deployed_keys(template):
        task, queue = template["Mappings"]["Tasks"][key]["Name"], of_type(template, "SQS::Queue").get(f"{key}Queue", {})
        if queue.get("QueueName") != {"Fn::Sub": ["${AWS::StackName}-${Name}", {"Name": task}]}:
            yield f"{key}Queue is not named by PAGE_JOB_QUEUE_PREFIX and {task}"
        if (
            functions(template).get(f"{key}Function", {}).get("Environment", {}).get("Variables", {}).get("TASK")
            != task
        ):
            yield f"{key}Function has another TASK than {task}"


def visibility_is_six_timeouts_and_the_window(template: Template) -> Iterator[str]:
    for name, mapping in of_type(template, "Lambda::EventSourceMapping").items():
        queue, function = target(mapping["EventSourceArn"]), target(mapping["FunctionName"])
        window = mapping.get("MaximumBatchingWindowInSeconds", 0)
        if isinstance(window, dict):
            window = template["Parameters"][window["Ref"]]["MaxValue"]
        expected = 6 * functions(template)[function]["Timeout"] + window
        visibility = of_type(template, "SQS::Queue")[queue].get("VisibilityTimeout")
        if visibility != expected:
            yield f"{name}: {queue} hides messages for {visibility} s, not 6 × the timeout + {window} s = {expected} s"


def queues_have_a_dead_letter_queue(template: Template) -> Iterator[str]:
    for name, queue in of_type(template, "SQS::Queue").items():
        redrive = queue.get("RedrivePolicy")
        after = None if name == LAST_QUEUE else LAST_QUEUE if name == "DeadLetterQueue" else "DeadLetterQueue"
        if (target(redrive["deadLetterTargetArn"]) if redrive else None) != after:
            yield f"{name} gives up to another queue than {after}"


def attempts_are_as_many_as_receives(template: Template) -> Iterator[str]:
    for key in deployed_keys(template):
        receives = of_type(template, "SQS::Queue")[f"{key}Queue"].get("RedrivePolicy", {}).get("maxReceiveCount")
        attempts = functions(template)[f"{key}Function"]["Environment"]["Variables"].get("MAX_ATTEMPTS")
        if str(receives) != str(attempts):
            yield f"{key}: MAX_ATTEMPTS {attempts}, maxReceiveCount {receives}"


def every_queue_has_one_consumer_that_reports_failures(template: Template) -> Iterator[str]:
    mappings = of_type(template, "Lambda::EventSourceMapping")
    consumed = [target(mapping["EventSourceArn"]) for mapping in mappings.values()]
    if sorted([*consumed, LAST_QUEUE]) != sorted(of_type(template, "SQS::Queue")):
        yield f"queues with a consumer: {sorted(consumed)}"
    for name, mapping in mappings.items():
        if mapping.get("FunctionResponseTypes") != ["ReportBatchItemFailures"]:
            yield f"{name} takes a batch as failed or done as a whole"


def consumers_may_consume(template: Template) -> Iterator[str]:
    for mapping in of_type(template, "Lambda::EventSourceMapping").values():
        queue, function = target(mapping["EventSourceArn"]), target(mapping["FunctionName"])
        allowed = {
            action
            for statement in statements(functions(template)[function])
            if statement["Resource"] == {"Fn::GetAtt": [queue, "Arn"]}
            for action in listed(statement["Action"])
        }
        if missing := {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"} - allowed:
            yield f"{function} lacks {sorted(missing)} on {queue}"


def permissions_are_narrow(template: Template) -> Iterator[str]:
    for name, function in functions(template).items():
        for statement in statements(function):
            if any(action.endswith("*") for action in listed(statement["Action"])):
                yield f"{name}: {statement['Sid']} allows {statement['Action']}"
            if "*" in listed(statement["Resource"]):
                yield f"{name}: {statement['Sid']} is for every resource"
            if statement["Effect"] != "Allow" or "NotAction" in statement or "NotResource" in statement:
                yield f"{name}: {statement['Sid']} is no plain permission"


def permissions_end_at_the_stack(template: Template) -> Iterator[str]:
    """`pagewise-*` takes in all that the stack pagewise-dev has."""
    for name, function in functions(template).items():
        for statement in statements(function):
            if re.search(r"\$\{AWS::StackName\}[-_/]?\*", json.dumps(statement["Resource"])):
                yield f"{name}: {statement['Sid']} takes in other stacks whose names begin with this one's"


def queues_take_notifications_of_the_buckets_that_there_are(template: Template) -> Iterator[str]:
    """S3 tries whether it may send when the notification is set up: a wrong name fails the deploy."""
    resources = template["Resources"]
    named = {resources[name]["Properties"]["BucketName"]["Fn::Sub"] for name in of_type(template, "S3::Bucket")}
    sources = [
        statement["Condition"]["ArnEquals"]["aws:SourceArn"]["Fn::Sub"]
        for policy in map(resources.__getitem__, of_type(template, "SQS::QueuePolicy"))
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if statement["Principal"] == {"Service": "s3.amazonaws.com"} and "ArnEquals" in statement.get("Condition", {})
    ]
    if not sources:
        yield "no queue takes a bucket's notifications"
    for source in sources:
        if source.removeprefix("arn:${AWS::Partition}:s3:::") not in named:
            yield f"{source} is no bucket of the template"


def the_splitter_may_send_to_every_queue_that_it_fans_out_to(template: Template) -> Iterator[str]:
    arn = "arn:${AWS::Partition}:sqs:${AWS::Region}:${AWS::AccountId}:${AWS::StackName}-"
    wanted: list[Any] = [{"Fn::GetAtt": ["SplitQueue", "Arn"]}, {"Fn::GetAtt": ["DeadLetterQueue", "Arn"]}]
    wanted += [{"Fn::Sub": f"{arn}{entry['Name']}"} for entry in template["Mappings"]["Tasks"].values()]
    sendable = [
        resource
        for statement in statements(functions(template)["SplitterFunction"])
        if "sqs:SendMessage" in listed(statement["Action"])
        for resource in listed(statement["Resource"])
    ]
    for queue in wanted:
        if queue not in sendable:
            yield f"the splitter may not send to {queue}"


def whoever_records_results_can_read_large_ones(template: Template) -> Iterator[str]:
    """A page job that is recorded may have a result already, and one that is missing must answer 404."""
    bucket = "arn:${AWS::Partition}:s3:::${AWS::StackName}-pages-${AWS::AccountId}-${AWS::Region}"
    readable = ({"Fn::Sub": f"{bucket}/documents/*/results/*"}, {"Fn::Sub": f"{bucket}/documents/*"})
    for name, function in functions(template).items():
        allowed = {
            (action, json.dumps(resource))
            for statement in statements(function)
            for action in listed(statement["Action"])
            for resource in listed(statement["Resource"])
        }
        if "events:PutEvents" not in {action for action, _ in allowed}:
            continue  # the collector records no results
        if not any(("s3:GetObject", json.dumps(resource)) in allowed for resource in readable):
            yield f"{name} may not read large results"
        if ("s3:ListBucket", json.dumps({"Fn::Sub": bucket})) not in allowed:
            yield f"{name} takes what is missing for forbidden"


def a_new_account_can_deploy(template: Template) -> Iterator[str]:
    """By the parameters' defaults."""
    for name, function in functions(template).items():
        memory = by_default(template, function["MemorySize"])
        if not 128 <= memory <= NEW_ACCOUNTS_MEMORY:
            yield f"{name} has {memory} MB, over the {NEW_ACCOUNTS_MEMORY} of a new account"
        if not 1 <= function.get("Timeout", 3) <= LONGEST_TIMEOUT:
            yield f"{name} has a timeout of {function['Timeout']} s"
        if not 512 <= function.get("EphemeralStorage", {"Size": 512})["Size"] <= 10240:
            yield f"{name} has {function['EphemeralStorage']} of disk"
        if "ReservedConcurrentExecutions" in function:
            yield f"{name} reserves concurrency, of which a new account has ten in all, and all must stay unreserved"
    for name, mapping in of_type(template, "Lambda::EventSourceMapping").items():
        concurrency = mapping.get("ScalingConfig", {}).get("MaximumConcurrency", 2)
        if by_default(template, concurrency, "MinValue") < 2 or by_default(template, concurrency, "MaxValue") > 1000:
            yield f"{name} may be given a concurrency that Lambda refuses"
        window = by_default(template, mapping.get("MaximumBatchingWindowInSeconds", 0))
        if by_default(template, mapping["BatchSize"]) > 10 and not window:
            yield f"{name} has a batch that Lambda gathers only with a window"


def by_default(template: Template, value: Any, of: str = "Default") -> Any:
    return template["Parameters"][value["Ref"]][of] if isinstance(value, dict) else value


def defaults_are_what_their_parameters_allow(template: Template) -> Iterator[str]:
    for name, parameter in template["Parameters"].items():
        default = parameter["Default"]
        if "AllowedValues" in parameter and default not in parameter["AllowedValues"]:
            yield f"{name} may not be {default}"
        if not re.fullmatch(parameter.get("AllowedPattern", "(?s).*"), str(default)):
            yield f"{name} may not be {default}"
        least, most = parameter.get("MinValue", default), parameter.get("MaxValue", default)
        if parameter["Type"] == "Number" and not least <= default <= most:
            yield f"{name} may not be {default}"


def a_failed_first_deploy_leaves_nothing(template: Template) -> Iterator[str]:
    """What it leaves would have to be deleted by hand, and what is named is in the second deploy's way."""
    for name, resource in resources(template).items():
        if resource.get("DeletionPolicy", "Delete") not in ("Delete", "RetainExceptOnCreate"):
            yield f"{name} is left behind"
    if template["Parameters"]["DeletionProtection"]["Default"] != "false":
        yield "the table is protected from the deletion that a failed first deploy asks for"


def names_fit_and_tell_stacks_and_regions_apart(template: Template) -> Iterator[str]:
    longest = {
        "AWS::StackName": "s" * LONGEST_STACK_NAME,
        "AWS::Region": "r" * LONGEST_REGION,
        "AWS::AccountId": "0" * 12,
    }
    for (kind, named), most in LONGEST_NAMES.items():
        for name, properties in of_type(template, kind).items():
            if named not in properties:
                continue  # CloudFormation makes one
            text = written_out(properties[named], longest)
            if len(text) > most:
                yield f"{name} is named {text}, by over {most} characters"
            if longest["AWS::StackName"] not in text:
                yield f"{name} has the same name in every stack"
            if kind == "S3::Bucket" and longest["AWS::Region"] not in text:
                yield f"{name} has the same name in every region"


def written_out(name: Any, values: dict[str, str]) -> str:
    match name:
        case {"Ref": str(reference)}:
            return values[reference]
        case {"Fn::Sub": [str(text), dict(more)]}:
            return written_out({"Fn::Sub": text}, {**values, **more})
        case {"Fn::Sub": str(text)}:
            return re.sub(r"\$\{([^}]+)\}", lambda match: values[match[1]], text)
    return str(name)


def stacks_have_their_own_secret(template: Template) -> Iterator[str]:
    own = {"Fn::If": ["NamesSecret", {"Ref": "QwenApiKeySecret"}, {"Fn::Sub": "${AWS::StackName}/qwen-api-key"}]}
    if template["Parameters"]["QwenApiKeySecret"]["Default"] or template["Outputs"]["ApiKeySecret"]["Value"] != own:
        yield "all stacks have the same secret"
    for key in deployed_keys(template):
        function = functions(template)[f"{key}Function"]
        if function["Environment"]["Variables"]["QWEN_API_KEY_SECRET"] != own:
            yield f"{key}Function asks for another secret"


def parameters_are_described_and_used(template: Template) -> Iterator[str]:
    body = json.dumps({name: part for name, part in template.items() if name != "Parameters"})
    for name, parameter in template["Parameters"].items():
        if not parameter.get("Description"):
            yield f"{name} is not described"
        if f'{{"Ref": "{name}"}}' not in body and f"${{{name}}}" not in body:
            yield f"{name} is not used"


def buckets_are_encrypted_private_and_tls_only(template: Template) -> Iterator[str]:
    policies = of_type(template, "S3::BucketPolicy").values()
    for name, bucket in of_type(template, "S3::Bucket").items():
        if not bucket.get("BucketEncryption", {}).get("ServerSideEncryptionConfiguration"):
            yield f"{name} is not encrypted"
        block = bucket.get("PublicAccessBlockConfiguration", {})
        public = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
        if not all(block.get(setting) is True for setting in public):
            yield f"{name} may become public"
        arn = {"Fn::Sub": f"arn:${{AWS::Partition}}:s3:::{bucket['BucketName']['Fn::Sub']}"}
        everything = [arn, {"Fn::Sub": f"{arn['Fn::Sub']}/*"}]
        denied = [
            statement
            for policy in policies
            if target(policy["Bucket"]) == name
            for statement in policy["PolicyDocument"]["Statement"]
            if (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "s3:*")
            and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
            and statement["Resource"] == everything
        ]
        if not denied:
            yield f"{name} answers without TLS"


def queues_and_tables_are_encrypted(template: Template) -> Iterator[str]:
    for name, queue in of_type(template, "SQS::Queue").items():
        for world in cloudformation.worlds(queue):
            if not (world.get("SqsManagedSseEnabled") is True or world.get("KmsMasterKeyId")):
                yield f"{name} is not encrypted"
    for name, table in of_type(template, "DynamoDB::Table").items():
        if not table.get("SSESpecification", {}).get("SSEEnabled"):
            yield f"{name} is not encrypted"


def the_deployers_key_encrypts_what_readme_says(template: Template) -> Iterator[str]:
    places = {
        "S3::Bucket": "BucketEncryption",
        "SQS::Queue": "KmsMasterKeyId",
        "DynamoDB::Table": "SSESpecification",
        "Logs::LogGroup": "KmsKeyId",
    }
    for kind, place in places.items():
        for name, properties in of_type(template, kind).items():
            if '{"Ref": "KmsKeyArn"}' not in json.dumps(cloudformation.resolved(properties, True).get(place)):
                yield f"{name} is encrypted by another key than the deployer's"
            if "KmsKeyArn" in json.dumps(cloudformation.resolved(properties, False)):
                yield f"{name} wants a key where there is none"


def functions_get_the_variables_they_need(template: Template) -> Iterator[str]:
    for name, function in functions(template).items():
        given = set(function["Environment"]["Variables"])
        for variable in sorted(wiring.needed_by(Path(function["CodeUri"]).name) - given):
            yield f"{name} needs {variable}, which is not set"


def variables_that_are_set_are_read(template: Template) -> Iterator[str]:
    read = {name: wiring.read_by(Path(function["CodeUri"]).name) for name, function in functions(template).items()}
    for variable in template["Globals"]["Function"]["Environment"]["Variables"]:
        if variable not in (POWERTOOLS | BOTO3).union(*read.values()):
            yield f"{variable} is set for all functions and read by none"
    for name, function in of_type(template, "Serverless::Function").items():
        for variable in sorted(set(cloudformation.variables_of(function)) - read[name]):
            yield f"{name} is given {variable}, which it does not read"


def functions_are_described_and_hold_only_their_code(template: Template) -> Iterator[str]:
    for name, resource in resources(template).items():
        if resource["Type"] == "AWS::Serverless::Function":
            if not resource["Properties"].get("Description"):
                yield f"{name} is not described"
            if resource.get("Metadata", {}).get("SkipBuild") is not True:
                yield f"{name} would be built: its dependencies are the layer's"
            if not (cloudformation.ROOT / resource["Properties"]["CodeUri"] / "handler.py").exists():
                yield f"{name} has no handler"


def layers_are_for_the_functions_platform(template: Template) -> Iterator[str]:
    common = template["Globals"]["Function"]
    for name, resource in resources(template).items():
        if resource["Type"] == "AWS::Serverless::LayerVersion":
            properties = resource["Properties"]
            if properties["CompatibleRuntimes"] != [common["Runtime"]]:
                yield f"{name} is not for {common['Runtime']}"
            if properties["CompatibleArchitectures"] != common["Architectures"]:
                yield f"{name} is not for {common['Architectures']}"
            if [resource["Metadata"]["BuildArchitecture"]] != common["Architectures"]:
                yield f"{name} is built for another architecture"
    for name, function in functions(template).items():
        if function["Runtime"] != common["Runtime"] or function["Handler"] != common["Handler"]:
            yield f"{name} repeats Globals wrongly"


def versions_are_kept_and_forgotten(template: Template) -> Iterator[str]:
    for name, bucket in of_type(template, "S3::Bucket").items():
        if bucket.get("VersioningConfiguration") != {"Status": "Enabled"}:
            yield f"{name} keeps no versions"
        rules = {rule["Id"]: rule for rule in cloudformation.resolved(bucket["LifecycleConfiguration"], True)["Rules"]}
        if "NoncurrentVersionExpiration" not in rules.get("forget-replaced", {}):
            yield f"{name} keeps replaced versions for ever"
        if "AbortIncompleteMultipartUpload" not in rules.get("stop-unfinished-uploads", {}):
            yield f"{name} keeps unfinished uploads for ever"
        if not any("ExpirationInDays" in rule for rule in rules.values()):
            yield f"{name} keeps everything for ever, whatever the deployer says"


def the_table_is_protected_and_forgets(template: Template) -> Iterator[str]:
    table = of_type(template, "DynamoDB::Table")["ResultsTable"]
    if table.get("TimeToLiveSpecification") != {"AttributeName": EXPIRES, "Enabled": True}:
        yield f"records do not end by {EXPIRES}"
    if table.get("DeletionProtectionEnabled") != {"Ref": "DeletionProtection"}:
        yield "the table cannot be protected"
    if not table.get("PointInTimeRecoverySpecification", {}).get("PointInTimeRecoveryEnabled"):
        yield "the table cannot be brought back to a point in time"


def functions_are_watched(template: Template) -> Iterator[str]:
    common = template["Globals"]["Function"]
    if common.get("Tracing") != "Active":
        yield "functions are not traced"
    if common.get("LoggingConfig", {}).get("LogFormat") != "JSON":
        yield "logs are no JSON"
    if not of_type(template, "Logs::LogGroup")["LogGroup"].get("RetentionInDays"):
        yield "logs are kept for ever"


def alarms_watch_what_is_counted(template: Template) -> Iterator[str]:
    for name, alarm in of_type(template, "CloudWatch::Alarm").items():
        for metric in [
            alarm,
            *(part["MetricStat"]["Metric"] for part in alarm.get("Metrics", []) if "MetricStat" in part),
        ]:
            if metric.get("Namespace") == NAMESPACE and metric["MetricName"] not in counted():
                yield f"{name} watches {metric['MetricName']}, which no code counts"
            if metric.get("Namespace") == NAMESPACE and metric.get("Dimensions") != OF_THE_STACK:
                yield f"{name} does not watch this stack alone"
        if "Metrics" not in alarm and "MetricName" not in alarm:
            yield f"{name} watches nothing"
        if not (alarm.get("AlarmActions") and alarm.get("OKActions")):
            yield f"{name} tells nobody"
    dashboard = of_type(template, "CloudWatch::Dashboard")["Dashboard"]["DashboardBody"]["Fn::Sub"]
    shown = set(re.findall(r'(?:"Pagewise"|"\.") ?, "([A-Z]\w+)"', dashboard))
    for metric in sorted(shown - counted()):
        yield f"the dashboard shows {metric}, which no code counts"


def alarms_are_such_as_cloudwatch_takes(template: Template) -> Iterator[str]:
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html"""
    for name, alarm in of_type(template, "CloudWatch::Alarm").items():
        parts = alarm.get("Metrics", [])
        if "SEARCH(" in json.dumps(parts):
            yield f"{name} searches, which an alarm cannot"
        if parts and [part.get("ReturnData", True) for part in parts].count(True) != 1:
            yield f"{name} has not one value"
        if len(parts) > 10:
            yield f"{name} takes over ten metrics"
        periods = {part["MetricStat"]["Period"] for part in parts if "MetricStat" in part} or {alarm["Period"]}
        if len(periods) > 1 or not periods <= {60 * minutes for minutes in (1, 5, 15, 60, 1440)}:
            yield f"{name} has the periods {sorted(periods)}"
        if max(periods) * alarm["EvaluationPeriods"] > 86_400:
            yield f"{name} looks at more than a day"


def alarms_fire_for_messages_that_fail_again_and_again(template: Template) -> Iterator[str]:
    """A message received more than three times is not in ApproximateAgeOfOldestMessage, and one of a queue with a
    redrive policy goes on: that age tells of waiting, with nothing done, and never of failing."""
    for name, alarm in of_type(template, "CloudWatch::Alarm").items():
        if alarm.get("MetricName") == "ApproximateAgeOfOldestMessage":
            yield f"{name} watches an age alone"
    watched = {
        target(alarm["Dimensions"][0]["Value"])
        for alarm in of_type(template, "CloudWatch::Alarm").values()
        if alarm.get("MetricName") == "ApproximateNumberOfMessagesVisible"
    }
    if watched != {LAST_QUEUE}:
        yield f"letters in {LAST_QUEUE} raise no alarm"


def functions_behind_which_nothing_is_are_watched(template: Template) -> Iterator[str]:
    """What fails in the splitter or an OCR function gets to the dead-letter function; what fails there, or in the
    sweeper, gets nowhere."""
    watched = {
        (alarm["MetricName"], target(alarm["Dimensions"][0]["Value"]), alarm["TreatMissingData"])
        for alarm in of_type(template, "CloudWatch::Alarm").values()
        if alarm.get("Namespace") == "AWS/Lambda"
    }
    for function in ("DeadLetterFunction", "SweeperFunction"):
        if ("Errors", function, "notBreaching") not in watched:
            yield f"nobody notices the errors of {function}"
    if ("Invocations", "SweeperFunction", "breaching") not in watched:
        yield "nobody notices that the sweeper does not run"


def the_template_is_within_cloudformations_limits(template: Template) -> Iterator[str]:
    made = len(resources(template)) + 2 * len(functions(template))  # SAM adds roles, permissions, rules
    if made > MOST_RESOURCES or len(template["Parameters"]) > 200 or len(template["Outputs"]) > 200:
        yield f"{made} resources, {len(template['Parameters'])} parameters, {len(template['Outputs'])} outputs"
    for name, function in functions(template).items():
        if len(json.dumps(function["Environment"]["Variables"])) > 4096:
            yield f"{name} has more than 4 KB of variables"
        if len(str(function["Description"])) > 256:
            yield f"{name} is described in over 256 characters"


def every_queue_of_page_jobs_is_watched(template: Template) -> Iterator[str]:
    alarms = json.dumps(of_type(template, "CloudWatch::Alarm"))
    for name in of_type(template, "SQS::Queue"):
        if f'["{name}", "QueueName"]' not in alarms:
            yield f"nobody notices when {name} stands still"


def counted() -> set[str]:
    """The names of the metrics in the code."""
    root = cloudformation.ROOT
    core = root / "layers/pagewise/pagewise"
    code = [*root.glob("functions/*/handler.py"), core / "aws/metering.py", core / "use_cases/follow.py"]
    text = "\n".join(path.read_text() for path in code)
    return set(re.findall(r'"([A-Z][A-Za-z]+)"', text))


def lambda_filters_no_metric_lines(template: Template) -> Iterator[str]:
    """Printed lines, as metrics are, count as INFO; the functions' own level is the logger's."""
    logging = template["Globals"]["Function"]["LoggingConfig"]
    if logging.get("ApplicationLogLevel", "INFO") not in ("TRACE", "DEBUG", "INFO"):
        yield "metric lines may be dropped"
    if logging.get("SystemLogLevel", "INFO") not in ("DEBUG", "INFO"):
        yield "platform.report lines may be dropped"


def outputs_are_described(template: Template) -> Iterator[str]:
    for name, output in template["Outputs"].items():
        if not output.get("Description"):
            yield f"{name} is not described"


RULES: list[Rule] = [
    queues_take_notifications_of_the_buckets_that_there_are,
    tasks_are_the_codes,
    one_list_says_which_tasks_are_deployed,
    task_functions_are_named_as_the_code_finds_them,
    visibility_is_six_timeouts_and_the_window,
    queues_have_a_dead_letter_queue,
    attempts_are_as_many_as_receives,
    every_queue_has_one_consumer_that_reports_failures,
    consumers_may_consume,
    permissions_are_narrow,
    permissions_end_at_the_stack,
    the_splitter_may_send_to_every_queue_that_it_fans_out_to,
    whoever_records_results_can_read_large_ones,
    a_new_account_can_deploy,
    defaults_are_what_their_parameters_allow,
    a_failed_first_deploy_leaves_nothing,
    names_fit_and_tell_stacks_and_regions_apart,
    stacks_have_their_own_secret,
    parameters_are_described_and_used,
    buckets_are_encrypted_private_and_tls_only,
    queues_and_tables_are_encrypted,
    the_deployers_key_encrypts_what_readme_says,
    lambda_filters_no_metric_lines,
    functions_get_the_variables_they_need,
    variables_that_are_set_are_read,
    functions_are_described_and_hold_only_their_code,
    layers_are_for_the_functions_platform,
    versions_are_kept_and_forgotten,
    the_table_is_protected_and_forgets,
    functions_are_watched,
    alarms_watch_what_is_counted,
    alarms_are_such_as_cloudwatch_takes,
    alarms_fire_for_messages_that_fail_again_and_again,
    functions_behind_which_nothing_is_are_watched,
    the_template_is_within_cloudformations_limits,
    every_queue_of_page_jobs_is_watched,
    outputs_are_described,
]

# Where to change the template, to what (None: take it away), and the rules that must object.
DRIFTS: list[tuple[str, Any, Rule]] = [
    (
        "Resources.UploadsBucket.Properties.BucketName",
        {"Fn::Sub": "other"},
        queues_take_notifications_of_the_buckets_that_there_are,
    ),
    ("Mappings.Tasks.MultiLan.Name", "multi_language", tasks_are_the_codes),
    ("Mappings.Tasks.MultiLan", None, tasks_are_the_codes),
    ("Mappings.Deployed.Tasks.Keys", ["TextRecognition", "Handwriting"], tasks_are_the_codes),
    ("Mappings.Deployed.Tasks.Keys", ["TableParsing"], one_list_says_which_tasks_are_deployed),
    ("Resources.Fn::ForEach::Tasks.1", ["TextRecognition"], one_list_says_which_tasks_are_deployed),
    (
        "Globals.Function.Environment.Variables.DEPLOYED_TASKS",
        "text_recognition",
        one_list_says_which_tasks_are_deployed,
    ),
    ("Parameters.DefaultTasks.Default", "handwriting", tasks_are_the_codes),
    (
        "Resources.Fn::ForEach::Tasks.2.${Task}Queue.Properties.QueueName",
        "queue",
        task_functions_are_named_as_the_code_finds_them,
    ),
    (
        "Resources.Fn::ForEach::Tasks.2.${Task}Function.Properties.Environment.Variables.TASK",
        "text_recognition",
        task_functions_are_named_as_the_code_finds_them,
    ),
    ("Resources.SplitterFunction.Properties.Timeout", 301, visibility_is_six_timeouts_and_the_window),
    (
        "Resources.Fn::ForEach::Tasks.2.${Task}Queue.Properties.VisibilityTimeout",
        1080,
        visibility_is_six_timeouts_and_the_window,
    ),
    ("Resources.DeadLetterQueue.Properties.VisibilityTimeout", None, visibility_is_six_timeouts_and_the_window),
    ("Resources.SplitQueue.Properties.RedrivePolicy", None, queues_have_a_dead_letter_queue),
    (
        "Resources.Fn::ForEach::Tasks.2.${Task}Queue.Properties.RedrivePolicy.maxReceiveCount",
        3,
        attempts_are_as_many_as_receives,
    ),
    ("Resources.SplitQueueToSplitter", None, every_queue_has_one_consumer_that_reports_failures),
    (
        "Resources.SplitQueueToSplitter.Properties.FunctionResponseTypes",
        None,
        every_queue_has_one_consumer_that_reports_failures,
    ),
    (
        "Resources.DeadLetterFunction.Properties.Policies.0.Statement.0.Action",
        "sqs:ReceiveMessage",
        consumers_may_consume,
    ),
    ("Resources.SweeperFunction.Properties.Policies.0.Statement.0.Action", "dynamodb:*", permissions_are_narrow),
    ("Resources.SweeperFunction.Properties.Policies.0.Statement.0.Resource", "*", permissions_are_narrow),
    (
        "Resources.SweeperFunction.Properties.Policies.0.Statement.0.Resource",
        {"Fn::Sub": "arn:${AWS::Partition}:sqs:${AWS::Region}:${AWS::AccountId}:${AWS::StackName}-*"},
        permissions_end_at_the_stack,
    ),
    (
        "Mappings.Tasks.Handwriting",
        {"Name": "handwriting"},
        the_splitter_may_send_to_every_queue_that_it_fans_out_to,
    ),
    (
        "Resources.DeadLetterFunction.Properties.Policies.0.Statement.2",
        None,
        whoever_records_results_can_read_large_ones,
    ),
    ("Resources.SweeperFunction.Properties.Policies.0.Statement.3", None, whoever_records_results_can_read_large_ones),
    ("Parameters.SplitterMemory.Default", 3538, a_new_account_can_deploy),
    ("Resources.SweeperFunction.Properties.Timeout", 901, a_new_account_can_deploy),
    ("Globals.Function.ReservedConcurrentExecutions", 10, a_new_account_can_deploy),
    ("Parameters.SplitConcurrency.MinValue", 1, a_new_account_can_deploy),
    ("Parameters.OcrBatchingSeconds.Default", 30, defaults_are_what_their_parameters_allow),
    ("Parameters.Preprocessing.Default", "sharpen", defaults_are_what_their_parameters_allow),
    ("Resources.ResultsTable.DeletionPolicy", "Retain", a_failed_first_deploy_leaves_nothing),
    ("Parameters.DeletionProtection.Default", "true", a_failed_first_deploy_leaves_nothing),
    (
        "Resources.PagesBucket.Properties.BucketName.Fn::Sub",
        "${AWS::StackName}-pages-${AWS::AccountId}",
        names_fit_and_tell_stacks_and_regions_apart,
    ),
    (
        "Resources.UploadsBucket.Properties.BucketName.Fn::Sub",
        "${AWS::StackName}-documents-${AWS::AccountId}-${AWS::Region}",
        names_fit_and_tell_stacks_and_regions_apart,
    ),
    ("Resources.EventBus.Properties.Name", "pagewise", names_fit_and_tell_stacks_and_regions_apart),
    ("Parameters.QwenApiKeySecret.Default", "pagewise/qwen-api-key", stacks_have_their_own_secret),
    ("Parameters.RenderDpi.Description", None, parameters_are_described_and_used),
    ("Resources.SplitterFunction.Properties.Environment.Variables.RENDER_DPI", 200, parameters_are_described_and_used),
    ("Resources.UploadsBucket.Properties.BucketEncryption", None, buckets_are_encrypted_private_and_tls_only),
    (
        "Resources.UploadsBucket.Properties.PublicAccessBlockConfiguration.BlockPublicAcls",
        False,
        buckets_are_encrypted_private_and_tls_only,
    ),
    ("Resources.PagesBucketPolicy", None, buckets_are_encrypted_private_and_tls_only),
    ("Resources.SplitQueue.Properties.SqsManagedSseEnabled", False, queues_and_tables_are_encrypted),
    ("Resources.ResultsTable.Properties.SSESpecification", None, queues_and_tables_are_encrypted),
    ("Resources.LogGroup.Properties.KmsKeyId", None, the_deployers_key_encrypts_what_readme_says),
    ("Globals.Function.LoggingConfig.ApplicationLogLevel", "WARN", lambda_filters_no_metric_lines),
    ("Globals.Function.LoggingConfig.ApplicationLogLevel", {"Ref": "LogLevel"}, lambda_filters_no_metric_lines),
    ("Globals.Function.Environment.Variables.RESULTS_TABLE", None, functions_get_the_variables_they_need),
    (
        "Resources.SplitterFunction.Properties.Environment.Variables.MAX_PAGES",
        None,
        functions_get_the_variables_they_need,
    ),
    ("Globals.Function.Environment.Variables.FORGOTTEN", "1", variables_that_are_set_are_read),
    ("Resources.SplitterFunction.Properties.Environment.Variables.FORGOTTEN", "1", variables_that_are_set_are_read),
    ("Resources.SplitterFunction.Metadata", None, functions_are_described_and_hold_only_their_code),
    (
        "Resources.SplitterFunction.Properties.CodeUri",
        "functions/cutter",
        functions_are_described_and_hold_only_their_code,
    ),
    ("Globals.Function.Architectures", ["arm64"], layers_are_for_the_functions_platform),
    ("Globals.Function.Runtime", "python3.14", layers_are_for_the_functions_platform),
    ("Resources.PagesBucket.Properties.VersioningConfiguration", None, versions_are_kept_and_forgotten),
    ("Resources.UploadsBucket.Properties.LifecycleConfiguration.Rules.1", None, versions_are_kept_and_forgotten),
    ("Resources.UploadsBucket.Properties.LifecycleConfiguration.Rules.2", None, versions_are_kept_and_forgotten),
    (
        "Resources.ResultsTable.Properties.TimeToLiveSpecification.AttributeName",
        "ttl",
        the_table_is_protected_and_forgets,
    ),
    ("Resources.ResultsTable.Properties.DeletionProtectionEnabled", None, the_table_is_protected_and_forgets),
    ("Globals.Function.Tracing", "PassThrough", functions_are_watched),
    ("Resources.LogGroup.Properties.RetentionInDays", None, functions_are_watched),
    ("Resources.DailySpendAlarm.Properties.MetricName", "Costs", alarms_watch_what_is_counted),
    ("Resources.DocumentsOverdueAlarm.Properties.Dimensions", [], alarms_watch_what_is_counted),
    ("Resources.SplitStalledAlarm.Properties.AlarmActions", None, alarms_watch_what_is_counted),
    (
        "Resources.NoProgressAlarm.Properties.Metrics.1.MetricStat.Metric.MetricName",
        "PageJobsTaken",
        alarms_watch_what_is_counted,
    ),
    (
        "Resources.NoProgressAlarm.Properties.Metrics.0.Expression",
        "SEARCH('{Pagewise,service}', 'Sum', 900)",
        alarms_are_such_as_cloudwatch_takes,
    ),
    ("Resources.NoProgressAlarm.Properties.Metrics.1.ReturnData", True, alarms_are_such_as_cloudwatch_takes),
    ("Resources.DailySpendAlarm.Properties.EvaluationPeriods", 2, alarms_are_such_as_cloudwatch_takes),
    (
        "Resources.UnreadableLettersAlarm.Properties.MetricName",
        "ApproximateAgeOfOldestMessage",
        alarms_fire_for_messages_that_fail_again_and_again,
    ),
    ("Resources.DeadLetterErrorsAlarm", None, functions_behind_which_nothing_is_are_watched),
    (
        "Resources.SweeperStoppedAlarm.Properties.TreatMissingData",
        "notBreaching",
        functions_behind_which_nothing_is_are_watched,
    ),
    (
        "Globals.Function.Environment.Variables.POWERTOOLS_SERVICE_NAME",
        "x" * 4096,
        the_template_is_within_cloudformations_limits,
    ),
    ("Resources.SplitStalledAlarm", None, every_queue_of_page_jobs_is_watched),
    ("Outputs.EventBus.Description", None, outputs_are_described),
]


def changed(path: str, value: Any) -> Template:
    template = copy.deepcopy(cloudformation.load())
    *parents, last = path.split(".")
    node: Any = template
    for name in parents:
        node = node[int(name) if isinstance(node, list) else name]
    key: Any = int(last) if isinstance(node, list) else last
    if value is None:
        del node[key]
    else:
        node[key] = value
    return template


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_template_keeps(rule: Rule) -> None:
    assert set(rule(cloudformation.load())) == set()


@pytest.mark.parametrize(("path", "value", "rule"), DRIFTS, ids=[f"{rule.__name__}-{path}" for path, _, rule in DRIFTS])
def test_drift_is_noticed(path: str, value: Any, rule: Rule) -> None:
    before = set(rule(cloudformation.load()))
    assert set(rule(changed(path, value))) - before


def test_every_rule_is_shown_to_bite() -> None:
    assert {rule.__name__ for _, _, rule in DRIFTS} == {rule.__name__ for rule in RULES}


def test_everything_the_template_refers_to_exists() -> None:
    template = cloudformation.load()
    text = json.dumps(resources(template)) + json.dumps(template["Outputs"]) + json.dumps(template["Globals"])
    named = set(re.findall(r'\{"Ref": "(\w+)"\}', text)) | set(re.findall(r'\{"Fn::GetAtt": \["(\w+)"', text))
    assert named <= set(resources(template)) | set(template["Parameters"])


def test_every_environment_says_what_the_parameters_allow() -> None:
    template = cloudformation.load()
    environments = tomllib.loads((cloudformation.ROOT / "samconfig.toml").read_text())
    for environment in ("default", "dev", "prod"):
        overrides = environments[environment]["deploy"]["parameters"].get("parameter_overrides", [])
        for name, value in (override.split("=", 1) for override in overrides):
            parameter = template["Parameters"][name]
            typed = float(value) if parameter["Type"] == "Number" else value
            template["Parameters"][name] = {**parameter, "Default": typed}
        assert list(defaults_are_what_their_parameters_allow(template)) == []


def test_an_empty_endpoint_is_none_to_boto3(monkeypatch: pytest.MonkeyPatch) -> None:
    variables = cloudformation.load()["Globals"]["Function"]["Environment"]["Variables"]
    monkeypatch.setenv("AWS_ENDPOINT_URL", variables["AWS_ENDPOINT_URL"])
    endpoint = boto3.client("sqs", region_name="eu-west-1").meta.endpoint_url
    assert endpoint == "https://sqs.eu-west-1.amazonaws.com"


def test_outputs_are_kept_as_long_as_pages_and_in_their_bucket() -> None:
    template = cloudformation.load()
    rules = of_type(template, "S3::Bucket")["PagesBucket"]["LifecycleConfiguration"]["Rules"]
    expiry = [rule["Fn::If"][1] for rule in rules if "Fn::If" in rule]
    assert [rule["Id"] for rule in expiry] == ["expire-pages"]
    assert not {"Prefix", "Filter", "TagFilters"}.intersection(*expiry)


def test_the_rule_takes_every_output_there_is() -> None:
    pattern = of_type(cloudformation.load(), "Events::Rule")["DocumentsToAssemble"]["EventPattern"]
    assert pattern["detail"]["outputs"] == list(WantedOutput)
    root = Path(__file__).parents[2]
    schemas = json.loads((root / "profiles/schema.json").read_text(encoding="utf-8"))
    assert schemas["properties"]["outputs"]["items"]["enum"] == ["all", *WantedOutput, *ALIASES]
