"""Worlds with a batch lane: page jobs gathered into lots, and a Batch API in which anything may fail.

Batches end in each of their ways; one line in so many fails, is cut short or is missing; replies of the service are
lost; a batch that was created is listed only later. Between two visits of the follower twenty minutes pass.
"""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from pagewise.account.ledger import Ledger
from pagewise.account.lots import OPEN_KEY, Lots, LotState
from pagewise.aws.queues import BATCH_JOBS
from pagewise.errors import StorageBusy, Throttled, Transient
from pagewise.model import DocumentId, Upload
from pagewise.qwen.batches import RemoteBatch, RemoteFile
from pagewise.qwen.settings import EngineSettings
from pagewise.use_cases.collect import Collect
from pagewise.use_cases.follow import Follow, FollowSettings
from pagewise.use_cases.settings import BatchTerms, SplitSettings
from pagewise.use_cases.settle import Settle
from tests.fakes import MemoryTable
from tests.fakes.batches import MemoryBatches, chat, question, refused
from tests.faults.invocations import SCHEDULED, Handler, deployed
from tests.faults.promises import violations
from tests.faults.simulator import MODEL, PAGES_PER_CALL, TASKS, WISHES, Batch, Odds, Restless, World, answer_to

BATCH_MODEL = "qwen-vl-ocr"
SETTINGS = EngineSettings("http://engine", BATCH_MODEL)
ROUND_SECONDS = 1200
MOST_ROUNDS = 100
LISTED_AFTER_SECONDS = 120
# One line in so many is of no use.
BAD_LINES = (0, 10, 3)
# Most of the faults are kept for the lane: what comes before it has worlds of its own.
ODDS = Odds(fault=0.008, engine=0.05, expiry=0.003, outage=0.0, most_faults=16)
SERVICE_FAULT = 0.12
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

    def tried(self, name: str, act: Callable[[], Any]) -> Any:
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
                self.batches[batch.id] = replace(batch, status="failed") if failed else self.ended(batch)

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


class Batched(World):
    """`run` until every lot is done; then the sweeper comes by, as in other worlds."""

    usual = ODDS
    lots_class: type[Lots] = Lots
    settle_class: type[Settle] = Settle
    follow_class: type[Follow] = Follow
    handlers: ClassVar[dict[str, Handler]] = {
        **World.handlers,
        **{folder: deployed(folder) for folder in ("collector", "follower")},
    }

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.service = FaultyBatches(self)
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
        return self.lots_class(self.table, pause=lambda _seconds: self.scheduler.step())

    def collector(self) -> Collect:
        return Collect(self.lots(), self.ledger, self.queues, self.clock, SETTINGS)

    def follower(self) -> Follow:
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
                self.invoke("follower", SCHEDULED, lambda _answer: None)
            super().until_quiet()
        raise Restless(f"lots are under way after {MOST_ROUNDS} rounds")

    def under_way(self) -> bool:
        return OPEN_KEY in self.table.stored or any(one.get("open") == "lot" for one in self.table.stored.values())

    def witness_answer(self, queue: str, batch: Batch, failed: set[str], answer: str | None) -> None:
        """Page jobs join a lot together: one fault fails all of a batch."""
        if queue != BATCH_JOBS:
            super().witness_answer(queue, batch, failed, answer)


def broken_promises(world: World) -> Iterator[str]:
    assert isinstance(world, Batched)
    yield from violations(world)
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
    odd = ("message lost", "queues purged", "given up", "image expired", "upload deleted", "delivered twice")
    return bool(
        world.redrives
        or world.lost
        or any(world.faults[kind] for kind in odd)
        or "crash" in json.dumps(list(world.faults))
    )
