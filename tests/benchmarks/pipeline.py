"""What a page job costs besides the engine's own time."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from tests.pictures import tiff
from tests.running import Running, running

PAGES = 200
ENGINE_SECONDS = 2.0
BATCH_SIZE = 10


def overheads(folder: Path) -> dict[str, Any]:
    began = time.monotonic()
    with running(folder / "waiting", parameters=parameters(), delay=ENGINE_SECONDS) as pagewise:
        set_up = time.monotonic() - began
        waiting = measured(pagewise)
    with running(folder / "instant", parameters=parameters()) as pagewise:
        instant = measured(pagewise)
    return {
        "set_up_seconds": round(set_up, 2),
        "batch_size": BATCH_SIZE,
        "engine_seconds": ENGINE_SECONDS,
        "page_jobs": PAGES,
        # What Lambda bills for waiting: 1 would be a page job at a time, 0.1 ten that share every second.
        "billed_seconds_per_page_job": waiting["billed_seconds_per_page_job"],
        "billed_to_engine_ratio": round(waiting["billed_seconds_per_page_job"] / ENGINE_SECONDS, 3),
        "mean_batch": waiting["mean_batch"],
        # With an engine that answers at once, everything is overhead.
        "overhead_ms_per_page_job": round(1000 * instant["billed_seconds_per_page_job"], 1),
        "wall_ms_per_page_job": round(1000 * instant["wall_seconds"] / PAGES, 1),
        "split_ms_per_page": instant["split_ms_per_page"],
    }


def parameters() -> dict[str, str]:
    return {"OcrBatchSize": str(BATCH_SIZE), "OcrConcurrency": "2"}


def measured(pagewise: Running) -> dict[str, Any]:
    """A first document warms the functions up; the second is measured."""
    pagewise.until_ended(pagewise.upload("warm.tif", tiff(2)))
    known = len(pagewise.invocations())
    began = time.monotonic()
    pagewise.until_ended(pagewise.upload("measured.tif", tiff(PAGES)), seconds=300)
    wall = time.monotonic() - began
    made = pagewise.invocations()[known:]
    recognizing = [invocation for invocation in made if invocation["function"].endswith("text_recognition")]
    splitting = [invocation for invocation in made if "Splitter" in invocation["function"]]
    records = sum(invocation["records"] for invocation in recognizing)
    return {
        "wall_seconds": wall,
        "billed_seconds_per_page_job": round(sum(seconds(made) for made in recognizing) / records, 4),
        "mean_batch": round(records / len(recognizing), 1),
        "split_ms_per_page": round(1000 * sum(seconds(made) for made in splitting) / PAGES, 1),
    }


def seconds(invocation: dict[str, Any]) -> float:
    return float(invocation["billed_ms"]) / 1000
