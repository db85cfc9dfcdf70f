"""The promises that must hold in every world that has come to rest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Set
from typing import Any

from pagewise.account.groups import group_number
from pagewise.account.ledger import Ledger
from pagewise.model import Document, DocumentStatus, Edition, Group, JobStatus, Result, ResultSource, Usage
from pagewise.results import load_result
from pagewise.tasks import Task
from tests.fakes import MemoryTable
from tests.faults.invocations import lambda_service
from tests.faults.simulator import BATCH, Restless, World, answer_to, in_run, own_text


def simulate(
    seed: int, kind: type[World] = World, promises: Callable[[World], Iterator[str]] | None = None
) -> tuple[World, list[str]]:
    """Run a world; it and the promises that it has not kept: `violations`, or those of a kind of its own."""
    world = kind(seed)
    try:
        with lambda_service():
            world.run()
    except Restless as restless:
        return world, [str(restless)]
    finally:
        world.folder.cleanup()
    return world, list((promises or violations)(world))


def violations(world: World) -> Iterator[str]:
    ledger = Ledger(MemoryTable(world.table.stored), world.pages)
    yield from world.table.changed_ends
    yield from (f"failed without a fault: {what}" for what in world.unfounded)
    yield from (f"dropped as a recursive loop: a message of {queue}" for queue in world.dropped)
    yield from double_payments(world)
    yield from (f"more was claimed than there is: {what}" for what in world.table.overfull)
    yield from rate_overruns(world)
    yield from wrong_sums(world, ledger)
    yield from paid_in_spite_of_reuse(world)
    yield from paid_in_spite_of_own_text(world)
    yield from world.broken_by_persons()
    for document_id, upload in world.sent.items():
        document = ledger.document(document_id)
        if world.has_deleted(document_id):
            continue
        if document is None:
            yield f"{upload.key} has no document"
        elif document.status is DocumentStatus.IN_PROGRESS:
            yield f"{upload.key} has not ended"
        else:
            yield from broken_accounts(ledger, document, lost_pages(world, document))
            yield from broken_events(world, ledger, document)
            yield from mixed_up(world, ledger, document)
            yield from broken_groups(world, ledger, document)
            yield from unassembled(world, document)


def double_payments(world: World) -> Iterator[str]:
    """A result that was stored when a delivery began is never paid for by it. Other repeated payments are bounded by
    the faults: each can bring one batch of page jobs again."""
    yield from (f"{job} was paid for although it was stored" for job in world.engine.paid_although_stored)
    excess = sum(count - 1 for count in world.engine.paid.values())
    if excess > BATCH * world.faults_that_repeat():
        yield f"{excess} calls were paid for again, with {world.faults_that_repeat()} faults that can cause it"


def rate_overruns(world: World) -> Iterator[str]:
    """No call without a slot, unless a message with its slot has come twice at the same time."""
    if not world.limits:
        return
    excess = world.engine.asked - world.table.places
    if excess > (twice := world.faults["delivered twice"] + world.faults["visibility expired"]):
        yield f"{excess} calls had no place, with {twice} messages that came twice"


def paid_in_spite_of_reuse(world: World) -> Iterator[str]:
    """Where results are reused, a question is paid for once, unless its claimer brought no answer in time; and none
    points to a result that is not there."""
    yield from (f"{question} points to a result that was never stored" for question in world.table.dangling)
    claimed = {key.partition for key, stored in world.table.stored.items() if "claimed_until" in stored}
    for question, times in world.engine.questions.items() if world.reuse else ():
        if times > 1 and question not in world.table.unanswered | claimed:
            yield f"a question was paid for {times} times"


def unassembled(world: World, document: Document) -> Iterator[str]:
    """Every document that asked for outputs has the manifest of its last run, told of, with the files that it names as
    they are; others have none."""
    stored = {name: one for (document_id, name), one in world.outputs.stored.items() if document_id == document.id}
    published = {event.id for event in world.publisher.events if event.name == "DocumentAssembled"}
    told = {name for name in published if name.startswith(f"{document.id}/")}
    if not document.outputs or document.status is DocumentStatus.REJECTED:
        if stored or told:
            yield f"{document.source.key} has outputs that nobody asked for"
        return
    edition, content = stored.get("manifest.json", (Edition(0), b"{}"))
    run = edition.run
    manifest = json.loads(content)
    if (run, manifest.get("run")) != (document.run, document.run) or document.assembled != document.run:
        yield f"run {document.run} of {document.source.key} has no manifest: {run} is there, noted {document.assembled}"
        return
    of_reviews = f"/review-{document.reviews}" if document.reviews else ""
    if f"{document.id}/DocumentAssembled{of_reviews}{in_run(document.run)}" not in told:
        yield f"the outputs of run {document.run} were never told of"
    if manifest["outputs"] != list(document.outputs):
        yield f"outputs of {document.source.key}: {manifest['outputs']}, not {document.outputs}"
    for file in manifest["files"]:
        of, bytes_ = stored.get(file["name"], (Edition(0), b""))
        if of != edition or hashlib.sha256(bytes_).hexdigest() != file["sha256"]:
            yield f"{file['name']} of {document.source.key} is not what the manifest says"


def mixed_up(world: World, ledger: Ledger, document: Document) -> Iterator[str]:
    """Each result is of its own page's image, task and options, also a reused one; a failed one is reused by none."""
    for page in ledger.pages(document.id):
        for job in page.jobs:
            result = ledger.result(document.id, page.page, job.task)
            if result is None or result.status is not JobStatus.RECOGNIZED:
                if job.reused_from:
                    yield f"a failed result of page {page.page} was used again"
                continue
            image = image_of(world, document, page.page)
            itself = result.source is ResultSource.TEXT_LAYER
            if result.output["text"] != (own_text(image) if itself else said_of(world, document, result)):
                yield f"page {page.page} has the result of something else"
            if job.source != result.source or (itself and (result.usage != Usage() or result.reused_from)):
                yield f"the own text of page {page.page} is not what its account says"
            if result.reused_from != job.reused_from or (result.reused_from and billed_live(result) > 0):
                yield f"the reuse for page {page.page} is not what its account says"


