"""The receipt: a document's account, as it is stored and handed to the uploader."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pagewise.messages import dump_options
from pagewise.model import Document, DocumentStatus, PageAccount, ResultSource, Usage
from pagewise.qwen.tokens import Price
from pagewise.results import dump_original, shown_group

SCHEMA_VERSION = "1"


def receipt(document: Document, pages: Iterable[PageAccount], price: Price) -> dict[str, Any]:
    """Every page job with its outcome, attempts, tokens and cost, and their sums by task and in all.

    Of pages that one call asked about, `group` names them all; the bill stands with its `result_page` alone.
    `invalid` of the recognized ones break a rule of the document's profile; `from_text_layer` of them were answered by
    the pages' own text, at no call.
    `options`: those of its rendering and its calls beyond the tasks; an option left out was as the stack is set.
    `lane` is the document's, or that of a page job's answer; `batch` is the part of the usage that the batch lane
    billed, at its price.
    `superseded` is the usage and cost of failed page jobs before their redrive: it is in no other sum.
    """
    pages = list(pages)
    jobs = [
        {
            "page": page.page,
            "task": job.task,
            "status": job.status,
            "reason": job.reason,
            "message": job.message,
            "valid": job.valid,
            "blank": job.blank,
            "source": job.source,
            "lane": job.lane,
            "warnings": list(job.warnings),
            "attempts": job.attempts,
            "run": job.run,
            "input_tokens": job.usage.input_tokens,
            "output_tokens": job.usage.output_tokens,
            "cost": price.amount(job.usage),
            "reused_from": dump_original(job.reused_from),
            "group": shown_group(job.group),
        }
        for page in pages
        for job in sorted(page.jobs, key=lambda job: document.tasks.index(job.task))
    ]
    source = document.source
    return {
        "schema_version": SCHEMA_VERSION,
        "document_id": document.id,
        "source": {
            "bucket": source.bucket,
            "key": source.key,
            "version": source.version,
            "size": source.size,
            "sha256": source.sha256,
        },
        "tag": document.tag,
        "status": document.status,
        "reason": document.reason,
        "message": document.message,
        "warnings": list(document.warnings),
        "pages": document.pages,
        "tasks": list(document.tasks),
        "outputs": list(document.outputs),
        "tasks_for_outputs": list(document.tasks_for_outputs),
        "options": options_of(document),
        "lane": document.lane,
        "page_jobs": jobs,
        "invalid": invalid(pages),
        "from_text_layer": sum(job.source is ResultSource.TEXT_LAYER for page in pages for job in page.jobs),
        "usage": {"input_tokens": document.usage.input_tokens, "output_tokens": document.usage.output_tokens},
        "batch": in_batches(document.usage, price),
        "by_task": by_task(document, pages, price),
        "cost": price.cost(document.usage if document.status is not DocumentStatus.REJECTED else Usage()),
        "run": document.run,
        "superseded": {
            "page_jobs": document.superseded_jobs,
            "input_tokens": document.superseded_usage.input_tokens,
            "output_tokens": document.superseded_usage.output_tokens,
            "cost": price.amount(document.superseded_usage),
        },
        "started": document.started,
        "ended": document.ended,
    }


def in_batches(usage: Usage, price: Price) -> dict[str, Any]:
    tokens = Usage(usage.batch_input_tokens, usage.batch_output_tokens)
    return {
        "input_tokens": tokens.input_tokens,
        "output_tokens": tokens.output_tokens,
        "cost": price.amount(tokens.of_batch),
    }


def options_of(document: Document) -> dict[str, Any]:
    """The options of the calls, and those of the pages where the document has its own."""
    options = dump_options(document.options)
    if document.preprocessing is not None:
        options["preprocessing"] = [str(step) for step in document.preprocessing]
    if document.text_layer is not None:
        options["text_layer"] = str(document.text_layer)
    return options


def invalid(pages: Iterable[PageAccount]) -> int:
    """The number of results that break a rule."""
    return sum(job.valid is False for page in pages for job in page.jobs)


def by_task(document: Document, pages: Iterable[PageAccount], price: Price) -> dict[str, dict[str, Any]]:
    """The usage and cost of each task of the document, over all pages."""
    used = {task: Usage() for task in document.tasks}
    for page in pages:
        for job in page.jobs:
            used[job.task] += job.usage
    return {
        task: {
            "input_tokens": usage.input_tokens,
            "output_tokens": usage.output_tokens,
            "cost": price.amount(usage),
        }
        for task, usage in used.items()
    }
