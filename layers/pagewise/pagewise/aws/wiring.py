"""The composition root: the one place that reads the environment and puts adapters and use cases together.

Clients are made once for an execution environment and kept over its invocations. Commands, outside of any function, put
theirs together of a stack's outputs: OfStack.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast
from urllib.parse import urlsplit

from pagewise.account.closing import Accounting
from pagewise.account.ledger import Ledger
from pagewise.aws.buckets import S3Links, S3Objects, S3Outputs, S3Pages, S3Uploads
from pagewise.aws.bus import EventBridgePublisher
from pagewise.aws.clock import UtcClock
from pagewise.aws.environment import (
    batch_settings,
    batch_terms,
    engine_settings,
    flag,
    number,
    price_settings,
    rate_limits,
    spending,
    split_settings,
    text,
    whole,
    without_batches,
)
from pagewise.aws.failures import translated
from pagewise.aws.metering import CloudWatchMeter
from pagewise.aws.observing import metrics, set_level
from pagewise.aws.queues import SqsQueues
from pagewise.aws.table import DynamoTable
from pagewise.errors import PagewiseError
from pagewise.qwen.settings import EngineSettings

if TYPE_CHECKING:
    import asyncio

    from botocore.session import Session
    from mypy_boto3_sqs import SQSClient

    from pagewise.account.lots import Lots
    from pagewise.aws.api import SignIn
    from pagewise.aws.profiles import SsmProfiles
    from pagewise.ports import Publisher, Queues
    from pagewise.qwen.client import WireProtocol
    from pagewise.rate.budget import RateBudget
    from pagewise.use_cases.assemble import Assemble
    from pagewise.use_cases.cancel import CancelDocument
    from pagewise.use_cases.collect import Collect
    from pagewise.use_cases.delete import DeleteDocument
    from pagewise.use_cases.follow import Follow
    from pagewise.use_cases.give_up import GiveUp
    from pagewise.use_cases.ground_truth import GroundTruth
    from pagewise.use_cases.recognize import Recognize
    from pagewise.use_cases.redrive import Redrive
    from pagewise.use_cases.review import ReviewPages
    from pagewise.use_cases.show import ShowDocuments
    from pagewise.use_cases.split import Split
    from pagewise.use_cases.suspension import Suspension
    from pagewise.use_cases.sweep import Sweep


Outcome = TypeVar("Outcome")

# Time of an invocation that is kept for saving and publishing the engine's last answers.
RESERVED_SECONDS = 10.0
# … and for storing the outputs and the manifest: an output may have 2 GB.
ASSEMBLY_RESERVED_SECONDS = 120.0
# … and for an answer: API Gateway waits for 30 s, and a turn of the sweeper's takes one.
ANSWER_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Desk:
    """What the HTTP API is made of. `trusted`: the name of whoever asks, where nobody else tells (sam local)."""

    show: ShowDocuments
    review: ReviewPages
    cancel: CancelDocument
    delete: DeleteDocument
    redrive: Redrive
    stack: str
    sign_in: SignIn | None = None
    trusted: str = ""

    def config(self) -> dict[str, Any]:
        return {"stack": self.stack, "sign_in": self.sign_in.shown() if self.sign_in else None}

    def headers(self) -> dict[str, str]:
        from pagewise.aws.api import security_headers

        return security_headers(self.show.links.origin(), self.sign_in.origins() if self.sign_in else "")


@dataclass(frozen=True, slots=True)
class Composition:
    """The parts for the handlers. A part is put together when a handler first asks for it: none needs them all."""

    split: Callable[[], Split]
    recognize: Callable[[], Recognize]
    give_up: Callable[[], GiveUp]
    sweep: Callable[[], Sweep]
    suspension: Callable[[], Suspension]
    back_off: Callable[[str, PagewiseError, int], float]
    back_off_split: Callable[[str, int], float]
    assemble: Callable[[], Assemble]
    back_off_assembly: Callable[[str, int], float]
    delete: Callable[[], DeleteDocument]
    desk: Callable[[], Desk]
    collect: Callable[[], Collect]
    follow: Callable[[], Follow]


@cache
def client(service: str) -> Any:
    from botocore.config import Config

    # boto3's default, auto, signs URLs for the global host: newer regions refuse these, and all others redirect them
    # for a bucket's first hours. An endpoint of our own (the emulator) has no host for each bucket: auto knows.
    style: Literal["auto", "virtual"] = "auto" if os.environ.get("AWS_ENDPOINT_URL") else "virtual"
    # An invocation works on ten page jobs side by side, each with a request of its own.
    config = Config(
        max_pool_connections=32,
        connect_timeout=5,
        read_timeout=30,
        retries={"mode": "standard", "total_max_attempts": 4},
        # Presigned URLs default to a signature that newer regions and encrypted buckets refuse.
        signature_version="s3v4" if service == "s3" else None,
        s3={"addressing_style": style, "us_east_1_regional_endpoint": "regional"},
    )
    return session().create_client(service, config=config)


@cache
def session() -> Session:
    """botocore's own: boto3 adds parts unused here (resources, transfers), and a sixth to a cold start."""
    from botocore.session import get_session

    return get_session()


