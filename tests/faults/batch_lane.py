"""Worlds with a batch lane: page jobs gathered into lots, and a Batch API in which anything may fail.

Batches end in each of their ways; one line in so many fails, is cut short, is missing, or is there twice; replies of
the service are lost; a batch that was created is listed only later, or is forgotten; the service is away for longer
than a window. Documents are cancelled and deleted. Between two visits of the follower twenty minutes pass; after one
that has crashed the next comes while its messages are under way.
"""

from __future__ import annotations

import base64
import json
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from pagewise.account.ledger import Ledger
from pagewise.account.lots import LOT, OPEN_KEY, LotLimits, Lots, LotState
from pagewise.account.records import DELETED, DELETING, document_key
from pagewise.aws.queues import BATCH_JOBS
from pagewise.errors import StorageBusy, Throttled, Transient
from pagewise.model import DocumentId, JobStatus, Lane, PageJob, Upload
from pagewise.qwen.batches import MOST_LINE_BYTES, MOST_LINES, RemoteBatch, RemoteFile
from pagewise.qwen.settings import EngineSettings
from pagewise.table import Attributes, Change, Key
from pagewise.use_cases.cancel import CancelDocument
from pagewise.use_cases.collect import Collect
from pagewise.use_cases.follow import Follow, FollowSettings
from pagewise.use_cases.redrive import Redrive
from pagewise.use_cases.settings import BatchTerms, SplitSettings
from pagewise.use_cases.settle import Settle
from tests.fakes import MemoryTable
from tests.fakes.batches import MemoryBatches, chat, question, refused
from tests.faults.invocations import SCHEDULED, Handler, deployed
from tests.faults.promises import violations
from tests.faults.simulator import (
    MODEL,
    PAGES_PER_CALL,
    TASKS,
    WISHES,
    Batch,
    FaultyEngine,
    FaultyQueues,
    FaultyTable,
    Odds,
    Restless,
    World,
    answer_to,
)

BATCH_MODEL = "qwen-vl-ocr"
SETTINGS = EngineSettings("http://engine", BATCH_MODEL)
ROUND_SECONDS = 1200
MOST_ROUNDS = 150
LISTED_AFTER_SECONDS = 120
# One line in so many is of no use.
BAD_LINES = (0, 10, 3)
# Most of the faults are kept for the lane: what comes before it has worlds of its own.
ODDS = Odds(duplicate=0.5, fault=0.008, engine=0.05, expiry=0.003, outage=0.0, most_faults=16)
SERVICE_FAULT = 0.12
# Of a world: that no line is short enough, that the service is away at first, and that documents are given up.
TOO_LONG, AWAY, UNWANTED = 0.15, 0.06, 0.25
AWAY_SECONDS = 60 * 3600
TWICE, FORGOTTEN, CRASH_AFTER_DEPARTURE = 0.1, 0.03, 0.06
# Of a lot.
MOST_JOBS = (2, 5, MOST_LINES, MOST_LINES)
TOKENS = (100, 10)


