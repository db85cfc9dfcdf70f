"""Invocations side by side, one step at a time, in an order that a seed decides.

Each invocation runs in a thread of its own, but only the one that holds the turn moves: at every side effect it hands
the turn back, and the seed's generator picks who goes on. The same seed replays the same schedule, to the step.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from random import Random
from threading import Semaphore, Thread, local
from typing import Any


class Crash(BaseException):
    """The invocation is gone, in the middle of whatever it did: a crash, or the time limit."""


@dataclass(eq=False)
class Invocation:
    """One invocation in flight."""

    name: str
    work: Callable[[], None]
    ended: Callable[[bool], None]
    turn: Semaphore = field(default_factory=lambda: Semaphore(0))
    over: bool = False


class Scheduler:
    def __init__(self, chance: Random) -> None:
        self.chance = chance
        self.running: list[Invocation] = []
        self.steps = 0
        self._back = Semaphore(0)
        self._own = local()

    def start(self, name: str, work: Callable[[], None], ended: Callable[[bool], None]) -> None:
        """Begin an invocation; `ended` is called with whether it succeeded, when it has."""
        invocation = Invocation(name, work, ended)
        self.running.append(invocation)
        Thread(target=self._run, args=(invocation,), daemon=True).start()

    def step(self) -> None:
        """Called by an invocation at each side effect: others may go first."""
        invocation: Invocation = self._own.invocation
        self._back.release()
        invocation.turn.acquire()

    def advance(self) -> bool:
        """Let one invocation take one step; False if none is running."""
        if not self.running:
            return False
        invocation = self.chance.choice(self.running)
        self.steps += 1
        invocation.turn.release()
        self._back.acquire()
        if invocation.over:
            self.running.remove(invocation)
        return True

    def _run(self, invocation: Invocation) -> None:
        self._own.invocation = invocation
        invocation.turn.acquire()
        succeeded = False
        try:
            invocation.work()
            succeeded = True
        except (Crash, Exception):  # noqa: BLE001  whatever ends it, its messages come back
            succeeded = False
        finally:
            invocation.over = True
            invocation.ended(succeeded)
            self._back.release()


class Inline(ThreadPoolExecutor):
    """Runs at once, in the caller's thread: asyncio.to_thread keeps its order, and its turn."""

    def submit(self, fn: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*arguments, **named))
        except Exception as error:  # noqa: BLE001  a future carries whatever was raised
            future.set_exception(error)
        return future


def run_alone(work: Callable[[], Any]) -> Any:
    """Run a coroutine function on a loop of its own, without any other thread."""
    loop = asyncio.new_event_loop()
    loop.set_default_executor(Inline(1))
    # What a crash leaves behind in the loop is as gone as the invocation.
    loop.set_exception_handler(lambda _loop, _context: None)
    try:
        return loop.run_until_complete(work())
    finally:
        loop.close()
