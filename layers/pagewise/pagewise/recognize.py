"""Use case: recognize one page job. Look for a stored result first, its own or perhaps another page's with the same
image; else ask the engine; save, publish."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from pagewise import transport
from pagewise.accounting import Accounting
from pagewise.engine import Question
from pagewise.errors import (
    Configuration,
    ObjectGone,
    PageUnreadable,
    PagewiseError,
    Permanent,
    ResultUnusable,
    Throttled,
    Transient,
)
from pagewise.events import recognition_suspended
from pagewise.gate import Gate
from pagewise.geometry import Size
from pagewise.ledger import Ledger
from pagewise.model import Document, JobStatus, PageJob, Result, Slot
from pagewise.parsing import output_of
from pagewise.ports import Clock, Engine, Pages, Queues
from pagewise.rate import Later, Turn, Wanted
from pagewise.reuse import Asking, Reuse, Unanswered
from pagewise.settings import EngineSettings
from pagewise.tasks import Task
from pagewise.tokens import estimate
from pagewise.transport import Fitted, Inline, Sent
from pagewise.validation import judged

# What a page job waits that the configuration stops: SQS delays by 900 s at most.
CONFIGURATION_WAIT = 300.0


@dataclass(frozen=True, slots=True)
class Recognize:
    """`wait` gives the seconds until the next attempt for an error and the attempts made so far."""

    engine: Engine
    ledger: Ledger
    pages: Pages
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
        turn: Turn | None = None
        with self.gate.approach() as approach:
            document, stored, known = await asyncio.gather(
                asyncio.to_thread(self.ledger.document, job.document_id),
                asyncio.to_thread(self.ledger.result, job.document_id, job.page, job.task),
                self.known_elsewhere(job),
            )
            if document and not stored and not isinstance(known, Result | Later):
                turn = await approach.turn(job.task, self.wanted(job))
        if document is None:
            return None  # deleted from the table: there is no account left to write to
        if stored:
            await asyncio.to_thread(self.accounting.publish_again, document, stored)
            return stored
        if document.run > 1 and await asyncio.to_thread(self.is_superseded, job):
            return None
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
        turn: Turn | None,
        known: Later | Unanswered | None,
    ) -> Result | None:
        """Ask the engine, unless the job must wait: for its place in the rate, or for the answer that another gets."""
        asking = turn if isinstance(turn, Later) else await self.claimed(known, deadline)
        if isinstance(asking, Later):
            await asyncio.to_thread(self.put_off, replace(job, slot=asking.slot), attempts - 1, asking.seconds)
            return None
        try:
            result = await self.recognized(job, attempts, deadline, None if isinstance(turn, Later) else turn)
        except (Throttled, Configuration, Permanent, Transient) as error:
            await self.not_answered(asking, error)
            return await self.without_answer(document, job, attempts, error)
        result = await asyncio.to_thread(judged, result, document.rules)
        saved = await asyncio.to_thread(self.accounting.save, document, result, job.image)
        if saved is result:
            await self.answered(asking, result)
        return saved

    async def without_answer(
        self, document: Document, job: PageJob, attempts: int, error: PagewiseError
    ) -> Result | None:
        """The failed result; None if the job was put off. Raises the error if another delivery may mend it."""
        if isinstance(error, Throttled | Configuration):
            if isinstance(error, Throttled):
                await self.gate.refused()
            await asyncio.to_thread(self.postpone, job, attempts - 1, error)
            return None
        if isinstance(error, Transient) and attempts < self.settings.max_attempts:
            raise error
        fail = self.accounting.fail
        return await asyncio.to_thread(fail, document, job.page, job.task, error, attempts, job.run, job.image)

    # ── reuse, where it is on ────────────────────────────────────────────────────────────────────────────────────────

    async def known_elsewhere(self, job: PageJob) -> Result | Later | Unanswered | None:
        """What is known of the same image and question; None where nothing is reused."""
        if self.reuse is None or job.image.sha256 is None:
            return None
        return await asyncio.to_thread(self.reuse.look, job)

    async def claimed(self, known: Later | Unanswered | None, deadline: float) -> Asking | Later | None:
        if self.reuse and isinstance(known, Unanswered):
            return await asyncio.to_thread(self.reuse.claim, known, deadline - time.monotonic())
        return known if isinstance(known, Later) else None

    async def answered(self, asking: Asking | None, result: Result) -> None:
        if self.reuse and asking:
            await asyncio.to_thread(self.reuse.answered, asking, result)

    async def not_answered(self, asking: Asking | None, error: PagewiseError) -> None:
        if self.reuse and asking:
            to_wait_for = isinstance(error, Throttled | Configuration)
            await asyncio.to_thread(self.reuse.leave, asking, for_the_next=to_wait_for)

    def is_superseded(self, job: PageJob) -> bool:
        """Whether the page job was redriven after this message was sent: another one does it."""
        page = self.ledger.page(job.document_id, job.page)
        return page is not None and page.run_of(job.task) > job.run

    def postpone(self, job: PageJob, attempts: int, error: Throttled | Configuration) -> None:
        """Keep a page job that is not to blame; under a wrong configuration, tell: nothing works until someone acts."""
        self.accounting.meter.put_off(error)
        stopped = isinstance(error, Configuration)
        self.put_off(
            replace(job, slot=None), attempts, CONFIGURATION_WAIT if stopped else self.wait(error, attempts + 1)
        )
        if stopped:
            suspended = recognition_suspended(job.document_id, job.task, error.reason, error.message, self.clock.now())
            self.accounting.publisher.publish([suspended])

    def put_off(self, job: PageJob, attempts: int, seconds: float) -> None:
        """A fresh message takes the job's place, with its attempts so far: waiting costs none."""
        self.queues.defer(replace(job, earlier_attempts=attempts), seconds)

    def wanted(self, job: PageJob) -> Wanted:
        """What the job wants of the rate budget. The likely number of tokens: the largest one, thrice as many, would
        leave most of the rate unused."""
        tokens = estimate(
            job.image.width,
            job.image.height,
            job.task,
            model=self.settings.model,
            result_schema=job.options.result_schema,
            max_pixels=self.settings.max_pixels,
        ).likely
        return Wanted(tokens.input_tokens + tokens.output_tokens, job.slot)

    async def recognized(self, job: PageJob, attempts: int, deadline: float, turn: Slot | None = None) -> Result:
        question, sent, digest = await asyncio.to_thread(self.question, job, deadline - time.monotonic())
        if turn:
            await self.gate.opens(turn)
        began = time.monotonic()
        again = partial(self.gate.again, job.task, self.wanted(replace(job, slot=None)))
        answer = await self.engine.recognize(question, deadline - time.monotonic(), again)
        output: dict[str, Any] = {}
        unusable: ResultUnusable | None = None
        page = Size(job.image.width, job.image.height)
        try:
            output = output_of(job.task, answer, Size(sent.width, sent.height), page)
        except ResultUnusable as error:  # paid for all the same: the account must show its tokens
            unusable = error
        return Result(
            document_id=job.document_id,
            page=job.page,
            task=job.task,
            status=JobStatus.FAILED if unusable else JobStatus.RECOGNIZED,
            reason=unusable.reason if unusable else None,
            message=unusable.message if unusable else None,
            attempts=attempts,
            ended=self.clock.now(),
            image_width=job.image.width,
            image_height=job.image.height,
            image_sha256=digest,
            model=self.settings.model,
            output=output,
            finish_reason=answer.finish_reason,
            usage=answer.usage,
            request_id=answer.request_id,
            seconds=round(time.monotonic() - began, 3),
            sent=sent.shown(),
            run=job.run,
            look=job.image.look,
            warnings=job.image.look.warnings,
        )

    def question(self, job: PageJob, seconds: float) -> tuple[Question, Sent, str]:
        """What to ask, how the page goes along (as it is stored, or mended to pass the service's limits), and the
        SHA-256 of the page as it is stored."""
        try:
            content = self.pages.image(job.image)
        except ObjectGone as gone:
            raise PageUnreadable(f"The image of page {job.page} is gone: {gone.message}") from gone
        fitted = transport.fitted(content, self.settings.image_transport)
        schema = job.options.result_schema if job.task is Task.KEY_INFORMATION_EXTRACTION else None
        question = Question(
            model=self.settings.model,
            image=self.sendable(job, fitted, seconds),
            task=job.task,
            result_schema=schema,
            max_pixels=self.settings.max_pixels,
            enable_rotate=job.options.enable_rotate,
            parameters=self.settings.parameters,
        )
        return question, fitted.sent, hashlib.sha256(content).hexdigest()

    def sendable(self, job: PageJob, fitted: Fitted, seconds: float) -> Inline | str:
        """The image itself, or a URL of it that lives for this call: of the stored page where that is what is sent."""
        if not fitted.sent.by_url:
            return Inline(fitted.content, fitted.sent.media_type)
        key = job.image.key
        if fitted.sent.mended:
            key = self.pages.put_mended(job.image, fitted.content, fitted.sent.media_type)
        return self.pages.url(key, transport.url_seconds(seconds))
