"""A page job leaves the batch lane by a message of its own, and by one alone.

It is queued before its lot, or the batch lane's queue, forgets it: a crash in between queues it twice. Each message
that is sent for it has a mark; the first that is worked on is noted with the page job, and any other is worth nothing.

    partition       record                           attributes
    ───────────     ────────────────────────────     ──────────────────────────────────────────────────────
    <document>      batch#00001#text_recognition     `live`, `live_run`: the mark that was first in that run
"""

from __future__ import annotations

import secrets
from dataclasses import replace

from pagewise.account.lots import mark_key
from pagewise.errors import StorageBusy
from pagewise.model import Lane, PageJob, Usage
from pagewise.table import Condition, Refused, Table, Update

TRIES = 4


def departing(job: PageJob, attempts: int = 0, spent: Usage = Usage()) -> PageJob:  # noqa: B008 - a value
    """The page job's message to the live lane, after so many attempts more, at this bill."""
    return replace(
        job,
        lane=Lane.LIVE,
        departure=secrets.token_hex(8),
        earlier_attempts=job.earlier_attempts + attempts,
        spent=job.spent + spent,
    )


def is_heard(table: Table, job: PageJob) -> bool:
    """Whether no other message than this one, or those in its place, brought the page job here. Raises StorageBusy."""
    key = mark_key(job)
    first_in_run = Condition(at_most={"live_run": job.run - 1})
    for _ in range(TRIES):
        try:
            table.change(Update(key, first_in_run, set={"live": job.departure, "live_run": job.run}))
        except Refused as refused:
            if refused.unmet:
                stored = table.get(key) or {}
                return (stored.get("live"), stored.get("live_run")) == (job.departure, job.run)
        else:
            return True
    raise StorageBusy("The page job's departure from the batch lane is being noted.")
