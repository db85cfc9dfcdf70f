"""The facts that Pagewise publishes. Each has a JSON Schema in events/schemas.

An event is made from stored state alone, never from the clock, so that publishing it again publishes the same:
delivery is at least once, and `event_id` tells a repetition.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pagewise.model import Document, DocumentId, JobStatus, PageAccount, Result
from pagewise.results import dump_original, shown_group
from pagewise.strict_json import dumped
from pagewise.tasks import OUTPUTS, Output

SCHEMA_VERSION = "1"
SOURCE = "pagewise"
# EventBridge takes 256 KB an entry and bills by 64 KB: short results travel along, longer ones are fetched.
INLINE_OUTPUT_BYTES = 16 * 1024
# Of a review that is needed: the list is in the receipt, and the pages are the review's own.
MOST_REASONS, MOST_PAGES_NAMED = 50, 100


@dataclass(frozen=True, slots=True)
class Event:
    """`name` is EventBridge's detail-type; `detail` is a JSON object."""

    name: str
    detail: Mapping[str, Any]

    @property
    def id(self) -> str:
        return str(self.detail["event_id"])


def event(name: str, document: Document, suffix: str, *, run: int | None = None, **facts: Any) -> Event:
    """`run`: of facts that a redrive makes happen once more; from the second on it tells their ids apart."""
    if run is not None:
        facts["run"] = run
        suffix += f"/run-{run}" if run > 1 else ""
    detail: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "event_id": f"{document.id}/{name}{suffix}",
        "document": {
            "id": document.id,
            "bucket": document.source.bucket,
            "key": document.source.key,
            "version": document.source.version,
        },
        "tag": document.tag,
    }
    detail.update(facts)
    return Event(name, detail)


def document_accepted(document: Document) -> Event:
    return event(
        "DocumentAccepted",
        document,
        "",
        pages=document.pages,
        tasks=list(document.tasks),
        page_jobs=document.page_jobs,
        accepted=document.started,
    )


def document_rejected(document: Document, receipt: Mapping[str, str]) -> Event:
    return event(
        "DocumentRejected",
        document,
        "",
        reason=document.reason,
        message=document.message,
        rejected=document.ended,
        receipt=dict(receipt),
    )


def page_ended(document: Document, result: Result) -> Event:
    """PageRecognized or PageFailed, as the result is."""
    suffix = f"/{result.page}/{result.task}"
    facts: dict[str, Any] = {
        "run": result.run,
        "page": result.page,
        "task": result.task,
        "attempts": result.attempts,
        "ended": result.ended,
        "result": result_pointer(result.document_id, result.page, result.task),
        "warnings": list(result.warnings),
        "group": shown_group(result.group),
    }
    if result.status is JobStatus.FAILED:
        return event("PageFailed", document, suffix, reason=result.reason, message=result.message, **facts)
    facts["usage"] = {"input_tokens": result.usage.input_tokens, "output_tokens": result.usage.output_tokens}
    facts["output"] = short_output(result)
    facts["reused_from"] = dump_original(result.reused_from)
    facts["valid"] = result.valid
    facts["blank"] = result.look.blank
    facts["source"] = result.source
    return event("PageRecognized", document, suffix, **facts)


def short_output(result: Result) -> dict[str, Any] | None:
    """The recognized output, where it is short; the lines of advanced_recognition are left to the result itself."""
    field = OUTPUTS[result.task]
    field = Output.TEXT if field is Output.LINES or field not in result.output else field
    output = result.output.get(field)
    if output is None or len(dumped(output).encode()) > INLINE_OUTPUT_BYTES:
        return None
    return {field: output}


def result_pointer(document_id: DocumentId, page: int, task: str) -> dict[str, str]:
    """The key of the result in the results table."""
    return {"document_id": document_id, "record": f"result#{page:05}#{task}"}


def page_completed(document: Document, page: PageAccount) -> Event:
    return event(
        "PageCompleted",
        document,
        f"/{page.page}",
        run=page.run,
        page=page.page,
        tasks={job.task: job.status for job in page.jobs},
    )


