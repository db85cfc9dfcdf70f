"""The ledger's records: their keys and attributes, and back. ledger.py has the table of them."""

from __future__ import annotations

import json
from typing import Any

from pagewise.messages import dump_options, dump_usage, load_image, load_options, load_usage
from pagewise.model import (
    Document,
    DocumentId,
    DocumentStatus,
    JobAccount,
    JobStatus,
    Lane,
    PageAccount,
    PageRange,
    Result,
    ResultSource,
    Source,
    Step,
    StoredImage,
    TextLayer,
    WarningCode,
)
from pagewise.results import dump_original, load_group, load_original, shown_group
from pagewise.review.policy import NEVER
from pagewise.strict_json import dumped
from pagewise.table import Attributes, Key
from pagewise.tasks import Task

# The attribute `open` of a document, or of its review, and so its place in the index of that name.
OPEN, UNASSEMBLED, FAILED, REVIEW, DELETING, DELETED = "open", "unassembled", "failed", "review", "deleting", "deleted"
REVIEWED = "reviewed"


def document_key(document_id: DocumentId) -> Key:
    return Key(document_id, "document")


def spend_key(day: str) -> Key:
    return Key(f"spend#{day}", "day")


def split_key(document_id: DocumentId, pages: PageRange) -> Key:
    later_run = f"#{pages.run}" if pages.run > 1 else ""
    return Key(document_id, f"split#{pages.first:05}-{pages.last:05}{later_run}")


def page_key(document_id: DocumentId, page: int) -> Key:
    return Key(document_id, f"page#{page:05}")


def result_key(document_id: DocumentId, page: int, task: str) -> Key:
    return Key(document_id, f"result#{page:05}#{task}")


def review_key(document_id: DocumentId) -> Key:
    return Key(document_id, "review")


def corrections_key(document_id: DocumentId, page: int) -> Key:
    return Key(document_id, f"corrections#{page:05}")


def reviewed_key(document_id: DocumentId, number: int) -> Key:
    return Key(document_id, f"reviewed#{number:05}")


def superseded_key(document_id: DocumentId, page: int, task: str, run: int) -> Key:
    return Key(document_id, f"superseded#{page:05}#{task}#{run}")


def dump_document(document: Document) -> Attributes:
    source = document.source
    attributes: Attributes = {
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
        "options": dumped(dump_options(document.options)),
        "preprocessing": None if document.preprocessing is None else [str(step) for step in document.preprocessing],
        "rules": None if document.rules is None else dumped(document.rules),
        "text_layer": None if document.text_layer is None else str(document.text_layer),
        "tag": document.tag,
        "outputs": list(document.outputs) or None,
        "tasks_for_outputs": [str(task) for task in document.tasks_for_outputs] or None,
        "profile": document.profile,
        "review": None if document.review == NEVER else document.review,
        "lane": None if document.lane is Lane.LIVE else str(document.lane),
        "warnings": [str(code) for code in document.warnings],
        "reason": document.reason,
        "message": document.message,
        "started": document.started,
        "ended": document.ended,
        "due": document.due,
        "open": OPEN,
        "announced": False,
        "reserved": document.reserved,
        "pages_closed": 0,
        "recognized": 0,
        "failed": 0,
        "input_tokens": 0,
        "output_tokens": 0,
        "run": 1,
    }
    return {name: value for name, value in attributes.items() if value is not None}


def load_document(document_id: DocumentId, stored: Attributes) -> Document:
    source = stored["source"]
    return Document(
        id=document_id,
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
        preprocessing=tuple(map(Step, stored["preprocessing"])) if "preprocessing" in stored else None,
        rules=json.loads(stored["rules"]) if "rules" in stored else None,
        text_layer=TextLayer(stored["text_layer"]) if "text_layer" in stored else None,
        tag=stored.get("tag"),
        warnings=tuple(map(WarningCode, stored.get("warnings", ()))),
        reason=stored.get("reason"),
        message=stored.get("message"),
        ended=stored.get("ended"),
        pages_closed=int(stored["pages_closed"]),
        recognized=int(stored["recognized"]),
        failed=int(stored["failed"]),
        usage=load_usage(stored),
        announced=bool(stored["announced"]),
        run=int(stored["run"]),
        superseded_jobs=int(stored.get("superseded_jobs", 0)),
        superseded_usage=load_usage(stored, "superseded_"),
        reserved=int(stored["reserved"]) if "reserved" in stored else None,
        spend_day=stored.get("spend_day"),
        settled=int(stored.get("settled", 0)),
        swept=int(stored.get("swept", 0)),
        outputs=tuple(stored.get("outputs", ())),
        tasks_for_outputs=tuple(map(Task, stored.get("tasks_for_outputs", ()))),
        assembled=int(stored.get("assembled", 0)),
        profile=stored.get("profile"),
        review=stored.get("review", NEVER),
        reviews=int(stored.get("reviews", 0)),
        assembled_reviews=int(stored.get("assembled_reviews", 0)),
        cancelled=stored.get("cancelled"),
        deleting=stored.get("deleting"),
        lane=Lane(stored.get("lane", Lane.LIVE)),
    )


def dump_job_account(result: Result) -> Attributes:
    group = {"group": shown_group(result.group)} if result.group else {}
    lane = {"lane": str(result.lane)} if result.lane is not Lane.LIVE else {}
    return (
        group
        | lane
        | dump_usage(result.usage)
        | {
            "status": str(result.status),
            "reason": result.reason,
            "message": result.message,
            "attempts": result.attempts,
            "reused_from": dump_original(result.reused_from),
            "valid": result.valid,
            "blank": result.look.blank,
            "warnings": [str(code) for code in result.warnings],
            "source": None if result.source is None else str(result.source),
        }
    )


def load_job_account(task: str, line: dict[str, Any], run: int) -> JobAccount:
    return JobAccount(
        task=Task(task),
        status=JobStatus(line["status"]),
        reason=line["reason"],
        attempts=int(line["attempts"]),
        usage=load_usage(line),
        message=line["message"],
        run=run,
        reused_from=load_original(line.get("reused_from")),
        valid=line.get("valid"),
        blank=bool(line.get("blank", False)),
        warnings=tuple(map(WarningCode, line.get("warnings", ()))),
        group=load_group(line.get("group")),
        source=ResultSource(source) if (source := line.get("source")) else None,
        lane=Lane(line.get("lane", Lane.LIVE)),
    )


def load_page(document_id: DocumentId, page: int, stored: Attributes) -> PageAccount:
    lines = {name.removeprefix("job#"): line for name, line in stored.items() if name.startswith("job#")}
    runs = {Task(name.removeprefix("run#")): int(run) for name, run in stored.items() if name.startswith("run#")}
    return PageAccount(
        document_id=document_id,
        page=page,
        jobs=tuple(load_job_account(task, lines[task], runs.get(task, 1)) for task in Task if task in lines),
        closed=bool(stored.get("closed", False)),
        runs=runs,
        withdrawals=int(stored.get("withdrawals", 0)),
        image=stored_image(stored["image"]) if "image" in stored else None,
    )


def stored_image(stored: str | dict[str, Any]) -> StoredImage:
    """Records of before 2026-11-25 hold it as a map."""
    return load_image(json.loads(stored) if isinstance(stored, str) else stored)