class UnmadeClient:
    """A client that is made when it is first used: in most execution environments never."""

    def __init__(self, service: str) -> None:
        self._service = service

    def __getattr__(self, operation: str) -> Any:
        return getattr(client(self._service), operation)


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
    from pagewise.use_cases.split import Split

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

    from pagewise.account.reuse import Reuse
    from pagewise.aws.secrets import ApiKey
    from pagewise.qwen.client import EngineClient, queue_backoff, timeouts
    from pagewise.rate.gate import Gate
    from pagewise.use_cases.recognize import Recognize

    settings = reachable(engine_settings(os.environ), client("s3").meta.endpoint_url)
    key = ApiKey(client("secretsmanager"), text(os.environ, "QWEN_API_KEY_SECRET"))
    # Before any job has its slot; a call that finds no key reports the fault.
    with suppress(PagewiseError):
        key.renew()
    return Recognize(
        engine=EngineClient(httpx.AsyncClient(timeout=timeouts()), protocol(settings), settings.base_url, key),
        ledger=ledger(),
        pages=pages(),
        queues=SqsQueues(cast("SQSClient", UnmadeClient("sqs")), text(os.environ, "PAGE_JOB_QUEUE_PREFIX")),
        accounting=accounting(),
        clock=UtcClock(),
        settings=settings,
        wait=queue_backoff,
        gate=Gate(rate_budget(settings.model)),
        reuse=Reuse(ledger(), settings) if flag(os.environ, "REUSE_RESULTS") else None,
    )


def rate_budget(model: str) -> RateBudget | None:
    from pagewise.rate.budget import RateBudget

    limits = rate_limits(os.environ)
    return RateBudget(ledger().table, model, limits) if limits else None


def protocol(settings: EngineSettings) -> WireProtocol:
    from pagewise.qwen.dashscope import DashScope
    from pagewise.qwen.openai_compatible import OpenAICompatible
    from pagewise.qwen.settings import ApiStyle, PixelLimits

    if settings.api_style is ApiStyle.OPENAI:
        return OpenAICompatible(pixel_limits=settings.pixel_limits is PixelLimits.SEND)
    return DashScope(settings.workspace)


def reachable(settings: EngineSettings, bucket_endpoint: str) -> EngineSettings:
    """On one machine, a URL of the pages bucket is of use only to an engine of that machine."""
    from pagewise.qwen.fitting import ImageTransport

    if is_loopback(bucket_endpoint) and not is_loopback(settings.base_url):
        return replace(settings, image_transport=ImageTransport.BASE64)
    return settings


def is_loopback(url: str) -> bool:
    return urlsplit(url).hostname in ("127.0.0.1", "::1", "localhost")


def back_off(receipt_handle: str, error: PagewiseError, deliveries: int) -> float:
    """Let a page job that will be delivered again wait for its backoff, neither shorter nor the whole visibility
    timeout; the seconds. Where that fails, the queue's own time-out does."""
    from pagewise.qwen.client import queue_backoff

    queue = text(os.environ, "PAGE_JOB_QUEUE_PREFIX") + text(os.environ, "TASK")
    return hidden(queue, receipt_handle, queue_backoff(error, deliveries))


def back_off_split(receipt_handle: str, deliveries: int) -> float:
    """The same for an upload or a page range."""
    from pagewise.use_cases.split import retry_seconds

    return hidden(text(os.environ, "SPLIT_QUEUE_URL"), receipt_handle, retry_seconds(deliveries))


def back_off_assembly(receipt_handle: str, deliveries: int) -> float:
    """The same for outputs that could not be made."""
    from pagewise.use_cases.split import retry_seconds

    return hidden(text(os.environ, "ASSEMBLER_QUEUE_URL"), receipt_handle, retry_seconds(deliveries))


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
    """The suspension, made of the few parts that work under a wrong configuration."""
    from pagewise.use_cases.suspension import Suspension

    prefix, split_queue = text(os.environ, "PAGE_JOB_QUEUE_PREFIX"), os.environ.get("SPLIT_QUEUE_URL", "")
    queues = SqsQueues(client("sqs"), prefix, split_queue)
    return Suspension(queues, publisher(), CloudWatchMeter(metrics), UtcClock())


@cache
def give_up() -> GiveUp:
    from pagewise.use_cases.give_up import GiveUp

    return GiveUp(ledger(), accounting(), UtcClock())