def billed_live(result: Result) -> int:
    """Tokens, but for those that the batch lane has billed before."""
    used = result.usage
    return used.input_tokens + used.output_tokens - used.batch_input_tokens - used.batch_output_tokens


def image_of(world: World, document: Document, page: int) -> bytes:
    key = f"documents/{document.id}/pages/{page:05}.png"
    return world.pages.objects.get(key) or world.pages.expired[key]


def said_of(world: World, document: Document, result: Result) -> str:
    """The engine's answer for all pages of the question; empty, where another page holds the answer."""
    if result.group and result.group.holder != result.page:
        return ""
    images = [image_of(world, document, page) for page in (result.group or result_alone(result)).pages]
    return answer_to(images, result.task, rotate=document.options.enable_rotate)


def result_alone(result: Result) -> Group:
    return Group((result.page,), result.page)


def broken_groups(world: World, ledger: Ledger, document: Document) -> Iterator[str]:
    """One result and one bill for the pages of a call: the others point to it, at no tokens, and end as it does."""
    results = {
        (page.page, job.task): result
        for page in ledger.pages(document.id)
        for job in page.jobs
        if (result := ledger.result(document.id, page.page, job.task))
    }
    lines = {(page.page, job.task): job for page in ledger.pages(document.id) for job in page.jobs}
    for (page, task), result in results.items():
        line = lines[page, task]
        group = result.group
        image = f"documents/{document.id}/pages/{page:05}.png"
        if "is gone:" in (result.message or "") and image not in world.pages.expired:
            yield f"page {page} failed for the image of another"
        if (group and group.pages, group and group.holder) != (
            line.group and line.group.pages,
            line.group and line.group.holder,
        ):
            yield f"the group of page {page} is not what its account says"
        if group is None:
            continue
        holder = results.get((group.holder, task))
        together = document.options.pages_together(task)
        if page not in group.pages or len({group_number(member, together) for member in group.pages}) > 1:
            yield f"page {page} is in the group of {group.pages}"
        if group.holder != page and (result.usage != Usage() or any(result.output.values())):
            yield f"page {page} is billed, or answered, beside page {group.holder}"
        held = holder and holder.group and holder.group.holder == group.holder and holder.group.pages == group.pages
        if result.status is JobStatus.RECOGNIZED and not (holder and held and holder.status is result.status):
            yield f"page {page} points to page {group.holder}, which has no answer"
    yield from torn_groups(document, results)
    if not world.spending.day_cap:
        yield from torn_redrives(world, ledger, document)


def torn_groups(document: Document, results: Mapping[tuple[int, Task], Result]) -> Iterator[str]:
    """Pages that one call can answer are answered by one call, unless they were done again."""
    first_run: dict[tuple[int, Task], list[Result]] = {}
    for (page, task), result in results.items():
        if result.status is JobStatus.RECOGNIZED and result.run == 1:
            number = group_number(page, document.options.pages_together(task))
            first_run.setdefault((number, task), []).append(result)
    for together in first_run.values():
        if len({(one.group or result_alone(one)).pages for one in together}) > 1:
            yield f"pages {[one.page for one in together]} were asked about apart"


