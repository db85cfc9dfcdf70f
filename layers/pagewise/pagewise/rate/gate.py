"""The gate before the engine: the page jobs of an invocation ask the rate budget together, and wait for their slots.

Jobs report that they are on their way before they look for a stored result. The gate asks the budget once: when the
last of them has come, or needs no slot.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType

from pagewise.errors import StorageBusy
from pagewise.rate.budget import HORIZON_SECONDS, Backoff, Grant, RateBudget, SlotRequest
from pagewise.tasks import Task

# One slow read must not hold up the whole batch: those that have come by then go ahead.
PATIENCE_SECONDS = 0.25


@dataclass(slots=True)
class Round:
    """Jobs that ask together."""

    budget: RateBudget
    task: Task
    wanted: list[SlotRequest] = field(default_factory=list)
    claim: asyncio.Future[asyncio.Task[list[Grant]]] = field(default_factory=asyncio.Future)

    async def turns(self) -> list[Grant]:
        try:
            return await asyncio.to_thread(self.budget.turns, self.task, self.wanted)
        except StorageBusy:
            # Waiting for a slot costs no attempt, for any reason of its length.
            return [Backoff(self.budget.chance() * HORIZON_SECONDS) for _ in self.wanted]


@dataclass(slots=True)
class Gate:
    """The gate of one function, hence one task. Without a budget every job passes."""

    budget: RateBudget | None = None
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    patience: float = PATIENCE_SECONDS
    coming: int = field(default=0, init=False)
    round: Round | None = field(default=None, init=False)

    def approach(self) -> Approach:
        return Approach(self)

    def close(self, asking: Round) -> None:
        """No more jobs for this round: claim."""
        if self.round is asking:
            self.round = None
        if not asking.claim.done():
            asking.claim.set_result(asyncio.create_task(asking.turns()))

    async def opens(self, turn: Grant) -> None:
        """Wait until a turn's slot starts."""
        if self.budget and not isinstance(turn, Backoff) and (seconds := turn.moment - self.budget.now()) > 0:
            await self.sleep(seconds)

    async def again(self, task: Task, wanted: SlotRequest) -> bool:
        """Wait for one more slot, if there is a near one: a repeated call counts like any other."""
        if self.budget is None:
            return True
        (turn,) = await Round(self.budget, task, [wanted]).turns()
        await self.opens(turn)
        return not isinstance(turn, Backoff)

    async def refused(self) -> None:
        """The service refused a call although the budget had a slot for it."""
        if self.budget:
            await asyncio.to_thread(self.budget.refused)


@dataclass(slots=True)
class Approach:
    """One job on its way to the gate; leaving the block is to turn back, unless it has come."""

    gate: Gate
    under_way: bool = False

    async def turn(self, task: Task, wanted: SlotRequest) -> Grant | None:
        """This job's turn; None where there is no budget to keep."""
        gate = self.gate
        if gate.budget is None:
            return None
        if gate.round is None:
            gate.round = Round(gate.budget, task)
            if gate.patience < math.inf:
                asyncio.get_running_loop().call_later(gate.patience, gate.close, gate.round)
        asking, position = gate.round, len(gate.round.wanted)
        asking.wanted.append(wanted)
        self.arrive()
        claim = await asking.claim
        return (await asyncio.shield(claim))[position]

    def arrive(self) -> None:
        if self.under_way:
            self.under_way = False
            self.gate.coming -= 1
            if self.gate.coming == 0 and self.gate.round:
                self.gate.close(self.gate.round)

    def __enter__(self) -> Approach:
        self.under_way = True
        self.gate.coming += 1
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.arrive()
