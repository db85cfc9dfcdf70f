"""`python -m local redrive`: a document's failed page jobs are done again, on a stack here or in an account."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from local.emulator import client
from pagewise.accounting import Accounting
from pagewise.aws.buckets import S3Pages
from pagewise.aws.bus import EventBridgePublisher
from pagewise.aws.clock import UtcClock
from pagewise.aws.queues import SqsQueues
from pagewise.aws.table import DynamoTable
from pagewise.errors import PagewiseError
from pagewise.ledger import Ledger
from pagewise.model import DocumentId
from pagewise.redrive import Choice, Redrive, Redriven
from pagewise.settings import price_settings
from pagewise.tasks import Task

PRICES = {
    "INPUT_PRICE_PER_MILLION": "InputPricePerMillion",
    "OUTPUT_PRICE_PER_MILLION": "OutputPricePerMillion",
    "PRICE_CURRENCY": "PriceCurrency",
    "PRICE_REGION": "PriceRegion",
    "PRICES_AS_OF": "PricesAsOf",
}

ClientOf = Callable[[str], Any]


class RedriveError(Exception):
    """The stack cannot be reached, or the document has nothing to redrive; the message says which."""


@dataclass(frozen=True)
class Wish:
    """What the user asks for."""

    document: str
    page: int | None = None
    task: str | None = None
    stack: str = "pagewise"
    endpoint: str | None = None


def redrive(wish: Wish) -> str:
    """Queue the failed page jobs; a line that says what was queued."""
    try:
        task = Task(wish.task) if wish.task else None
    except ValueError:
        raise RedriveError(f"{wish.task} is no task. The tasks are: {', '.join(Task)}.") from None
    try:
        use_case = redrive_of(clients(wish.endpoint), wish.stack)
        return line(use_case.document(DocumentId(wish.document), Choice(wish.page, task)))
    except PagewiseError as error:
        raise RedriveError(error.message) from error
    except (BotoCoreError, ClientError) as error:
        raise RedriveError(f"The stack {wish.stack} cannot be reached: {error}") from error


def clients(endpoint: str | None) -> ClientOf:
    """Clients of `make local` if the endpoint is on this machine, else of whatever account the environment names."""
    if endpoint and urlsplit(endpoint).hostname in ("127.0.0.1", "localhost", "::1"):
        return lambda service: client(service, endpoint)
    return lambda service: boto3.client(service, endpoint_url=endpoint)  # type: ignore[call-overload]


def redrive_of(client_of: ClientOf, stack: str) -> Redrive:
    """The use case on a deployed stack, with the names and settings that CloudFormation tells."""
    description = client_of("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in description["Outputs"]}
    parameters: Mapping[str, str] = {
        parameter["ParameterKey"]: parameter["ParameterValue"] for parameter in description["Parameters"]
    }
    pages = S3Pages(client_of("s3"), outputs["PagesBucket"])
    ledger = Ledger(DynamoTable(client_of("dynamodb"), outputs["ResultsTable"]), pages)
    publisher = EventBridgePublisher(client_of("events"), outputs["EventBus"])
    price = price_settings({variable: parameters[parameter] for variable, parameter in PRICES.items()})
    return Redrive(
        ledger=ledger,
        queues=SqsQueues(client_of("sqs"), outputs["PageJobQueues"], outputs["SplitQueue"]),
        accounting=Accounting(ledger, pages, publisher, UtcClock(), price),
        clock=UtcClock(),
        overdue_seconds=60 * int(parameters["OverdueMinutes"]),
        pages_per_range=int(parameters["PagesPerRange"]),
    )


def line(redriven: Redriven) -> str:
    if not redriven.page_jobs and not redriven.pages_to_render:
        return "No page job of this choice has failed."
    rendering = f", and {redriven.pages_to_render} pages to be rendered first" if redriven.pages_to_render else ""
    return f"Run {redriven.run}: {redriven.page_jobs} page jobs are queued{rendering}."
