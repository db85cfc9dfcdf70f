"""How much of the account's rate the pipeline uses, with several functions at once, and how often it is refused."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from tests.pictures import tiff
from tests.running import Running, running

REQUESTS_PER_MINUTE = 600
TASKS = ("text_recognition", "multi_lan", "table_parsing")
ENGINE_SECONDS = 1.0
# Of each function: three times four invocations of ten page jobs are twice what ten calls a second of one second take,
# with the four seconds that a job may wait for its place.
CONCURRENCY = 4
# What comes before the first call (splitting, cold starts) is not the rate's.
RUN_IN_SECONDS = 10.0


def rate_figures(folder: Path, page_jobs: int = 600) -> dict[str, Any]:
    """An engine that enforces the limit, and a document of so many page jobs at once."""
    with running(
        folder,
        parameters={"RequestsPerMinute": str(REQUESTS_PER_MINUTE), "OcrBatchSize": "10"},
        delay=ENGINE_SECONDS,
        requests_per_minute=REQUESTS_PER_MINUTE,
        concurrency=CONCURRENCY,
        # A busy machine can lose a reply to ReceiveMessage; its messages need not wait for the deployed 18 minutes.
        visibility_timeout=30,
    ) as pagewise:
        pagewise.until_ended(pagewise.upload("warm.tif", tiff(3), ocr_tasks=",".join(TASKS)))
        key = pagewise.upload("many.tif", tiff(page_jobs // len(TASKS)), ocr_tasks=",".join(TASKS))
        answers = answers_over_time(pagewise, key)
        receipt = pagewise.until_ended(key)[key]
        figures = pagewise.engine.requests()
        invocations = [made for made in pagewise.invocations() if made["trigger"] == "queue"]
        return {
            "requests_per_minute": REQUESTS_PER_MINUTE,
            "page_jobs": len(receipt["page_jobs"]),
            "recognized": sum(job["status"] == "recognized" for job in receipt["page_jobs"]),
            "most_attempts": max(job["attempts"] for job in receipt["page_jobs"]),
            "used_of_limit": round(used(answers), 3),
            "refused": round(figures["over_rate"] / (figures["over_rate"] + figures["total"]), 4),
            "dead_letters": sum("DeadLetter" in made["function"] for made in invocations),
        }


def answers_over_time(pagewise: Running, key: str) -> list[tuple[float, int]]:
    """How many requests the engine has taken, read off once a second until the document has ended."""
    seen = [(time.monotonic(), int(pagewise.engine.requests()["total"]))]
    deadline = time.monotonic() + 300
    while key not in pagewise.ends():
        assert time.monotonic() < deadline, "the document has not ended"
        pagewise.events += pagewise.published.receive(wait=1)
        seen.append((time.monotonic(), int(pagewise.engine.requests()["total"])))
    return seen


def used(answers: list[tuple[float, int]]) -> float:
    """The share of the limit that was used while there was enough to do: after the first calls, before the last."""
    first, last = answers[0][1], answers[-1][1]
    began = next(moment for moment, total in answers if total > first) + RUN_IN_SECONDS
    busy = [(moment, total) for moment, total in answers if moment >= began and total < last - REQUESTS_PER_MINUTE / 60]
    (begin, before), (end, after) = busy[0], busy[-1]
    return (after - before) / (end - begin) / (REQUESTS_PER_MINUTE / 60)
