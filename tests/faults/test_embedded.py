"""The simulator's faults for real: processes killed, messages duplicated and reordered, the engine misbehaving.

200 pages at once on the embedded stack; the records in the emulator's table at the end keep the simulator's promises.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

from local.functions.event_sources import Faults
from pagewise.account.ledger import Ledger
from pagewise.aws.buckets import S3Pages
from pagewise.aws.table import DynamoTable
from pagewise.model import DocumentId, DocumentStatus
from tests.faults.promises import broken_accounts
from tests.pictures import tiff
from tests.running import Running, running

PAGES = 200
SEED = 7
# An upload is rejected when its splitter dies three times, as it should be: once is enough.
VICTIMS = ["Splitter", *["text_recognition"] * 4]
# The engine gives no answer of use 12 times, each in another way; none of it is the pages' fault.
MISBEHAVIOUR = [
    *[{"name": "internal_error", "times": 3}, {"name": "bad_gateway", "times": 2}, {"name": "cut", "times": 2}],
    *[{"name": "rate_quota", "times": 1}, {"name": "html_in_200", "times": 2}, {"name": "error_in_200", "times": 2}],
]
BATCH = 10


def kill_at_random(pagewise: Running, chance: Random, over: threading.Event, killed: Counter[str]) -> None:
    """Kill whole environments with kill -9, now and then, at any stage."""
    while killed.total() < len(VICTIMS) and not over.wait(chance.uniform(0.3, 1.5)):
        kind = VICTIMS[killed.total()]
        names = [name for name in pagewise.stack.deployment.functions if kind in name]
        if victims := [pid for name in names for pid in pagewise.stack.service.pids(name)]:
            os.killpg(chance.choice(victims), signal.SIGKILL)
            killed[kind] += 1


def broken_promises(pagewise: Running, receipt: dict[str, Any]) -> list[str]:
    outputs = pagewise.stack.deployment.outputs
    pages = S3Pages(pagewise.stack.client("s3"), outputs["PagesBucket"])
    ledger = Ledger(DynamoTable(pagewise.stack.client("dynamodb"), outputs["ResultsTable"]), pages)
    document = ledger.document(DocumentId(receipt["document_id"]))
    assert document is not None
    assert document.status is DocumentStatus.COMPLETE
    return list(broken_accounts(ledger, document))


def test_200_pages_under_faults_are_all_accounted_for(tmp_path: Path) -> None:
    chance = Random(SEED)
    over = threading.Event()
    killed: Counter[str] = Counter()
    faults = Faults(duplicates=0.2, shuffled=True, chance=chance)
    began = time.monotonic()
    with running(tmp_path, faults=faults, visibility_timeout=4) as pagewise:
        pagewise.engine.behave(*MISBEHAVIOUR)
        killer = threading.Thread(target=kill_at_random, args=(pagewise, chance, over, killed))
        killer.start()
        key = pagewise.upload("faults.tif", tiff(PAGES))
        receipt = pagewise.until_ended(key, seconds=300)[key]
        over.set()
        killer.join()
        while not pagewise.stack.is_idle():  # duplicates, and messages of environments killed after publishing
            pagewise.events += pagewise.published.receive(wait=1)
        pagewise.events += pagewise.published.receive(wait=1)

        assert [(job["page"], job["status"]) for job in receipt["page_jobs"]] == [
            (page, "recognized") for page in range(1, PAGES + 1)
        ]
        assert broken_promises(pagewise, receipt) == []
        ends = Counter(event.name for event in pagewise.events)
        assert (ends["PageRecognized"], ends["PageCompleted"], ends["DocumentCompleted"]) == (PAGES, PAGES, 1)
        paid = pagewise.engine.requests()
        crashes = sum(line["outcome"] == "crash" for line in pagewise.invocations())
        print(f"{time.monotonic() - began:.1f} s, killed {dict(killed)}, {crashes} crashed, asked {paid}")  # noqa: T201
        assert killed.total() == len(VICTIMS)
        # A kill takes at most a batch of answers with it, and misbehaviour is asked again.
        misbehaved = sum(int(str(step["times"])) for step in MISBEHAVIOUR)
        assert PAGES <= paid["total"] <= PAGES + misbehaved + BATCH * crashes + duplicated(pagewise)


def duplicated(pagewise: Running) -> int:
    """Page jobs delivered more often than there are: a duplicate that overtakes its original is asked as well."""
    records = sum(line["records"] for line in pagewise.invocations() if "text_rec" in line["function"])
    return int(records) - PAGES
