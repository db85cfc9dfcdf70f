"""`./pagewise submit`: documents to a deployed stack, their text back. The same shows and files as `run`."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from commands.console import Console, printable, tell
from commands.deployed import DeployedStack, StackError, deployed_stack
from commands.documents import DocumentProgress, DocumentsProgress
from commands.outputs import OutputFolder, prepare
from commands.progress import Progress, bill, made_of, progress, reasons, summary, summary_json
from commands.run import EXIT_CODES, NOT_RUN
from commands.uploads import NO_OPTIONS, LocalDocument, RequestedOptions, Uploaded, Uploader, find_all
from pagewise.account.changes import is_unassembled
from pagewise.aws.wiring import OfStack
from pagewise.model import Document, DocumentId, DocumentStatus, Upload

POLL_SECONDS = 2.0


@dataclass(frozen=True)
class Submission:
    """`endpoint`: of an embedded stack; None is AWS, with the credentials that boto3 finds."""

    documents: Sequence[Path]
    output: Path
    stack: str
    endpoint: str | None = None
    options: RequestedOptions = NO_OPTIONS
    patience: float = 1800.0
    as_json: bool = False


def submit(submission: Submission, console: Console) -> int:
    documents = find_all(submission.documents, submission.output)
    prepare(submission.output, documents)
    stack = deployed_stack(submission.stack, submission.endpoint)
    try:
        return Submitted(submission, stack, documents).to_the_end(console)
    except (BotoCoreError, ClientError) as error:
        raise StackError(f"The stack {submission.stack}: {error}") from error


class Submitted:
    def __init__(self, submission: Submission, stack: DeployedStack, documents: list[LocalDocument]) -> None:
        self._submission = submission
        self._documents = documents
        self._bucket = stack.outputs["UploadsBucket"]
        self._s3 = stack.client("s3")
        self._ledger = OfStack(stack.client, stack.outputs).ledger()
        self._outcome = OutputFolder(stack.outputs, stack.client)
        self._receipts: dict[int, dict[str, Any]] = {}

    def to_the_end(self, console: Console) -> int:
        accounts = DocumentsProgress(self._documents)
        uploads = Uploader(self._s3, self._bucket, self._submission.options)
        uploads.start(self._documents)
        with progress(accounts, console) as shown:
            self._follow(accounts, uploads, shown)
        console.print(summary(accounts.all, self._receipts))
        for reason in reasons(accounts.all):
            console.print(printable(reason), highlight=False, markup=False, soft_wrap=True)
        for line in made_of(accounts.all):
            console.print(printable(line), highlight=False, markup=False, soft_wrap=True)
        if billed := bill(self._receipts.values()):
            console.print(billed, highlight=False, markup=False, soft_wrap=True)
        console.print(f"results: {self._submission.output}/<document>/", highlight=False, markup=False)
        if self._submission.as_json:
            tell(summary_json(accounts.all, self._receipts, self._submission.output))
        return max(EXIT_CODES.get(account.status, NOT_RUN) for account in accounts.all)

    def _follow(self, accounts: DocumentsProgress, uploads: Uploader, shown: Progress) -> None:
        last_move = time.monotonic()
        while accounts.open():
            uploaded = uploads.uploaded()
            accounts.uploaded(uploaded)
            moved = [account for account in accounts.open() if self._look(account, uploaded)]
            shown.show(moved)
            now = time.monotonic()
            last_move = now if moved else last_move
            if now - last_move > self._submission.patience:
                raise StackError(f"Nothing has happened for {now - last_move:.0f} s: see docs/operations.md.")
            if accounts.open():
                time.sleep(POLL_SECONDS)

    def _look(self, account: DocumentProgress, uploaded: list[Uploaded]) -> bool:
        """Read how far a document is from the results table; whether it has moved."""
        upload = next((upload for upload in uploaded if upload.document == account.document), None)
        document = self._ledger.document(document_id(self._bucket, upload)) if upload else None
        if document is None:
            return False
        before = (account.status, account.done, account.pages_done)
        account.pages, account.tasks, account.pages_done = document.pages, len(document.tasks), document.pages_closed
        account.recognized, account.failed = document.recognized, document.failed
        account.accepted = account.accepted or time.monotonic()
        if document.announced and is_unassembled(document):
            account.status = "assembling"
        elif document.announced:
            self._fetch(account, document)
        elif document.status is DocumentStatus.IN_PROGRESS:
            account.status = "recognizing"
        return before != (account.status, account.done, account.pages_done)

    def _fetch(self, account: DocumentProgress, document: Document) -> None:
        pointer = {"bucket": self._outcome.pages_bucket, "key": f"documents/{document.id}/receipt.json"}
        receipt = self._outcome.receipt(pointer)
        folder = self._submission.output / account.document.place
        account.invalid = self._outcome.write(folder, receipt)
        if document.outputs:
            account.outputs = self._outcome.write_outputs(folder, document.id)
        account.warnings = receipt["warnings"]
        self._receipts[id(account)] = receipt
        account.end(str(document.status), {"receipt": pointer})
        account.reason = f"{document.reason}: {document.message}" if document.reason else ""


def document_id(bucket: str, uploaded: Uploaded) -> DocumentId:
    """The id by the object's version: the buckets of a stack keep versions, and each version is a document."""
    return Upload(bucket, uploaded.key, uploaded.version, etag="", sequencer="", size=0).document_id


def empty_buckets(stack: DeployedStack, confirmed: str) -> int:
    """Delete every version of every object: CloudFormation deletes no bucket before. Returns their number.

    `confirmed`: the stack's name once more, by a user who means it.
    """
    if confirmed != stack.name:
        raise StackError(f"Nothing was deleted: {confirmed!r} is not {stack.name}.")
    deleted = 0
    s3 = stack.client("s3")
    for output in ("UploadsBucket", "PagesBucket"):
        bucket = stack.outputs[output]
        while keys := first_versions(s3.list_object_versions(Bucket=bucket)):
            if errors := s3.delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": True}).get("Errors"):
                raise StackError(f"{errors[0]['Key']} in {bucket} cannot be deleted: {errors[0].get('Code')}.")
            deleted += len(keys)
    return deleted


def first_versions(listed: Mapping[str, Any]) -> list[dict[str, str]]:
    """Of a listing that begins at the first each time: it goes on from no version that was deleted."""
    versions = [*listed.get("Versions", []), *listed.get("DeleteMarkers", [])]
    return [{"Key": version["Key"], "VersionId": version["VersionId"]} for version in versions]