class FaultyBatches(MemoryBatches):
    """Counts what is billed for each line; `of_use` are the answers that were good."""

    def __init__(self, world: Batched) -> None:
        super().__init__(reply=self.replied)
        self.world = world
        self.bad = world.chance.choice(BAD_LINES)
        self.billed: Counter[str] = Counter()
        self.of_use: set[str] = set()
        self.created_at: dict[str, int] = {}
        self.unwanted: list[str] = []

    def tried(self, name: str, act: Callable[[], Any]) -> Any:
        if self.world.clock.milliseconds < self.world.away_until:
            raise Throttled("limit_requests", "later")
        if self.world.happens(f"{name} throttled", SERVICE_FAULT / 2):
            raise Throttled("limit_requests", "later")
        if self.world.happens(f"crash before {name}", SERVICE_FAULT / 2):
            self.world.scheduler.crash()
        try:
            done = self.world.effect(name, act)
        except StorageBusy as error:
            raise Transient("timeout", error.message) from None
        if self.world.happens(f"crash after {name}", SERVICE_FAULT):
            self.world.scheduler.crash()
        if self.world.happens(f"reply of {name} lost", SERVICE_FAULT):
            raise Transient("timeout", "no reply")
        return done

    def upload(self, name: str, file: Path) -> str:
        upload = super().upload
        for line in file.read_bytes().splitlines():
            document = DocumentId(json.loads(line)["custom_id"].split("-")[0])
            if self.world.table.cancelled.get(document, math.inf) < self.world.began_at():
                self.unwanted.append(f"a line of {document}, which was cancelled, was uploaded")
        return str(self.tried("upload lines", lambda: upload(name, file)))

    def create(self, file_id: str, name: str, window_hours: int) -> RemoteBatch:
        create = super().create

        def act() -> RemoteBatch:
            batch = create(file_id, name, window_hours)
            self.created_at[batch.id] = self.world.clock.milliseconds
            return batch

        created: RemoteBatch = self.tried("create batch", act)
        return created

    def find(self, name: str) -> RemoteBatch | None:
        find = super().find
        found: RemoteBatch | None = self.tried("find batch", lambda: find(name))
        young = self.world.clock.milliseconds - 1000 * LISTED_AFTER_SECONDS
        return found if found and self.created_at[found.id] < young else None

    def batch(self, batch_id: str) -> RemoteBatch:
        batch = super().batch
        found: RemoteBatch = self.tried("poll batch", lambda: batch(batch_id))
        return found

    def lines(self, file_id: str) -> Iterator[bytes]:
        lines = super().lines
        for line in self.tried("read replies", lambda: list(lines(file_id))):
            if self.world.happens("replies cut", SERVICE_FAULT):
                raise Transient("connection", "cut")
            yield line

    def delete(self, file_id: str) -> None:
        delete = super().delete
        self.tried("delete file", lambda: delete(file_id))

    def files(self) -> list[RemoteFile]:
        files = super().files
        found: list[RemoteFile] = self.tried("list files", files)
        return found

    # ── what batches come to ─────────────────────────────────────────────────────────────────────────────────────────

    def go_on(self) -> None:
        """Some batches end."""
        for batch in list(self.batches.values()):
            if not batch.ended and self.world.chance.random() < 0.4:
                self.ends = self.world.chance.choice(["completed"] * 4 + ["expired", "cancelled"])
                requests = len(self.requests(batch))
                self.done = None if self.ends == "completed" else self.world.chance.randint(0, requests)
                failed = self.world.chance.random() < 0.1
                if self.world.chance.random() < FORGOTTEN:
                    del self.batches[batch.id]
                else:
                    self.batches[batch.id] = replace(batch, status="failed") if failed else self.ended(batch)

    def kept(self, name: str, lines: list[dict[str, Any]]) -> str | None:
        return super().kept(name, [line for one in lines for line in [one] * (1 + self.is_twice())])

    def is_twice(self) -> bool:
        return self.world.chance.random() < TWICE

    def replied(self, line: dict[str, Any]) -> dict[str, Any] | None:
        name = line["custom_id"]
        kind = self.world.chance.choice(["refused", "cut", "missing"]) if self.is_bad() else "good"
        if kind == "refused":
            return refused()
        self.billed[name] += kind != "missing"
        if kind == "missing":
            return None
        self.of_use |= {name} if kind == "good" else set()
        images = [base64.b64decode(image.partition(",")[2]) for image in question(line)[0]]
        task = name.split("-")[2]
        return chat(answer_to(images, task, rotate=False), "stop" if kind == "good" else "length", TOKENS)

    def is_bad(self) -> bool:
        return self.bad > 0 and self.world.chance.randrange(self.bad) == 0


class LaneTable(FaultyTable):
    """Witness of the step at which documents were cancelled. What a deletion takes away has not changed its end."""

    def __init__(self, world: Batched) -> None:
        super().__init__(world)
        self.of = world
        self.cancelled: dict[DocumentId, int] = {}

    def is_persons(self, key: Key, before: Attributes, _after: Attributes) -> bool:
        """The answers of a deleted document go with it: their questions are paid for again."""
        if key.partition.startswith("reuse#") and before.get("of_document") in self.of.deleted:
            self.unanswered.add(key.partition)
        return False

    def get_now(self, document_id: DocumentId) -> bool:
        return document_key(document_id) in self.stored

    def make(self, change: Change) -> None:
        if change.key.partition in self.of.deleted:
            MemoryTable.make(self, change)
        else:
            super().make(change)
        if change.key.record != "document":
            return
        document_id = DocumentId(change.key.partition)
        if self.stored.get(change.key, {}).get("cancelled"):
            self.cancelled.setdefault(document_id, self.of.scheduler.steps)
        else:
            self.cancelled.pop(document_id, None)  # redriven


class LaneEngine(FaultyEngine):
    """Witness of the messages by which page jobs left the lane, and of what was cancelled before."""

    def __init__(self, world: Batched) -> None:
        super().__init__(world)
        self.of = world
        self.departures: dict[tuple[DocumentId, int, str, int], set[str]] = {}

    def pay(self, job: PageJob, began: int) -> None:
        super().pay(job, began)
        if job.departure:
            self.departures.setdefault((job.document_id, job.page, job.task, job.run), set()).add(job.departure)
        if self.of.table.cancelled.get(job.document_id, math.inf) < began:
            self.of.service.unwanted.append(f"page {job.page} was asked about live, and its document cancelled")


