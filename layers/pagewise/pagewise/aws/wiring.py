"""The composition root: the one place that reads the environment and puts adapters and use cases together.

Clients are made once for an execution environment and kept over its invocations.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pagewise.accounting import Accounting
from pagewise.aws.buckets import S3Pages, S3Uploads
from pagewise.aws.bus import EventBridgePublisher
from pagewise.aws.clock import UtcClock
from pagewise.aws.failures import translated
from pagewise.aws.metering import CloudWatchMeter
from pagewise.aws.observing import metrics
from pagewise.aws.queues import SqsQueues
from pagewise.aws.table import DynamoTable
from pagewise.errors import PagewiseError
from pagewise.ledger import Ledger
from pagewise.settings import (
    EngineSettings,
    engine_settings,
    flag,
    number,
    price_settings,
    rate_limits,
    split_settings,
    text,
)

if TYPE_CHECKING:
    from pagewise.client import WireProtocol
    from pagewise.give_up import GiveUp
    from pagewise.rate import RateBudget
    from pagewise.recognize import Recognize
    from pagewise.split import Split
    from pagewise.suspension import Suspension
    from pagewise.sweep import Sweep


# Time of an invocation that is kept for saving and publishing what the engine answered last.
RESERVED_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Composition:
    """What the handlers call. A part is put together when a handler first asks for it: none needs them all."""

    split: Callable[[], Split]
    recognize: Callable[[], Recognize]
    give_up: Callable[[], GiveUp]
    sweep: Callable[[], Sweep]
    suspension: Callable[[], Suspension]
    back_off: Callable[[str, PagewiseError, int], float]
    back_off_split: Callable[[str, int], float]


@cache
def client(service: str) -> Any:
    import boto3
    from botocore.config import Config

    # An invocation works on ten page jobs side by side, each with a request of its own.
    config = Config(
        max_pool_connections=32,
        connect_timeout=5,
        read_timeout=30,
        retries={"mode": "standard", "total_max_attempts": 4},
        # Presigned URLs default to a signature that newer regions and encrypted buckets refuse.
        signature_version="s3v4" if service == "s3" else None,
    )
    return boto3.client(service, config=config)  # type: ignore[call-overload]


@cache
def pages() -> S3Pages:
    return S3Pages(client("s3"), text(os.environ, "PAGES_BUCKET"))


@cache
def ledger() -> Ledger:
    days = number(os.environ, "RESULTS_RETENTION_DAYS")
    table = DynamoTable(client("dynamodb"), text(os.environ, "RESULTS_TABLE"), days)
    return Ledger(table, pages(), price=price_settings(os.environ))


@cache
def publisher() -> EventBridgePublisher:
    return EventBridgePublisher(client("events"), text(os.environ, "EVENT_BUS_NAME"))


@cache
def accounting() -> Accounting:
    return Accounting(ledger(), pages(), publisher(), UtcClock(), price_settings(os.environ), CloudWatchMeter(metrics))


@cache
def split() -> Split:
    from pagewise.aws.profiles import SsmProfiles
    from pagewise.split import Split

    return Split(
        uploads=S3Uploads(client("s3")),
        pages=pages(),
        ledger=ledger(),
        queues=SqsQueues(client("sqs"), text(os.environ, "PAGE_JOB_QUEUE_PREFIX"), text(os.environ, "SPLIT_QUEUE_URL")),
        publisher=publisher(),
        accounting=accounting(),
        clock=UtcClock(),
        settings=split_settings(os.environ),
        profiles=SsmProfiles(client("ssm"), text(os.environ, "PROFILES_PATH")),
        disk=own_disk(),
    )


def own_disk() -> Path | None:
    """In Lambda, the folder for temporary files is the execution environment's alone."""
    return Path(tempfile.gettempdir()) if "LAMBDA_TASK_ROOT" in os.environ else None


