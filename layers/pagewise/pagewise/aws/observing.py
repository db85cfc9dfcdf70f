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

# Lambda gives all loggers the function's ApplicationLogLevel, DEBUG. At that level libraries write out requests and
# answers. Our logger does not ask the root logger.
logging.getLogger().setLevel(logging.WARNING)

logger = Logger()
metrics = Metrics(namespace=NAMESPACE)


def set_level(level: str) -> None:
    """Powertools itself would take Lambda's ApplicationLogLevel for it."""
    logging.getLogger(logger.name).setLevel(level)


def unforeseen(error: BaseException) -> dict[str, object]:
    """The log's part of an unexpected error: its kind and its origin. Not its message: that may quote the document."""
    frames = traceback.extract_tb(error.__traceback__)[-6:]
    return {"error": type(error).__name__, "at": [f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames]}


class Unforeseen(Exception):
    """Stands for an unexpected error, and gives its kind alone."""


def told(error: Exception) -> dict[str, object]:
    """The log's part of any error: our own errors quote no document."""
    return {"reason": error.reason} if isinstance(error, PagewiseError) else unforeseen(error)


def quoting_nothing(error: Exception) -> Exception:
    """The error to raise to Lambda. The service logs its message and sends it to the failure destination."""
    return error if isinstance(error, PagewiseError) else Unforeseen(type(error).__name__)
