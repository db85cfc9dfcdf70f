"""A small world in which any part may fail: Lambda, SQS, S3 events, DynamoDB, EventBridge and the engine, in memory.

Handlers and use cases are the real ones, on ports that take a step of the scheduler at each side effect and then may
fail as the seed says: crash before it, crash after it, refuse, lose the reply, conflict with another transaction. A
handler's answer decides the messages that come back. Messages are delivered twice and out of order, become visible
again while they are worked on, and are lost now and then: the sweeper is for these. Faults are limited in number, so
that the world comes to rest; then `promises.violations` lists the broken promises.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import itertools
import json
import math
import tempfile
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any, ClassVar

from local.functions.event_sources import reported_failures
from local.functions.lineage import MOST_INVOCATIONS
from pagewise import messages
from pagewise.account.closing import Accounting
from pagewise.account.deletion import Deletions
from pagewise.account.ledger import Ledger
from pagewise.account.metering import Unmetered
from pagewise.account.records import result_key
from pagewise.account.reuse import Reuse, fingerprint
from pagewise.account.spending import Spending
from pagewise.aws.queues import BATCH_JOBS
from pagewise.aws.wiring import Composition, Desk
from pagewise.errors import (
    Cancelled,
    Configuration,
    DocumentRejected,
    PageUnreadable,
    PagewiseError,
    Permanent,
    StorageBusy,
    Throttled,
    Transient,
)
from pagewise.events import Event
from pagewise.model import (
    DocumentId,
    DocumentStatus,
    Edition,
    JobStatus,
    Lane,
    PageJob,
    PageRange,
    Result,
    Slot,
    Source,
    StoredImage,
    TextLayer,
    Upload,
)
from pagewise.pages.images import PageImage
from pagewise.pages.rendering import Rendered, Renderer
from pagewise.pages.text_layer import TextLine
from pagewise.ports import Download
from pagewise.qwen.fitting import Inline
from pagewise.qwen.question import Again, Answer, Question
from pagewise.qwen.settings import EngineSettings
from pagewise.rate.budget import Calendar, RateBudget, RateLimits
from pagewise.rate.gate import Gate
from pagewise.results import load_result
from pagewise.table import Attributes, Change, Key, Refused
from pagewise.tasks import Task
from pagewise.use_cases.assemble import Assemble
from pagewise.use_cases.cancel import CancelDocument
from pagewise.use_cases.collect import Collect
from pagewise.use_cases.delete import DeleteDocument
from pagewise.use_cases.follow import Follow
from pagewise.use_cases.give_up import GiveUp
from pagewise.use_cases.recognize import Recognize
from pagewise.use_cases.redrive import NothingToRedrive, Redrive, Selection
from pagewise.use_cases.settings import SplitSettings
from pagewise.use_cases.split import Split
from pagewise.use_cases.suspension import Suspension
from pagewise.use_cases.sweep import Sweep
from tests.fakes import (
    MemoryClock,
    MemoryObjects,
    MemoryOutputs,
    MemoryPages,
    MemoryPublisher,
    MemoryTable,
    MemoryUploads,
    plainly,
    text_answer,
)
from tests.faults.invocations import SCHEDULED, Handler, deployed, invoked, on_failure, s3_event, sqs_record
from tests.faults.scheduler import Crash, Scheduler
from tests.pictures import tiff
from tests.template import cloudformation

MODEL = "qwen-vl-ocr-2025-11-20"
MAX_RECEIVES = 5
VISIBILITY_SECONDS = {
    "split": 1800.0,
    "dead_letter": 360.0,
    "assembler": 5400.0,
    "batch-jobs": 365.0,
}  # of the other queues:
PAGE_JOB_VISIBILITY_SECONDS = 1100.0
BACKOFF_SECONDS = 10.0
BATCH = 4
PAGES_PER_RANGE = 2
# The functions of the queues; page jobs are the OCR function's.
FUNCTIONS = {"split": "splitter", "dead_letter": "dead_letter", "assembler": "assembler", "batch-jobs": "collector"}
TASKS = (Task.TEXT_RECOGNITION, Task.TABLE_PARSING)
WISHES = ((TASKS[0],), (TASKS[1],), TASKS, TASKS)
# The most pages that one call asks about, by the second task.
PAGES_PER_CALL = (1, 2, 3, 3)
OVERDUE_MILLISECONDS = 7 * 3600 * 1000
# A large world that the engine refuses for two hours takes 10,055: all its page jobs come back 25 times.
MOST_STEPS = 12_000
# The account's requests a minute; 0: no budget. Thirty page jobs at the most come at once.
REQUESTS_PER_MINUTE = (0, 1, 20, 60, 240)
# Steps that a hurried visit of the sweeper has: for a page or two.
SWEEP_STEPS = (math.inf, 4.0)
MOST_VISITS = 60
# Seconds during which the engine refuses the account, the bus refuses to tell of it, and the splitter is misconfigured:
# twenty-four and twelve rounds of waiting.
SUSPENDED_SECONDS, BUS_SECONDS, MISCONFIGURED_SECONDS = 7200.0, 3600.0, 3600.0
# Caps on the day's cost; 0: none. A page job can cost 0.0013 USD, and there are thirty at the most.
DAY_CAPS = (0.0, 0.0, 0.02, 1.0)
EPOCH = 1_764_000_002.5
SETTINGS = EngineSettings("http://engine", MODEL, max_attempts=MAX_RECEIVES)
# The page job that is being worked on, and the first step of its delivery.
DELIVERY: ContextVar[tuple[PageJob, int]] = ContextVar("delivery")


class Restless(Exception):
    """The world does not come to rest."""


@dataclass(eq=False)
class Message:
    """`handle` is of its latest delivery. A message in flight has no time to become `visible` at, unless it was given
    one: invocations end long before the visibility timeout does."""

    id: str
    queue: str
    body: str
    visible: float = 0.0
    receives: int = 0
    handle: str = ""
    chain: Mapping[str, int] = field(default_factory=dict)


Batch = list[tuple[Message, str]]


@dataclass(frozen=True)
class Odds:
    """The likelihood of each fault at a chance for it, and the most faults in all."""

    fault: float = 0.06
    duplicate: float = 0.15
    expiry: float = 0.01
    lost: float = 0.005
    engine: float = 0.2
    most_faults: int = 12
    purged: float = 0.003
    deleted: float = 0.02
    expired: float = 0.02
    outage: float = 0.12
    given_up: float = 0.02
    redrive: float = 0.003
    most_redrives: int = 3


class WitnessedRecognize(Recognize):
    """Tells the engine the page job of its question, and the first step of the delivery."""

    async def page_job(self, job: PageJob, deliveries: int, deadline: float) -> Result | None:
        assert isinstance(self.engine, FaultyEngine)
        DELIVERY.set((job, self.engine.world.scheduler.steps))
        return await super().page_job(job, deliveries, deadline)

    async def recognized(
        self, job: PageJob, attempts: int, deadline: float, turn: Slot | None = None
    ) -> Sequence[Result]:
        """The call may be about fewer pages of a group than were delivered."""
        DELIVERY.set((job, DELIVERY.get()[1]))
        return await super().recognized(job, attempts, deadline, turn)


@dataclass(frozen=True, slots=True)
class HurriedSweep(Sweep):
    """A visit has so many steps."""

    most: float = math.inf

    def overdue(self, _deadline: float) -> list[DocumentId]:
        return Sweep.overdue(self, self.monotonic() + self.most)


def allowed_to_loop() -> frozenset[str]:
    """The splitter, the assembler, and each task's function: their templates say RecursiveLoop: Allow."""
    found = cloudformation.resources(cloudformation.load())
    names = {"splitter": "SplitterFunction", "assembler": "AssemblerFunction"} | {
        task: f"{task.title().replace('_', '')}Function" for task in Task
    }
    return frozenset(name for name, of in names.items() if found[of]["Properties"].get("RecursiveLoop") == "Allow")