class LaneQueues(FaultyQueues):
    """A crash between the message to the live lane and the note that it was sent."""

    def __init__(self, world: Batched) -> None:
        super().__init__(world)
        self.of = world

    def send_jobs(self, jobs: Sequence[PageJob]) -> None:
        super().send_jobs(jobs)
        if any(job.departure for job in jobs) and self.world.happens(
            "crash after departure", self.of.crash_after_departure
        ):
            self.world.scheduler.crash()


@dataclass(frozen=True, slots=True)
class PatientRedrive(Redrive):
    """As a stack with a batch lane has it."""

    batch_seconds: float = BatchTerms(BATCH_MODEL).seconds


class Batched(World):
    """`run` until every lot is done; then the sweeper comes by, as in other worlds."""

    table: LaneTable

    usual = ODDS
    lots_class: type[Lots] = Lots
    settle_class: type[Settle] = Settle
    follow_class: type[Follow] = Follow
    collect_class: type[Collect] = Collect
    redrive_class: type[Redrive] = PatientRedrive
    crash_after_departure: float = CRASH_AFTER_DEPARTURE
    handlers: ClassVar[dict[str, Handler]] = {
        **World.handlers,
        **{folder: deployed(folder) for folder in ("collector", "follower")},
    }

    def __init__(self, seed: int) -> None:
        self.deleted: set[DocumentId] = set()
        super().__init__(seed)
        self.service = FaultyBatches(self)
        self.engine = LaneEngine(self)
        self.queues = LaneQueues(self)
        self.limits_of_lots = LotLimits(jobs=self.chance.choice(MOST_JOBS))
        self.most_line_bytes = 0 if self.chance.random() < TOO_LONG else MOST_LINE_BYTES
        self.away_until = 1000 * AWAY_SECONDS if self.chance.random() < AWAY else 0
        self.away_until += self.clock.milliseconds
        self.gives_up = self.chance.random() < UNWANTED
        self.gave_up = 0
        self.visits: dict[int, int] = {}
        self.spending = replace(self.spending, batch_model=BATCH_MODEL)
        assert self.spending.model == MODEL

    def split_settings(self) -> SplitSettings:
        return replace(super().split_settings(), batch=BatchTerms(BATCH_MODEL))

    def upload(self, key: str, content: bytes, version: str = "v1", **wishes: str) -> Upload:
        tasks = self.chance.choice(WISHES)
        asked = {"ocr_pages_per_call": str(self.chance.choice(PAGES_PER_CALL))} if TASKS[1] in tasks else {}
        lane = self.chance.choice(["batch", "batch", "batch", "live"])
        upload = self.uploads.put(
            content,
            key=key,
            version=version,
            ocr_tasks=",".join(tasks),
            ocr_lane=lane,
            ocr_outputs="none",
            **asked,
            **wishes,
        )
        self.sent[upload.document_id] = upload
        return upload

    def lots(self) -> Lots:
        return self.lots_class(self.table, self.limits_of_lots, pause=lambda _seconds: self.scheduler.step())

    def make_table(self) -> LaneTable:
        return LaneTable(self)

    def began_at(self) -> int:
        """The step at which the visit that asks began."""
        return self.visits[id(self.scheduler.current)]

    def collector(self) -> Collect:
        return self.collect_class(
            self.lots(), self.ledger, self.queues, self.clock, SETTINGS, most_line_bytes=self.most_line_bytes
        )

    def follower(self) -> Follow:
        self.visits[id(self.scheduler.current)] = self.scheduler.steps
        lots = self.lots()
        settle = self.settle_class(lots, self.ledger, self.queues, self.accounting, self.clock, SETTINGS)
        one_by_one = FollowSettings(read_side_by_side=1, stored_side_by_side=1)
        folder = Path(self.folder.name)
        return self.follow_class(self.service, lots, self.pages, settle, one_by_one, disk=folder)

    def until_quiet(self) -> None:
        super().until_quiet()
        for _ in range(MOST_ROUNDS):
            if not self.under_way():
                return
            self.clock.milliseconds += 1000 * ROUND_SECONDS
            self.service.go_on()
            for _ in range(self.chance.choice([1, 1, 2])):
                self.visit()
            if self.gives_up and self.chance.random() < 0.2:
                self.give_up()
            super().until_quiet()
        raise Restless(f"lots are under way after {MOST_ROUNDS} rounds")

    def visit(self) -> None:
        """One that has crashed is followed by the next one, while its messages are under way."""

        def ended(answer: str | None) -> None:
            others = any(one.name == "follower" and not one.over for one in self.scheduler.running)
            if answer is None and not others and self.faults.total() < self.odds.most_faults:
                self.clock.milliseconds += 1000 * ROUND_SECONDS
                self.visit()

        self.invoke("follower", SCHEDULED, ended)

    def give_up(self) -> None:
        """Somebody cancels a document, or deletes it, and tries until it works."""
        self.gave_up += 1
        document_id = self.chance.choice(sorted(self.sent))
        deletes = self.chance.random() < 0.5 and not self.spending.day_cap
        self.deleted |= {document_id} if deletes and self.table.get_now(document_id) else set()

        def work() -> None:
            if deletes:
                self.deleter().document(document_id, "someone", math.inf)
            else:
                CancelDocument(self.ledger, self.sweeper(), self.clock).document(document_id, math.inf)

        def ended(succeeded: bool) -> None:
            if not succeeded:
                self.scheduler.start("give up", work, ended)

        self.scheduler.start("give up", work, ended)

    def unfinished(self) -> bool:
        return super().unfinished() or any(
            stored.get("open") in (DELETING, DELETED) for stored in self.table.stored.values()
        )

    def under_way(self) -> bool:
        """Also while anything is stored remotely: left files are found within the hour."""
        lots = any(one.get("open") == LOT for one in self.table.stored.values())
        return lots or OPEN_KEY in self.table.stored or bool(self.service.stored)

    def witness_answer(self, queue: str, batch: Batch, failed: set[str], answer: str | None) -> None:
        """Page jobs join a lot together: one fault fails all of a batch."""
        if queue != BATCH_JOBS:
            super().witness_answer(queue, batch, failed, answer)


