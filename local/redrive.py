"""`python -m local redrive`: a document's failed page jobs are done again, on a stack here or in an account."""

from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError

from local.deployed import DeployedStack, deployed_stack
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


class RedriveError(Exception):
    """The document has nothing to redrive, or what was asked for is not there; the message says which."""


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
        use_case = redrive_of(deployed_stack(wish.stack, wish.endpoint))
        return line(use_case.document(DocumentId(wish.document), Choice(wish.page, task)))
    except PagewiseError as error:
        raise RedriveError(error.message) from error
    except (BotoCoreError, ClientError) as error:
        raise RedriveError(f"The stack {wish.stack}: {error}") from error


def redrive_of(stack: DeployedStack) -> Redrive:
    """The use case on a deployed stack, with its names and settings."""
    client_of, outputs, parameters = stack.client, stack.outputs, stack.parameters
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
    queued = "1 page job is" if redriven.page_jobs == 1 else f"{redriven.page_jobs} page jobs are"
    return f"Run {redriven.run}: {queued} queued{rendering}."
