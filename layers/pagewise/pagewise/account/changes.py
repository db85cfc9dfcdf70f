"""The changes of one transaction: a page's results with its sums, a withdrawal, a document's place in the index.

Each has the record's state at its reading as a condition, so that of two transactions on one page or document one is
refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pagewise.account.records import (
    DELETED,
    DELETING,
    FAILED,
    OPEN,
    UNASSEMBLED,
    document_key,
    dump_job_account,
    load_job_account,
    page_key,
    result_key,
    spend_key,
    superseded_key,
)
from pagewise.errors import UNREADABLE_PAGE
from pagewise.messages import dump_image, dump_usage
from pagewise.model import Document, DocumentStatus, JobStatus, PageAccount, Result, StoredImage
from pagewise.strict_json import dumped
from pagewise.table import KNOWN, NEW, Attributes, Change, Condition, Delete, Put, Update
from pagewise.tasks import Task

# Position of the change, among a withdrawal's, that claims of the day's cap.
SPEND = 4


class DayIsSpent(Exception):
    """A document's reservation is more than the rest of its day's cap."""


@dataclass(frozen=True, slots=True)
class Reservation:
    """The most that a redriven page job can cost, to be claimed of a day's cap (0: none), in the price's units."""

    day: str
    cap: int
    most: int


def changes(
    written: Sequence[tuple[Result, Attributes]], before: PageAccount | None, image: StoredImage | None, *, closes: bool
) -> list[Change]:
    """One transaction: results of a page with their stored forms, their lines in the page, and the page's sum in the
    document if it closes.

    The page must be as it was seen, so that exactly one transaction closes it.
    """
    result = written[0][0]
    lines = {one.task: dump_job_account(one) for one, _ in written}
    ended = len(before.jobs) if before else 0
    account: Attributes = {f"job#{task}": line for task, line in lines.items()}
    account["ended_jobs"] = ended + len(lines)
    gone: tuple[str, ...] = ()
    if closes:
        account["closed"] = True
    if result.reason == UNREADABLE_PAGE:
        gone = ("image",)
    elif image and result.status is JobStatus.FAILED:
        # As text: its geometry is in fractions, and DynamoDB's client refuses floats.
        account["image"] = dumped(dump_image(image))
    together: list[Change] = [
        *(Put(result_key(one.document_id, one.page, one.task), stored, NEW) for one, stored in written),
        Update(page_key(result.document_id, result.page), seen(before), set=account, remove=gone),
    ]
    if closes:
        jobs = (
            *(before.jobs if before else ()),
            *(load_job_account(one.task, lines[one.task], one.run) for one, _ in written),
        )
        closed = PageAccount(result.document_id, result.page, jobs, closed=True)
        together.append(Update(document_key(result.document_id), KNOWN, add=sums(closed)))
    return together


def is_awaited(result: Result, page: PageAccount | None) -> bool:
    """Whether a page job has not ended, in the result's run."""
    if page is None:
        return result.run == 1
    return page.run_of(result.task) == result.run and all(job.task is not result.task for job in page.jobs)


def group_changes(
    written: Sequence[tuple[Result, Attributes]],
    accounts: Mapping[int, PageAccount],
    page_tasks: int,
    images: Mapping[int, StoredImage],
) -> tuple[list[Change], frozenset[int]]:
    """One transaction: a result for each page of a group, as `changes` has it; and the pages that close."""
    together: list[Change] = []
    added: Counter[str] = Counter()
    closed: set[int] = set()
    for result, stored in written:
        before = accounts.get(result.page)
        closes = (len(before.jobs) if before else 0) == page_tasks - 1
        put, page, *sums_of_page = changes([(result, stored)], before, images.get(result.page), closes=closes)
        together += [put, page]
        for change in sums_of_page:
            closed.add(result.page)
            if isinstance(change, Update):
                added.update(change.add)
    if closed:
        together.append(Update(document_key(written[0][0].document_id), KNOWN, add=dict(added)))
    return together, frozenset(closed)


def seen(page: PageAccount | None) -> Condition:
    """The page is still as it was read: every result adds to the first number, every withdrawal to the second."""
    ended, withdrawals = (len(page.jobs), page.withdrawals) if page else (0, 0)
    return Condition(equal={"ended_jobs": ended or None, "withdrawals": withdrawals or None})