MAY_LOOP = allowed_to_loop()


class World:
    """Each part can be replaced by a broken one, to show that the break is noticed."""

    usual: Odds = Odds()
    requests_per_minute: tuple[int, ...] = REQUESTS_PER_MINUTE
    most_pages: int = 5
    ledger_class: type[Ledger] = Ledger
    accounting_class: type[Accounting] = Accounting
    split_class: type[Split] = Split
    recognize_class: type[Recognize] = WitnessedRecognize
    redrive_class: type[Redrive] = Redrive
    gate_class: type[Gate] = Gate
    budget_class: type[RateBudget] = RateBudget
    suspension_class: type[Suspension] = Suspension
    # Functions with RecursiveLoop: Allow in their template; and whether S3 says of a missing image that it is missing.
    may_loop: frozenset[str] = MAY_LOOP
    lists_pages: bool = True
    clears_disk: bool = True
    reuse_class: type[Reuse] = Reuse
    assemble_class: type[Assemble] = Assemble
    outputs_class: ClassVar[type[FaultyOutputs]]
    unsettled: frozenset[str] = frozenset({"open", "unassembled"})
    handlers: ClassVar[Mapping[str, Handler]] = {
        folder: deployed(folder) for folder in ("splitter", "ocr", "dead_letter", "sweeper", "assembler")
    }

    def __init__(self, seed: int, odds: Odds | None = None) -> None:
        self.seed = seed
        self.odds = odds or self.usual
        self.chance = Random(seed)
        self.scheduler = Scheduler(self.chance)
        self.now = 0.0
        self.faults: Counter[str] = Counter()
        self.messages: list[Message] = []
        self.in_flight: dict[str, Message] = {}
        self.numbers = itertools.count(1)
        self.lost: list[Message] = []
        self.unchanged: set[str] = set()
        self.unfounded: list[str] = []
        self.sent: dict[DocumentId, Upload] = {}
        self.redrives = 0
        self.dropped: list[str] = []
        self.sweep_steps = self.chance.choice(SWEEP_STEPS)
        self.suspended_until = self.outage(SUSPENDED_SECONDS)
        self.bus_down_until = self.outage(BUS_SECONDS) if self.suspended_until else 0.0
        self.misconfigured_until = self.outage(MISCONFIGURED_SECONDS)
        self.folder = tempfile.TemporaryDirectory(prefix="pagewise-world-")
        self.disks: list[Path] = []
        self.limits = RateLimits(self.chance.choice(self.requests_per_minute), 0)
        self.spending = Spending(day_cap=self.chance.choice(DAY_CAPS))
        self.clock = MemoryClock()
        self.uploads = FaultyUploads(self)
        self.pages = FaultyPages(self)
        self.outputs = self.outputs_class(self)
        self.table = self.make_table()
        self.publisher = FaultyPublisher(self)
        self.queues = FaultyQueues(self)
        self.engine = FaultyEngine(self)
        self.ledger = self.ledger_class(self.table, self.pages, pause=lambda _seconds: self.scheduler.step())
        self.accounting = self.accounting_class(self.ledger, self.pages, self.publisher, self.clock)
        reused = self.chance.random() < 0.5
        self.reuse = self.reuse_class(self.ledger, SETTINGS, lambda: EPOCH + self.now) if reused else None

    def make_table(self) -> FaultyTable:
        return FaultyTable(self)

    def outage(self, seconds: float) -> float:
        """The end of an outage that begins with the world; mostly there is none."""
        return seconds if self.chance.random() < self.odds.outage else 0.0

    # ── chances ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def happens(self, kind: str, likelihood: float) -> bool:
        """Whether a fault of this kind happens now; each is counted, and their number is limited."""
        if self.faults.total() >= self.odds.most_faults or self.chance.random() >= likelihood:
            return False
        self.faults[kind] += 1
        if invocation := self.scheduler.current:
            invocation.faults += 1
        return True

    def effect(self, name: str, act: Callable[[], Any]) -> Any:
        """A side effect with all that can happen around it."""
        self.scheduler.step()
        if self.happens(f"crash before {name}", self.odds.fault / 2):
            self.scheduler.crash()
        if self.happens(f"{name} refused", self.odds.fault):
            raise StorageBusy(f"{name} refused")
        outcome = act()
        if self.happens(f"crash after {name}", self.odds.fault / 2):
            self.scheduler.crash()
        if self.happens(f"reply of {name} lost", self.odds.fault / 2):
            raise StorageBusy(f"reply of {name} lost")
        return outcome

    def faults_that_repeat(self) -> int:
        """Faults after which a paid page job may be asked for once more: those that end an invocation between the
        call and the stored result, refuse to store, or bring a message twice. A redrive queues again the page jobs that
        are still awaited."""
        return sum(number for kind, number in self.faults.items() if kind != "engine") + self.redrives

    # ── the way of a run ─────────────────────────────────────────────────────────────────────────────────────────────

    def run(self) -> None:
        """Upload documents, deliver messages until none is left, then let the sweeper come by."""
        uploads = [
            self.upload(f"uploads/scan {number}", tiff(self.chance.randint(1, self.most_pages), (20, 20)))
            for number in range(self.chance.randint(1, 3))
        ]
        if self.chance.random() < 0.3:
            uploads.append(self.upload("uploads/bad", b"no document"))
        together = self.chance.choice([1, 1, len(uploads)])
        for first in range(0, len(uploads), together):
            for _ in range(2 if self.happens("S3 event twice", self.odds.duplicate) else 1):
                self.tell_of(s3_event(uploads[first : first + together]))
        self.until_quiet()
        self.afterwards()
        self.settle()

    def afterwards(self) -> None:
        if self.chance.random() < 0.5:
            self.redrive()
            self.until_quiet()

    def settle(self) -> None:
        disturbed, visits = True, 0
        # The sweeper comes every five minutes; the next visit does the work that one was too short for or died of.
        while disturbed or (self.unfinished() and visits < MOST_VISITS):
            visits += 1
            before = self.disturbances()
            self.clock.milliseconds += OVERDUE_MILLISECONDS
            self.invoke("sweeper", SCHEDULED, lambda _answer: None)
            self.until_quiet()
            disturbed = self.disturbances() > before

    def disturbances(self) -> int:
        return self.faults.total() + self.redrives

    def unfinished(self) -> bool:
        return any(stored.get("open") in self.unsettled for stored in self.table.stored.values())

    def wander(self) -> None:
        """Persons may do something at any step; in these worlds there are none."""

    def broken_by_persons(self) -> Iterator[str]:
        """Promises that concern persons, which were broken."""
        yield from ()

    def billed_before_deletion(self) -> int:
        return 0

    def has_deleted(self, _document_id: DocumentId) -> bool:
        return False

    def upload(self, key: str, content: bytes, version: str = "v1", **wishes: str) -> Upload:
        tasks = self.chance.choice(WISHES)
        rotate = self.chance.choice(["true", "false", "false"])
        together = self.chance.choice(PAGES_PER_CALL)
        asked = {"ocr_pages_per_call": str(together)} if TASKS[1] in tasks else {}
        outputs = self.chance.choice(["none", "text", "text,markdown"])
        layer = self.chance.choice(["prefer", "ignore"])
        upload = self.uploads.put(
            content,
            key=key,
            version=version,
            ocr_tasks=",".join(tasks),
            ocr_enable_rotate=rotate,
            ocr_outputs=outputs,
            ocr_text_layer=layer,
            **asked,
            **wishes,
        )
        self.sent[upload.document_id] = upload
        return upload

    def tell_of(self, event: str) -> None:
        """S3 tells the split queue; by hand, a function can be invoked with its event."""
        if self.chance.random() < 0.8:
            self.enqueue("split", event)
        else:
            self.notify(event, tries=1)

    def notify(self, event: str, tries: int) -> None:
        """Asynchronous invocation: two retries, then the on-failure destination: the dead-letter queue."""

        def ended(answer: str | None) -> None:
            if answer is not None:
                return
            if tries < 3:
                self.notify(event, tries + 1)
            else:
                self.enqueue("dead_letter", on_failure(event))

        self.invoke("splitter", event, ended)

    def until_quiet(self) -> None:
        for _ in range(MOST_STEPS):
            if self.in_flight and self.happens("visibility expired", self.odds.expiry):
                self.expire(self.chance.choice(sorted(self.in_flight)))
            for handle in [handle for handle, message in self.in_flight.items() if message.visible <= self.now]:
                self.expire(handle)
            if self.messages and self.happens("queues purged", self.odds.purged):
                self.purge()
            if self.chance.random() < self.odds.redrive:
                self.redrive()
            self.wander()
            started = self.poll()
            if self.scheduler.advance() or started:
                continue
            if not self.messages:
                return
            self.now = max(self.now, min(message.visible for message in self.messages))
        raise Restless(f"no rest after {MOST_STEPS:,} steps")

    def purge(self) -> None:
        """An operator's mistake: every message for a known document is gone."""
        gone = [one for one in self.messages if one.queue == "assembler" or "document_id" in one.body]
        self.lost += gone
        self.messages = [message for message in self.messages if message not in gone]

    def redrive(self) -> None:
        """An operator wants failed page jobs done again, and tries until it works. Each try repeats the rest alone."""
        if self.redrives == self.odds.most_redrives:
            return
        self.redrives += 1
        document_id = self.chance.choice(sorted(self.sent))
        choice = self.chance.choice([Selection(), Selection(page=1), Selection(task=TASKS[1])])

        def work() -> None:
            redrive = self.redrive_class(
                self.ledger,
                self.queues,
                self.accounting,
                self.clock,
                pages_per_range=PAGES_PER_RANGE,
                spending=self.spending,
            )
            with suppress(NothingToRedrive, DocumentRejected, Cancelled):
                redrive.document(document_id, choice)

        def ended(succeeded: bool) -> None:
            if not succeeded:
                self.scheduler.start("redrive", work, ended)

        self.scheduler.start("redrive", work, ended)

    def enqueue(self, queue: str, body: str, delay: float = 0.0) -> None:
        sender = self.scheduler.current
        chain = sender.chain if sender else {}  # in the trace header, sent along by the SDK
        self.messages.append(Message(f"message-{next(self.numbers)}", queue, body, self.now + delay, chain=chain))

    def expire(self, handle: str) -> None:
        """A message that is being worked on becomes visible again."""
        message = self.in_flight.pop(handle)
        message.visible = self.now
        self.messages.append(message)

    def poll(self) -> bool:
        """Perhaps start an invocation for messages that are visible."""
        visible = [message for message in self.messages if message.visible <= self.now]
        if not visible or (self.scheduler.running and self.chance.random() < 0.7):
            return False
        queue = self.chance.choice(sorted({message.queue for message in visible}))
        of_queue = [message for message in visible if message.queue == queue]
        self.chance.shuffle(of_queue)
        taken = [message for message in of_queue[: 1 if queue == "split" else BATCH] if self.take(message)]
        if taken:
            self.deliver(queue, taken)
        return True

    def take(self, message: Message) -> bool:
        """Receive a message, or move it to the dead letters if it was received too often."""
        self.messages.remove(message)
        may_be_lost = message.queue == "assembler" or (message.queue != "dead_letter" and "document_id" in message.body)
        if may_be_lost and self.happens("message lost", self.odds.lost):
            self.lost.append(message)
            return False
        if message.receives >= MAX_RECEIVES and message.queue != "dead_letter":
            self.messages.append(replace(message, queue="dead_letter", visible=self.now))
            return False
        message.receives += 1
        message.handle = f"receipt-{next(self.numbers)}"
        message.visible = math.inf
        self.in_flight[message.handle] = message
        if self.happens("delivered twice", self.odds.duplicate / 10):
            self.messages.append(replace(message, visible=self.now))
        return True

    def deliver(self, queue: str, taken: list[Message]) -> None:
        """An event source mapping: messages that the function doesn't report as failed are deleted."""
        chain = self.chain_to(FUNCTIONS.get(queue, queue), taken)
        if max(chain.values()) > MOST_INVOCATIONS and FUNCTIONS.get(queue, queue) not in self.may_loop:
            self.dropped.append(queue)
            for message in taken:
                del self.in_flight[message.handle]
                message.visible = self.now + visibility(queue)
                self.messages.append(message)
            return
        batch = [(message, message.handle) for message in taken]
        records = [sqs_record(queue, one.id, one.handle, one.body, one.receives) for one in taken]

        def ended(answer: str | None) -> None:
            failed = failed_of(taken, answer)
            self.witness_answer(queue, batch, failed, answer)
            for message, handle in batch:
                if self.in_flight.get(handle) is not message:
                    continue  # it became visible in the meantime: that receipt handle is worth nothing
                del self.in_flight[handle]
                if message.id in failed:
                    message.visible = min(message.visible, self.now + visibility(queue))
                    self.messages.append(message)

        self.invoke(FUNCTIONS.get(queue, "ocr"), json.dumps({"Records": records}), ended, chain)

    def chain_to(self, function: str, taken: Sequence[Message]) -> dict[str, int]:
        """For each function, how often the longest chain of these messages has been through it, this time included."""
        chain: dict[str, int] = {}
        for message in taken:
            chain = {name: max(chain.get(name, 0), message.chain.get(name, 0)) for name in {*chain, *message.chain}}
        return {**chain, function: chain.get(function, 0) + 1}

    def witness_answer(self, queue: str, batch: Batch, failed: set[str], answer: str | None) -> None:
        """A fault fails one message, unless it ends the invocation; so does a redrive that takes away records that were
        seen. A page job that failed has its backoff."""
        invocation = self.scheduler.current
        assert invocation
        if answer is None and not isinstance(invocation.error, Crash):
            self.unfounded.append(f"{queue}'s function raised {invocation.error!r}")
        faults = invocation.faults + self.redrives
        if answer is not None and len(failed) > faults:
            self.unfounded.append(f"{len(failed)} of {len(batch)} messages of {queue} failed, of {faults} faults")
        if answer is not None and queue not in FUNCTIONS:
            # By their ids, for a message and its duplicate are reported as one.
            waiting = {
                message.id
                for message, handle in batch
                if handle not in self.in_flight or math.isfinite(message.visible) or handle in self.unchanged
            }
            self.unfounded += [f"{message_id} has no backoff" for message_id in sorted(failed - waiting)]

    def invoke(
        self,
        function: str,
        payload: str,
        ended: Callable[[str | None], None],
        chain: Mapping[str, int] | None = None,
    ) -> None:
        """Invoke a function; `ended` is called with its answer, or with None if there is none."""
        answers: list[str] = []
        composition = self.composition()

        def work() -> None:
            answers.append(invoked(self.handlers[function], function, payload, composition))

        def over(succeeded: bool) -> None:
            invocation = self.scheduler.current
            if invocation and invocation.error and not invocation.faults:
                self.unfounded.append(f"{function} raised {invocation.error!r}")
            if invocation and invocation.disk:
                self.leave(invocation.disk, killed=isinstance(invocation.error, Crash))
            ended(answers[0] if succeeded else None)

        self.scheduler.start(function, work, over, chain)

    # ── the disks of the splitter's environments ─────────────────────────────────────────────────────────────────────

    def disk(self) -> Path:
        """Of this invocation's environment, as the one before it has left it."""
        invocation = self.scheduler.current
        assert invocation
        if invocation.disk is None:
            new = Path(self.folder.name) / str(next(self.numbers))
            invocation.disk = self.disks.pop() if self.disks else new
            invocation.disk.mkdir(exist_ok=True)
        return invocation.disk

    def leave(self, disk: Path, *, killed: bool) -> None:
        if killed:  # nothing was tidied up
            (disk / "pagewise-left").mkdir(exist_ok=True)
        self.disks.append(disk)

    # ── the handlers' composition ────────────────────────────────────────────────────────────────────────────────────

    def composition(self) -> Composition:
        """Of one invocation."""
        recognize = self.recognizer()
        return Composition(
            split=self.splitter,
            recognize=lambda: recognize,
            give_up=lambda: GiveUp(self.ledger, self.accounting, self.clock),
            sweep=self.sweeper,
            suspension=lambda: self.suspension_class(self.queues, self.publisher, Unmetered(), self.clock),
            back_off=self.back_off,
            back_off_split=self.back_off_split,
            assemble=self.assembler,
            back_off_assembly=self.back_off_split,
            delete=self.deleter,
            desk=no_desk,
            collect=self.collector,
            follow=self.follower,
        )

    def canceller(self) -> CancelDocument:
        return CancelDocument(self.ledger, self.sweeper(), self.clock)

    def deleter(self) -> DeleteDocument:
        objects = MemoryObjects(self.uploads, self.pages, self.outputs)
        return DeleteDocument(Deletions(self.ledger), self.canceller(), objects, self.publisher, self.clock)

    def collector(self) -> Collect:
        raise NotImplementedError("the batch lane has worlds of its own: batch_lane.py")

    def follower(self) -> Follow:
        raise NotImplementedError("the batch lane has worlds of its own: batch_lane.py")

    def assembler(self) -> Assemble:
        return self.assemble_class(self.ledger, self.uploads, self.outputs, self.publisher, make=plainly)

    def sweeper(self) -> Sweep:
        def steps() -> float:
            return float(self.scheduler.steps)

        return HurriedSweep(self.ledger, self.accounting, self.clock, steps, most=self.sweep_steps)

    def splitter(self) -> Split:
        if self.now < self.misconfigured_until:
            raise Configuration("setting_missing", "The environment variable PAGES_BUCKET is not set.")
        return self.split_class(
            self.uploads,
            self.pages,
            self.ledger,
            self.queues,
            self.publisher,
            self.accounting,
            self.clock,
            self.split_settings(),
            disk=self.disk() if self.clears_disk else None,
        )

    def split_settings(self) -> SplitSettings:
        return SplitSettings(pages_per_range=PAGES_PER_RANGE, spending=self.spending, renderer=LetteredRenderer())

    def recognizer(self) -> Recognize:
        return self.recognize_class(
            self.engine,
            self.ledger,
            self.pages,
            self.queues,
            self.accounting,
            self.clock,
            SETTINGS,
            wait=lambda _error, attempts: BACKOFF_SECONDS * attempts,
            gate=self.gate(),
            reuse=self.reuse,
        )

    def back_off(self, receipt_handle: str, _error: PagewiseError, deliveries: int) -> float:
        seconds = BACKOFF_SECONDS * deliveries
        try:
            self.effect("change visibility", lambda: self.change_visibility(receipt_handle, seconds))
        except StorageBusy:
            self.unchanged.add(receipt_handle)
            return 0.0
        return seconds

    def back_off_split(self, receipt_handle: str, deliveries: int) -> float:
        return self.back_off(receipt_handle, StorageBusy("busy"), deliveries)

    def change_visibility(self, receipt_handle: str, seconds: float) -> None:
        if message := self.in_flight.get(receipt_handle):
            message.visible = self.now + seconds

    def gate(self) -> Gate:
        """Of one invocation: its jobs' order at the gate must not depend on real durations."""
        budget = self.budget_class(
            self.table,
            MODEL,
            self.limits,
            now=lambda: EPOCH + self.now,
            pause=lambda _seconds: self.scheduler.step(),
            chance=self.chance.random,
        )
        return self.gate_class(budget if self.limits else None, self.sleep, patience=math.inf)

    async def sleep(self, seconds: float) -> None:
        self.scheduler.step()
        self.now += seconds


