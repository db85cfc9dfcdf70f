"""Logs, metrics and traces: one of each for an execution environment. No document text, keys or image bytes go in."""

from __future__ import annotations

from aws_lambda_powertools import Logger, Metrics, Tracer

SERVICE = "pagewise"

logger = Logger(service=SERVICE)
metrics = Metrics(namespace="Pagewise", service=SERVICE)
tracer = Tracer(service=SERVICE)
