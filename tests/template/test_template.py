"""The template against the code and against its own rules. A rule lists what breaks it; each is shown to bite."""

import copy
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from pagewise.aws.metering import NAMESPACE
from pagewise.aws.table import EXPIRES
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


def tasks_are_the_codes(template: Template) -> Iterator[str]:
    names = [entry["Name"] for entry in template["Mappings"]["Tasks"].values()]
    deployed = template["Globals"]["Function"]["Environment"]["Variables"]["DEPLOYED_TASKS"].split(",")
    if list(template["Mappings"]["Tasks"]) != template["Resources"][LOOP][1]:
        yield "Mappings.Tasks and the list of Fn::ForEach differ"
    if names != list(Task):
        yield f"the template's tasks are {names}, the code's {list(Task)}"
    if deployed != names:
        yield f"DEPLOYED_TASKS are {deployed}, the queues' {names}"
    if not set(template["Parameters"]["DefaultTasks"]["Default"].split(",")) <= set(deployed):
        yield "a default task is not deployed"


def task_functions_are_named_as_the_code_finds_them(template: Template) -> Iterator[str]:
    for key, entry in template["Mappings"]["Tasks"].items():
        task, queue = entry["Name"], of_type(template, "SQS::Queue").get(f"{key}Queue", {})
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
        if name == "DeadLetterQueue":
            if redrive:
                yield f"{name} has a redrive policy"
        elif not redrive or target(redrive["deadLetterTargetArn"]) != "DeadLetterQueue":
            yield f"{name} has no dead-letter queue"


def attempts_are_as_many_as_receives(template: Template) -> Iterator[str]:
    for key in template["Mappings"]["Tasks"]:
        receives = of_type(template, "SQS::Queue")[f"{key}Queue"].get("RedrivePolicy", {}).get("maxReceiveCount")
        attempts = functions(template)[f"{key}Function"]["Environment"]["Variables"].get("MAX_ATTEMPTS")
        if str(receives) != str(attempts):
            yield f"{key}: MAX_ATTEMPTS {attempts}, maxReceiveCount {receives}"


def every_queue_has_one_consumer_that_reports_failures(template: Template) -> Iterator[str]:
    mappings = of_type(template, "Lambda::EventSourceMapping")
    consumed = [target(mapping["EventSourceArn"]) for mapping in mappings.values()]
    if sorted(consumed) != sorted(of_type(template, "SQS::Queue")):
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
        if alarm.get("Namespace") == NAMESPACE and alarm["MetricName"] not in counted():
            yield f"{name} watches {alarm['MetricName']}, which no code counts"
        if alarm.get("Namespace") == NAMESPACE and alarm.get("Dimensions") != OF_THE_STACK:
            yield f"{name} does not watch this stack alone"
        if "Metrics" not in alarm and "MetricName" not in alarm:
            yield f"{name} watches nothing"
        if not (alarm.get("AlarmActions") and alarm.get("OKActions")):
            yield f"{name} tells nobody"
    dashboard = of_type(template, "CloudWatch::Dashboard")["Dashboard"]["DashboardBody"]["Fn::Sub"]
    shown = set(re.findall(r'(?:"Pagewise"|"\.") ?, "([A-Z]\w+)"', dashboard))
    for metric in sorted(shown - counted()):
        yield f"the dashboard shows {metric}, which no code counts"


def every_queue_of_page_jobs_is_watched(template: Template) -> Iterator[str]:
    alarms = json.dumps(of_type(template, "CloudWatch::Alarm"))
    for name in of_type(template, "SQS::Queue"):
        if f'["{name}", "QueueName"]' not in alarms:
            yield f"nobody notices when {name} stands still"


def counted() -> set[str]:
    """The names of the metrics in the code."""
    root = cloudformation.ROOT
    code = [*root.glob("functions/*/handler.py"), root / "layers/pagewise/pagewise/aws/metering.py"]
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
    tasks_are_the_codes,
    task_functions_are_named_as_the_code_finds_them,
    visibility_is_six_timeouts_and_the_window,
    queues_have_a_dead_letter_queue,
    attempts_are_as_many_as_receives,
    every_queue_has_one_consumer_that_reports_failures,
    consumers_may_consume,
    permissions_are_narrow,
    parameters_are_described_and_used,
    buckets_are_encrypted_private_and_tls_only,
    queues_and_tables_are_encrypted,
    lambda_filters_no_metric_lines,
    functions_get_the_variables_they_need,
    variables_that_are_set_are_read,
    functions_are_described_and_hold_only_their_code,
    layers_are_for_the_functions_platform,
    versions_are_kept_and_forgotten,
    the_table_is_protected_and_forgets,
    functions_are_watched,
    alarms_watch_what_is_counted,
    every_queue_of_page_jobs_is_watched,
    outputs_are_described,
]

# Where to change the template, to what (None: take it away), and the rules that must object.
DRIFTS: list[tuple[str, Any, Rule]] = [
    ("Mappings.Tasks.MultiLan.Name", "multi_language", tasks_are_the_codes),
    ("Mappings.Tasks.MultiLan", None, tasks_are_the_codes),
    ("Resources.Fn::ForEach::Tasks.1", ["TextRecognition"], tasks_are_the_codes),
    ("Globals.Function.Environment.Variables.DEPLOYED_TASKS", "text_recognition", tasks_are_the_codes),
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
    # The log groups that use it come with the monitoring.
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


def test_an_empty_endpoint_is_none_to_boto3(monkeypatch: pytest.MonkeyPatch) -> None:
    variables = cloudformation.load()["Globals"]["Function"]["Environment"]["Variables"]
    monkeypatch.setenv("AWS_ENDPOINT_URL", variables["AWS_ENDPOINT_URL"])
    endpoint = boto3.client("sqs", region_name="eu-west-1").meta.endpoint_url
    assert endpoint == "https://sqs.eu-west-1.amazonaws.com"


def test_cfn_lint_is_content() -> None:
    command = [str(Path(sys.executable).with_name("cfn-lint")), "template.yaml"]
    done = subprocess.run(command, cwd=cloudformation.ROOT, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")
