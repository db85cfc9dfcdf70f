"""What a test can ask of the Batch API: how long batches take, and what goes wrong in them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class BatchBehaviour:
    """`queue_seconds` pass before a batch is begun, `line_seconds` for each of its lines.

    `fail_each`, `truncate_each`, `miss_each`: of how many lines the last fails, is cut short, is in neither file; 0:
    none. `fail_in`: the file that failed lines stand in. `invalid`: the input file is refused. `expire_after`: so many
    lines are done when the window ends. `refused_creates`, `cut_downloads`: so many of the next ones.
    """

    queue_seconds: float = 0.0
    line_seconds: float = 0.0
    fail_each: int = 0
    fail_in: str = "error_file"
    truncate_each: int = 0
    miss_each: int = 0
    invalid: bool = False
    expire_after: int | None = None
    refused_creates: int = 0
    cut_downloads: int = 0

    @classmethod
    def read(cls, wanted: Any) -> BatchBehaviour:
        """ValueError says what is wrong with it."""
        try:
            found = cls(**wanted)
        except TypeError as error:
            raise ValueError(str(error)) from None
        if found.fail_in not in ("error_file", "output_file"):
            raise ValueError("fail_in is error_file or output_file")
        return found

    def refuses_create(self) -> bool:
        self.refused_creates -= 1
        return self.refused_creates >= 0

    def cuts_download(self) -> bool:
        self.cut_downloads -= 1
        return self.cut_downloads >= 0


def is_last_of(number: int, each: int) -> bool:
    return each > 0 and number % each == 0


@dataclass(slots=True)
class BatchClock:
    """The time that batches live by, which a test can hurry."""

    now_of_day: Callable[[], float] = time.time
    ahead: float = 0.0
    woken: asyncio.Event = field(default_factory=asyncio.Event)

    def now(self) -> float:
        return self.now_of_day() + self.ahead

    def hurry(self, seconds: float) -> None:
        self.ahead += seconds
        self.wake()

    def wake(self) -> None:
        """Let all that wait look again."""
        self.woken.set()
        self.woken = asyncio.Event()

    async def until(self, moment: float) -> None:
        """Until then, or until there is something to look at."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self.woken.wait(), max(0.0, moment - self.now()))
