"""`./pagewise redrive`: failed page jobs are done again, of one document or of all, here or in an account."""

from collections.abc import Iterator
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError

from commands.deployed import DeployedStack, deployed_stack
from commands.errors import CommandError
from pagewise.aws.wiring import OfStack
from pagewise.errors import PagewiseError
from pagewise.model import DocumentId
from pagewise.tasks import Task
from pagewise.use_cases.redrive import Redrive, Redriven, Selection

# The settings of the use case, by the functions' variables and the stack's parameters.
SETTINGS = {
    "RESULTS_RETENTION_DAYS": "ResultsRetentionDays",
    "OVERDUE_MINUTES": "OverdueMinutes",
    "PAGES_PER_RANGE": "PagesPerRange",
    "MAX_DOCUMENT_COST": "MaxDocumentCost",
    "MAX_DAILY_COST": "MaxDailyCost",
    "QWEN_MODEL": "QwenModel",
    "QWEN_PARAMETERS": "QwenParameters",
    "MAX_PIXELS": "MaxPixels",
    "INPUT_PRICE_PER_MILLION": "InputPricePerMillion",
    "OUTPUT_PRICE_PER_MILLION": "OutputPricePerMillion",
    "ENGINE_BILLS": "EngineBills",
    "PRICE_CURRENCY": "PriceCurrency",
    "PRICE_REGION": "PriceRegion",
    "PRICES_AS_OF": "PricesAsOf",
    "QWEN_BASE_URL": "QwenBaseUrl",
    "BATCH_MODEL": "BatchModel",
    "BATCH_WAIT_MINUTES": "BatchWaitMinutes",
    "BATCH_WINDOW_HOURS": "BatchWindowHours",
}


class RedriveError(CommandError):
    """A document has nothing to redrive, or the wanted one is not there; the message says so."""


@dataclass(frozen=True)
class RedriveRequest:
    """The user's wish; `document` None: all that have failed page jobs."""

    document: str | None
    page: int | None = None
    task: str | None = None
    reason: str | None = None
    stack: str = "pagewise"
    endpoint: str | None = None


def redrive(wish: RedriveRequest) -> Iterator[str]:
    """Queue the failed page jobs, with a line for each step meanwhile. Raises RedriveError."""
    if wish.document == "":
        raise RedriveError("Say whose failed page jobs: DOCUMENT=id, or ALL=true for those of all documents.")
    try:
        choice = Selection(wish.page, Task(wish.task) if wish.task else None, wish.reason)
    except ValueError:
        raise RedriveError(f"{wish.task} is no task. The tasks are: {', '.join(Task)}.") from None
    try:
        use_case = redrive_of(deployed_stack(wish.stack, wish.endpoint))
        if wish.document is None:
            yield from all_documents(use_case, choice)
        else:
            yield line(use_case.document(DocumentId(wish.document), choice))
    except PagewiseError as error:
        raise RedriveError(error.message) from error
    except (BotoCoreError, ClientError) as error:
        raise RedriveError(f"The stack {wish.stack}: {error}") from error


def all_documents(use_case: Redrive, choice: Selection) -> Iterator[str]:
    """One after the other; a failure of one keeps none of the others back."""
    documents = page_jobs = pages = 0
    stuck: list[str] = []
    for document_id in use_case.documents():
        try:
            done = use_case.document(document_id, choice)
        except PagewiseError as error:
            stuck.append(document_id)
            yield f"{document_id}: {error.message}"
            continue
        if done.page_jobs or done.pages_to_render or done.over_cap:
            documents, page_jobs, pages = documents + 1, page_jobs + done.page_jobs, pages + done.pages_to_render
            yield f"{document_id}: {line(done)}"
    yield f"{documents} documents: {page_jobs} page jobs are queued, {pages} pages are rendered first."
    if stuck:
        raise RedriveError(f"{len(stuck)} documents could not be redriven. The same command again goes on with them.")


def redrive_of(stack: DeployedStack) -> Redrive:
    """The use case on a deployed stack, with its names and settings."""
    return of_stack(stack).redrive()


def of_stack(stack: DeployedStack) -> OfStack:
    """A stack's parts for what changes documents."""
    given = stack.parameters
    variables = {variable: given[parameter] for variable, parameter in SETTINGS.items() if parameter in given}
    variables.setdefault("ENGINE_BILLS", "true")  # stacks before 2026-11-25 do not say
    return OfStack(stack.client, stack.outputs, variables)


def line(redriven: Redriven) -> str:
    over = (
        f" {redriven.over_cap} page jobs stay failed: their possible cost is over the rest of today's MaxDailyCost."
        " Redrive them tomorrow (UTC), or raise the cap."
    )
    left = over if redriven.over_cap else ""
    if not redriven.page_jobs and not redriven.pages_to_render:
        return left.strip() or "No page job of this choice has failed."
    rendering = f", and {redriven.pages_to_render} pages to be rendered first" if redriven.pages_to_render else ""
    queued = "1 page job is" if redriven.page_jobs == 1 else f"{redriven.page_jobs} page jobs are"
    return f"Run {redriven.run}: {queued} queued{rendering}.{left}"
