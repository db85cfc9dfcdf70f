"""What a new execution environment computes before its first invocation, against the bare libraries, in one run.

Of each function: the handler's import and the composition of its use case, with botocore's data as the layer has it,
against `import boto3, httpx` with clients of the same services, as released. Processor time of one process: Lambda
gives an environment a share of a core, and the one call of a composition (for the engine's key) waits for a service
that is not measured here.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import statistics
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from local.stack import FUNCTIONS_PYTHON, ROOT
from tests.benchmarks.answering import Answering, served
from tests.template import cloudformation

RUNS = 9
TRIM = ROOT / "layers/pagewise/trim.py"
LOCAL_PYTHON = ROOT / ".venvs/local/bin/python"  # has boto3
# By folder: the composition's part, and the services that it has clients of.
FUNCTIONS = {
    "splitter": ("split", ("s3", "dynamodb", "events", "sqs", "ssm")),
    "ocr": ("recognize", ("s3", "dynamodb", "events", "sqs", "secretsmanager")),
    "dead_letter": ("give_up", ("s3", "dynamodb", "events")),
    "sweeper": ("sweep", ("s3", "dynamodb", "events")),
}
OURS = """
import handler
handler.wiring.composition.get().{part}()
"""
BARE = """
import boto3, httpx
from botocore.config import Config
clients = [boto3.client(service, config=Config(max_pool_connections=32)) for service in {services!r}]
"""
MEASURED = """
import sys, time
code = compile(sys.argv[1], "measured", "exec")
began = time.process_time()
exec(code, {})
print(1000 * (time.process_time() - began), len(sys.modules))
"""
# A variable that CloudFormation joins, in the form that functions take.
JOINED = {"DEPLOYED_TASKS": "TextRecognition"}
LAMBDA = {
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_LAMBDA_FUNCTION_NAME": "function",
    "AWS_LAMBDA_LOG_FORMAT": "JSON",
    "LAMBDA_TASK_ROOT": "/var/task",
}


def cold_starts(runs: int = RUNS) -> dict[str, Any]:
    """By function: milliseconds and modules of both, and ours as a share of the bare libraries'."""
    with TemporaryDirectory() as layer, served(Secret) as endpoint:
        trimmed(Path(layer))
        return {
            folder: compared(
                Measure(
                    OURS.format(part=part), FUNCTIONS_PYTHON, {**variables(folder), "PYTHONPATH": path(folder, layer)}
                ),
                Measure(BARE.format(services=services), LOCAL_PYTHON, {}),
                endpoint,
                runs,
            )
            for folder, (part, services) in FUNCTIONS.items()
        }


def trimmed(layer: Path) -> None:
    """botocore as the layer has it. What the Makefile keeps is read there."""
    (installed,) = FUNCTIONS_PYTHON.parents[1].glob("lib/python*/site-packages/botocore")
    shutil.copytree(installed, layer / "botocore")
    (services,) = re.findall(r"^SERVICES := (.*)$", (TRIM.parent / "Makefile").read_text(), re.MULTILINE)
    subprocess.run([sys.executable, str(TRIM), str(layer / "botocore/data"), *services.split()], check=True)


def variables(folder: str) -> dict[str, str]:
    """What the template gives to a function of this folder, by the parameters' defaults; other names are any."""
    template = cloudformation.load()
    found = next(f for f in cloudformation.functions(template).values() if f["CodeUri"] == f"functions/{folder}")
    texts = {}
    for name, value in found["Environment"]["Variables"].items():
        parameter = template["Parameters"].get(value["Ref"], {}) if isinstance(value, dict) and "Ref" in value else {}
        any_value = JOINED.get(name, name.lower())
        texts[name] = str(parameter.get("Default", any_value) if isinstance(value, dict) else value)
    return texts


def path(folder: str, layer: str) -> str:
    return os.pathsep.join([str(ROOT / "functions" / folder), str(ROOT / "layers/pagewise"), layer])


@dataclass(frozen=True)
class Measure:
    code: str
    python: Path
    variables: Mapping[str, str]


def compared(ours: Measure, bare: Measure, endpoint: str, runs: int) -> dict[str, Any]:
    # The first pair makes the bytecode; pairs, so that a busy minute counts for both.
    pairs = [(measured(ours, endpoint), measured(bare, endpoint)) for _ in range(runs + 1)][1:]
    own, other = (statistics.median(pair[side][0] for pair in pairs) for side in (0, 1))
    return {
        "ms": round(own),
        "bare_ms": round(other),
        "ratio": round(statistics.median(ours[0] / bare[0] for ours, bare in pairs), 2),
        "modules": pairs[0][0][1],
        "bare_modules": pairs[0][1][1],
    }


def measured(measure: Measure, endpoint: str) -> tuple[float, int]:
    done = subprocess.run(
        [str(measure.python), "-c", MEASURED, measure.code],
        env={**LAMBDA, **measure.variables, "AWS_ENDPOINT_URL": endpoint},
        check=True,
        capture_output=True,
        text=True,
    )
    milliseconds, modules = done.stdout.split()[-2:]
    return float(milliseconds), int(modules)


class Secret(Answering):
    """Secrets Manager with one secret."""

    media_type = "application/x-amz-json-1.1"

    def content(self) -> bytes:
        return json.dumps({"Name": "key", "SecretString": "sk-any"}).encode()
