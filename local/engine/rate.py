"""The account's rate limit, as the service keeps it: in any minute, and in any second its sixtieth part."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable


class RateLimit:
    """A refused request does not count."""

    def __init__(self, per_minute: int, now: Callable[[], float] = time.monotonic, *, each_second: bool = True) -> None:
        self._limits = [(60.0, per_minute)] if per_minute else []
        self._limits += [(1.0, max(1, per_minute // 60))] if per_minute and each_second else []
        self._now = now
        self._answered: deque[float] = deque()
        self.refused = 0

    def admits(self) -> bool:
        """Whether a request that comes now is answered; if so, it counts."""
        now = self._now()
        while self._answered and self._answered[0] <= now - 60:
            self._answered.popleft()
        for seconds, most in self._limits:
            if len(self._answered) >= most and self._answered[-most] > now - seconds:
                self.refused += 1
                return False
        self._answered.append(now)
        return True
