"""One rate budget for the account, however many functions ask: slots in time, claimed ahead and never given back.

A call takes as long as its part of the limit: at 600 requests and 6,000,000 tokens a minute a tenth of a second, or
longer if it has over 10,000 tokens. Its slot is its start. Slots follow one another without overlap, so that no
second holds more than another. They are counted in windows of five seconds. The windows in use are attributes of
one record for each model:

    taken#350764800             microseconds of this window (its number: epoch seconds / 5) that are taken
    multi_lan#350764800         microseconds of them that this task took
    line#multi_lan              epoch milliseconds until which this task's jobs without a slot were told to stay away
    pace, since                 the pace that refusals lowered, in millionths, and when (epoch milliseconds)

A batch reads the record and claims slots for all its jobs, in as many windows as needed, with one conditional write.
The counters that the write returns give the batch's slots. Nothing is released: a claim of an invocation that died
only leaves its slots empty. Claims drop the windows that have passed, so that the record stays small.
"""

from __future__ import annotations

import math
import random
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pagewise.errors import StorageBusy
from pagewise.model import Slot
from pagewise.table import Attributes, Condition, Key, Refused, Table, Update
from pagewise.tasks import Task

WINDOW_SECONDS = 5
# Slots can be claimed this far ahead: throttling by the service recovers within about as long.
HORIZON_SECONDS = 60
# A job waits for a slot this near in the function, and Lambda bills it; for a farther one in the queue, at no cost.
NEAR_SECONDS = 3.0
# Slots are given from here on: the page is read first.
PREPARATION_SECONDS = 0.2
# A job comes back this long before its slot: SQS counts whole seconds, the batching window is another, and a batch may
# have to wait for a free function.
LEAD_SECONDS = 3.0
# Rounded down, a job comes back up to LEAD + 1 s early; a job with a longer wait goes back to its queue.
LONGEST_WAIT = 5.0
# A job that comes later than this after its slot needs another one: under a full load each late call makes the service
# refuse one that comes a second after it.
GRACE_SECONDS = 0.05
# Calls arrive unevenly. Eleven calls at 94 % of ten a second span 1.06 s: each may be 60 ms late. At 95 % ten in a
# thousand calls were refused, and slowed the others down: less was used than at 94 % (make bench: rate).
HEADROOM = 0.94
# Jobs without a slot come back while slots are still taken ahead of them, so that none stays empty for want of jobs.
LINE_BEGINS_SECONDS = HORIZON_SECONDS / 2
# SQS delays by 900 s at most.
LONGEST_DELAY = 840.0
# Each refusal takes a quarter of a call a second off the pace: a second in which all are refused takes a fifth. One
# that comes alone says only that a call was late, and takes a fifth of that.
REFUSAL_WEIGHT = 0.25
LONE_REFUSAL_WEIGHT = 0.05
ALONE_SECONDS = 5.0
RECOVERY_SECONDS = 60.0
LOWEST_PACE = 0.05
# The pace is stored as a whole number: DynamoDB's numbers are decimals, and conditions compare the pace for equality.
PACE_UNIT = 1_000_000
MICROSECONDS = 1_000_000
TRIES = 6
LONGEST_PAUSE_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class RateLimits:
    """The account's limits for a model; 0: none."""

    requests_per_minute: int
    tokens_per_minute: int

    def __bool__(self) -> bool:
        return self.requests_per_minute > 0 or self.tokens_per_minute > 0

    def time_of(self, tokens: int) -> int:
        """Microseconds that a call takes of the account's time; its tokens never count for more than a window."""
        by_requests = 60 / self.requests_per_minute if self.requests_per_minute else 0.0
        by_tokens = 60 * tokens / self.tokens_per_minute if self.tokens_per_minute else 0.0
        seconds = max(by_requests, min(WINDOW_SECONDS, by_tokens)) / HEADROOM
        return max(1, math.ceil(seconds * MICROSECONDS))

    @property
    def windows_kept(self) -> int:
        """Windows that have passed, but hold calls that may reach into this one."""
        return 2 + self.time_of(0) // (WINDOW_SECONDS * MICROSECONDS)


@dataclass(frozen=True, slots=True)
class Backoff:
    """Not now: come back after so many seconds, for a slot that is kept, or to ask again."""

    seconds: float
    slot: Slot | None = None


@dataclass(frozen=True, slots=True)
class SlotRequest:
    """A call that wants a slot: its estimated tokens, and the slot that was kept for it, if one was."""

    tokens: int
    slot: Slot | None = None


Grant = Slot | Backoff