def torn_redrives(world: World, ledger: Ledger, document: Document) -> Iterator[str]:
    """Page jobs that failed by one call are done again together."""
    for key, stored in world.table.stored.items():
        if key.partition != document.id or not key.record.startswith("superseded#"):
            continue
        before = load_result(json.loads(stored["result"]))
        for page in before.group.pages if before.group else ():
            now = ledger.result(document.id, page, before.task)
            if now and (now.ended, now.group) == (before.ended, before.group):
                yield f"page {before.page} was done again without page {page}"


def paid_in_spite_of_own_text(world: World) -> Iterator[str]:
    """A page with text of its own is not asked about, unless the text was stored and is gone."""
    for document_id, page, task, _run in world.engine.paid:
        key = f"documents/{document_id}/texts/{page:05}.json"
        if task == Task.TEXT_RECOGNITION and key in world.pages.documents and key not in world.pages.texts_expired:
            yield f"page {page} was paid for although it has text of its own"


def wrong_sums(world: World, ledger: Ledger) -> Iterator[str]:
    """At rest, the spent sums of all days' caps are the bills of all documents that count for one."""
    known = [document for document_id in world.sent if (document := ledger.document(document_id))]
    counted = [document for document in known if document.reserved is not None]
    bills = sum(ledger.price.units(document.usage + document.superseded_usage) for document in counted)
    spent = sum(stored["spent"] for key, stored in world.table.stored.items() if key.record == "day")
    if spent != (bills := bills + world.billed_before_deletion()):
        yield f"{spent} spent, bills of {bills}"


def lost_pages(world: World, document: Document) -> set[int]:
    """The pages with lost messages: the sweeper ends them, and an invocation that crashed before publishing their
    results leaves these unpublished."""
    bodies = [json.loads(message.body) for message in world.lost if "detail" not in message.body]
    return {
        page
        for body in bodies
        if body["document_id"] == document.id
        for page in (
            [body["page"], *(other["page"] for other in body.get("others", ()))]
            if "page" in body
            else range(body["first"], body["last"] + 1)
        )
    }


def broken_accounts(ledger: Ledger, document: Document, lost: Set[int] = frozenset()) -> Iterator[str]:
    expected = {(page, task) for page in range(1, document.pages + 1) for task in document.tasks}
    lines = {(page.page, job.task): job for page in ledger.pages(document.id) for job in page.jobs}
    results = {(page, task): ledger.result(document.id, page, task) for page, task in expected}
    if not document.announced:
        yield "an end is not announced"
    if set(lines) != expected or None in results.values():
        yield f"page jobs in the account: {sorted(lines)}, expected {sorted(expected)}"
        return
    if overdue := [job for job, line in lines.items() if line.reason == "overdue" and job[0] not in lost]:
        yield f"lost on the way, ended by the sweeper: {overdue}"
    recognized = sum(line.status is JobStatus.RECOGNIZED for line in lines.values())
    if (document.recognized, document.failed) != (recognized, len(lines) - recognized):
        yield f"counters say {document.recognized} and {document.failed}, results {recognized} of {len(lines)}"
    if any(result and result.status is not lines[job].status for job, result in results.items()):
        yield "a result differs from its line in the account"
    tokens = sum(result.usage.input_tokens for result in results.values() if result)
    if document.usage.input_tokens != tokens:
        yield f"{document.usage.input_tokens} tokens in the account, {tokens} in the results"


def broken_events(world: World, ledger: Ledger, document: Document) -> Iterator[str]:
    contents: dict[str, Any] = {}
    for event in world.publisher.events:
        if event.id.startswith(f"{document.id}/") and contents.setdefault(event.id, event.detail) != event.detail:
            yield f"{event.id} was published with two contents"
    if document.status is DocumentStatus.REJECTED and f"{document.id}/DocumentAccepted" in contents:
        yield "a rejected document was published as accepted"
    of_document = {end for end in world.table.ended if end.startswith(f"{document.id}/")}
    kinds = ("PageRecognized", "PageFailed", "DocumentCompleted", "DocumentRejected")
    published = {event_id for event_id in contents if event_id.split("/")[1] in kinds}
    lost = lost_pages(world, document)
    of_lost = {end for end in of_document if "/Page" in end and int(end.split("/")[2]) in lost}
    if not of_document - of_lost <= published <= of_document:
        yield f"ended, but never published: {of_document - published}; the other way: {published - of_document}"
    for page in ledger.pages(document.id):
        if page.page not in lost and f"{document.id}/PageCompleted/{page.page}{in_run(page.run)}" not in contents:
            yield f"the completion of page {page.page} in run {page.run} was never published"
