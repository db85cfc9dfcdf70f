"""Use case: recognize one page job. Look for a stored result first, its own or perhaps another page's with the same
image; else ask the engine; save, publish."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from pagewise.account.closing import Accounting
from pagewise.account.ledger import Ledger
from pagewise.account.reuse import CacheMiss, Lease, Reuse
from pagewise.errors import (
    Configuration,
    ObjectGone,
    Overdue,
    PageUnreadable,
    PagewiseError,
    Permanent,
    StorageBusy,
    StorageRefused,
    Throttled,
    Transient,
)
from pagewise.events import recognition_suspended
from pagewise.geometry import Size
from pagewise.model import Document, JobStatus, PageJob, Result, ResultSource, Slot, StoredImage
from pagewise.options.rules import judged
from pagewise.ports import Clock, PagesBucket, Queues
from pagewise.qwen import fitting
from pagewise.qwen.fitting import FittedImage, Inline, Sent
from pagewise.qwen.models import DEFAULT_MIN_PIXELS, model_of
from pagewise.qwen.parsing import nothing_found, reading
from pagewise.qwen.prompts import asked
from pagewise.qwen.question import Engine, Question
from pagewise.qwen.settings import BlankPages, EngineSettings
from pagewise.qwen.tokens import estimate
from pagewise.rate.budget import Backoff, Grant, SlotRequest
from pagewise.rate.gate import Gate
from pagewise.tasks import ANSWERED_BY_TEXT_LAYER, OUTPUTS, Output

# What a page job waits that the configuration stops: SQS delays by 900 s at most.
CONFIGURATION_WAIT = 300.0
# A put-off job is a message to the function's own queue, a loop that Lambda would stop after 16 rounds. A document's
# time bounds it; should nobody look at the time, so does this: 6 h of the shortest waits, 4 s, are 5,400 rounds.
MOST_PUT_OFFS = 10_000
# Storage that is busy is tried again for up to four seconds, of the ten that an invocation keeps for it.
SAVES, FIRST_SAVE_PAUSE, SAVING_SECONDS = 5, 0.25, 5.0


@dataclass(frozen=True, slots=True)
class Recognize:
    """`wait` gives the seconds until the next attempt for an error and the attempts made so far."""

    engine: Engine
    ledger: Ledger
    pages: PagesBucket
    queues: Queues
    accounting: Accounting
    clock: Clock
    settings: EngineSettings
    wait: Callable[[PagewiseError, int], float]
    gate: Gate = field(default_factory=Gate)
    reuse: Reuse | None = None

    async def page_job(self, job: PageJob, deliveries: int, deadline: float) -> Result | None:
        """Recognize a page job, unless it has a result already.

        Parameters
        ----------
        deliveries: how often this message has been delivered, this time included.
        deadline: of the invocation, on the monotonic clock.

        Returns the stored result; None if the job was put off (throttled, or stopped by the configuration) and a fresh
        message waits in the queue in this one's place. Raises Transient if this message should be delivered again.
        """
        attempts = job.earlier_attempts + deliveries
        own = await asyncio.to_thread(self.own_text, job)
        unasked = own is not None or (job.image.look.blank and self.settings.blank_pages is BlankPages.SKIP)
        turn: Grant | None = None
        with self.gate.approach() as approach:
            document, stored, known = await asyncio.gather(
                asyncio.to_thread(self.ledger.document, job.document_id),
                asyncio.to_thread(self.ledger.result, job.document_id, job.page, job.task),
                self.known_elsewhere(job, unasked),
            )
            if document and not stored and not unasked and not isinstance(known, Result | Backoff):
                turn = await approach.turn(job.task, self.wanted(job))
        if document is None:
            return None  # deleted from the table: there is no account left to write to
        if stored:
            await asyncio.to_thread(self.accounting.publish_again, document, stored)
            return stored
        if document.run > 1 and await asyncio.to_thread(self.is_superseded, job):
            return None
        if unasked:
            unpaid = await asyncio.to_thread(judged, self.without_call(job, own), document.rules)
            return await asyncio.to_thread(self.accounting.save, document, unpaid, job.image)
        if isinstance(known, Result):
            copy = replace(known, attempts=attempts, ended=self.clock.now())
            copy = await asyncio.to_thread(judged, copy, document.rules)
            return await asyncio.to_thread(self.accounting.save, document, copy, job.image)
        return await self.in_turn(document, job, attempts, deadline, turn, known)

    async def in_turn(
        self,
        document: Document,
        job: PageJob,
        attempts: int,
        deadline: float,
        turn: Grant | None,
        known: Backoff | CacheMiss | None,
    ) -> Result | None:
        """Ask the engine, unless the job must wait: for its place in the rate, or for the answer that another gets."""
        asking = turn if isinstance(turn, Backoff) else await self.claimed(known, deadline)
        if isinstance(asking, Backoff):
            waiting = replace(job, slot=asking.slot)
            return await asyncio.to_thread(self.put_off, document, waiting, attempts - 1, asking.seconds)
        try:
            result = await self.recognized(job, attempts, deadline, None if isinstance(turn, Backoff) else turn)
        except (Throttled, Configuration, Permanent, Transient) as error:
            await self.not_answered(asking, error)
            return await self.without_answer(document, job, attempts, error)
        saved = await asyncio.to_thread(self.keep, document, result, job.image, deadline)
        if saved.ended == result.ended:
            await self.answered(asking, saved)
        return saved

    def keep(self, document: Document, result: Result, image: StoredImage, deadline: float) -> Result:
        """Judge and save what was paid for. What cannot be kept as it is becomes a failed result that can: an error
        here would have the engine asked again. Only storage that is away for longer than the invocation raises.
        """
        try:
            return self.save(document, judged(result, document.rules), image, deadline)
        except PagewiseError as error:
            if not isinstance(error, StorageRefused):
                raise
            return self.save(document, unstorable(result), image, deadline)
        except Exception:  # noqa: BLE001 - whatever it is, the answer was paid for
            return self.save(document, unstorable(result), image, deadline)

    def save(self, document: Document, result: Result, image: StoredImage, deadline: float) -> Result:
        """Save, and try again while storage is busy and there is time: the answer is nowhere else."""
        for attempt in range(SAVES):
            try:
                return self.accounting.save(document, result, image)
            except StorageRefused:
                raise
            except StorageBusy:
                pause = FIRST_SAVE_PAUSE * 2**attempt
                if attempt == SAVES - 1 or time.monotonic() + pause > deadline + SAVING_SECONDS:
                    raise
                self.ledger.pause(pause)
        raise AssertionError("unreachable")

    async def without_answer(
        self, document: Document, job: PageJob, attempts: int, error: PagewiseError
    ) -> Result | None:
        """The failed result; None if the job was put off. Raises the error if another delivery may mend it."""
        if isinstance(error, Throttled | Configuration):
            if isinstance(error, Throttled):
                await self.gate.refused()
            return await asyncio.to_thread(self.postpone, document, job, attempts - 1, error)
        if isinstance(error, Transient) and attempts < self.settings.max_attempts:
            raise error
        fail = self.accounting.fail
        return await asyncio.to_thread(fail, document, job.page, job.task, error, attempts, job.run, job.image)

    # ── reuse, where it is on ────────────────────────────────────────────────────────────────────────────────────────

    async def known_elsewhere(self, job: PageJob, unasked: bool) -> Result | Backoff | CacheMiss | None:
        """What is known of the same image and question; None where nothing is reused."""
        if self.reuse is None or job.image.sha256 is None or unasked:
            return None
        return await asyncio.to_thread(self.reuse.look, job)

    async def claimed(self, known: Backoff | CacheMiss | None, deadline: float) -> Lease | Backoff | None:
        if self.reuse and isinstance(known, CacheMiss):
            return await asyncio.to_thread(self.reuse.claim, known, deadline - time.monotonic())
        return known if isinstance(known, Backoff) else None

    async def answered(self, asking: Lease | None, result: Result) -> None:
        if self.reuse and asking:
            await asyncio.to_thread(self.reuse.answered, asking, result)

    async def not_answered(self, asking: Lease | None, error: PagewiseError) -> None:
        if self.reuse and asking:
            to_wait_for = isinstance(error, Throttled | Configuration)
            await asyncio.to_thread(self.reuse.leave, asking, for_the_next=to_wait_for)

    def is_superseded(self, job: PageJob) -> bool:
        """Whether the page job was redriven after this message was sent: another one does it."""
        page = self.ledger.page(job.document_id, job.page)
        return page is not None and page.run_of(job.task) > job.run

    def postpone(
        self, document: Document, job: PageJob, attempts: int, error: Throttled | Configuration
    ) -> Result | None:
        """Keep a page job that is not to blame; under a wrong configuration, tell: nothing works until someone acts."""
        self.accounting.meter.put_off(error)
        stopped = isinstance(error, Configuration)
        if stopped:
            self.tell(job, error)
        seconds = CONFIGURATION_WAIT if stopped else self.wait(error, attempts + 1)
        return self.put_off(document, replace(job, slot=None), attempts, seconds)

    def tell(self, job: PageJob, error: PagewiseError) -> None:
        """Publish that recognition is suspended, as far as the bus takes it: an alarm tells the same, and the job must
        wait whether or not anyone was told."""
        suspended = recognition_suspended(job.document_id, job.task, error.reason, error.message, self.clock.now())
        with suppress(PagewiseError):
            self.accounting.publisher.publish([suspended])

    def put_off(self, document: Document, job: PageJob, attempts: int, seconds: float) -> Result | None:
        """A fresh message takes the job's place, with its attempts so far: waiting costs none. Nothing that may fail
        comes after it, or the job would be two messages.

        A job without time left fails instead: the sweeper would end it as well, but a loop needs a bound of its own.
        """
        if document.due < self.clock.now() or job.put_offs >= MOST_PUT_OFFS:
            return self.accounting.fail(document, job.page, job.task, Overdue(), attempts, job.run, job.image)
        self.queues.defer(replace(job, earlier_attempts=attempts, put_offs=job.put_offs + 1), seconds)
        return None

    def wanted(self, job: PageJob) -> SlotRequest:
        """What the job wants of the rate budget. The likely number of tokens: the largest one, thrice as many, would
        leave most of the rate unused."""
        tokens = estimate(
            job.image.width,
            job.image.height,
            job.task,
            model=self.settings.model,
            result_schema=job.options.schema_of(job.task),
            prompt=job.options.prompts.get(job.task),
            min_pixels=job.options.min_pixels or DEFAULT_MIN_PIXELS,
            max_pixels=job.options.max_pixels or self.settings.max_pixels,
        ).likely
        return SlotRequest(tokens.input_tokens + tokens.output_tokens, job.slot)

    def own_text(self, job: PageJob) -> Mapping[str, Any] | None:
        """What the page says itself, if that answers this task. Where it is gone the engine is asked."""
        place = job.image.look.text_layer
        if place is None or job.task not in ANSWERED_BY_TEXT_LAYER or job.task in job.options.prompts:
            return None
        try:
            stored = self.pages.json(place)
        except ObjectGone:
            return None
        wanted = ("text", "lines") if OUTPUTS[job.task] is Output.LINES else ("text",)
        return {name: stored[name] for name in wanted}

    def without_call(self, job: PageJob, own: Mapping[str, Any] | None) -> Result:
        """The result of a page that nothing is asked about: it has text of its own, or none at all. Models invent text
        on blank pages, and bill it."""
        return Result(
            document_id=job.document_id,
            page=job.page,
            task=job.task,
            status=JobStatus.RECOGNIZED,
            attempts=0,
            ended=self.clock.now(),
            image_width=job.image.width,
            image_height=job.image.height,
            image_sha256=job.image.sha256,
            output=nothing_found(job.task, prompted=job.task in job.options.prompts) if own is None else own,
            source=None if own is None else ResultSource.TEXT_LAYER,
            run=job.run,
            look=job.image.look,
            warnings=job.image.look.warnings,
        )

    async def recognized(self, job: PageJob, attempts: int, deadline: float, turn: Slot | None = None) -> Result:
        question, sent, digest = await asyncio.to_thread(self.question, job, deadline - time.monotonic())
        if turn:
            await self.gate.opens(turn)
        began = time.monotonic()
        again = partial(self.gate.again, job.task, self.wanted(replace(job, slot=None)))
        answer = await self.engine.recognize(question, deadline - time.monotonic(), again)
        # From here on the answer is paid for: nothing raises until it is stored.
        seconds = round(time.monotonic() - began, 3)
        page, look = Size(job.image.width, job.image.height), job.image.look
        own = job.task in job.options.prompts
        read = partial(reading, job.task, answer, Size(sent.width, sent.height), page, blank=look.blank, prompted=own)
        found = await asyncio.to_thread(read)
        return Result(
            document_id=job.document_id,
            page=job.page,
            task=job.task,
            status=JobStatus.FAILED if found.unusable else JobStatus.RECOGNIZED,
            reason=found.unusable.reason if found.unusable else None,
            message=found.unusable.message if found.unusable else None,
            attempts=attempts,
            ended=self.clock.now(),
            image_width=job.image.width,
            image_height=job.image.height,
            image_sha256=digest,
            source=ResultSource.ENGINE,
            engine=answer.engine,
            model=answer.model or self.settings.model,
            output=found.output,
            finish_reason=answer.finish_reason,
            usage=answer.usage,
            request_id=answer.request_id,
            seconds=seconds,
            sent=sent.shown(),
            run=job.run,
            look=look,
            warnings=(*look.warnings, *(code for code in found.warnings if code not in look.warnings)),
        )

    def question(self, job: PageJob, seconds: float) -> tuple[Question, Sent, str]:
        """What to ask, how the page goes along (as it is stored, or mended to pass the service's limits), and the
        SHA-256 of the page as it is stored."""
        try:
            content = self.pages.image(job.image)
        except ObjectGone as gone:
            raise PageUnreadable(f"The image of page {job.page} is gone: {gone.message}") from gone
        model = model_of(self.settings.model)
        fitted = fitting.fitted_for_call(content, self.settings.image_transport, model.max_url_bytes)
        question = self.in_words(job) if self.needs_words(job) else self.by_task(job)
        question = replace(question, image=self.sendable(job, fitted, seconds))
        return question, fitted.sent, hashlib.sha256(content).hexdigest()

    def needs_words(self, job: PageJob) -> bool:
        """Whether the task cannot be named: an own prompt takes its place, or the model has no tasks built in."""
        return job.task in job.options.prompts or not model_of(self.settings.model).built_in_tasks

    def by_task(self, job: PageJob) -> Question:
        options = job.options
        logprobs = {"logprobs": True} if options.logprobs else {}
        return Question(
            model=self.settings.model,
            image="",
            task=job.task,
            result_schema=options.schema_of(job.task),
            min_pixels=options.min_pixels or DEFAULT_MIN_PIXELS,
            max_pixels=options.max_pixels or self.settings.max_pixels,
            enable_rotate=options.enable_rotate,
            parameters={**self.settings.parameters, **logprobs},
        )

    def in_words(self, job: PageJob) -> Question:
        """As the vendor's page asks by a prompt: without a task, and without enable_rotate unless it is wanted."""
        prompt = asked(job.task, job.options.schema_of(job.task), job.options.prompts.get(job.task))
        rotate = job.options.enable_rotate or None
        return replace(self.by_task(job), task=None, result_schema=None, prompt=prompt, enable_rotate=rotate)

    def sendable(self, job: PageJob, fitted: FittedImage, seconds: float) -> Inline | str:
        """The image itself, or a URL of it that lives for this call: of the stored page where that is what is sent."""
        if not fitted.sent.by_url:
            return Inline(fitted.content, fitted.sent.media_type)
        key = job.image.key
        if fitted.sent.mended:
            key = self.pages.put_mended(job.image, fitted.content, fitted.sent.media_type)
        return self.pages.url(key, fitting.url_seconds(seconds))


def unstorable(result: Result) -> Result:
    """A paid result that storage does not take, without what it may not take."""
    return replace(
        result,
        status=JobStatus.FAILED,
        reason="unstorable",
        message="The engine's answer could not be stored. Report it with the document's id and the page.",
        output={},
        validation=None,
        finish_reason=None,
        request_id=None,
    )
