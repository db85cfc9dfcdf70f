"""A client of Pagewise: submit a document, wait with progress, fetch its text and its outputs."""

from pagewise_client import answers, errors
from pagewise_client.answers import (
    Correction,
    Deletion,
    Document,
    DocumentStatus,
    DocumentSummary,
    Field,
    OutputFile,
    Outputs,
    Page,
    Progress,
    Review,
    ReviewState,
    Task,
)
from pagewise_client.asynchronous import AsyncPagewise
from pagewise_client.client import Pagewise
from pagewise_client.errors import PagewiseError, Refused
from pagewise_client.patience import Pace, Patience
from pagewise_client.version import __version__

__all__ = [
    "AsyncPagewise",
    "Correction",
    "Deletion",
    "Document",
    "DocumentStatus",
    "DocumentSummary",
    "Field",
    "OutputFile",
    "Outputs",
    "Pace",
    "Page",
    "Pagewise",
    "PagewiseError",
    "Patience",
    "Progress",
    "Refused",
    "Review",
    "ReviewState",
    "Task",
    "__version__",
    "answers",
    "errors",
]
