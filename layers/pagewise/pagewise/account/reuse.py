"""Results used again: a page image that was asked about before, in the same words, is not paid for twice.

    record                  attributes
    ───────────────────     ────────────────────────────────────────────────────────────────────────────────────────
    reuse#<fingerprint>     `of_document`, `of_page`, `of_ended`: the result that stands for it; or, until there is one,
                            `claimed_until` (epoch seconds): a page job is asking, the others wait for its result

The fingerprint is of all that decides an answer, the image's bytes first. Names, documents and uploaders have no part
in it, and a record only points: its result is checked before it is copied, and gone when its document is. An empty
record of the same name in the document's own partition leads its deletion here.

A claim needs no release, since it ends by its time. One that has ended without a result lets every page job ask: a page
that brings no answer must not make a thousand others wait for one after the other.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from pagewise import results
from pagewise.account.ledger import Ledger
from pagewise.errors import ObjectGone, StorageBusy
from pagewise.model import DocumentId, Group, JobStatus, Original, PageJob, Result, Usage, digest_of
from pagewise.qwen.prompts import asked
from pagewise.qwen.settings import EngineSettings
from pagewise.rate.budget import Backoff
from pagewise.table import Attributes, Condition, Key, Put, Refused, Update

# Raise it when answers are read in another way, so that results of before are not taken for those of today.
READING = 3
# An answer takes 2 to 10 s; a page job that waits for one looks again as often.
LOOK_AGAIN_SECONDS = 10.0
# The OCR function's timeout: a call lives no longer than its invocation.
LONGEST_CLAIM_SECONDS = 180.0
STATE = ("of_document", "of_page", "of_ended", "claimed_until")


@dataclass(frozen=True, slots=True)
class CacheMiss:
    """There is no answer for this image, or group of images (`digest_of`). `state` is the record as it was seen;
    `claimable`: whether others will wait for this page job's answer."""

    key: Key
    image: str | None
    state: Attributes
    claimable: bool


@dataclass(frozen=True, slots=True)
class Lease:
    """This page job asks, about this image; `until` is its claim's end, 0 where it has none."""

    key: Key
    image: str | None
    until: int = 0


@dataclass(frozen=True, slots=True)
class Reuse:
    ledger: Ledger
    settings: EngineSettings
    now: Callable[[], float] = time.time

    def look(self, job: PageJob) -> Result | Backoff | CacheMiss:
        """The result that another page job has for the same question, as this one's, at no cost.

        A backoff, if another one is asking: its answer is worth waiting for.
        """
        key = Key(f"reuse#{fingerprint(job, self.settings)}", "result")
        state = {name: value for name, value in (self.ledger.table.get(key) or {}).items() if name in STATE}
        if "of_document" in state:
            return self.original(job, state) or CacheMiss(key, asked_about(job), state, claimable=True)
        if "claimed_until" not in state:
            return CacheMiss(key, asked_about(job), state, claimable=True)
        left = float(state["claimed_until"]) - self.now()
        if left > 0:
            return Backoff(min(left, LOOK_AGAIN_SECONDS))
        return CacheMiss(key, asked_about(job), state, claimable=False)

    def original(self, job: PageJob, state: Attributes) -> Result | None:
        """The result that a record points to, if it is still the same one."""
        of = Original(DocumentId(state["of_document"]), int(state["of_page"]))
        document = self.ledger.document(of.document_id)
        if document is None or document.deleting:
            return None  # an invocation may have written its result after the deletion
        try:
            found = self.ledger.result(of.document_id, of.page, job.task)
        except ObjectGone:  # a large one: its object has expired before its record
            return None
        if found is None or found.status is not JobStatus.RECOGNIZED:
            return None
        if (found.ended, found.asked_about) != (state["of_ended"], asked_about(job)):
            return None
        return replace(
            found,
            document_id=job.document_id,
            page=job.page,
            run=job.run,
            usage=Usage(),
            request_id=None,
            seconds=0.0,
            reused_from=of,
            look=job.image.look,
            group=group_of(job),
        )

    def claim(self, found: CacheMiss, seconds: float) -> Lease | Backoff:
        """Make others wait for this page job's answer, for as long as its invocation has time."""
        if not found.claimable:
            return Lease(found.key, found.image)
        until = int(self.now() + min(seconds, LONGEST_CLAIM_SECONDS)) + 1
        as_seen = Condition(equal={name: found.state.get(name) for name in STATE})
        gone = tuple(name for name in found.state if name != "claimed_until")
        try:
            self.ledger.table.change(Update(found.key, as_seen, set={"claimed_until": until}, remove=gone))
        except Refused:
            return Backoff(LOOK_AGAIN_SECONDS)
        return Lease(found.key, found.image, until)

    def answered(self, asking: Lease, result: Result) -> None:
        """Others may use this stored result. A failed one is for its own page alone; so is one of another image than
        was asked about, where a page was rendered anew in the meantime."""
        if result.status is not JobStatus.RECOGNIZED or result.asked_about != asking.image:
            self.leave(asking, for_the_next=False)
            return
        points = {"of_document": result.document_id, "of_page": result.page, "of_ended": result.ended}
        with suppress(StorageBusy, Refused):
            self.ledger.table.change(Put(pointer_key(result.document_id, asking.key), {}))
            self.ledger.table.change(Update(asking.key, set=points, remove=("claimed_until",)))

    def leave(self, asking: Lease, *, for_the_next: bool) -> None:
        """Give a claim up: for the next one to claim, or, if the page may be to blame, for all that wait to ask."""
        if not asking.until:
            return
        own = Condition(equal={"claimed_until": asking.until})
        over = (
            Update(asking.key, own, remove=("claimed_until",))
            if for_the_next
            else Update(asking.key, own, set={"claimed_until": 0})
        )
        with suppress(StorageBusy, Refused):
            self.ledger.table.change(over)


def pointer_key(document_id: DocumentId, of: Key) -> Key:
    """In the document's partition, the record that names the question its result stands for."""
    return Key(document_id, of.partition)


def asked_about(job: PageJob) -> str | None:
    return digest_of([member.image.sha256 for member in job.members])


def group_of(job: PageJob) -> Group | None:
    """The group of a page job that has the stored images."""
    if not job.others:
        return None
    return Group(tuple(member.page for member in job.members), job.page, asked_about(job))


def fingerprint(job: PageJob, settings: EngineSettings) -> str:
    """SHA-256, in hex, of all that decides the answer to a page job. Its order is as it is sent: fields in another
    order are another question."""
    options, schema = job.options, job.options.schema_of(job.task)
    question = {
        "image": asked_about(job),
        "task": job.task,
        "prompt": asked(job.task, schema, options.prompts.get(job.task)),
        "own_prompt": job.task in options.prompts,
        "result_schema": schema,
        "enable_rotate": options.enable_rotate,
        "model": settings.model,
        "engine": [settings.base_url, settings.api_style, settings.workspace],
        "pixels": [options.min_pixels, options.max_pixels or settings.max_pixels, settings.pixel_limits],
        "transport": settings.image_transport,
        "parameters": dict(settings.parameters),
        "logprobs": options.logprobs,
        "form": [results.SCHEMA_VERSION, READING],
    }
    return hashlib.sha256(json.dumps(question, ensure_ascii=False, allow_nan=False).encode()).hexdigest()