def no_desk() -> Desk:
    raise NotImplementedError("No world has an HTTP API.")


def failed_of(taken: Sequence[Message], answer: str | None) -> set[str]:
    """The messages that are not deleted: those that the answer names; all, if there is none or it is malformed."""
    everything = {message.id for message in taken}
    reported = None if answer is None else reported_failures(answer.encode())
    return everything if reported is None or not reported <= everything else reported


def visibility(queue: str) -> float:
    return VISIBILITY_SECONDS.get(queue, PAGE_JOB_VISIBILITY_SECONDS)


# ── ports that may fail ──────────────────────────────────────────────────────────────────────────────────────────────


class FaultyUploads(MemoryUploads):
    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world

    def fetch(self, source: Source, to: Path) -> Download:
        fetch = super().fetch
        if (self.world.disk() / "pagewise-left").exists():
            raise OSError(errno.ENOSPC, "No space left on device")
        if self.world.happens("upload deleted", self.world.odds.deleted):
            self.objects.pop((source.bucket, source.key, source.version), None)
        download: Download = self.world.effect("download", lambda: fetch(source, to))
        return download


class LetteredRenderer(Renderer):
    """Every second page has text of its own, where that is preferred: its image decides the text."""

    def render(self, *pages: Any, **more: Any) -> Generator[Rendered, None, None]:
        for page in super().render(*pages, **more):
            if isinstance(page, PageImage) and page.page % 2 and self.text_layer is TextLayer.PREFER:
                yield replace(page, lines=(TextLine(own_text(page.content), 0, 0, 20, 10),))
            else:
                yield page


