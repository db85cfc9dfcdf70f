"""Logs and metrics: one of each for an execution environment. No document text, keys or image bytes go in.

Both carry the stack's name as their service, from POWERTOOLS_SERVICE_NAME, and so does every alarm.
"""

from __future__ import annotations

import logging
import traceback
from pathlib import Path

from aws_lambda_powertools import Logger, Metrics

from pagewise.aws.metering import NAMESPACE
from pagewise.errors import PagewiseError

# Lambda gives all loggers the function's ApplicationLogLevel, DEBUG, at which libraries write out requests and answers.
# Ours does not ask the root logger.
logging.getLogger().setLevel(logging.WARNING)

logger = Logger()
metrics = Metrics(namespace=NAMESPACE)


def set_level(level: str) -> None:
    """Powertools itself would take Lambda's ApplicationLogLevel for it."""
    logging.getLogger(logger.name).setLevel(level)


def unforeseen(error: BaseException) -> dict[str, object]:
    """What the log may hold of an error that nobody expected: its kind and where it came from. Not its message, which
    may quote the document."""
    frames = traceback.extract_tb(error.__traceback__)[-6:]
    return {"error": type(error).__name__, "at": [f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames]}


class Unforeseen(Exception):
    """Stands for an error that nobody expected, and says its kind alone."""


def told(error: Exception) -> dict[str, object]:
    """What the log may hold of any error: ours say nothing of a document."""
    return {"reason": error.reason} if isinstance(error, PagewiseError) else unforeseen(error)


def quoting_nothing(error: Exception) -> Exception:
    """The error to raise to the Lambda service, which logs its message and sends it to the failure destination."""
    return error if isinstance(error, PagewiseError) else Unforeseen(type(error).__name__)
