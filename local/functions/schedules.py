"""Schedules: EventBridge rules with a rate and functions as targets."""

import json
import logging
import re
import threading
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from local.emulator.deployment import Schedule
from local.emulator.process import REGION
from local.functions.asynchronous_invocations import AsynchronousInvocations

RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
SECONDS = {"minute": 60, "hour": 3600, "day": 86400}

logger = logging.getLogger(__name__)


class Scheduler:
    """`hurried`: seconds in the place of a schedule's own, by a part of its function's name."""

    def __init__(
        self,
        schedules: tuple[Schedule, ...],
        invocations: AsynchronousInvocations,
        hurried: Mapping[str, float] | None = None,
    ) -> None:
        self._schedules = schedules
        self._hurried = hurried or {}
        self._invocations = invocations
        self._stopping = threading.Event()

    def start(self) -> None:
        for schedule in self._schedules:
            hurried = [every for part, every in self._hurried.items() if part in schedule.function]
            interval = hurried[0] if hurried else seconds(schedule.expression)
            if interval is None:
                logger.warning("%s: only rate(...) is run here, not %s", schedule.rule, schedule.expression)
                continue
            threading.Thread(target=self._fire, args=(schedule, interval), name=schedule.rule, daemon=True).start()

    def stop(self) -> None:
        self._stopping.set()

    def _fire(self, schedule: Schedule, interval: float) -> None:
        while not self._stopping.wait(interval):
            self._invocations.invoke(schedule.function, scheduled_event(schedule), trigger="schedule")


def seconds(expression: str) -> float | None:
    match = RATE.fullmatch(expression)
    return int(match[1]) * SECONDS[match[2]] if match else None


def scheduled_event(schedule: Schedule) -> dict[str, Any]:
    if schedule.constant_input is not None:
        event: dict[str, Any] = json.loads(schedule.constant_input)
        return event
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": schedule.arn.split(":")[4],
        "time": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "region": REGION,
        "resources": [schedule.arn],
        "detail": {},
    }