def broken_promises(world: World) -> Iterator[str]:
    assert isinstance(world, Batched)
    yield from left_of_deleted(world)
    world.sent = {document_id: sent for document_id, sent in world.sent.items() if document_id not in world.deleted}
    yield from violations(world)
    yield from world.service.unwanted
    yield from unusable(world)
    yield from paid_twice(world)
    yield from wrong_bills(world)
    lots = list(Lots(MemoryTable(world.table.stored)).all())
    yield from (f"the lot {lot.id} is {lot.state}" for lot in lots if lot.state is not LotState.DONE)
    yield from (f"{name} was left behind" for name, _content in world.service.stored.values())
    if (batches := len(world.service.batches)) > len(lots):
        yield f"{batches} batches of {len(lots)} lots"


def paid_twice(world: Batched) -> Iterator[str]:
    """A page job is in one batch; what that answers well is asked of nobody else."""
    yield from (f"{name} was billed {times} times" for name, times in world.service.billed.items() if times > 1)
    asked = {f"{document}-{page:05}-{task}-{run}" for document, page, task, run in world.engine.paid}
    yield from (f"{name} was asked live as well" for name in sorted(asked & world.service.of_use))
    assert isinstance(world.engine, LaneEngine)
    for job, departures in world.engine.departures.items():
        if len(departures) > 1:
            yield f"{job} was paid for by {len(departures)} messages from the batch lane"


def unusable(world: Batched) -> Iterator[str]:
    """An answer of no use is no end: the page is asked about live."""
    ledger = Ledger(MemoryTable(world.table.stored), world.pages)
    for document_id in world.sent:
        for result in ledger.results(document_id):
            if result.lane is Lane.BATCH and result.status is not JobStatus.RECOGNIZED:
                yield f"page {result.page} failed by the batch lane's answer: {result.reason}"


def left_of_deleted(world: Batched) -> Iterator[str]:
    """Of a deleted document there is the receipt, no message in a lot, and no object."""
    for document_id in world.deleted:
        records = [key.record for key in world.table.stored if key.partition == document_id]
        if records != ["document"] or world.table.stored[document_key(document_id)]["status"] != DELETED:
            yield f"{document_id} was deleted, and has {records}"
        of_lots = [key for key in world.table.stored if key.record.startswith(f"job#{document_id}")]
        yield from (f"{document_id} was deleted, and is in a lot: {key}" for key in of_lots)


def wrong_bills(world: Batched) -> Iterator[str]:
    """What batches bill is in the accounts, once; the least of it is missing where nobody could write it there."""
    ledger = Ledger(MemoryTable(world.table.stored), world.pages)
    accounted: Counter[DocumentId] = Counter()
    for document_id in world.sent:
        if document := ledger.document(document_id):
            used = document.usage + document.superseded_usage
            accounted[document_id] = used.batch_input_tokens
    for document_id, tokens in accounted.items():
        billed = TOKENS[0] * sum(times for name, times in world.service.billed.items() if name.startswith(document_id))
        if tokens > billed or (tokens < billed and not may_be_lost(world)):
            yield f"{billed} tokens billed by batches, {tokens} in the account"


def may_be_lost(world: Batched) -> bool:
    """Whether page jobs may have ended otherwise while their answers were on the way."""
    odd = ("message lost", "queues purged", "given up", "upload deleted")
    return bool(world.lost or world.gave_up or any(world.faults[kind] for kind in odd))