def document_completed(
    document: Document, receipt: Mapping[str, str], cost: Mapping[str, Any], invalid: int = 0
) -> Event:
    """`invalid`: how many of the recognized page jobs' results break a rule."""
    return event(
        "DocumentCompleted",
        document,
        "",
        run=document.run,
        status=document.status,
        pages=document.pages,
        page_jobs={"recognized": document.recognized, "failed": document.failed, "invalid": invalid},
        usage={"input_tokens": document.usage.input_tokens, "output_tokens": document.usage.output_tokens},
        cost=dict(cost),
        outputs=list(document.outputs),
        started=document.started,
        ended=document.ended,
        receipt=dict(receipt),
    )


def document_assembled(document: Document, manifest: Mapping[str, Any], pointer: Mapping[str, str]) -> Event:
    """Made of the manifest as it is stored. Its files are counted, not listed: boxes are two for each page."""
    failed = manifest["failed"]
    lost = {one["output"] for one in failed}
    reviews = manifest.get("reviews", 0)
    return event(
        "DocumentAssembled",
        document,
        f"/review-{reviews}" if reviews else "",
        run=manifest["run"],
        reviews=reviews,
        outputs=[name for name in manifest["outputs"] if name not in lost],
        failed=[{"output": one["output"], "reason": one["reason"]} for one in failed],
        files=len(manifest["files"]),
        size=sum(file["size"] for file in manifest["files"]),
        manifest=dict(pointer),
    )


def review_needed(document: Document, reasons: Sequence[Mapping[str, Any]], pages: Sequence[int]) -> Event:
    """A person is asked to look at a document that has ended. Pages: the first hundred of those that are doubtful."""
    return event(
        "ReviewNeeded",
        document,
        "",
        run=document.run,
        status=document.status,
        profile=document.profile,
        reasons=[dict(reason) for reason in reasons[:MOST_REASONS]],
        pages=list(pages[:MOST_PAGES_NAMED]),
        ended=document.ended,
    )


def document_reviewed(document: Document, review: Mapping[str, Any], receipt: Mapping[str, str]) -> Event:
    """A person is done with a document. What was corrected stands in the receipt. `review` has the run and the status
    that the document had then."""
    suffix = "" if review["review"] == 1 else f"/review-{review['review']}"
    return event(
        "DocumentReviewed",
        document,
        suffix,
        **review,
        profile=document.profile,
        outputs=list(document.outputs),
        receipt=dict(receipt),
    )


def document_deleted(document_id: DocumentId, receipt: Mapping[str, Any]) -> Event:
    """Nothing of the document is left but its deletion receipt; of its name not even this event tells."""
    return Event(
        "DocumentDeleted",
        {
            "schema_version": SCHEMA_VERSION,
            "event_id": f"{document_id}/DocumentDeleted",
            "document_id": document_id,
            "requested": receipt["requested"],
            "deleted": receipt["deleted"],
            "objects": receipt["objects"],
            "versions": receipt["versions"],
            "records": receipt["records"],
        },
    )


def splitting_suspended(document_id: DocumentId, reason: str, message: str, moment: str) -> Event:
    """Nothing can be split until an operator acts. Once a minute for each reason at the most is a new fact."""
    return Event(
        "SplittingSuspended",
        {
            "schema_version": SCHEMA_VERSION,
            "event_id": f"SplittingSuspended/{reason}/{moment[:16]}",
            "reason": reason,
            "message": message,
            "document_id": document_id,
        },
    )


def recognition_suspended(document_id: DocumentId, task: str, reason: str, message: str, moment: str) -> Event:
    """The engine refuses every call until an operator acts. Once a minute for each reason at the most is a new fact."""
    return Event(
        "RecognitionSuspended",
        {
            "schema_version": SCHEMA_VERSION,
            "event_id": f"{task}/RecognitionSuspended/{reason}/{moment[:16]}",
            "task": task,
            "reason": reason,
            "message": message,
            "document_id": document_id,
        },
    )
