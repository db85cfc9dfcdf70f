"""An account with a limit, and functions that ask it through the rate budget, in virtual time.

Queues deliver as SQS and Lambda do: delays in whole seconds, a batching window, batches, a maximum of concurrent
invocations; jobs that are put off come back as they were told. The service counts the calls of the last second, and of
the last minute, and refuses what is over.
"""

from __future__ import annotations

import heapq
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from random import Random

from pagewise.model import Slot
from pagewise.rate.budget import Backoff, RateBudget, RateLimits, SlotRequest
from pagewise.table import Attributes, Change, Key, Update
from pagewise.tasks import Task
from tests.fakes import MemoryTable

BATCH = 10
WINDOW = 1.0
# Epoch seconds at which the account's time begins.
EPOCH = 1_764_000_002.5
# How much later than planned a call reaches the service.
JITTER_SECONDS = 0.03
CALL_SECONDS = 3.0
THROTTLED_SECONDS = (15.0, 60.0)


class CountingTable(MemoryTable):
    def __init__(self) -> None:
        super().__init__()
        self.reads = self.writes = 0

    def get(self, key: Key) -> Attributes | None:
        self.reads += 1
        return super().get(key)

    def change(self, *changes: Change) -> None:
        self.writes += 1
        super().change(*changes)

    def updated(self, update: Update) -> Attributes:
        return super().updated(update)


@dataclass
class Service:
    """Answers so many calls in any second and any minute; a refused one does not count."""

    per_minute: int
    answered: deque[float] = field(default_factory=deque)
    answers: list[tuple[float, Task]] = field(default_factory=list)
    refusals: list[float] = field(default_factory=list)

    def ask(self, now: float, task: Task) -> bool:
        while self.answered and self.answered[0] <= now - 60:
            self.answered.popleft()
        last_second = sum(1 for moment in reversed(self.answered) if moment > now - 1)
        if len(self.answered) >= self.per_minute or last_second >= max(1, self.per_minute // 60):
            self.refusals.append(now)
            return False
        self.answered.append(now)
        self.answers.append((now, task))
        return True

    def rate(self, begin: float, end: float) -> float:
        """Answers in a stretch of time, as a share of what the limit allows."""
        return sum(begin <= moment < end for moment, _ in self.answers) / (self.per_minute / 60 * (end - begin))


@dataclass
class Job:
    task: Task
    tokens: int
    slot: Slot | None = None
    deliveries: int = 0
    sent: float = 0.0


@dataclass
class Account:
    per_minute: int = 600
    tokens_per_minute: int = 6_000_000
    concurrency: int = 10
    seed: int = 1

    def __post_init__(self) -> None:
        self.chance = Random(self.seed)
        self.now = EPOCH
        self.table = CountingTable()
        self.service = Service(self.per_minute)
        self.budget = RateBudget(
            self.table,
            "model",
            RateLimits(self.per_minute, self.tokens_per_minute),
            now=lambda: self.now,
            pause=lambda _seconds: None,
            chance=self.chance.random,
        )
        self.queues: dict[Task, deque[Job]] = {task: deque() for task in Task}
        self.running: Counter[Task] = Counter()
        self.billed = self.waited = 0.0
        self.done: list[tuple[float, Job]] = []
        self.invocations = 0
        self.events: list[tuple[float, int, object]] = []
        self.numbers = count()

    # ── what happens when ────────────────────────────────────────────────────────────────────────────────────────────

    def at(self, moment: float, act: object) -> None:
        heapq.heappush(self.events, (moment, next(self.numbers), act))

    def send(self, task: Task, jobs: int, tokens: int = 3_000, after: float = 0.0) -> None:
        for _ in range(jobs):
            self.arrive(Job(task, tokens, sent=self.now + after), after)

    def arrive(self, job: Job, seconds: float) -> None:
        def arrived() -> None:
            self.queues[job.task].append(job)
            self.poll(job.task)

        self.at(self.now + seconds, arrived)

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self.events and self.events[0][0] <= end:
            self.now, _, act = heapq.heappop(self.events)
            act()  # type: ignore[operator]
        self.now = end

    # ── functions ────────────────────────────────────────────────────────────────────────────────────────────────────

    def poll(self, task: Task) -> None:
        """Take a batch if it is full, or when the batching window has passed."""
        if self.running[task] >= self.concurrency or not self.queues[task]:
            return
        self.running[task] += 1
        wait = 0.02 if len(self.queues[task]) >= BATCH else WINDOW
        self.at(self.now + wait, lambda: self.invoke(task))

    def invoke(self, task: Task) -> None:
        queue = self.queues[task]
        batch = [queue.popleft() for _ in range(min(BATCH, len(queue)))]
        self.invocations += bool(batch)
        ends = [0.05]
        for job in batch:
            job.deliveries += 1
        turns = self.budget.turns(task, [SlotRequest(job.tokens, job.slot) for job in batch])
        for job, turn in zip(batch, turns, strict=True):
            if isinstance(turn, Backoff):
                job.slot = turn.slot
                self.arrive(job, min(900, max(1, round(turn.seconds))) + self.chance.random())
            else:
                wait = max(0.0, turn.moment - self.now)
                ends.append(wait + CALL_SECONDS)
                self.waited = max(self.waited, wait)
                self.at(self.now + wait + self.chance.random() * JITTER_SECONDS, self.call(job))
        self.billed += max(ends)
        self.at(self.now + max(ends), lambda: self.ended(task))

    def ended(self, task: Task) -> None:
        self.running[task] -= 1
        self.poll(task)

    def call(self, job: Job) -> object:
        def asked() -> None:
            job.slot = None
            if self.service.ask(self.now, job.task):
                self.done.append((self.now, job))
            else:
                self.budget.refused()
                self.arrive(job, self.chance.uniform(*THROTTLED_SECONDS))

        return asked

    def finished(self, task: Task) -> Iterator[float]:
        """How long each job of a task took."""
        return (moment - job.sent for moment, job in self.done if job.task is task)