@cache
def recognize() -> Recognize:
    import httpx

    from pagewise.aws.secrets import ApiKey
    from pagewise.client import EngineClient, queue_backoff, timeouts
    from pagewise.gate import Gate
    from pagewise.recognize import Recognize
    from pagewise.reuse import Reuse

    settings = reachable(engine_settings(os.environ), client("s3").meta.endpoint_url)
    key = ApiKey(client("secretsmanager"), text(os.environ, "QWEN_API_KEY_SECRET"))
    # Before any job has its place in the account's rate; a call that finds no key says what is wrong with it.
    with suppress(PagewiseError):
        key.renew()
    return Recognize(
        engine=EngineClient(httpx.AsyncClient(timeout=timeouts()), protocol(settings), settings.base_url, key),
        ledger=ledger(),
        pages=pages(),
        queues=SqsQueues(client("sqs"), text(os.environ, "PAGE_JOB_QUEUE_PREFIX")),
        accounting=accounting(),
        clock=UtcClock(),
        settings=settings,
        wait=queue_backoff,
        gate=Gate(rate_budget(settings.model)),
        reuse=Reuse(ledger(), settings) if flag(os.environ, "REUSE_RESULTS") else None,
    )


def rate_budget(model: str) -> RateBudget | None:
    from pagewise.rate import RateBudget

    limits = rate_limits(os.environ)
    return RateBudget(ledger().table, model, limits) if limits else None


def protocol(settings: EngineSettings) -> WireProtocol:
    from pagewise.dashscope import DashScope
    from pagewise.openai_compatible import OpenAICompatible
    from pagewise.settings import ApiStyle, PixelLimits

    if settings.api_style is ApiStyle.OPENAI:
        return OpenAICompatible(pixel_limits=settings.pixel_limits is PixelLimits.SEND)
    return DashScope(settings.workspace)


def reachable(settings: EngineSettings, bucket_endpoint: str) -> EngineSettings:
    """On one machine, a URL of the pages bucket is of use only to an engine of that machine."""
    from pagewise.transport import Choice

    if is_loopback(bucket_endpoint) and not is_loopback(settings.base_url):
        return replace(settings, image_transport=Choice.BASE64)
    return settings


def is_loopback(url: str) -> bool:
    return urlsplit(url).hostname in ("127.0.0.1", "::1", "localhost")


def back_off(receipt_handle: str, error: PagewiseError, deliveries: int) -> float:
    """Let a page job that will be delivered again wait for its backoff, neither shorter nor the whole visibility
    timeout; the seconds. Where that fails, the queue's own time-out does."""
    from pagewise.client import queue_backoff

    queue = text(os.environ, "PAGE_JOB_QUEUE_PREFIX") + text(os.environ, "TASK")
    return hidden(queue, receipt_handle, queue_backoff(error, deliveries))


def back_off_split(receipt_handle: str, deliveries: int) -> float:
    """The same for an upload or a page range."""
    from pagewise.split import retry_seconds

    return hidden(text(os.environ, "SPLIT_QUEUE_URL"), receipt_handle, retry_seconds(deliveries))


def hidden(queue: str, receipt_handle: str, seconds: float) -> float:
    try:
        with translated("A message"):
            client("sqs").change_message_visibility(
                QueueUrl=queue, ReceiptHandle=receipt_handle, VisibilityTimeout=round(seconds)
            )
    except PagewiseError:
        return 0.0
    return seconds


def suspension() -> Suspension:
    """Of the few parts that work under a wrong configuration."""
    from pagewise.suspension import Suspension

    prefix, split_queue = text(os.environ, "PAGE_JOB_QUEUE_PREFIX"), os.environ.get("SPLIT_QUEUE_URL", "")
    queues = SqsQueues(client("sqs"), prefix, split_queue)
    return Suspension(queues, publisher(), CloudWatchMeter(metrics), UtcClock())


@cache
def give_up() -> GiveUp:
    from pagewise.give_up import GiveUp

    return GiveUp(ledger(), accounting(), UtcClock())


@cache
def sweep() -> Sweep:
    from pagewise.sweep import Sweep

    return Sweep(ledger(), accounting(), UtcClock())


ON_AWS = Composition(split, recognize, give_up, sweep, suspension, back_off, back_off_split)
# Deployed, there is no other. A simulation gives each invocation one of its own world.
composition: ContextVar[Composition] = ContextVar("composition", default=ON_AWS)