def own_text(image: bytes) -> str:
    return f"own text of {hashlib.sha256(image).hexdigest()}"


class FaultyPages(MemoryPages):
    """A pool of threads stores page images. The threads take no steps: their faults are those of the steps around."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.expired: dict[str, bytes] = {}
        self.texts_expired: set[str] = set()

    def image(self, image: StoredImage) -> bytes:
        read = super().image
        if self.world.happens("image expired", self.world.odds.expired):
            self.expired |= {image.key: self.objects.pop(image.key)} if image.key in self.objects else {}
        if image.key not in self.objects and not self.world.lists_pages:
            raise Configuration("access_denied", "A page image: AccessDenied.")
        content: bytes = self.world.effect("read page", lambda: read(image))
        return content

    def json(self, key: str) -> dict[str, Any]:
        read = super().json
        if "/texts/" not in key:
            return read(key)
        if self.world.happens("own text expired", self.world.odds.expired):
            self.documents.pop(key, None)
            self.texts_expired.add(key)
        found: dict[str, Any] = self.world.effect("read own text", lambda: read(key))
        return found

    def put_receipt(self, document_id: DocumentId, receipt: Mapping[str, Any]) -> Mapping[str, str]:
        put = super().put_receipt
        pointer: Mapping[str, str] = self.world.effect("store receipt", lambda: put(document_id, receipt))
        return pointer


class FaultyPublisher(MemoryPublisher):
    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world

    def publish(self, events: Sequence[Event]) -> None:
        put = super().publish
        if self.world.now < self.world.bus_down_until and {one.name for one in events} == {"RecognitionSuspended"}:
            raise StorageBusy("the bus is away")
        if self.world.happens("events taken in part", self.world.odds.fault):
            put(events[: len(events) // 2])
            raise StorageBusy("some events were not taken")
        self.world.effect("publish", lambda: put(events))

    def taken(self, event: Event) -> None:
        """The rule of the bus."""
        super().taken(event)
        if event.name in ("DocumentCompleted", "DocumentReviewed") and event.detail["outputs"]:
            bus_event = {"source": "pagewise", "detail-type": event.name, "detail": event.detail}
            for _ in range(2 if self.world.happens("event twice", self.world.odds.duplicate) else 1):
                self.world.enqueue("assembler", json.dumps(bus_event))


class FaultyOutputs(MemoryOutputs):
    def __init__(self, world: World) -> None:
        super().__init__(world.pages)
        self.world = world

    def put_output(self, document_id: DocumentId, edition: Edition, name: str, media_type: str, file: Path) -> None:
        put = super().put_output
        self.world.effect("store output", lambda: put(document_id, edition, name, media_type, file))

    def manifest(self, document_id: DocumentId) -> dict[str, Any] | None:
        read = super().manifest
        found: dict[str, Any] | None = self.world.effect("read manifest", lambda: read(document_id))
        return found


World.outputs_class = FaultyOutputs


class FaultyTable(MemoryTable):
    """Also the witness: of every terminal state that was changed other than by a redrive, of all that ever ended, of
    the step that stored a result, of the slots in the account's rate, and of the questions that were claimed and
    brought no answer in time."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.changed_ends: list[str] = []
        self.stored_at: dict[Key, int] = {}
        self.ended: set[str] = set()
        self.places = 0
        self.overfull: list[str] = []
        self.unanswered: set[str] = set()
        self.dangling: list[str] = []

    def get(self, key: Key) -> Attributes | None:
        get = super().get
        found: Attributes | None = self.world.effect("read record", lambda: get(key))
        return found

    def between(self, partition: str, first: str, last: str) -> Iterator[Attributes]:
        read = super().between
        yield from self.world.effect("read records", lambda: list(read(partition, first, last)))

    def change(self, *changes: Change) -> None:
        change = super().change
        if self.world.happens("transaction conflict", self.world.odds.fault):
            raise Refused(frozenset())
        self.world.effect("write", lambda: change(*changes))

    def make(self, change: Change) -> None:
        before = dict(self.stored.get(change.key) or {})
        super().make(change)
        after = dict(self.stored.get(change.key) or {})
        record = change.key.record
        if self.is_persons(change.key, before, after):
            return
        if record == "day" and after["spent"] > self.world.spending.day_cap_units:
            self.overfull.append(f"{after['spent']} spent of {self.world.spending.day_cap_units}")
        if record == "budget":
            self.witness_claim(before, after)
        elif change.key.partition.startswith("reuse#"):
            until = before.get("claimed_until", 0)
            self.witness_answer(change.key, after)
            if "of_document" in after and until > EPOCH + self.world.now:
                return
            if "claimed_until" in before and not after.get("claimed_until"):
                self.unanswered.add(change.key.partition)
        elif record.startswith("result#"):
            self.note_result(change.key, before, after)
        elif record == "document":
            self.note_document(change.key, before, after)
        elif before.get("closed") and not after.get("closed") and not withdrawn(before, after):
            self.changed_ends.append(f"{change.key} was opened again")

    def witness_answer(self, question: Key, after: Attributes) -> None:
        """A question points to a result that is stored, unless its document is being deleted."""
        of = after.get("of_document")
        if of is None or self.world.has_deleted(of):
            return
        results = f"result#{after['of_page']:05}#"
        stored = [one for key, one in self.stored.items() if key.partition == of and key.record.startswith(results)]
        if not any(one["ended"] == after["of_ended"] for one in stored):
            self.dangling.append(question.partition)

    def is_persons(self, _key: Key, _before: Attributes, _after: Attributes) -> bool:
        """Whether a change is of a kind that only persons bring about."""
        return False

    def note_result(self, key: Key, before: Attributes, after: Attributes) -> None:
        if not after:
            self.stored_at.pop(key, None)
            history = f"superseded#{key.record.removeprefix('result#')}#"
            kept = [other for other, stored in self.stored.items() if stored == before and history in other.record]
            if before.get("status") != "failed" or not [other for other in kept if other.partition == key.partition]:
                self.changed_ends.append(f"{key.record} was taken away")
            return
        self.stored_at.setdefault(key, self.world.scheduler.steps)
        result = load_result(json.loads(after["result"]))
        kind = "PageRecognized" if result.status is JobStatus.RECOGNIZED else "PageFailed"
        self.ended.add(f"{key.partition}/{kind}/{result.page}/{result.task}{in_run(result.run)}")
        if before and before != after:
            self.changed_ends.append(f"{key.record} was replaced")

    def note_document(self, key: Key, before: Attributes, after: Attributes) -> None:
        status = DocumentStatus(after["status"])
        if status is DocumentStatus.REJECTED:
            self.ended.add(f"{key.partition}/DocumentRejected")
        elif status is not DocumentStatus.IN_PROGRESS:
            self.ended.add(f"{key.partition}/DocumentCompleted{in_run(after['run'])}")
        end = before.get("status"), before.get("ended")
        reopened = status is DocumentStatus.IN_PROGRESS and before and after["run"] == before["run"] + 1
        if before.get("ended") and end != (after["status"], after.get("ended")) and not reopened:
            self.changed_ends.append(f"the end {end} of a document was changed")

    def witness_claim(self, before: Attributes, after: Attributes) -> None:
        limits = self.world.limits
        calendar = Calendar(after, limits)
        for name in after:
            kind, _, window = name.partition("#")
            if kind in set(Task):
                self.places += (after[name] - before.get(name, 0)) // limits.time_of(0)
            # The last call begins in its window and may reach into the next.
            grown = after[name] - before.get(name, 0) if kind == "taken" else 0
            if grown and after[name] >= calendar.room(int(window)) + limits.time_of(0):
                self.overfull.append(f"{name} holds {after[name]}")


