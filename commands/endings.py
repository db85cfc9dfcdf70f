"""`./pagewise cancel` and `./pagewise delete`: a document is ended with what it has, or is gone for good."""

import getpass
import time
from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError

from commands.deployed import deployed_stack
from commands.errors import CommandError
from commands.redrive import of_stack
from pagewise.account.deletion import DeletionReceipt
from pagewise.aws.wiring import OfStack
from pagewise.errors import PagewiseError
from pagewise.model import Document, DocumentId, DocumentStatus
from pagewise.use_cases.delete import QUARANTINE_SECONDS

# A page takes about 40 ms: 1,500 pages. The sweeper goes on with the rest.
SECONDS = 60.0


class EndingError(CommandError):
    """A document cannot be cancelled or deleted; the message says why."""


def cancel(document_id: str, stack: str, endpoint: str | None) -> str:
    """What has become of the document. Raises EndingError."""
    with parts(stack, endpoint) as of:
        document = of.cancel().document(DocumentId(document_id), time.monotonic() + SECONDS)
    if document is None:
        raise unknown(document_id)
    return cancelled_line(document)


def delete(document_id: str, stack: str, endpoint: str | None) -> str:
    """The deletion receipt as far as it goes. Raises EndingError."""
    with parts(stack, endpoint) as of:
        receipt = of.delete().document(DocumentId(document_id), getpass.getuser(), time.monotonic() + SECONDS)
    if receipt is None:
        raise unknown(document_id)
    return deleted_line(receipt)


@contextmanager
def parts(stack: str, endpoint: str | None) -> Iterator[OfStack]:
    try:
        yield of_stack(deployed_stack(stack, endpoint))
    except PagewiseError as error:
        raise EndingError(error.message) from error
    except (BotoCoreError, ClientError) as error:
        raise EndingError(f"The stack {stack}: {error}") from error


def unknown(document_id: str) -> EndingError:
    return EndingError(f"There is no document {document_id} in the results table.")


def cancelled_line(document: Document) -> str:
    so_far = f"{document.recognized} of {document.page_jobs} page jobs were recognized"
    if document.status is DocumentStatus.CANCELLED:
        return f"Cancelled: {so_far}. `./pagewise redrive {document.id}` does the others after all."
    if document.status is DocumentStatus.IN_PROGRESS:
        return "Cancelled: nothing more is asked. The sweeper ends the pages that are left within minutes."
    return f"The document has ended as {document.status}. Nothing was cancelled."


def deleted_line(receipt: DeletionReceipt) -> str:
    gone = f"{receipt.objects} objects in {receipt.versions} versions and {receipt.records} records are gone"
    if receipt.deleted:
        return f"Deleted on {receipt.deleted}: {gone}."
    return (
        f"Deleted so far: {gone}. The sweeper goes on, and looks once more in {QUARANTINE_SECONDS / 60:.0f} minutes for"
        " what invocations at work may have left; DocumentDeleted tells of the end."
    )