def withdrawal(
    document: Document, page: PageAccount, task: Task, stored: Attributes, run: int, due: str, money: ReservationChanges
) -> list[Change]:
    """One transaction: a failed result becomes history, its line leaves the page, the page's sum the document, and the
    document is open again."""
    (job,) = (job for job in page.jobs if job.task is task)
    left = len(page.jobs) - 1
    account: Attributes = {f"run#{task}": run, "withdrawals": page.withdrawals + 1}
    gone = [f"job#{task}", "closed"]
    if left:
        account["ended_jobs"] = left
    else:
        gone.append("ended_jobs")
    back = {name: -number for name, number in sums(page).items()} if page.closed else {}
    superseded = {
        "superseded_jobs": 1,
        **{f"superseded_{name}": tokens for name, tokens in dump_usage(job.usage).items()},
    }
    reopened = {"status": str(DocumentStatus.IN_PROGRESS), "run": run, "due": due, "open": OPEN, "announced": False}
    as_read = Condition(
        equal={
            "status": str(document.status),
            "run": document.run,
            "announced": document.announced,
            "cancelled": document.cancelled,
            "deleting": document.deleting,
        }
    )
    found: Attributes = {name: stored[name] for name in ("status", "ended", "result", "result_key") if name in stored}
    return [
        Put(superseded_key(document.id, page.page, task, run), found, NEW),
        Delete(
            result_key(document.id, page.page, task),
            Condition(equal={"status": str(JobStatus.FAILED), "ended": stored["ended"]}),
        ),
        Update(page_key(document.id, page.page), seen(page), set=account, remove=tuple(gone)),
        Update(
            document_key(document.id),
            as_read,
            set=reopened | money.set,
            add={**back, **superseded, **money.add},
            remove=("ended", "swept", "cancelled"),
        ),
        *money.claims,
    ]


@dataclass(frozen=True, slots=True)
class ReservationChanges:
    """A reservation's changes in the document, and in the day's sum."""

    set: Attributes = field(default_factory=dict)
    add: Mapping[str, int] = field(default_factory=dict)
    claims: tuple[Change, ...] = ()


def reservation(document: Document, reserve: Reservation | None) -> ReservationChanges:
    """A document that had ended begins to count for the day of its reopening; its cost so far stays with the days
    before. Raises DayIsSpent."""
    if reserve is None or document.reserved is None:
        return ReservationChanges()
    if 0 < reserve.cap < reserve.most:
        raise DayIsSpent
    fits = Condition(at_most={"spent": reserve.cap - reserve.most}) if reserve.cap else Condition()
    if document.status is DocumentStatus.IN_PROGRESS or document.day == reserve.day:
        claim = Update(spend_key(document.day), fits, add={"spent": reserve.most})
        return ReservationChanges(add={"reserved": reserve.most}, claims=(claim,))
    settled = document.settled + document.reserved
    claim = Update(spend_key(reserve.day), fits, add={"spent": reserve.most})
    return ReservationChanges(
        set={"spend_day": reserve.day, "settled": settled, "reserved": reserve.most}, claims=(claim,)
    )


def sums(page: PageAccount) -> dict[str, int]:
    return {
        "pages_closed": 1,
        "recognized": page.recognized,
        "failed": page.failed,
        **dump_usage(page.usage),
    }


def is_unassembled(document: Document) -> bool:
    """Outputs are of a run, and of the reviews that were done."""
    made = document.assembled == document.run and document.assembled_reviews == document.reviews
    return bool(document.outputs) and not made


def is_gone(stored: Attributes) -> bool:
    return stored["status"] == DELETED or ("deleting" in stored and bool(stored["announced"]))


def listed_word(document: Document) -> str | None:
    """The word in the index of a document whose end is announced. A cancelled document waits for no redrive."""
    if document.deleting:
        return DELETING
    if is_unassembled(document):
        return UNASSEMBLED
    return FAILED if document.failed and not document.cancelled else None


def listed_anew(document: Document, changed: Attributes, seen: Document | None = None) -> Update:
    """A change of an ended document, as it was seen, with its place in the index: to be assembled, to be redriven, or
    none. One that is not announced keeps its place."""
    seen = seen or document
    as_seen = Condition(
        equal={
            "status": str(seen.status),
            "run": seen.run,
            "announced": seen.announced,
            "assembled": seen.assembled or None,
            "assembled_reviews": seen.assembled_reviews or None,
            "reviews": seen.reviews or None,
            "deleting": seen.deleting,
        }
    )
    if not (document.announced or changed.get("announced")):
        return Update(document_key(document.id), as_seen, set=changed)
    word = listed_word(document)
    listed: Attributes = {"open": word} if word else {}
    return Update(document_key(document.id), as_seen, set={**changed, **listed}, remove=() if word else ("open",))


def final_status(document: Document) -> DocumentStatus:
    if document.failed == 0:
        return DocumentStatus.COMPLETE
    if document.cancelled:
        return DocumentStatus.CANCELLED
    return DocumentStatus.PARTIAL if document.recognized else DocumentStatus.FAILED
