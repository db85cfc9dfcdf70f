"""Invocations side by side, one step at a time, in an order that a seed decides.

Each invocation runs in a thread of its own, but only the one that holds the turn moves: at every side effect it hands
the turn back, and the seed's generator picks the next one. The same seed replays the same schedule, to the step.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import Context
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from selectors import SelectorKey, SelectSelector
from threading import Lock, Thread, local
from typing import Any, NoReturn, TypeVarTuple

Arguments = TypeVarTuple("Arguments")


class Crash(BaseException):
    """The invocation is gone, at any point of its work: a crash, or the time limit."""


class Baton:
    """A semaphore between two threads that take turns: a tenth of the work that threading's does."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._lock.acquire()
        self.acquire = self._lock.acquire
        self.release = self._lock.release


@dataclass(eq=False)
class Invocation:
    """One invocation in flight; `faults` counts its faults so far, `error` is the one that ended it."""

    name: str
    work: Callable[[], None]
    ended: Callable[[bool], None]
    turn: Baton = field(default_factory=Baton)
    over: bool = False
    faults: int = 0
    crashed: bool = False
    error: BaseException | None = None
    chain: dict[str, int] = field(default_factory=dict)
    disk: Path | None = None


class Scheduler:
    def __init__(self, chance: Random) -> None:
        self.chance = chance
        self.running: list[Invocation] = []
        self.steps = 0
        self._back = Baton()
        self._own = local()

    def start(
        self, name: str, work: Callable[[], None], ended: Callable[[bool], None], chain: Mapping[str, int] | None = None
    ) -> None:
        """Begin an invocation; at its end `ended` is called with whether it succeeded. `chain`: for each function, how
        often the chain that leads here has been through it, this time included."""
        invocation = Invocation(name, work, ended, chain=dict(chain or {}))
        self.running.append(invocation)
        Thread(target=self._run, args=(invocation,), daemon=True).start()

    def step(self) -> None:
        """Called by an invocation at each side effect: others may go first."""
        invocation: Invocation = self._own.invocation
        if invocation.crashed:
            raise Crash
        self._back.release()
        invocation.turn.acquire()

    def crash(self) -> NoReturn:
        """Called by an invocation that ends here. Its further steps, in another coroutine or on its way out, crash as
        well."""
        self._own.invocation.crashed = True
        raise Crash

    @property
    def current(self) -> Invocation | None:
        """The invocation that calls, if one does."""
        return getattr(self._own, "invocation", None)

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
        except (Crash, Exception) as error:  # noqa: BLE001  after any error its messages come back
            invocation.error = error
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
        except Exception as error:  # noqa: BLE001  a future carries any error
            future.set_exception(error)
        return future


class NothingToRead(SelectSelector):
    """Nothing comes from outside of the thread: the system is not asked for it."""

    def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
        if timeout:
            time.sleep(timeout)
        return []


class OneThreadLoop(asyncio.SelectorEventLoop):
    """An event loop that needs no other thread, and is not woken by one: most of its system calls were for that."""

    def __init__(self) -> None:
        super().__init__(NothingToRead())

    def call_soon_threadsafe(
        self, callback: Callable[[*Arguments], object], *arguments: *Arguments, context: Context | None = None
    ) -> asyncio.Handle:
        return self.call_soon(callback, *arguments, context=context)


@contextmanager
def own_loop() -> Iterator[None]:
    """An event loop for the calling thread."""
    loop = OneThreadLoop()
    loop.set_default_executor(Inline(1))
    # A crash's leftovers in the loop are as gone as the invocation.
    loop.set_exception_handler(lambda _loop, _context: None)
    asyncio.set_event_loop(loop)
    try:
        yield
    finally:
        for task in asyncio.all_tasks(loop):
            coroutine = task.get_coro()
            # Python would complain of a coroutine that a crash kept from starting, in the test that then runs.
            if inspect.iscoroutine(coroutine) and inspect.getcoroutinestate(coroutine) == inspect.CORO_CREATED:
                coroutine.close()
        asyncio.set_event_loop(None)
        loop.close()
