"""The results table: documents, pages and results under one partition key, the document's id.

    record                            attributes
    ─────────────────────────────     ──────────────────────────────────────────────────────
    document                          status, pages, tasks, source, counters; `open` until its end is announced
    split#00001-00020                 this page range has been fanned out
    page#00001                        ended, closed, and of every ended job `job#<task>`
    result#00001#text_recognition     result (JSON), or result_key (in the pages bucket) if it is large

A result, its page and (if it is the page's last) its document change in one transaction.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import ClientError

from pagewise.aws.buckets import S3Pages
from pagewise.aws.failures import code_of, translated
from pagewise.errors import StorageBusy
from pagewise.messages import dump_options, load_options
from pagewise.model import (
    Document,
    DocumentId,
    DocumentStatus,
    JobAccount,
    JobStatus,
    PageAccount,
    PageRange,
    Result,
    Source,
    Usage,
)
from pagewise.ports import Recorded
from pagewise.results import dump_result, load_result
from pagewise.tasks import Task

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# An item may have 400 KB, and every KB is billed twice in a transaction; a page of text has 2 to 10 KB.
INLINE_RESULT_BYTES = 100_000
# Conflicts end within milliseconds: whoever loses a race sees the winner's state next time.
TRANSACTION_TRIES = 12
LONGEST_PAUSE_SECONDS = 0.5

Attributes = dict[str, Any]


@dataclass(frozen=True, slots=True)
class DynamoLedger:
    client: DynamoDBClient
    table: str
    pages_bucket: S3Pages

    # ── documents ────────────────────────────────────────────────────────────────────────────────────────────────────

    def open(self, document: Document) -> Document:
        try:
            with translated("The results table"):
                self.client.put_item(
                    TableName=self.table,
                    Item=marshal(dump_document(document)),
                    ConditionExpression="attribute_not_exists(document_id)",
                )
            return document
        except StorageBusy as error:
            if not condition_failed(error.__cause__):
                raise
        stored = self.document(document.id)
        if stored is None:
            raise StorageBusy("The document was deleted while it was written.")
        return stored

    def document(self, document_id: DocumentId) -> Document | None:
        stored = self.get(document_id, "document")
        return load_document(stored) if stored else None

    def close(self, document_id: DocumentId, ended: str) -> Document | None:
        document = self.document(document_id)
        if document is None or document.status is not DocumentStatus.IN_PROGRESS:
            return document
        if document.pages_closed < document.pages:
            return document
        self.update(
            document_id,
            "document",
            "SET #status = :status, ended = :ended",
            {":status": final_status(document), ":ended": ended, ":open": DocumentStatus.IN_PROGRESS},
            condition="#status = :open",
            names={"#status": "status"},
        )
        return self.document(document_id)  # as it is stored: another invocation may have ended it first

    def announced(self, document_id: DocumentId) -> None:
        self.update(
            document_id, "document", "SET announced = :yes REMOVE #open", {":yes": True}, names={"#open": "open"}
        )

    def unfinished(self, before: str) -> Iterable[DocumentId]:
        with translated("The results table"):
            for page in self.client.get_paginator("query").paginate(
                TableName=self.table,
                IndexName="open",
                KeyConditionExpression="#open = :open AND due < :before",
                ExpressionAttributeNames={"#open": "open"},
                ExpressionAttributeValues=marshal({":open": "open", ":before": before}),
            ):
                for stored in page["Items"]:
                    yield DocumentId(unmarshal(stored)["document_id"])

    # ── page ranges ──────────────────────────────────────────────────────────────────────────────────────────────────

    def is_split(self, document_id: DocumentId, pages: PageRange) -> bool:
        return self.get(document_id, split_record(pages)) is not None

    def mark_split(self, document_id: DocumentId, pages: PageRange) -> None:
        with translated("The results table"):
            self.client.put_item(
                TableName=self.table, Item=marshal({"document_id": document_id, "record": split_record(pages)})
            )

    # ── pages and results ────────────────────────────────────────────────────────────────────────────────────────────

    def page(self, document_id: DocumentId, page: int) -> PageAccount | None:
        stored = self.get(document_id, page_record(page))
        return load_page(stored) if stored else None

    def pages(self, document_id: DocumentId) -> Iterator[PageAccount]:
        with translated("The results table"):
            for page in self.client.get_paginator("query").paginate(
                TableName=self.table,
                ConsistentRead=True,
                KeyConditionExpression="document_id = :document AND begins_with(#record, :pages)",
                ExpressionAttributeNames={"#record": "record"},
                ExpressionAttributeValues=marshal({":document": document_id, ":pages": "page#"}),
            ):
                yield from (load_page(unmarshal(stored)) for stored in page["Items"])

    def result(self, document_id: DocumentId, page: int, task: str) -> Result | None:
        stored = self.get(document_id, result_record(page, task))
        if stored is None:
            return None
        if "result_key" in stored:
            return load_result(self.pages_bucket.json(stored["result_key"]))
        return load_result(json.loads(stored["result"]))

    def record(self, result: Result, page_tasks: int) -> Recorded:
        stored = self.stored_form(result)
        for attempt in range(TRANSACTION_TRIES):
            # A page of one task needs no look: its first result is its last.
            before = self.page(result.document_id, result.page) if page_tasks > 1 or attempt else None
            closes = len(before.jobs if before else ()) == page_tasks - 1
            refused = self.transact(self.changes(result, stored, before, closes))
            if not refused:
                return Recorded(result, first=True, page_closed=closes)
            if refused[0] == "ConditionalCheckFailed":
                return self.already(result)
            time.sleep(random.random() * min(LONGEST_PAUSE_SECONDS, 0.01 * 2**attempt))
        raise StorageBusy(f"The account of page {result.page} is busy.")

    def already(self, result: Result) -> Recorded:
        found = self.result(result.document_id, result.page, result.task)
        if found is None:
            raise StorageBusy("A result was deleted while it was written.")
        page = self.page(result.document_id, result.page)
        return Recorded(found, first=False, page_closed=page is not None and page.closed)

    def stored_form(self, result: Result) -> Attributes:
        """The result record. A large result is stored in the bucket first: its key never changes, nor does what the
        first writer of this attempt wrote matter before the transaction points to it."""
        record: Attributes = {
            "document_id": result.document_id,
            "record": result_record(result.page, result.task),
            "status": result.status,
            "ended": result.ended,
        }
        shown = dump_result(result)
        text = json.dumps(shown, ensure_ascii=False, separators=(",", ":"))
        if len(text.encode()) <= INLINE_RESULT_BYTES:
            return {**record, "result": text}
        token = result.request_id or result.ended
        key = f"documents/{result.document_id}/results/{result.page:05}.{result.task}.{path_safe(token)}.json"
        self.pages_bucket.put_json(key, shown)
        return {**record, "result_key": key}

    def changes(
        self, result: Result, stored: Attributes, before: PageAccount | None, closes: bool
    ) -> list[dict[str, Any]]:
        """One transaction: the result, its line in the page, and the page's sum in the document if it closes."""
        line = dump_job(result)
        page = (
            "SET #job = :job, ended_jobs = :ended" + (", closed = :yes" if closes else ""),
            # The page is as it was seen, so that exactly one result closes it.
            "attribute_not_exists(ended_jobs)" if before is None else "ended_jobs = :before",
            {
                ":job": line,
                ":ended": len(before.jobs if before else ()) + 1,
                **({":yes": True} if closes else {}),
                **({":before": len(before.jobs)} if before else {}),
            },
        )
        changes: list[dict[str, Any]] = [
            {
                "Put": {
                    "TableName": self.table,
                    "Item": marshal(stored),
                    "ConditionExpression": "attribute_not_exists(document_id)",
                }
            },
            self.change(result.document_id, page_record(result.page), *page, names={"#job": f"job#{result.task}"}),
        ]
        if closes:
            jobs = (*(before.jobs if before else ()), load_job_account(result.task, line))
            closed = PageAccount(result.document_id, result.page, jobs, closed=True)
            changes.append(
                self.change(
                    result.document_id,
                    "document",
                    "ADD pages_closed :one, recognized :recognized, failed :failed,"
                    " input_tokens :input, output_tokens :output",
                    "attribute_exists(document_id)",
                    {
                        ":one": 1,
                        ":recognized": closed.recognized,
                        ":failed": closed.failed,
                        ":input": closed.usage.input_tokens,
                        ":output": closed.usage.output_tokens,
                    },
                )
            )
        return changes

    def change(
        self,
        document_id: DocumentId,
        record: str,
        expression: str,
        condition: str,
        values: Attributes,
        names: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        update: dict[str, Any] = {
            "TableName": self.table,
            "Key": marshal({"document_id": document_id, "record": record}),
            "UpdateExpression": expression,
            "ConditionExpression": condition,
            "ExpressionAttributeValues": marshal(values),
        }
        return {"Update": {**update, "ExpressionAttributeNames": dict(names)} if names else update}

    # ── requests ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def get(self, document_id: DocumentId, record: str) -> Attributes | None:
        with translated("The results table"):
            reply = self.client.get_item(
                TableName=self.table,
                Key=marshal({"document_id": document_id, "record": record}),
                ConsistentRead=True,
            )
        return unmarshal(reply["Item"]) if "Item" in reply else None

    def transact(self, changes: list[dict[str, Any]]) -> list[str]:
        """Do all or nothing; the reason of each change that stood against it, empty if all were done."""
        try:
            with translated("The results table"):
                self.client.transact_write_items(TransactItems=changes)  # type: ignore[arg-type]
            return []
        except StorageBusy as error:
            cause = error.__cause__
            if isinstance(cause, ClientError) and code_of(cause) == "TransactionCanceledException":
                return [reason.get("Code", "None") for reason in cause.response.get("CancellationReasons", [])]
            raise

    def update(
        self,
        document_id: DocumentId,
        record: str,
        expression: str,
        values: Attributes,
        condition: str = "attribute_exists(document_id)",
        names: Mapping[str, str] | None = None,
    ) -> None:
        """Change a record under a condition; where it does not hold, the change has been made before."""
        try:
            with translated("The results table"):
                self.client.update_item(
                    **self.change(document_id, record, expression, condition, values, names)["Update"]
                )
        except StorageBusy as error:
            if not condition_failed(error.__cause__):
                raise


def condition_failed(error: BaseException | None) -> bool:
    return isinstance(error, ClientError) and code_of(error) == "ConditionalCheckFailedException"


def final_status(document: Document) -> DocumentStatus:
    if document.failed == 0:
        return DocumentStatus.COMPLETE
    return DocumentStatus.PARTIAL if document.recognized else DocumentStatus.FAILED


# ── records ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def split_record(pages: PageRange) -> str:
    return f"split#{pages.first:05}-{pages.last:05}"


def page_record(page: int) -> str:
    return f"page#{page:05}"


def result_record(page: int, task: str) -> str:
    return f"result#{page:05}#{task}"


def path_safe(token: str) -> str:
    return "".join(character if character.isalnum() else "-" for character in token)


def marshal(attributes: Attributes) -> dict[str, Any]:
    serializer = TypeSerializer()
    return {name: serializer.serialize(value) for name, value in attributes.items()}


def unmarshal(stored: Mapping[str, Any]) -> Attributes:
    deserializer = TypeDeserializer()
    return {name: deserializer.deserialize(value) for name, value in stored.items()}


def dump_document(document: Document) -> Attributes:
    source = document.source
    attributes: Attributes = {
        "document_id": document.id,
        "record": "document",
        "status": str(document.status),
        "tasks": [str(task) for task in document.tasks],
        "pages": document.pages,
        "source": {
            "bucket": source.bucket,
            "key": source.key,
            "version": source.version,
            "version_id": source.version_id,
            "size": source.size,
            "sha256": source.sha256,
        },
        "options": json.dumps(dump_options(document.options), ensure_ascii=False),
        "tag": document.tag,
        "reason": document.reason,
        "message": document.message,
        "started": document.started,
        "ended": document.ended,
        "due": document.due,
        "open": "open",
        "announced": False,
        "pages_closed": 0,
        "recognized": 0,
        "failed": 0,
        "input_tokens": 0,
        "output_tokens": 0,
    }
    return {name: value for name, value in attributes.items() if value is not None}


def load_document(stored: Attributes) -> Document:
    source = stored["source"]
    return Document(
        id=DocumentId(stored["document_id"]),
        source=Source(
            source["bucket"],
            source["key"],
            source["version"],
            source["version_id"],
            int(source["size"]),
            source["sha256"],
        ),
        status=DocumentStatus(stored["status"]),
        tasks=tuple(Task(task) for task in stored["tasks"]),
        pages=int(stored["pages"]),
        started=stored["started"],
        due=stored["due"],
        options=load_options(json.loads(stored["options"])),
        tag=stored.get("tag"),
        reason=stored.get("reason"),
        message=stored.get("message"),
        ended=stored.get("ended"),
        pages_closed=int(stored["pages_closed"]),
        recognized=int(stored["recognized"]),
        failed=int(stored["failed"]),
        usage=Usage(int(stored["input_tokens"]), int(stored["output_tokens"])),
        announced=bool(stored["announced"]),
    )


def dump_job(result: Result) -> Attributes:
    return {
        "status": str(result.status),
        "reason": result.reason,
        "attempts": result.attempts,
        "input_tokens": result.usage.input_tokens,
        "output_tokens": result.usage.output_tokens,
    }


def load_job_account(task: str, line: Attributes) -> JobAccount:
    return JobAccount(
        task=Task(task),
        status=JobStatus(line["status"]),
        reason=line["reason"],
        attempts=int(line["attempts"]),
        usage=Usage(int(line["input_tokens"]), int(line["output_tokens"])),
    )


def load_page(stored: Attributes) -> PageAccount:
    jobs = tuple(
        load_job_account(name.removeprefix("job#"), line) for name, line in stored.items() if name.startswith("job#")
    )
    return PageAccount(
        document_id=DocumentId(stored["document_id"]),
        page=int(stored["record"].removeprefix("page#")),
        jobs=jobs,
        closed=bool(stored.get("closed", False)),
    )
