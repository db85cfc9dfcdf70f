"""A result as JSON, the form of `results/<page>.<task>.json`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pagewise.messages import dump_geometry, dump_usage, load_geometry, load_usage
from pagewise.model import (
    DocumentId,
    Group,
    JobStatus,
    Lane,
    Look,
    Original,
    Problem,
    Result,
    ResultSource,
    Validation,
    WarningCode,
)
from pagewise.tasks import Task

SCHEMA_VERSION = "1"


def dump_result(result: Result) -> dict[str, Any]:
    """`lines`, `fields`, `html` or `latex` stand beside `text`, as the task has them."""
    shown: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "document_id": result.document_id,
        "page": result.page,
        "task": result.task,
        "status": result.status,
        "reason": result.reason,
        "message": result.message,
        "source": result.source,
        "engine": result.engine,
        "model": result.model,
        "attempts": result.attempts,
        "run": result.run,
    }
    shown.update(result.output)
    shown.update(
        {
            "validation": dump_validation(result.validation),
            "warnings": list(result.warnings),
            "blank": result.look.blank,
            "image": {"width": result.image_width, "height": result.image_height, "sha256": result.image_sha256},
            "reader": result.look.reader,
            "geometry": dump_geometry(result.look.geometry),
            "sent": result.sent,
            "finish_reason": result.finish_reason,
            "usage": dump_usage(result.usage),
            "lane": result.lane,
            "request_id": result.request_id,
            "seconds": result.seconds,
            "reused_from": dump_original(result.reused_from),
            "group": dump_group(result.group),
            "ended": result.ended,
        }
    )
    return shown


OUTPUT_FIELDS = (
    "text", "lines", "fields", "html", "latex", "layouts", "line_confidences", "field_confidences", "repaired",
)  # fmt: skip


def load_result(shown: Mapping[str, Any]) -> Result:
    return Result(
        document_id=DocumentId(shown["document_id"]),
        page=shown["page"],
        task=Task(shown["task"]),
        status=JobStatus(shown["status"]),
        attempts=shown["attempts"],
        ended=shown["ended"],
        image_width=shown["image"]["width"],
        image_height=shown["image"]["height"],
        image_sha256=shown["image"].get("sha256"),
        engine=shown.get("engine"),
        model=shown["model"],
        reason=shown["reason"],
        message=shown["message"],
        output={name: shown[name] for name in OUTPUT_FIELDS if name in shown},
        finish_reason=shown["finish_reason"],
        usage=load_usage(shown["usage"]),
        request_id=shown["request_id"],
        seconds=shown["seconds"],
        sent=shown.get("sent"),
        run=shown.get("run", 1),
        reused_from=load_original(shown.get("reused_from")),
        validation=load_validation(shown.get("validation")),
        look=Look(
            reader=shown.get("reader"),
            blank=shown.get("blank", False),
            geometry=load_geometry(shown.get("geometry")),
        ),
        warnings=tuple(map(WarningCode, shown.get("warnings", ()))),
        group=load_group(shown.get("group")),
        source=load_source(shown),
        lane=Lane(shown.get("lane", Lane.LIVE)),
    )


def dump_group(group: Group | None) -> dict[str, Any] | None:
    """`result_page` is the page whose result is the answer to all of them."""
    if group is None:
        return None
    return {"pages": list(group.pages), "result_page": group.holder, "images": group.images}


def load_group(shown: Mapping[str, Any] | None) -> Group | None:
    if not shown:
        return None
    pages = tuple(int(page) for page in shown["pages"])
    return Group(pages, int(shown["result_page"]), shown.get("images"))


def shown_group(group: Group | None) -> dict[str, Any] | None:
    """The group as receipts and events have it."""
    return {"pages": list(group.pages), "result_page": group.holder} if group else None


def load_source(shown: Mapping[str, Any]) -> ResultSource | None:
    """Results from before 2026-11-25 do not say; an engine answered them."""
    if "source" not in shown:
        return ResultSource.ENGINE if shown["model"] else None
    return ResultSource(source) if (source := shown["source"]) else None


def dump_original(original: Original | None) -> dict[str, Any] | None:
    return {"document_id": original.document_id, "page": original.page} if original else None


def load_original(shown: Mapping[str, Any] | None) -> Original | None:
    return Original(DocumentId(shown["document_id"]), int(shown["page"])) if shown else None


def dump_validation(validation: Validation | None) -> dict[str, Any] | None:
    if validation is None:
        return None
    problems = [{"field": problem.field, "rule": problem.rule} for problem in validation.problems]
    return {"valid": validation.valid, "problems": problems}


def load_validation(shown: Mapping[str, Any] | None) -> Validation | None:
    if shown is None:
        return None
    return Validation(tuple(Problem(problem["field"], problem["rule"]) for problem in shown["problems"]))
