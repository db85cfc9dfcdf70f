"""The messages that travel through queues, as JSON. They carry pointers, never images.

An upload:    S3's event notification, {"Records": [{"s3": {...}}], "put_offs"}
A page range: {"schema_version": "1", "document_id", "first", "last", "put_offs", "run"}
An end:       EventBridge's event of it, {"detail-type": "DocumentCompleted", "detail": {"document": {"id"}, "run", …}}
A page job:   {"schema_version": "1", "document_id", "page", "task", "page_tasks", "image": {...}, "options": {...},
               "earlier_attempts", "slot": {"moment", "pace"} or null, "put_offs", "run",
               "others": [{"page", "image", "run"}]}

`run` is left out of the first run's messages, `put_offs` of those that were never put off, and `others` of page jobs
that are asked about alone. Those of the batch lane say "lane": "batch"; those that come from it, "spent": {tokens}.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any
from urllib.parse import quote_plus, unquote_plus

from pagewise.model import (
    DocumentId,
    GroupPage,
    Lane,
    Look,
    PageGeometry,
    PageJob,
    PageRange,
    Slot,
    StoredImage,
    TaskOptions,
    Upload,
    Usage,
    WarningCode,
)
from pagewise.tasks import Task

SCHEMA_VERSION = "1"
WHOLE_NUMBERS = ("min_pixels", "max_pixels", "dpi")  # of the options


def dump_range(document_id: DocumentId, pages: PageRange) -> str:
    message = {"schema_version": SCHEMA_VERSION, "document_id": document_id, "first": pages.first, "last": pages.last}
    return compact(message | waited(pages.put_offs) | later_run(pages.run))


def load_range(body: str) -> tuple[DocumentId, PageRange]:
    """Raises KeyError or ValueError for a body that is no page range."""
    message = json.loads(body)
    return DocumentId(message["document_id"]), PageRange(
        int(message["first"]), int(message["last"]), int(message.get("run", 1)), int(message.get("put_offs", 0))
    )


def dump_job(job: PageJob) -> str:
    return compact(
        {
            "schema_version": SCHEMA_VERSION,
            "document_id": job.document_id,
            "page": job.page,
            "task": job.task,
            "page_tasks": job.page_tasks,
            "image": dump_image(job.image),
            "options": dump_options(job.options),
            "earlier_attempts": job.earlier_attempts,
            "slot": {"moment": job.slot.moment, "pace": job.slot.pace} if job.slot else None,
        }
        | waited(job.put_offs)
        | later_run(job.run)
        | ({"others": [dump_group_page(other) for other in job.others]} if job.others else {})
        | ({"lane": job.lane} if job.lane is not Lane.LIVE else {})
        | ({"spent": dump_usage(job.spent)} if job.spent != Usage() else {})
        | ({"departure": job.departure} if job.departure else {})
    )


def dump_group_page(member: GroupPage) -> dict[str, Any]:
    return {"page": member.page, "image": dump_image(member.image)} | later_run(member.run)


def load_group_page(member: Mapping[str, Any]) -> GroupPage:
    return GroupPage(int(member["page"]), load_image(member["image"]), int(member.get("run", 1)))


def load_job(body: str) -> PageJob:
    """Raises KeyError or ValueError for a body that is no page job."""
    message = json.loads(body)
    return PageJob(
        document_id=DocumentId(message["document_id"]),
        page=int(message["page"]),
        task=Task(message["task"]),
        page_tasks=int(message["page_tasks"]),
        image=load_image(message["image"]),
        options=load_options(message.get("options", {})),
        earlier_attempts=int(message.get("earlier_attempts", 0)),
        run=int(message.get("run", 1)),
        slot=Slot(float(slot["moment"]), float(slot["pace"])) if (slot := message.get("slot")) else None,
        put_offs=int(message.get("put_offs", 0)),
        others=tuple(map(load_group_page, message.get("others", ()))),
        lane=Lane(message.get("lane", Lane.LIVE)),
        spent=load_usage(message.get("spent", {})),
        departure=message.get("departure", ""),
    )


def dump_usage(usage: Usage) -> dict[str, int]:
    """The batch lane's tokens are left out where there are none."""
    batch = {"batch_input_tokens": usage.batch_input_tokens, "batch_output_tokens": usage.batch_output_tokens}
    shown = {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens}
    return shown | {name: tokens for name, tokens in batch.items() if tokens}


def load_usage(shown: Mapping[str, Any], prefix: str = "") -> Usage:
    names = ("input_tokens", "output_tokens", "batch_input_tokens", "batch_output_tokens")
    return Usage(*(int(shown.get(prefix + name, 0)) for name in names))