def withdrawn(before: Attributes, after: Attributes) -> bool:
    return bool(after.get("withdrawals", 0) == before.get("withdrawals", 0) + 1)


def in_run(run: int) -> str:
    return f"/run-{run}" if run > 1 else ""


class FaultyQueues:
    def __init__(self, world: World) -> None:
        self.world = world

    def send_ranges(self, document_id: DocumentId, ranges: Sequence[PageRange]) -> None:
        self.send("split", [messages.dump_range(document_id, pages) for pages in ranges])

    def send_jobs(self, jobs: Sequence[PageJob]) -> None:
        for job in jobs:
            self.send(BATCH_JOBS if job.lane is Lane.BATCH else job.task, [messages.dump_job(job)])

    def defer(self, job: PageJob, seconds: float) -> None:
        self.send(job.task, [messages.dump_job(job)], seconds)

    def defer_upload(self, upload: Upload, seconds: float) -> None:
        self.send("split", [messages.dump_upload(upload)], seconds)

    def defer_range(self, document_id: DocumentId, pages: PageRange, seconds: float) -> None:
        self.send("split", [messages.dump_range(document_id, pages)], seconds)

    def send(self, queue: str, bodies: Sequence[str], delay: float = 0.0) -> None:
        if self.world.happens("entries not taken", self.world.odds.fault):
            self.put(queue, bodies[: len(bodies) // 2], delay)
            raise StorageBusy("some messages were not taken")
        self.world.effect("send", lambda: self.put(queue, bodies, delay))

    def put(self, queue: str, bodies: Sequence[str], delay: float) -> None:
        for body in bodies:
            self.world.enqueue(queue, body, delay)


def answer_to(images: Sequence[bytes], task: Task, *, rotate: bool) -> str:
    """The engine's answer: another text for other images, another task or option."""
    digests = " and ".join(hashlib.sha256(image).hexdigest() for image in images)
    return f"<table><tr><td>{task} of {digests}, rotated: {rotate}</td></tr></table>"


@dataclass
class FaultyEngine:
    """Counts the paid questions, and those of them with a stored result already. Its answer names its question."""

    world: World
    asked: int = 0
    paid: Counter[tuple[DocumentId, int, str, int]] = field(default_factory=Counter)
    paid_although_stored: list[str] = field(default_factory=list)
    questions: Counter[str] = field(default_factory=Counter)

    async def recognize(self, question: Question, _seconds: float, _again: Again) -> Answer:
        job, began = DELIVERY.get()
        for _ in range(self.world.chance.randint(0, 2)):
            await asyncio.sleep(0)
        self.world.scheduler.step()
        self.asked += 1
        if self.world.now < self.world.suspended_until:
            raise Configuration("Arrearage", "The engine refuses this account.")
        if self.world.happens("engine", self.world.odds.engine):
            return self.misbehave(job, began)
        if self.world.happens("given up", self.world.odds.given_up):
            self.give_up(job)
        self.pay(job, began)
        images = [image.content for image in question.images if isinstance(image, Inline)]
        return text_answer(answer_to(images, job.task, rotate=bool(question.enable_rotate)))

    def give_up(self, job: PageJob) -> None:
        """While the engine is asked, its page ends for another reason: as a dead letter of its page range has it."""
        if document := self.world.ledger.document(job.document_id):
            given_up = PageUnreadable("The page could not be split in the time and memory there is.")
            self.world.accounting.fail_page(document, job.page, given_up, job.run)

    def misbehave(self, job: PageJob, began: int) -> Answer:
        failures: list[PagewiseError | None] = [
            Throttled("Throttling", "t"),
            Transient("InternalError", "t"),
            Transient("timeout", "t"),
            Permanent("DataInspectionFailed", "p"),
            Configuration("InvalidApiKey", "c"),
            *[None] * 3,  # an answer that is paid for and of no use
        ]
        if failure := self.world.chance.choice(failures):
            raise failure
        self.pay(job, began)
        return text_answer(finish_reason="length")

    def pay(self, job: PageJob, began: int) -> None:
        self.paid[job.document_id, job.page, job.task, job.run] += 1
        self.questions[f"reuse#{fingerprint(job, SETTINGS)}"] += 1
        for member in job.members:
            if self.world.table.stored_at.get(result_key(job.document_id, member.page, job.task), began) < began:
                self.paid_although_stored.append(f"{job.task} of page {member.page}")


class Crowded(World):
    """Many page jobs for few requests: the line is as long as a queue can delay a message."""

    requests_per_minute = (1,)
    most_pages = 12
