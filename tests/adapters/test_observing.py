"""LogLevel is the functions' own: Lambda's is DEBUG, so that no metric is dropped."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from local.stack import ROOT

SCRIPT = """
import logging
from aws_lambda_powertools.metrics import MetricUnit
logging.getLogger().setLevel("DEBUG")  # as Lambda's runtime does before it imports a handler
from pagewise.aws import wiring
from pagewise.aws.observing import logger, metrics
logging.getLogger("httpcore.http11").debug("a header with a key")
wiring.client("s3")
for level in ("debug", "info", "warning", "error"):
    getattr(logger, level)(level)
metrics.add_metric("Pages", MetricUnit.Count, 1)
metrics.flush_metrics()
"""


@pytest.mark.parametrize(
    ("level", "logged"),
    [
        ("DEBUG", ["debug", "info", "warning", "error"]),
        ("INFO", ["info", "warning", "error"]),
        ("WARNING", ["warning", "error"]),
        ("ERROR", ["error"]),
    ],
)
def test_the_functions_log_from_their_own_level_on_and_count_at_every_one(level: str, logged: list[str]) -> None:
    environment = {
        "PYTHONPATH": str(ROOT / "layers/pagewise"),
        "AWS_LAMBDA_LOG_FORMAT": "JSON",
        "AWS_LAMBDA_LOG_LEVEL": "DEBUG",
        "AWS_DEFAULT_REGION": "us-east-1",
        "POWERTOOLS_LOG_LEVEL": level,
        "POWERTOOLS_SERVICE_NAME": "pagewise",
    }
    done = subprocess.run([sys.executable, "-c", SCRIPT], env=environment, check=True, capture_output=True, text=True)
    lines = [json.loads(line) for line in (done.stdout + done.stderr).splitlines()]
    assert [line["message"] for line in lines if "message" in line] == logged
    assert [line["Pages"] for line in lines if "_aws" in line] == [[1.0]]