@cache
def sweep() -> Sweep:
    from pagewise.use_cases.sweep import Sweep

    return Sweep(ledger(), accounting(), UtcClock())


@cache
def assemble() -> Assemble:
    from pagewise.use_cases.assemble import Assemble

    return Assemble(
        ledger=ledger(),
        uploads=S3Uploads(client("s3")),
        outputs=S3Outputs(client("s3"), text(os.environ, "PAGES_BUCKET")),
        publisher=publisher(),
        meter=CloudWatchMeter(metrics),
        disk=own_disk(),
    )


@cache
def cancel() -> CancelDocument:
    from pagewise.use_cases.cancel import CancelDocument

    return CancelDocument(ledger(), sweep(), UtcClock())


@cache
def delete() -> DeleteDocument:
    from pagewise.account.deletion import Deletions
    from pagewise.use_cases.delete import DeleteDocument

    objects = S3Objects(client("s3"), text(os.environ, "PAGES_BUCKET"))
    return DeleteDocument(Deletions(ledger()), cancel(), objects, publisher(), UtcClock())


@cache
def redrive() -> Redrive:
    from pagewise.use_cases.redrive import Redrive

    return Redrive(
        ledger=ledger(),
        queues=SqsQueues(client("sqs"), text(os.environ, "PAGE_JOB_QUEUE_PREFIX"), text(os.environ, "SPLIT_QUEUE_URL")),
        accounting=accounting(),
        clock=UtcClock(),
        overdue_seconds=60 * whole(os.environ, "OVERDUE_MINUTES"),
        pages_per_range=whole(os.environ, "PAGES_PER_RANGE"),
        spending=spending(os.environ),
        batch_seconds=0.0 if without_batches(os.environ) else batch_terms(os.environ).seconds,
    )


@cache
def desk() -> Desk:
    from pagewise.account.reviews import Reviews
    from pagewise.aws.api import SignIn
    from pagewise.use_cases.review import ReviewPages
    from pagewise.use_cases.show import ShowDocuments

    bucket, reviews, clock = text(os.environ, "PAGES_BUCKET"), Reviews(ledger()), UtcClock()
    links = S3Links(client("s3"), bucket, text(os.environ, "UPLOADS_BUCKET"))
    show = ShowDocuments(ledger(), reviews, S3Outputs(client("s3"), bucket), links, clock, price_settings(os.environ))
    issuer = os.environ.get("SIGN_IN_ISSUER", "")
    sign_in = SignIn(issuer, os.environ.get("SIGN_IN_CLIENT", ""), os.environ.get("SIGN_IN_DOMAIN", ""))
    return Desk(
        show=show,
        review=ReviewPages(ledger(), reviews, accounting(), show, clock),
        cancel=cancel(),
        delete=delete(),
        redrive=redrive(),
        stack=os.environ.get("POWERTOOLS_SERVICE_NAME", "pagewise"),
        # API Gateway takes no issuer without TLS; the embedded stack's stands for its token.
        sign_in=sign_in if issuer.startswith("https://") else None,
        trusted=os.environ.get("TRUSTED_PERSON", ""),
    )


def lots() -> Lots:
    from pagewise.account.lots import LotLimits, Lots

    return Lots(ledger().table, LotLimits(wait_seconds=60.0 * whole(os.environ, "BATCH_WAIT_MINUTES", least=0)))


def job_queues() -> SqsQueues:
    return SqsQueues(client("sqs"), text(os.environ, "PAGE_JOB_QUEUE_PREFIX"))


@cache
def collect() -> Collect:
    from pagewise.use_cases.collect import Collect

    return Collect(lots(), ledger(), job_queues(), UtcClock(), batch_settings(os.environ))


@cache
def follow() -> Follow:
    import httpx

    from pagewise.aws.secrets import ApiKey
    from pagewise.qwen.batch_client import BatchClient, timeouts
    from pagewise.qwen.batches import LineReader
    from pagewise.qwen.openai_compatible import OpenAICompatible
    from pagewise.qwen.settings import PixelLimits
    from pagewise.use_cases.follow import Follow, FollowSettings
    from pagewise.use_cases.settle import Settle

    settings, gathered = batch_settings(os.environ), lots()
    key = ApiKey(client("secretsmanager"), text(os.environ, "QWEN_API_KEY_SECRET"))
    reader = LineReader(OpenAICompatible(pixel_limits=settings.pixel_limits is PixelLimits.SEND))
    terms = FollowSettings(
        window_hours=whole(os.environ, "BATCH_WINDOW_HOURS"), poll_seconds=whole(os.environ, "BATCH_POLL_SECONDS")
    )
    return Follow(
        service=BatchClient(httpx.Client(timeout=timeouts()), settings.base_url, key.current),
        lots=gathered,
        pages=pages(),
        settle=Settle(gathered, ledger(), job_queues(), accounting(), UtcClock(), settings, reader),
        lane=terms,
        disk=own_disk(),
    )


