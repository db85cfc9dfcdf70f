"""Use case: recognize one page job. Look for a stored result first, then ask the engine, save, publish."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from pagewise import images
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
from pagewise.ledger import Ledger
from pagewise.model import JobStatus, PageJob, Result
from pagewise.parsing import output_of
from pagewise.ports import Clock, Engine, Pages, Queues
from pagewise.settings import EngineSettings
from pagewise.tasks import Task

# What a throttled page job waits at the least, and one that the configuration stops: SQS delays by 900 s at most.
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

    async def page_job(self, job: PageJob, deliveries: int, deadline: float) -> Result | None:
        """Recognize a page job, unless it has a result already.

        Parameters
        ----------
        deliveries: how often this message has been delivered, this time included.
        deadline: of the invocation, on the monotonic clock.

        Returns the stored result; None if the job was put off (throttled, or stopped by the configuration) and a fresh
        message waits in the queue. Raises Transient if this message should be delivered again, Configuration after
        putting the job off.
        """
        attempts = job.earlier_attempts + deliveries
        document, stored = await asyncio.gather(
            asyncio.to_thread(self.ledger.document, job.document_id),
            asyncio.to_thread(self.ledger.result, job.document_id, job.page, job.task),
        )
        if document is None:
            return None  # deleted from the table: there is no account left to write to
        if stored:
            await asyncio.to_thread(self.accounting.publish_again, document, stored)
            return stored
        try:
            result = await self.recognized(job, attempts, deadline)
        except Permanent as error:
            return await asyncio.to_thread(self.accounting.fail, document, job.page, job.task, error, attempts)
        except Throttled as error:
            await asyncio.to_thread(self.put_off, job, attempts - 1, self.wait(error, attempts))
            return None
        except Configuration as error:
            await asyncio.to_thread(self.suspend, job, attempts - 1, error)
            raise
        except Transient as error:
            if attempts < self.settings.max_attempts:
                raise
            return await asyncio.to_thread(self.accounting.fail, document, job.page, job.task, error, attempts)
        return await asyncio.to_thread(self.accounting.save, document, result)

    def put_off(self, job: PageJob, attempts: int, seconds: float) -> None:
        """A fresh message takes the job's place, with its attempts so far: waiting for the rate costs none."""
        self.queues.defer(replace(job, earlier_attempts=attempts), seconds)

    def suspend(self, job: PageJob, attempts: int, error: Configuration) -> None:
        """Nothing will work until an operator acts: tell, and keep the job."""
        self.put_off(job, attempts, CONFIGURATION_WAIT)
        suspended = recognition_suspended(job.document_id, job.task, error.reason, error.message, self.clock.now())
        self.accounting.publisher.publish([suspended])

    async def recognized(self, job: PageJob, attempts: int, deadline: float) -> Result:
        began = time.monotonic()
        answer = await self.engine.recognize(await asyncio.to_thread(self.question, job), deadline - began)
        output: dict[str, Any] = {}
        unusable: ResultUnusable | None = None
        try:
            output = output_of(job.task, answer)
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
            model=self.settings.model,
            output=output,
            finish_reason=answer.finish_reason,
            usage=answer.usage,
            request_id=answer.request_id,
            seconds=round(time.monotonic() - began, 3),
        )

    def question(self, job: PageJob) -> Question:
        try:
            content = self.pages.image(job.image)
        except ObjectGone as gone:
            raise PageUnreadable(f"The image of page {job.page} is gone: {gone.message}") from gone
        schema = job.options.result_schema if job.task is Task.KEY_INFORMATION_EXTRACTION else None
        return Question(
            model=self.settings.model,
            image=images.as_data_url(content, job.image.media_type, job.image.width, job.image.height),
            task=job.task,
            result_schema=schema,
            max_pixels=self.settings.max_pixels,
            enable_rotate=job.options.enable_rotate,
        )
