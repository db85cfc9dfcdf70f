"""`./pagewise invoke`: one function in a container as Lambda runs it, with one event, on the embedded stack."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from commands.console import tell
from commands.errors import CommandError
from commands.serve import USUAL_PORT
from local.containers.sam import STACK, ContainerError, lacking, sam, variables_of
from local.embedded_mode import Options, embedded_mode
from local.emulator.process import client
from local.stack import ROOT
from pagewise.aws.notifications import uploads_of
from pagewise.aws.wiring import OfStack
from pagewise.events import Event
from pagewise.model import DocumentId, PageJob, PageRange, Upload
from pagewise.table import Delete, Key

EVENTS = ROOT / "events"
SUCCEEDED, FAILED = 0, 1


class EventError(CommandError):
    """There is no such event or function, or the event's document cannot be had; the message lists the known ones."""


@dataclass(frozen=True)
class ContainerInvocation:
    """`event` is a path, or the name of one of events/*.json."""

    function: str
    event: str
    logs: Path
    endpoint: str | None = None


def invoke(invocation: ContainerInvocation) -> int:
    event = event_file(invocation.event)
    if reason := lacking():
        raise ContainerError(f"{invocation.function} cannot be run in a container here: {reason}")
    with endpoint_of(invocation) as endpoint, sam(endpoint) as containers:
        if invocation.function not in containers.functions:
            known = ", ".join(sorted(containers.functions))
            raise EventError(f"There is no function {invocation.function}. There are: {known}.")
        prepare(endpoint, json.loads(event.read_text(encoding="utf-8")))
        done = containers.invoke(invocation.function, event)
    tell(done.stdout.rstrip("\n"))  # SAM CLI leaves the last line open
    return FAILED if done.returncode or failure_in(done.stdout) else SUCCEEDED


def event_file(name: str) -> Path:
    for path in (Path(name), EVENTS / f"{name}.json"):
        if path.is_file():
            return path
    raise EventError(
        f"There is no event {name}. There are: {', '.join(sorted(p.stem for p in EVENTS.glob('*.json')))}."
    )


def failure_in(answer: str) -> str | None:
    """The function's error: SAM CLI itself ends with 0 on a function's errors and time-outs."""
    try:
        # An image without the JSON log format writes the function's last log line before its answer.
        said = json.loads(answer.strip().splitlines()[-1])
    except (ValueError, IndexError):
        return f"no answer, but {answer[:200]!r}"
    if isinstance(said, dict) and ("errorMessage" in said or "errorType" in said):
        return f"{said.get('errorType')}: {said.get('errorMessage')}"
    if isinstance(said, dict) and said.get("batchItemFailures"):
        return f"{len(said['batchItemFailures'])} records of the batch failed"
    return None


@contextmanager
def endpoint_of(invocation: ContainerInvocation) -> Iterator[str]:
    """The stack that was named, or one that `make local` runs, or a new one for this invocation."""
    usual = f"http://127.0.0.1:{USUAL_PORT}"
    if invocation.endpoint or is_ours(usual):
        yield invocation.endpoint or usual
        return
    with embedded_mode(Options(invocation.logs)) as mode:
        yield mode.stack.endpoint


def is_ours(endpoint: str) -> bool:
    try:
        with urllib.request.urlopen(f"{endpoint}/_ministack/health", timeout=1):  # noqa: S310  http of our own
            return True
    except (urllib.error.URLError, OSError):
        return False


# ── An event's documents ─────────────────────────────────────────────────────────────────────────────────────────────


def prepare(endpoint: str, event: Mapping[str, Any]) -> None:
    """Bring about the state before the event: its sample is uploaded, and the document of its page job or page range
    has been accepted and its pages stored. Earlier invocations are forgotten, so that each finds the same."""
    documents = Documents(endpoint)
    known = tasks_by_document(event)
    for upload in [*uploads_of_event(event), *map(sample_of, known)]:
        documents.forget(upload.document_id, "document", "split#", "page#", "result#")
        documents.upload(upload, known.get(upload.document_id, set()))
    for document_id in known:
        documents.split(sample_of(document_id))


