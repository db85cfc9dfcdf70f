"""The results table in DynamoDB, against the emulator's own endpoint."""

from __future__ import annotations

import time
from dataclasses import replace

from pagewise.aws.table import DynamoTable
from pagewise.model import (
    PageRange,
)
from pagewise.table import Key, Put
from pagewise.tasks import Task
from tests.adapters.test_ledger import document, dynamo, result
from tests.deployed import Deployed


def test_records_expire_so_many_days_after_their_last_change(deployed: Deployed) -> None:
    kept = dynamo(deployed)
    assert isinstance(kept.table, DynamoTable)
    for days in (0, 7):
        ledger = replace(kept, table=replace(kept.table, retention_days=days))
        written = document(pages=1, tasks=(Task.TEXT_RECOGNITION,))
        ledger.open(written)
        ledger.record(result(written, 1, Task.TEXT_RECOGNITION), 1)
        ledger.mark_split(written.id, PageRange(1, 1))
        for kind in ("document", "page#", "result#", "split#"):
            (record,) = kept.table.records(written.id, kind)
            if days:
                assert 0 <= time.time() + 7 * 86_400 - int(record["expires"]) < 60
            else:
                assert "expires" not in record
        assert ledger.document(written.id) is not None


def test_a_record_can_stay_longer_than_others(deployed: Deployed) -> None:
    kept = dynamo(deployed).table
    assert isinstance(kept, DynamoTable)
    table = replace(kept, retention_days=7)
    for days, stays in ((3, 7), (30, 30)):
        table.change(Put(Key("longer", str(days)), {"any": 1}, days=days))
        stored = table.get(Key("longer", str(days)))
        assert stored is not None
        assert 0 <= time.time() + stays * 86_400 - int(stored["expires"]) < 60
