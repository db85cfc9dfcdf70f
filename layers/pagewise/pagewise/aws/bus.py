"""The event bus."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pagewise.aws.failures import translated
from pagewise.errors import StorageBusy
from pagewise.events import SOURCE, Event
from pagewise.strict_json import dumped

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_events.type_defs import PutEventsRequestEntryTypeDef

ENTRIES_PER_REQUEST = 10
TRIES = 3
FIRST_PAUSE_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class EventBridgePublisher:
    client: EventBridgeClient
    bus: str

    def publish(self, events: Sequence[Event]) -> None:
        entries: list[PutEventsRequestEntryTypeDef] = [
            {
                "Source": SOURCE,
                "DetailType": event.name,
                "Detail": dumped(event.detail),
                "EventBusName": self.bus,
            }
            for event in events
        ]
        for start in range(0, len(entries), ENTRIES_PER_REQUEST):
            self.put(entries[start : start + ENTRIES_PER_REQUEST])

    def put(self, entries: list[PutEventsRequestEntryTypeDef]) -> None:
        """Entries fail one by one, with HTTP 200: those are sent again."""
        for attempt in range(TRIES):
            with translated("The event bus"):
                reply = self.client.put_events(Entries=entries)
            entries = [entry for entry, sent in zip(entries, reply["Entries"], strict=True) if sent.get("ErrorCode")]
            if not entries:
                return
            time.sleep(FIRST_PAUSE_SECONDS * 2**attempt)
        raise StorageBusy(f"The event bus did not take {len(entries)} events.")
