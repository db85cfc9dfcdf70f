"""The time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class UtcClock:
    def now(self) -> str:
        return iso(datetime.now(UTC))

    def after(self, seconds: float) -> str:
        return iso(datetime.now(UTC) + timedelta(seconds=seconds))


def iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
