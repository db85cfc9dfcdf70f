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


def handled(pagewise: Running, function: str) -> int:
    """Messages that a function has worked on with success."""
    lines = [line for line in pagewise.invocations() if function in line["function"]]
    return sum(line["records"] for line in lines if line["outcome"] == "success")


def until(pagewise: Running, function: str, number: int, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while handled(pagewise, function) < number:
        assert time.monotonic() < deadline, f"{function} has not worked on {number} messages"
        time.sleep(0.1)


def test_page_jobs_are_recognized_while_a_burst_of_uploads_is_split(tmp_path: Path) -> None:
    content = picture()
    with running(tmp_path, concurrency=CONCURRENCY, account_concurrency=10) as pagewise:
        before = pagewise.upload("before.tif", tiff(PAGES_BEFORE))
        until(pagewise, "text_recognition", 1, seconds=120)  # its environments have started
        recognized, split = handled(pagewise, "text_recognition"), handled(pagewise, "Splitter")
        with ThreadPoolExecutor(8) as pool:
            burst = list(pool.map(lambda number: pagewise.upload(f"burst/{number}.png", content), range(BURST)))
        until(pagewise, "Splitter", split + BURST, seconds=60 + 3 * BURST)
        meanwhile = handled(pagewise, "text_recognition") - recognized
        pagewise.until_ended(before, *burst, seconds=60 + 3 * BURST)
        throttles = dict(pagewise.stack.service.throttles)
        print(f"{meanwhile} page jobs recognized while {BURST} uploads were split; throttled: {throttles}")  # noqa: T201
        assert meanwhile >= BURST / 4
        assert {line["outcome"] for line in pagewise.invocations()} == {"success"}
