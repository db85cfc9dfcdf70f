"""The two messages that travel through queues, as JSON. They carry pointers, never images.

A page range: {"schema_version": "1", "document_id", "first", "last"}
A page job:   {"schema_version": "1", "document_id", "page", "task", "page_tasks", "image": {...}, "options": {...},
               "earlier_attempts", "slot": {"moment", "pace"} or null}
"""

from __future__ import annotations

import json
from typing import Any

from pagewise.model import DocumentId, PageJob, PageRange, Slot, StoredImage, TaskOptions
from pagewise.tasks import Task

SCHEMA_VERSION = "1"


def dump_range(document_id: DocumentId, pages: PageRange) -> str:
    return compact(
        {"schema_version": SCHEMA_VERSION, "document_id": document_id, "first": pages.first, "last": pages.last}
    )


def load_range(body: str) -> tuple[DocumentId, PageRange]:
    """Raises KeyError or ValueError for what is no page range."""
    message = json.loads(body)
    return DocumentId(message["document_id"]), PageRange(int(message["first"]), int(message["last"]))


def dump_job(job: PageJob) -> str:
    return compact(
        {
            "schema_version": SCHEMA_VERSION,
            "document_id": job.document_id,
            "page": job.page,
            "task": job.task,
            "page_tasks": job.page_tasks,
            "image": {
                "key": job.image.key,
                "media_type": job.image.media_type,
                "width": job.image.width,
                "height": job.image.height,
                "size": job.image.size,
            },
            "options": dump_options(job.options),
            "earlier_attempts": job.earlier_attempts,
            "slot": {"moment": job.slot.moment, "pace": job.slot.pace} if job.slot else None,
        }
    )


def load_job(body: str) -> PageJob:
    """Raises KeyError or ValueError for what is no page job."""
    message = json.loads(body)
    image = message["image"]
    return PageJob(
        document_id=DocumentId(message["document_id"]),
        page=int(message["page"]),
        task=Task(message["task"]),
        page_tasks=int(message["page_tasks"]),
        image=StoredImage(image["key"], image["media_type"], image["width"], image["height"], image["size"]),
        options=load_options(message.get("options", {})),
        earlier_attempts=int(message.get("earlier_attempts", 0)),
        slot=Slot(float(slot["moment"]), float(slot["pace"])) if (slot := message.get("slot")) else None,
    )


def dump_options(options: TaskOptions) -> dict[str, Any]:
    chosen: dict[str, Any] = {}
    if options.result_schema is not None:
        chosen["result_schema"] = options.result_schema
    if options.enable_rotate:
        chosen["enable_rotate"] = True
    return chosen


def load_options(options: dict[str, Any]) -> TaskOptions:
    return TaskOptions(options.get("result_schema"), bool(options.get("enable_rotate", False)))


def compact(message: dict[str, Any]) -> str:
    return json.dumps(message, ensure_ascii=False, separators=(",", ":"))