@dataclass(frozen=True, slots=True)
class OfStack:
    """The parts of a stack that commands use, from outside its functions.

    `outputs` are CloudFormation's; `variables` are the functions' settings, as far as a part reads them.
    """

    client: Callable[[str], Any]
    outputs: Mapping[str, str]
    variables: Mapping[str, str] = field(default_factory=dict)

    def uploads(self) -> S3Uploads:
        return S3Uploads(self.client("s3"))

    def pages(self) -> S3Pages:
        return S3Pages(self.client("s3"), self.outputs["PagesBucket"])

    def table(self, retention_days: float = 0) -> DynamoTable:
        return DynamoTable(self.client("dynamodb"), self.outputs["ResultsTable"], retention_days)

    def ledger(self) -> Ledger:
        """To read from: its writes would neither expire nor have a price."""
        return Ledger(self.table(), self.pages())

    def profiles(self, stack: str) -> SsmProfiles:
        from pagewise.aws.profiles import SsmProfiles

        return SsmProfiles(self.client("ssm"), f"/{stack}/profiles")

    def ground_truth(self) -> GroundTruth:
        from pagewise.account.reviews import Reviews
        from pagewise.use_cases.ground_truth import GroundTruth

        ledger = self.ledger()
        return GroundTruth(ledger, Reviews(ledger))

    def publisher(self) -> EventBridgePublisher:
        return EventBridgePublisher(self.client("events"), self.outputs["EventBus"])

    def accounting(self) -> Accounting:
        """To write by: its records have a price, and expire as the functions' do."""
        price = price_settings(self.variables)
        ledger = Ledger(self.table(number(self.variables, "RESULTS_RETENTION_DAYS")), self.pages(), price=price)
        return Accounting(ledger, self.pages(), self.publisher(), UtcClock(), price)

    def cancel(self) -> CancelDocument:
        from pagewise.use_cases.cancel import CancelDocument
        from pagewise.use_cases.sweep import Sweep

        accounting = self.accounting()
        return CancelDocument(accounting.ledger, Sweep(accounting.ledger, accounting, UtcClock()), UtcClock())

    def delete(self) -> DeleteDocument:
        from pagewise.account.deletion import Deletions
        from pagewise.use_cases.delete import DeleteDocument

        cancel, objects = self.cancel(), S3Objects(self.client("s3"), self.outputs["PagesBucket"])
        return DeleteDocument(Deletions(cancel.ledger), cancel, objects, self.publisher(), UtcClock())

    def redrive(self) -> Redrive:
        from pagewise.use_cases.redrive import Redrive

        accounting = self.accounting()
        return Redrive(
            ledger=accounting.ledger,
            queues=SqsQueues(self.client("sqs"), self.outputs["PageJobQueues"], self.outputs["SplitQueue"]),
            accounting=accounting,
            clock=UtcClock(),
            overdue_seconds=60 * whole(self.variables, "OVERDUE_MINUTES"),
            pages_per_range=whole(self.variables, "PAGES_PER_RANGE"),
            spending=spending(self.variables),
            batch_seconds=0.0 if without_batches(self.variables) else batch_terms(self.variables).seconds,
        )

    def lots(self) -> Lots:
        """To read from."""
        from pagewise.account.lots import Lots

        return Lots(self.table())

    def split(self, queues: Queues, publisher: Publisher) -> Split:
        """For samples; these cost nothing: without profiles, price or expiry."""
        from pagewise.use_cases.split import Split

        pages, ledger, clock = self.pages(), self.ledger(), UtcClock()
        accounting = Accounting(ledger, pages, publisher, clock)
        return Split(
            self.uploads(), pages, ledger, queues, publisher, accounting, clock, split_settings(self.variables)
        )


def run(work: Coroutine[Any, Any, Outcome]) -> Outcome:
    """In Lambda one event loop serves all invocations of an environment: the engine's connections belong to it."""
    import asyncio

    return event_loop().run_until_complete(work) if "LAMBDA_TASK_ROOT" in os.environ else asyncio.run(work)


def event_loop() -> asyncio.AbstractEventLoop:
    """The thread's; from Python 3.14 on, none is made by asking."""
    import asyncio

    try:
        return asyncio.get_event_loop()
    except RuntimeError:
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        return loop


ON_AWS = Composition(
    split,
    recognize,
    give_up,
    sweep,
    suspension,
    back_off,
    back_off_split,
    assemble,
    back_off_assembly,
    delete,
    desk,
    collect,
    follow,
)
set_level(os.environ.get("POWERTOOLS_LOG_LEVEL", "INFO"))
# Deployed, there is no other. A simulation gives each invocation one of its own world.
composition: ContextVar[Composition] = ContextVar("composition", default=ON_AWS)