@dataclass(frozen=True, slots=True)
class Calendar:
    """The record as it was read."""

    stored: Attributes
    limits: RateLimits

    def count(self, name: str) -> int:
        return int(self.stored.get(name, 0))

    def pace(self, moment: float) -> float:
        """1, or less after a refusal. It recovers linearly, so that a later refusal raises it at no time."""
        if "since" not in self.stored:
            return 1.0
        lowered = self.count("pace") / PACE_UNIT
        recovered = min(1.0, max(0.0, moment - self.count("since") / 1000) / RECOVERY_SECONDS)
        return lowered + (1.0 - lowered) * recovered

    def room(self, window: int) -> int:
        """Microseconds of calls that a window holds."""
        return round(WINDOW_SECONDS * MICROSECONDS * self.pace(window * WINDOW_SECONDS))

    def line_end(self, task: Task, now: float) -> float:
        return max(self.count(line_of(task)) / 1000, now + LINE_BEGINS_SECONDS)

    def share(self, window: int, task: Task, now: float) -> int:
        """A task's share of a window: of a far one, as much as any other task that wants some."""
        room = self.room(window)
        if window * WINDOW_SECONDS <= now + NEAR_SECONDS:
            return room
        wanted_by = [
            other
            for other in Task
            if other is task or self.count(f"{other}#{window}") or self.count(line_of(other)) > now * 1000
        ]
        return room // len(wanted_by)

    def passed(self, now: float) -> tuple[str, ...]:
        """Attributes of windows in which no job can claim any more."""
        oldest = int(now // WINDOW_SECONDS) - self.limits.windows_kept
        windows = ((name, name.rpartition("#")[2]) for name in self.stored)
        return tuple(name for name, window in windows if window.isdecimal() and int(window) < oldest)


@dataclass(frozen=True, slots=True)
class WindowClaim:
    """Consecutive calls in one window, in microseconds. The time `skipped` before them has passed, or belongs to a call
    that began in the window before."""

    window: int
    calls: tuple[int, ...]
    share: int
    skipped: int = 0

    @property
    def begins_of_last(self) -> int:
        """From the begin of the first call to that of the last, which must be in the window; its end need not."""
        return sum(self.calls[:-1])


@dataclass(frozen=True, slots=True)
class RateBudget:
    """The account's budget for a model. `now` in epoch seconds."""

    table: Table
    model: str
    limits: RateLimits
    now: Callable[[], float] = time.time
    pause: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = field(default=random.random)

    def turns(self, task: Task, wanted: Sequence[SlotRequest]) -> list[Grant]:
        """The start of each of these calls; those without a kept slot share one claim. Raises StorageBusy."""
        calendar = self.read()
        kept = {position: turn for position, call in enumerate(wanted) if (turn := self.kept(calendar, call))}
        asking = [self.limits.time_of(call.tokens) for position, call in enumerate(wanted) if position not in kept]
        claimed = iter(self.claim(calendar, task, asking) if asking else ())
        return [kept[position] if position in kept else next(claimed) for position in range(len(wanted))]

    def kept(self, calendar: Calendar, call: SlotRequest) -> Grant | None:
        """The slot that was kept for a call, if it can still be used. Where the pace has been lowered since, as many
        kept slots are dropped as make up for it."""
        now = self.now()
        if call.slot is None or call.slot.moment < now - GRACE_SECONDS:
            return None
        if call.slot.moment > now + LONGEST_WAIT:
            return come_back_for(call.slot, now)
        return call.slot if self.chance() * call.slot.pace < calendar.pace(now) else None

    def claim(self, calendar: Calendar, task: Task, calls: Sequence[int]) -> list[Grant]:
        for attempt in range(TRIES):
            now = self.now()
            takes = planned(calendar, task, calls, now)
            left = calls[sum(len(take.calls) for take in takes) :]
            update = self.written(calendar, task, takes, left, now)
            if update is None:
                return self.in_line(calendar, task, left, now)
            try:
                after = Calendar(self.table.updated(update), self.limits)
            except Refused:
                self.pause(self.chance() * min(LONGEST_PAUSE_SECONDS, 0.01 * 2**attempt))
                calendar = self.read()
            else:
                return [*got(calendar, after, takes, now), *self.in_line(after, task, left, now)]
        raise StorageBusy("The rate budget is busy.")

    def written(
        self, calendar: Calendar, task: Task, takes: Sequence[WindowClaim], left: Sequence[int], now: float
    ) -> Update | None:
        """The one conditional write of a claim; None where there is nothing to write: no slot is free, and the line is
        as long as a queue can delay. The conditions fail if a refusal has made the windows smaller since the read."""
        equal: Attributes = {"since": calendar.stored.get("since")}
        at_most: dict[str, int] = {}
        add: dict[str, int] = {}
        changed: Attributes = {}
        for take in takes:
            taken, of_task = f"taken#{take.window}", f"{task}#{take.window}"
            add |= {taken: take.skipped + sum(take.calls), of_task: sum(take.calls)}
            if take.skipped:  # two that skip the same time would skip it twice
                equal[taken] = calendar.stored.get(taken)
            at_most |= {
                taken: calendar.room(take.window) - take.skipped - take.begins_of_last - 1,
                of_task: take.share - take.begins_of_last - 1,
            }
        if left:
            line, end = line_of(task), calendar.line_end(task, now)
            grown = time_in_line(calendar, left, now)
            if calendar.count(line) < 1000 * end:
                equal[line] = calendar.stored.get(line)
                changed[line] = round(1000 * end) + grown
            elif end < now + LONGEST_DELAY:
                add[line] = grown
        passed = calendar.passed(now)
        if not (changed or add or passed):
            return None
        return Update(self.key, Condition(equal=equal, at_most=at_most), changed, add, passed)

    def in_line(self, after: Calendar, task: Task, left: Sequence[int], now: float) -> list[Grant]:
        """The return times of the jobs without a slot: one after the other, as slots will be free again. Where the line
        is longer than a queue can delay, any time in the later half of that delay."""
        ends = after.count(line_of(task)) / 1000 - now
        turns: list[Grant] = []
        for number in range(len(left)):
            seconds = ends - time_in_line(after, left[number:], now) / 1000
            late = LONGEST_DELAY * (0.5 + self.chance() / 2)
            turns.append(Backoff(min(max(1.0, seconds), LONGEST_DELAY) if seconds < LONGEST_DELAY else late))
        return turns

    def refused(self) -> None:
        """The service refused a call for its rate: all go slower. Best effort: if this was not enough, the service
        refuses more calls."""
        try:
            for _ in range(TRIES):
                calendar, now = self.read(), self.now()
                alone = now - calendar.count("since") / 1000 > ALONE_SECONDS
                weight = LONE_REFUSAL_WEIGHT if alone else REFUSAL_WEIGHT
                step = 1 - min(0.2, weight * self.limits.time_of(0) / MICROSECONDS)
                seen = {name: calendar.stored.get(name) for name in ("pace", "since")}
                lowered = round(PACE_UNIT * max(LOWEST_PACE, calendar.pace(now) * step))
                pace: Attributes = {"pace": lowered, "since": round(1000 * now)}
                try:
                    self.table.change(Update(self.key, Condition(equal=seen), pace))
                except Refused:
                    self.pause(self.chance() * LONGEST_PAUSE_SECONDS)
                else:
                    return
        except StorageBusy:
            return

    def read(self) -> Calendar:
        return Calendar(self.table.get(self.key) or {}, self.limits)

    @property
    def key(self) -> Key:
        return Key(f"rate#{self.model}", "budget")


def planned(calendar: Calendar, task: Task, calls: Sequence[int], now: float) -> list[WindowClaim]:
    """The earliest slots for these calls, in their order, by this reading of the calendar."""
    takes: list[WindowClaim] = []
    waiting = deque(calls)
    current = int(now // WINDOW_SECONDS)
    ready = now + PREPARATION_SECONDS - current * WINDOW_SECONDS
    reaching = 0  # from calls that began in the windows before
    for window in range(current - calendar.limits.windows_kept, current + HORIZON_SECONDS // WINDOW_SECONDS + 1):
        room, taken = calendar.room(window), calendar.count(f"taken#{window}")
        passed = math.ceil((ready / WINDOW_SECONDS - (window - current)) * room) if window >= current else 0
        skipped = max(0, reaching - taken, passed - taken)
        share, of_task = calendar.share(window, task, now), calendar.count(f"{task}#{window}")
        taken += skipped
        fitting: list[int] = []
        while waiting and taken < room and of_task < share and window >= current:
            fitting.append(waiting.popleft())
            taken += fitting[-1]
            of_task += fitting[-1]
        if fitting:
            takes.append(WindowClaim(window, tuple(fitting), share, skipped))
        if not waiting:
            break
        reaching = max(0, taken - room)
    return takes


def got(before: Calendar, after: Calendar, takes: Sequence[WindowClaim], now: float) -> list[Grant]:
    """The slots of a claim: the last ones that the counters count."""
    turns: list[Grant] = []
    for take in takes:
        begin = after.count(f"taken#{take.window}") - sum(take.calls)
        for call in take.calls:
            moment = WINDOW_SECONDS * (take.window + begin / before.room(take.window))
            slot = Slot(round(max(now, moment), 3), before.pace(take.window * WINDOW_SECONDS))
            turns.append(slot if slot.moment <= now + NEAR_SECONDS else come_back_for(slot, now))
            begin += call
    return turns


def time_in_line(after: Calendar, calls: Sequence[int], now: float) -> int:
    """Milliseconds that these calls will take at the present pace."""
    return round(sum(calls) / 1000 / after.pace(now))


def come_back_for(slot: Slot, now: float) -> Backoff:
    return Backoff(max(1.0, math.floor(slot.moment - now - LEAD_SECONDS)), slot)


def line_of(task: Task) -> str:
    return f"line#{task}"
