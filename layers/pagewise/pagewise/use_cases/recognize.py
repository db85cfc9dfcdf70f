"""Use case: recognize one page job, or by one call those of a group. Look for a stored result first, its own or perhaps
another page's with the same image; else ask the engine; save, publish."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from pagewise.account.closing import Accounting
from pagewise.account.departures import is_heard
from pagewise.account.groups import shared
from pagewise.account.ledger import Ledger
from pagewise.account.reuse import CacheMiss, Lease, Reuse, asked_about
from pagewise.errors import (
    Cancelled,
    Configuration,
    Deleted,
    ImageRejected,
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
from pagewise.model import (
    Document,
    DocumentStatus,
    GroupPage,
    JobStatus,
    PageJob,
    Result,
    ResultSource,
    Slot,
    StoredImage,
    Usage,
)
from pagewise.options.rules import judged
from pagewise.ports import Clock, PagesBucket, Queues
from pagewise.qwen import fitting
from pagewise.qwen.fitting import FittedImage, Inline
from pagewise.qwen.models import model_of
from pagewise.qwen.parsing import nothing_found
from pagewise.qwen.question import Engine, Question
from pagewise.qwen.settings import BlankPages, EngineSettings
from pagewise.qwen.tokens import estimate
from pagewise.rate.budget import Backoff, Grant, SlotRequest
from pagewise.rate.gate import Gate
from pagewise.tasks import ANSWERED_BY_TEXT_LAYER, OUTPUTS, Output
from pagewise.use_cases.questions import Asked, question_of, result_of

# The wait of a page job that the configuration stops: SQS delays by 900 s at most.
CONFIGURATION_WAIT = 300.0
# A put-off job is a message to the function's own queue, a loop that Lambda would stop after 16 rounds. A document's
# time bounds it; should that bound fail, this one holds: 6 h of the shortest waits, 4 s, are 5,400 rounds.
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
        message waits in the queue in this one's place, or if a redrive's message has taken its place since. Raises
        Transient if this message should be delivered again.
        """
        attempts = job.earlier_attempts + deliveries
        if job.departure and not await asyncio.to_thread(self.is_heard, job):
            return None
        recognize = self.group if job.others else self.single
        return await recognize(job, attempts, deadline)

    def is_heard(self, job: PageJob) -> bool:
        """Whether this is the page job's one message from the batch lane. A deleted document keeps no record of it."""
        return self.ledger.document(job.document_id) is not None and is_heard(self.ledger.table, job)

    async def single(self, job: PageJob, attempts: int, deadline: float) -> Result | None:
        own = await asyncio.to_thread(self.own_text, job)
        unasked = own is not None or self.is_unasked(job.image)
        turn: Grant | None = None
        with self.gate.approach() as approach:
            document, stored, known = await asyncio.gather(
                asyncio.to_thread(self.ledger.document, job.document_id),
                asyncio.to_thread(self.ledger.result, job.document_id, job.page, job.task),
                self.known_elsewhere(job, unasked),
            )
            asks = document and not document.cancelled and not stored and not unasked
            if asks and not isinstance(known, Result | Backoff):
                turn = await approach.turn(job.task, self.wanted(job))
        if document is None:
            return None  # deleted from the table: there is no account left to write to
        if stored:
            await asyncio.to_thread(self.accounting.publish_again, document, stored)
            return stored
        if document.run > 1 and await asyncio.to_thread(self.is_superseded, job):
            return None
        if document.cancelled or unasked:
            return await asyncio.to_thread(self.ended_unasked, document, job, own, attempts - 1)
        if isinstance(known, Result):
            return await asyncio.to_thread(self.used_again, document, job, known, attempts)
        return await self.in_turn(document, job, attempts, deadline, turn, known)

    def ended_unasked(
        self, document: Document, job: PageJob, own: Mapping[str, Any] | None, attempts: int
    ) -> Result | None:
        if document.cancelled:
            return self.accounting.fail_of(document, job, Cancelled(), attempts)
        return self.accounting.save(document, judged(self.without_call(job, own), document.rules), job.image)

    async def group(self, job: PageJob, attempts: int, deadline: float) -> Result | None:
        """Recognize the page jobs of a group, as far as they have not ended: by one call, or none if there is nothing
        to ask. Returns and raises as `page_job` does; the result is one of the group's."""
        known: Result | Backoff | CacheMiss | None = None
        turn: Grant | None = None
        with self.gate.approach() as approach:
            document = await asyncio.to_thread(self.ledger.document, job.document_id)
            if document is None:
                return None
            left, ended = await asyncio.to_thread(self.left_of, document, job)
            if left is None:
                return ended
            known = await self.known_elsewhere(left, unasked=False)
            if not isinstance(known, Result | Backoff):
                turn = await approach.turn(left.task, self.wanted(left))
        if isinstance(known, Result):
            return await asyncio.to_thread(self.used_again, document, left, known, attempts)
        return await self.in_turn(document, left, attempts, deadline, turn, known)

    def left_of(self, document: Document, job: PageJob) -> tuple[PageJob | None, Result | None]:
        """The rest of a group that must be asked about, None for nothing; and the result of one of its ended pages.

        The results of pages that have ended are published again. A blank page ends here, by a result of its own.
        """
        left: list[GroupPage] = []
        ended: Result | None = None
        for member in job.members:
            single = job.of([member])
            if stored := self.ledger.result(job.document_id, member.page, job.task):
                self.accounting.publish_again(document, stored)
                ended = ended or stored
            elif document.run > 1 and self.is_superseded(single):
                continue
            elif document.cancelled:
                ended = self.accounting.fail_of(document, single, Cancelled(), single.earlier_attempts)
            elif self.is_unasked(member.image):
                blank = judged(self.without_call(single, None), document.rules)
                ended = self.accounting.save(document, blank, member.image)
            else:
                left.append(member)
        return (job.of(left) if left else None), ended

    def is_unasked(self, image: StoredImage) -> bool:
        return image.look.blank and self.settings.blank_pages is BlankPages.SKIP

    def used_again(self, document: Document, job: PageJob, known: Result, attempts: int) -> Result | None:
        """Save the result that another page, or group, has for the same question."""
        copy = judged(replace(known, attempts=attempts, ended=self.clock.now()), document.rules)
        return self.accounting.save_of(document, shared(copy, job, {}), job)

    async def in_turn(
        self,
        document: Document,
        job: PageJob,
        attempts: int,
        deadline: float,
        turn: Grant | None,
        known: Backoff | CacheMiss | None,
    ) -> Result | None:
        """Ask the engine, unless the job must wait: for its slot, or for the answer that another job gets."""
        asking = turn if isinstance(turn, Backoff) else await self.claimed(known, deadline)
        if isinstance(asking, Backoff):
            waiting = replace(job, slot=asking.slot)
            return await asyncio.to_thread(self.put_off, document, waiting, attempts - 1, asking.seconds)
        slot = None if isinstance(turn, Backoff) else turn
        try:
            results = await self.recognized(job, attempts, deadline, slot)
        except MembersUnfit as unfit:
            await self.not_answered(asking, unfit)
            failed = await asyncio.to_thread(self.fail_members, document, job, unfit, attempts)
            fit = [member for member in job.members if member.page not in unfit.errors]
            return await self.again(document, job.of(fit), attempts, deadline, slot) if fit else failed
        except Deleted as deleted:
            await self.not_answered(asking, deleted)
            return None  # there is no account left to write to
        except (Throttled, Configuration, Permanent, Transient) as error:
            await self.not_answered(asking, error)
            return await self.without_answer(document, job, attempts, error)
        saved = await asyncio.to_thread(self.keep, document, results, job, deadline)
        await self.answered(asking, results[0], saved)
        return saved

    async def again(
        self, document: Document, job: PageJob, attempts: int, deadline: float, slot: Slot | None
    ) -> Result | None:
        """The rest of a group is another question, with the slot of the whole group."""
        known = await self.known_elsewhere(job, unasked=False)
        if isinstance(known, Result):
            return await asyncio.to_thread(self.used_again, document, job, known, attempts)
        return await self.in_turn(document, job, attempts, deadline, slot, known)

    def fail_members(self, document: Document, job: PageJob, unfit: MembersUnfit, attempts: int) -> Result | None:
        """Pages that cannot be sent end by themselves: the others of their group have a right to an answer. What was
        billed for the group before stays with those; where there are none, with the first page."""
        failed: Result | None = None
        spent = job.spent if len(unfit.errors) == len(job.members) else Usage()
        for member in job.members:
            if error := unfit.errors.get(member.page):
                failed = self.accounting.fail_of(document, replace(job.of([member]), spent=spent), error, attempts)
                spent = Usage()
        return failed

    def keep(self, document: Document, results: Sequence[Result], job: PageJob, deadline: float) -> Result | None:
        """Judge and save paid results. One that cannot be kept as it is becomes a failed result that can: an error
        here would have the engine asked again. Only storage that is away for longer than the invocation raises.
        """
        try:
            return self.save(document, [judged(results[0], document.rules), *results[1:]], job, deadline)
        except PagewiseError as error:
            if not isinstance(error, StorageRefused):
                raise
            return self.save(document, [unstorable(result) for result in results], job, deadline)
        except Exception:  # noqa: BLE001 - the answer was paid for
            return self.save(document, [unstorable(result) for result in results], job, deadline)

    def save(self, document: Document, results: Sequence[Result], job: PageJob, deadline: float) -> Result | None:
        """Save, and try again while storage is busy and there is time: the answer is nowhere else."""
        for attempt in range(SAVES):
            try:
                return self.accounting.save_of(document, results, job)
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
        return await asyncio.to_thread(self.accounting.fail_of, document, job, error, attempts)

    # ── reuse, where it is on ────────────────────────────────────────────────────────────────────────────────────────

    async def known_elsewhere(self, job: PageJob, unasked: bool) -> Result | Backoff | CacheMiss | None:
        """The stored answer for the same image and question; None where nothing is reused."""
        if self.reuse is None or asked_about(job) is None or unasked:
            return None
        return await asyncio.to_thread(self.reuse.look, job)

    async def claimed(self, known: Backoff | CacheMiss | None, deadline: float) -> Lease | Backoff | None:
        if self.reuse and isinstance(known, CacheMiss):
            return await asyncio.to_thread(self.reuse.claim, known, deadline - time.monotonic())
        return known if isinstance(known, Backoff) else None

    async def answered(self, asking: Lease | None, answer: Result, saved: Result | None) -> None:
        """An answer that came after its page job's end, or redrive, is not kept: the next one asks."""
        if self.reuse is None or asking is None:
            return
        if saved and saved.ended == answer.ended:
            await asyncio.to_thread(self.reuse.answered, asking, saved)
        else:
            await asyncio.to_thread(partial(self.reuse.leave, asking, for_the_next=True))

    async def not_answered(self, asking: Lease | None, error: PagewiseError) -> None:
        if self.reuse and asking:
            to_wait_for = isinstance(error, Throttled | Configuration | Cancelled | Deleted)
            await asyncio.to_thread(self.reuse.leave, asking, for_the_next=to_wait_for)

    def is_superseded(self, job: PageJob) -> bool:
        """Whether the page job was redriven after this message was sent: another one does it."""
        page = self.ledger.page(job.document_id, job.page)
        return page is not None and page.run_of(job.task) > job.run

    def postpone(
        self, document: Document, job: PageJob, attempts: int, error: Throttled | Configuration
    ) -> Result | None:
        """Keep a page job that is not to blame. A wrong configuration is told: no job works until an operator acts."""
        self.accounting.meter.put_off(error)
        stopped = isinstance(error, Configuration)
        if stopped:
            self.tell(job, error)
        seconds = CONFIGURATION_WAIT if stopped else self.wait(error, attempts + 1)
        return self.put_off(document, replace(job, slot=None), attempts, seconds)

    def tell(self, job: PageJob, error: PagewiseError) -> None:
        """Publish that recognition is suspended, as far as the bus takes it: an alarm tells the same, and the job must
        wait whether or not the event was published."""
        suspended = recognition_suspended(job.document_id, job.task, error.reason, error.message, self.clock.now())
        with suppress(PagewiseError):
            self.accounting.publisher.publish([suspended])

    def put_off(self, document: Document, job: PageJob, attempts: int, seconds: float) -> Result | None:
        """A fresh message takes the job's place, with its attempts so far: waiting costs none. Nothing that may fail
        comes after it, or the job would be two messages.

        A job without time left fails instead: the sweeper would end it as well, but a loop needs a bound of its own.
        """
        if document.due < self.clock.now() or job.put_offs >= MOST_PUT_OFFS:
            return self.accounting.fail_of(document, job, Overdue(), attempts)
        self.queues.defer(replace(job, earlier_attempts=attempts, put_offs=job.put_offs + 1), seconds)
        return None

    def wanted(self, job: PageJob) -> SlotRequest:
        """The job's request to the rate budget, by its likely number of tokens: the largest one, thrice as many, would
        leave most of the rate unused."""
        sizes = [(member.image.width, member.image.height) for member in job.members]
        model, pixels = self.settings.model, self.settings.max_pixels
        tokens = estimate(sizes, job.task, job.options, model=model, max_pixels=pixels).likely
        return SlotRequest(tokens.input_tokens + tokens.output_tokens, job.slot)

    def own_text(self, job: PageJob) -> Mapping[str, Any] | None:
        """The page's own text, if that answers this task. Where it is gone the engine is asked."""
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

    async def recognized(
        self, job: PageJob, attempts: int, deadline: float, turn: Slot | None = None
    ) -> Sequence[Result]:
        """A result for each page of the group; the first holds the answer. Raises MembersUnfit for pages that cannot
        be sent, before any call."""
        question, about = await asyncio.to_thread(self.question, job, deadline - time.monotonic())
        if turn:
            await self.gate.opens(turn)
        await asyncio.to_thread(self.check_wanted, job)
        began = time.monotonic()

        async def again() -> bool:
            await asyncio.to_thread(self.check_wanted, job)
            return await self.gate.again(job.task, self.wanted(replace(job, slot=None)))

        answer = await self.engine.recognize(question, deadline - time.monotonic(), again)
        # From here on the answer is paid for: nothing raises until it is stored.
        seconds = round(time.monotonic() - began, 3)
        model, ended = self.settings.model, self.clock.now()
        read = partial(result_of, job, answer, about, model=model, attempts=attempts, seconds=seconds, ended=ended)
        holder = await asyncio.to_thread(read)
        shown = {member.page: one.shown() for member, one in zip(job.members, about.sent, strict=True)}
        return shared(holder, job, shown)

    def check_wanted(self, job: PageJob) -> None:
        """The last look before what costs: a place in the rate may be a minute away. Raises Cancelled, also where the
        document has ended in the meantime, and so this job with it, or was redriven since; and Deleted."""
        document = self.ledger.document(job.document_id)
        if document is None:
            raise Deleted
        if not self.wants(document) or self.is_done_elsewhere(document, job):
            raise Cancelled

    def is_done_elsewhere(self, document: Document, job: PageJob) -> bool:
        return document.run > 1 and all(self.is_superseded(job.of([member])) for member in job.members)

    def wants(self, document: Document) -> bool:
        return not document.cancelled and document.status is DocumentStatus.IN_PROGRESS

    def question(self, job: PageJob, seconds: float) -> tuple[Question, Asked]:
        """The question, and the images it is about."""
        fitted, digests = self.fitted(job)
        images = [self.sendable(member.image, one, seconds) for member, one in zip(job.members, fitted, strict=True)]
        return question_of(job, images, self.settings), Asked(tuple(one.sent for one in fitted), digests)

    def fitted(self, job: PageJob) -> tuple[list[FittedImage], tuple[str, ...]]:
        """The pages as they go along (as they are stored, or mended to pass the service's limits), and the SHA-256 of
        each as it is stored. Raises MembersUnfit for pages of a group, Permanent for a page that is asked about alone.
        """
        transport, most = self.settings.image_transport, model_of(self.settings.model).max_url_bytes
        fitted: list[FittedImage] = []
        digests: list[str] = []
        errors: dict[int, Permanent] = {}
        for member in job.members:
            try:
                content = self.pages.image(member.image)
                fitted.append(fitting.fitted_for_call(content, transport, most))
                digests.append(hashlib.sha256(content).hexdigest())
            except ObjectGone as gone:
                errors[member.page] = PageUnreadable(f"The image of page {member.page} is gone: {gone.message}")
            except ImageRejected as rejected:
                errors[member.page] = rejected
        if errors and job.others:
            raise MembersUnfit(errors)
        for error in errors.values():
            raise error
        return fitting.fitted_together(fitted, transport), tuple(digests)

    def sendable(self, image: StoredImage, fitted: FittedImage, seconds: float) -> Inline | str:
        """The image itself, or a URL of it that lives for this call: of the stored page where that one is sent."""
        if not fitted.sent.by_url:
            return Inline(fitted.content, fitted.sent.media_type)
        key = image.key
        if fitted.sent.mended:
            key = self.pages.put_mended(image, fitted.content, fitted.sent.media_type)
        return self.pages.url(key, fitting.url_seconds(seconds))


class MembersUnfit(PagewiseError):
    """Pages of a group that cannot be sent, each with its error. Nothing has been asked."""

    def __init__(self, errors: Mapping[int, Permanent]) -> None:
        super().__init__("unfit", "Pages of the group cannot be sent.")
        self.errors = errors


def unstorable(result: Result) -> Result:
    """A paid result that storage does not take, without the parts that it may not take."""
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