def dump_upload(upload: Upload) -> str:
    """The upload as S3 would tell of it once more, as far as it is read."""
    stored = {
        "key": quote_plus(upload.key, safe="/"),
        "size": upload.size,
        "eTag": upload.etag,
        "sequencer": upload.sequencer,
        **({"versionId": upload.version_id} if upload.version_id is not None else {}),
    }
    record = {"eventSource": "aws:s3", "s3": {"bucket": {"name": upload.bucket}, "object": stored}}
    return compact({"Records": [record]} | waited(upload.put_offs))


def load_uploads(event: Mapping[str, Any]) -> Iterator[Upload]:
    """Every upload that an event of S3 tells of; none for the test event that S3 sends when a notification is set up.

    A key that ends in a slash and holds nothing is a folder that a console made, not an upload.
    """
    for record in event.get("Records", []):
        stored = record["s3"]["object"]
        key = unquote_plus(stored["key"])
        size = int(stored.get("size", 0))
        if key.endswith("/") and size == 0:
            continue
        yield Upload(
            bucket=record["s3"]["bucket"]["name"],
            key=key,
            version_id=stored.get("versionId"),
            etag=stored.get("eTag", ""),
            sequencer=stored.get("sequencer", ""),
            size=size,
            put_offs=int(event.get("put_offs", 0)),
        )


def load_end(body: str) -> tuple[DocumentId, int]:
    """The document that has ended, and its run. Raises KeyError or ValueError for a body that is no such event."""
    detail = json.loads(body)["detail"]
    return DocumentId(detail["document"]["id"]), int(detail["run"])


def waited(put_offs: int) -> dict[str, Any]:
    return {"put_offs": put_offs} if put_offs else {}


def later_run(run: int) -> dict[str, Any]:
    return {"run": run} if run > 1 else {}


def dump_image(image: StoredImage) -> dict[str, Any]:
    return {
        "key": image.key,
        "media_type": image.media_type,
        "width": image.width,
        "height": image.height,
        "size": image.size,
        "sha256": image.sha256,
        "look": dump_look(image.look),
    }


def load_image(image: Mapping[str, Any]) -> StoredImage:
    return StoredImage(
        key=image["key"],
        media_type=image["media_type"],
        width=int(image["width"]),
        height=int(image["height"]),
        size=int(image["size"]),
        sha256=image.get("sha256"),
        look=load_look(image.get("look")),
    )


def dump_look(look: Look) -> dict[str, Any]:
    return {
        "reader": look.reader,
        "blank": look.blank,
        "geometry": dump_geometry(look.geometry),
        "warnings": list(look.warnings),
    } | ({"text_layer": look.text_layer} if look.text_layer else {})


def load_look(look: Mapping[str, Any] | None) -> Look:
    if not look:
        return Look()
    return Look(
        reader=look["reader"],
        blank=bool(look["blank"]),
        geometry=load_geometry(look["geometry"]),
        warnings=tuple(map(WarningCode, look["warnings"])),
        text_layer=look.get("text_layer"),
    )


def dump_geometry(geometry: PageGeometry | None) -> dict[str, Any] | None:
    return None if geometry is None else asdict(geometry)


def load_geometry(geometry: Mapping[str, Any] | None) -> PageGeometry | None:
    if geometry is None:
        return None
    stated = {name: float(geometry[name]) for name in ("width", "height", "dpi") if geometry[name] is not None}
    placed = {name: float(geometry[name]) for name in ("left", "bottom", "unit")}
    return PageGeometry(turn=int(geometry["turn"]), **placed, **stated)


def dump_options(options: TaskOptions) -> dict[str, Any]:
    chosen: dict[str, Any] = {}
    if options.result_schema is not None:
        chosen["result_schema"] = options.result_schema
    if options.enable_rotate:
        chosen["enable_rotate"] = True
    if options.pages_per_call > 1:
        chosen["pages_per_call"] = options.pages_per_call
    if options.prompts:
        chosen["prompts"] = {str(task): prompt for task, prompt in options.prompts.items()}
    for name in WHOLE_NUMBERS:
        if (number := getattr(options, name)) is not None:
            chosen[name] = number
    if options.logprobs:
        chosen["logprobs"] = True
    return chosen


def load_options(options: dict[str, Any]) -> TaskOptions:
    return TaskOptions(
        options.get("result_schema"),
        bool(options.get("enable_rotate", False)),
        pages_per_call=int(options.get("pages_per_call", 1)),
        prompts={Task(task): str(prompt) for task, prompt in options.get("prompts", {}).items()},
        **{name: int(options[name]) for name in WHOLE_NUMBERS if name in options},
        logprobs=bool(options.get("logprobs", False)),
    )


def compact(message: dict[str, Any]) -> str:
    return json.dumps(message, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