def uploads_of_event(event: Mapping[str, Any]) -> Iterator[Upload]:
    """The uploads that an S3 event tells of, or one that a dead letter wraps."""
    records = event.get("Records", [])
    if any("s3" in record for record in records):
        yield from uploads_of(event)
    for message in messages_in(event):
        if "requestPayload" in message or "Records" in message:
            yield from uploads_of(message.get("requestPayload", message))


def messages_in(event: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [json.loads(record["body"]) for record in event.get("Records", []) if "body" in record]


def tasks_by_document(event: Mapping[str, Any]) -> dict[DocumentId, set[str]]:
    """The documents of the event's page jobs and page ranges, with the tasks of their page jobs."""
    tasks: dict[DocumentId, set[str]] = {}
    for message in messages_in(event):
        if "document_id" in message:
            known = tasks.setdefault(DocumentId(message["document_id"]), set())
            known |= {str(message["task"])} if "task" in message else set()
    return tasks


def sample_of(document_id: DocumentId) -> Upload:
    """The upload in events/s3-put-*.json that is this document."""
    for path in sorted(EVENTS.glob("s3-put-*.json")):
        for upload in uploads_of(json.loads(path.read_text(encoding="utf-8"))):
            if upload.document_id == document_id:
                return upload
    raise EventError(f"The event is of document {document_id}, which no event of {EVENTS.name}/s3-put-*.json uploads.")


class Documents:
    """The documents of a stack, seen from outside its functions."""

    def __init__(self, endpoint: str) -> None:
        self._s3 = client("s3", endpoint)
        resources = client("cloudformation", endpoint)
        outputs = resources.describe_stacks(StackName=STACK)["Stacks"][0]["Outputs"]
        self._outputs = {output["OutputKey"]: output["OutputValue"] for output in outputs}
        splitter = resources.describe_stack_resource(StackName=STACK, LogicalResourceId="SplitterFunction")
        name = splitter["StackResourceDetail"]["PhysicalResourceId"]
        configuration = client("lambda", endpoint).get_function_configuration(FunctionName=name)
        self._parts = OfStack(partial(client, endpoint=endpoint), self._outputs, variables_of(configuration))
        self._table = self._parts.table()

    def upload(self, upload: Upload, tasks: set[str]) -> None:
        if upload.bucket != self._outputs["UploadsBucket"]:
            raise EventError(
                f"The event is of bucket {upload.bucket}, the stack's is {self._outputs['UploadsBucket']}."
            )
        name = Path(upload.key).name
        sample = next(EVENTS.rglob(name), None)
        if sample is None:
            raise EventError(f"{EVENTS.name}/ holds no sample {name}.")
        wishes = {"ocr-tasks": ",".join(sorted(tasks))} if tasks else {}
        self._s3.put_object(Bucket=upload.bucket, Key=upload.key, Body=sample.read_bytes(), Metadata=wishes)

    def forget(self, document_id: DocumentId, *kinds: str) -> None:
        """Delete the document's records of these kinds (see ledger.py)."""
        for kind in kinds:
            for stored in list(self._table.records(document_id, kind)):
                self._table.change(Delete(Key(document_id, stored["record"])))

    def split(self, upload: Upload) -> None:
        """Accept the document and store its pages, but leave its page jobs and page ranges to the event."""
        silent = Silent()
        self._parts.split(silent, silent).upload(upload)
        self.forget(upload.document_id, "split#")


class Silent:
    """Queues and a publisher that keep nothing: the event itself brings their messages."""

    def send_ranges(self, document_id: DocumentId, ranges: Sequence[PageRange]) -> None: ...
    def send_jobs(self, jobs: Sequence[PageJob]) -> None: ...
    def defer(self, job: PageJob, seconds: float) -> None: ...
    def defer_upload(self, upload: Upload, seconds: float) -> None: ...
    def defer_range(self, document_id: DocumentId, pages: PageRange, seconds: float) -> None: ...
    def publish(self, events: Sequence[Event]) -> None: ...
