"""What is tried again, and when: decided here alone."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import count
from typing import Any, TypeVar

from pagewise_client.steps import Ask, NoReply, Pause, Put, Reply, Step, Steps

T = TypeVar("T")
# 502 and 504 come from a server in between.
PASSING = frozenset({429, 502, 503, 504})
# S3 stores nothing of an upload that it answers so.
UNTAKEN = frozenset({429, 503})


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds, and tries in all. A `Retry-After` of more than `longest` is handed on in place of being waited for."""

    tries: int = 5
    first: float = 0.5
    most: float = 8.0
    longest: float = 60.0

    def over(self, steps: Steps[T]) -> Steps[T]:
        """The same steps; a request that met a passing failure is made again."""
        outcome: Any = None
        with closing(steps):
            while True:
                try:
                    step = steps.send(outcome)
                except StopIteration as end:
                    answer: T = end.value
                    return answer
                outcome = yield from self.tried(step)

    def tried(self, step: Step) -> Steps[Any]:
        for number in count(1):
            outcome = yield step
            pause = self.pause(number, outcome) if number < self.tries and may_repeat(step, outcome) else None
            if pause is None:
                break
            yield Pause(pause)
        return outcome

    def pause(self, tried: int, outcome: Reply | NoReply) -> float | None:
        """Seconds until the next try after so many; None: too long."""
        asked = retry_after(outcome)
        if asked is not None:
            return asked if asked <= self.longest else None
        return min(self.most, self.first * 2.0 ** (tried - 1)) * random.uniform(0.5, 1)


def may_repeat(step: Step, outcome: object) -> bool:
    """A second upload is a second document, and a second redrive may cost: these only if the first was not taken."""
    match outcome:
        case NoReply(arrived=False):
            return True
        case NoReply():
            return is_repeatable(step)
        case Reply():
            return outcome.status in (PASSING if is_repeatable(step) else UNTAKEN if isinstance(step, Put) else ())
        case _:
            return False


def is_repeatable(step: Step) -> bool:
    return step.repeatable if isinstance(step, Ask) else not isinstance(step, Put)


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds between two looks at a document: a growing wait, since a long document has long to go."""

    first: float = 0.5
    most: float = 10.0
    growth: float = 1.25

    def pauses(self) -> Iterator[float]:
        pause = self.first
        while True:
            yield pause * random.uniform(0.9, 1.1)
            pause = min(self.most, pause * self.growth)


def retry_after(outcome: Reply | NoReply) -> float | None:
    """Seconds, of a number or of a date (RFC 9110, 10.2.3)."""
    text = outcome.headers.get("retry-after", "").strip() if isinstance(outcome, Reply) else ""
    if text.isascii() and text.isdecimal():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
