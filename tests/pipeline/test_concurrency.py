"""An account of ten concurrent invocations, and a burst of uploads: page jobs go on being recognized."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.pictures import picture, tiff
from tests.running import Running, running

# The whole size takes minutes: PAGEWISE_BURST=1000.
BURST = int(os.environ.get("PAGEWISE_BURST", "60"))
PAGES_BEFORE = 40
# More than the account has, were it not for SplitConcurrency.
CONCURRENCY = 10


def handled(pagewise: Running, function: str, until: float) -> int:
    """Successful invocations of a function that ended before a moment."""
    lines = [line for line in pagewise.invocations() if function in line["function"]]
    return sum(line["records"] for line in lines if line["outcome"] == "success" and line["ended"] <= until)


def test_page_jobs_are_recognized_while_a_burst_of_uploads_is_split(tmp_path: Path) -> None:
    content = picture()
    with running(tmp_path, concurrency=CONCURRENCY, account_concurrency=10) as pagewise:
        before = pagewise.upload("before.tif", tiff(PAGES_BEFORE))
        with ThreadPoolExecutor(8) as pool:
            burst = list(pool.map(lambda number: pagewise.upload(f"burst/{number}.png", content), range(BURST)))
        deadline = time.monotonic() + 60 + 3 * BURST
        while handled(pagewise, "Splitter", time.time()) < BURST + 1:
            assert time.monotonic() < deadline, "the burst was not split"
            time.sleep(0.2)
        recognized_meanwhile = handled(pagewise, "text_recognition", time.time())
        pagewise.until_ended(before, *burst, seconds=60 + 3 * BURST)
        throttles = dict(pagewise.stack.service.throttles)
        print(f"{recognized_meanwhile} page jobs recognized while {BURST} uploads were split; {throttles}")  # noqa: T201
        assert recognized_meanwhile >= BURST / 4
        assert {line["outcome"] for line in pagewise.invocations()} == {"success"}
