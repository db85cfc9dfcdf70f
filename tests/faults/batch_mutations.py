"""The batch lane's promises, each broken once."""

from __future__ import annotations

from pagewise.account.lots import Lot, LotState
from pagewise.table import ANY, Change
from pagewise.use_cases.follow import Follow, Waits
from tests.faults.batch_lane import Batched
from tests.faults.simulator import FaultyTable


def unconditional(*records: str) -> type[Batched]:
    """A table that writes these records whatever their conditions say."""

    class Unconditional(FaultyTable):
        def holds(self, change: Change) -> bool:
            from dataclasses import replace

            free = any(change.key.record.startswith(record) for record in records)
            return super().holds(replace(change, condition=ANY) if free else change)

    class Mutated(Batched):
        def make_table(self) -> FaultyTable:
            return Unconditional(self)

    return Mutated


class CreatedWithoutLooking(Batched):
    class Hasty(Follow):
        def created(self, lot: Lot) -> Lot:
            batch = self.service.create(lot.file_id or "", lot.name, self.lane.window_hours)
            self.lots.note(lot, state=LotState.CREATED, batch_id=batch.id, created=self.now())
            raise Waits(60)

    follow_class = Hasty


MUTATIONS: dict[str, type[Batched]] = {
    "a lot is closed whatever has joined it": unconditional("open"),
    "a lot is worked on by whoever comes": unconditional("lot"),
    "a batch is created without looking for an earlier one": CreatedWithoutLooking,
}
# Tried first, which saves time and decides nothing.
FOUND_AT = {
    "a lot is closed whatever has joined it": 0,
    "a lot is worked on by whoever comes": 12,
    "a batch is created without looking for an earlier one": 0,
}
