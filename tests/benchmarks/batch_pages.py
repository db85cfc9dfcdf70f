"""A thousand pages through the batch lane on this machine: functions in their own processes, the engine's Batch API.

    python -m tests.benchmarks.batch_pages [pages [what goes wrong]]

What goes wrong is JSON of local/engine/batch/behaviour.py, such as `{"fail_each": 10}`. The engine cans its answers.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx

from local.embedded_mode import BATCH_LANE, HURRIED, HURRIED_BATCHES
from tests.engine.asking import KEY
from tests.running import Running, running
from tests.split.documents import text_pdf

DOCUMENT_PAGES = 40
SECONDS = 1_500


def bill(receipts: list[dict[str, Any]], part: str | None = None) -> float:
    return sum(float((receipt[part]["cost"] if part else receipt["cost"])["amount"]) for receipt in receipts)


def ended(pagewise: Running, documents: int, lane: str) -> list[dict[str, Any]]:
    content = text_pdf(DOCUMENT_PAGES)
    keys = [
        pagewise.upload(f"{lane}-{number}.pdf", content, ocr_lane=lane, ocr_outputs="none")
        for number in range(documents)
    ]
    return list(pagewise.until_ended(*keys, seconds=SECONDS).values())


def tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def told(pages: int, wrong: dict[str, Any]) -> None:
    documents = pages // DOCUMENT_PAGES
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Path(folder), parameters=BATCH_LANE | HURRIED_BATCHES, hurried=HURRIED) as pagewise,
    ):
        (live,) = ended(pagewise, 1, "live")
        before = Counter(pagewise.engine.requests()["by_task"])
        pagewise.engine.call("POST", "/batch-behaviour", wrong)
        began = time.monotonic()
        receipts = ended(pagewise, documents, "batch")
        seconds = time.monotonic() - began
        asked = Counter(pagewise.engine.requests()["by_task"]) - before
        files = httpx.get(f"{pagewise.engine.base}/v1/files?limit=100", headers=KEY).json()["data"]
        lanes = Counter(job["lane"] for receipt in receipts for job in receipt["page_jobs"])
        tell(f"goes wrong: {wrong or 'nothing'}")
        tell(f"pages {documents * DOCUMENT_PAGES}, documents {documents}, {seconds:.0f} s")
        tell(f"statuses: {dict(Counter(receipt['status'] for receipt in receipts))}")
        tell(f"page jobs by the lane of their answer: {dict(lanes)}")
        tell(f"lines answered in batches {asked['batch']}, live calls {asked.total() - asked['batch']}")
        tell(f"bill {bill(receipts):.4f}, of the live lane's {bill(receipts) / (documents * bill([live])):.2f}")
        tell(f"files left at the service: {len(files)}")


if __name__ == "__main__":
    told(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000, json.loads(sys.argv[2]) if len(sys.argv) > 2 else {})
