"""The ledger: documents, pages and results, with the counters that belong to them. Exactly once, under any repetition.

    record                            attributes
    ─────────────────────────────     ──────────────────────────────────────────────────────
    document                          status, pages, tasks, source, counters; `open` is "open" until its end is
                                      announced, then "unassembled" until the outputs that it wants are made, then
                                      "failed" while page jobs of it have failed; `swept`: the page that the sweeper
                                      has come to in this run; `assembled`: the run whose outputs are made
    split#00001-00020                 this page range has been fanned out (`#2` at the end: in the document's run 2)
    given_up#00001-00020              `page`: of this range, which nobody could split, the last page that has ended
    page#00001                        ended_jobs, closed, of every ended job `job#<task>`, of redriven ones `run#<task>`
    result#00001#text_recognition     result (JSON), or result_key (in the pages bucket) if it is large
    superseded#00001#multi_lan#2      the failed result that the redrive of run 2 took out of the account

All are in the document's own partition. A result, its page and (if it is the page's last) its document change in one
transaction. Hot counters are avoided by that hierarchy: most results touch their own page only.

Where there is a cap, `spend#<date>` has `spent`: the bills of the documents that were accepted, or redriven, on that
day and have ended, and of the others the most that they can cost. It changes with the document, when that is opened and
closed.
`reuse#<fingerprint>` is pagewise.account.reuse's.
"""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pagewise.account.groups import held_by
from pagewise.account.records import (
    FAILED,
    OPEN,
    UNASSEMBLED,
    document_key,
    dump_document,
    dump_job,
    load_document,
    load_job,
    load_page,
    page_key,
    result_key,
    spend_key,
    split_key,
    superseded_key,
)
from pagewise.errors import UNREADABLE_PAGE, ObjectGone, StorageBusy
from pagewise.messages import dump_image, dump_usage
from pagewise.model import (
    Document,
    DocumentId,
    DocumentStatus,
    JobStatus,
    PageAccount,
    PageRange,
    Problem,
    Result,
    StoredImage,
    Validation,
)
from pagewise.ports import LargeResults, Recorded, RecordedGroup, RecordedPage
from pagewise.qwen.tokens import Price
from pagewise.results import dump_result, load_result
from pagewise.strict_json import dumped
from pagewise.table import KNOWN, NEW, Attributes, Change, Condition, Delete, Key, Put, Refused, Table, Update
from pagewise.tasks import Task

# Where a result costs least, in millionths of a USD. In the table: 2 × 0.625 for each KB, as it is written in a
# transaction, and 0.125 for each 4 KB read. In the bucket: 5 for the PUT, 0.4 for a GET, 1.375 for the record. So
# 6.5 against 6.8 at 5 KB, 7.8 at 6 KB; up to 0.3 of the 5 KB are other attributes. 100 KB, as it was once, cost 128.
INLINE_RESULT_BYTES = 4_800
# Who loses a race sees the winner's state next time; conflicts end within milliseconds.
TRIES = 12
# Which of a withdrawal's changes claims of the day's cap.
SPEND = 4
LONGEST_PAUSE_SECONDS = 0.5


class DayIsSpent(Exception):
    """What a document reserves is more than is left of its day's cap."""


@dataclass(frozen=True, slots=True)
class Reservation:
    """What a page job that is done again can cost at most, to be claimed of a day's cap (0: none), in the price's
    units."""

    day: str
    cap: int
    most: int


@dataclass(frozen=True, slots=True)
class Ledger:
    table: Table
    large_results: LargeResults
    pause: Callable[[float], None] = time.sleep
    price: Price = field(default_factory=Price)

    # ── documents ────────────────────────────────────────────────────────────────────────────────────────────────────

    def open(self, document: Document, day_cap: int = 0) -> Document:
        """Write the document unless its id is known; the stored one either way.

        What it reserves is claimed of its day's cap in the same transaction. Raises DayIsSpent if that is too much.
        """
        together: list[Change] = [Put(document_key(document.id), dump_document(document), NEW)]
        if document.reserved is not None:
            fits = Condition(at_most={"spent": day_cap - document.reserved})
            together.append(Update(spend_key(document.day), fits, add={"spent": document.reserved}))
        for attempt in range(TRIES):
            try:
                self.table.change(*together)
            except Refused as refused:
                if stored := self.document(document.id):
                    return stored
                if 1 in refused.unmet:
                    raise DayIsSpent from None
                self.back_off(attempt)
            else:
                return document
        raise StorageBusy("The document could not be written.")

    def document(self, document_id: DocumentId) -> Document | None:
        stored = self.table.get(document_key(document_id))
        return load_document(document_id, stored) if stored else None

    def close(self, document_id: DocumentId, ended: str) -> Document | None:
        """End the document if all its pages are closed and it has not ended; the stored one either way."""
        document = self.document(document_id)
        if document is None or document.status is not DocumentStatus.IN_PROGRESS:
            return document
        if document.pages_closed < document.pages:
            return document
        bill = self.price.units(document.usage + document.superseded_usage) - document.settled
        settled = {} if document.reserved is None else {"reserved": bill}
        ends = Update(
            document_key(document_id),
            # As it was seen: a redrive may have opened it, or one of its pages, again.
            Condition(
                equal={
                    "status": str(DocumentStatus.IN_PROGRESS),
                    "run": document.run,
                    "pages_closed": document.pages_closed,
                    "failed": document.failed,
                }
            ),
            set={"status": str(final_status(document)), "ended": ended, **settled},
        )
        for attempt in range(TRIES):
            try:
                self.table.change(ends, *self.billed(document, bill))
            except Refused as refused:
                if not refused.unmet:
                    self.back_off(attempt)
                    continue
            return self.document(document_id)  # as it is stored: another invocation may have ended it first
        raise StorageBusy("The document is being changed.")

    def billed(self, document: Document, bill: int) -> list[Change]:
        """In the day's sum, a document's bill takes the place of what it reserved, or of its bill before a redrive."""
        if document.reserved is None:
            return []
        return [Update(spend_key(document.day), add={"spent": bill - document.reserved})]

    def spent(self, day: str) -> int:
        """What has been claimed of a day's cap (YYYY-MM-DD), in the price's units."""
        return int((self.table.get(spend_key(day)) or {}).get("spent", 0))

    def announced(self, document: Document, assembly_due: str) -> bool:
        """The end of this run of the document has been published; whether nobody has noted it before.

        `assembly_due`: when the outputs that it wants, which are made from now on, are overdue.
        """
        for attempt in range(TRIES):
            stored = self.document(document.id)
            if stored is None or stored.announced or (stored.status, stored.run) != (document.status, document.run):
                return False
            due = {"due": assembly_due} if is_unassembled(stored) else {}
            try:
                self.table.change(listed_anew(stored, {"announced": True, **due}))
            except Refused:
                self.back_off(attempt)
            else:
                return True
        raise StorageBusy("The document is being changed.")

    def assembled(self, document: Document) -> bool:
        """The outputs of this run have been made and published; whether nobody has noted it before. Its end may not
        have been noted as announced yet."""
        for attempt in range(TRIES):
            stored = self.document(document.id)
            if stored is None or stored.run != document.run or stored.assembled == document.run:
                return False
            try:
                self.table.change(
                    listed_anew(replace(stored, assembled=document.run), {"assembled": document.run}, stored)
                )
            except Refused:
                self.back_off(attempt)
            else:
                return True
        raise StorageBusy("The document is being changed.")

    def unassembled(self, before: str) -> Iterable[DocumentId]:
        """Documents whose outputs were due before this time and have not been made."""
        return (DocumentId(partition) for partition in self.table.listed(UNASSEMBLED, before))

    def awaits_assembly(self, document: Document, due: str) -> None:
        """The outputs of this run were asked for once more; they are due then."""
        as_seen = Condition(equal={"run": document.run, "open": UNASSEMBLED})
        try:
            self.table.change(Update(document_key(document.id), as_seen, set={"due": due}))
        except Refused as refused:
            if not refused.unmet:
                raise StorageBusy("The document is being changed.") from None

    def unfinished(self, before: str) -> Iterable[DocumentId]:
        """Documents due before this time that have not ended, or whose end is not announced."""
        return (DocumentId(partition) for partition in self.table.listed(OPEN, before))

    def with_failures(self) -> Iterable[DocumentId]:
        """Documents that have ended with failed page jobs, the oldest first; then those among which some may have."""
        for word in (FAILED, UNASSEMBLED):
            yield from map(DocumentId, self.table.listed(word))

    # ── page ranges ──────────────────────────────────────────────────────────────────────────────────────────────────

    def is_split(self, document_id: DocumentId, pages: PageRange) -> bool:
        return self.table.get(split_key(document_id, pages)) is not None

    def mark_split(self, document_id: DocumentId, pages: PageRange) -> None:
        """The range has been fanned out completely."""
        self.table.change(Put(split_key(document_id, pages), {}))

    def given_up(self, document_id: DocumentId, pages: PageRange) -> int:
        """The last page of a range that has ended because the range was given up; the one before it, if none has."""
        return int((self.table.get(given_up_key(document_id, pages)) or {}).get("page", pages.first - 1))

    def mark_given_up(self, document_id: DocumentId, pages: PageRange, page: int) -> None:
        self.table.change(Put(given_up_key(document_id, pages), {"page": page}))

    def mark_swept(self, document: Document, page: int) -> None:
        """Every page job up to this page has ended, and its end has been published, unless the document was opened
        again in the meantime."""
        as_seen = Condition(equal={"status": str(DocumentStatus.IN_PROGRESS), "run": document.run})
        for attempt in range(TRIES):
            try:
                self.table.change(Update(document_key(document.id), as_seen, set={"swept": page}))
            except Refused as refused:
                if refused.unmet:
                    return
                self.back_off(attempt)
            else:
                return
        raise StorageBusy("The document is being changed.")

    # ── pages and results ────────────────────────────────────────────────────────────────────────────────────────────

    def page(self, document_id: DocumentId, page: int) -> PageAccount | None:
        stored = self.table.get(page_key(document_id, page))
        return load_page(document_id, page, stored) if stored else None

    def pages(self, document_id: DocumentId, within: PageRange | None = None) -> Iterator[PageAccount]:
        """The pages of which at least one job has ended, in order: all, or those of a range."""
        records = self.table.records(document_id, "page#")
        if within:
            first, last = (page_key(document_id, page).record for page in (within.first, within.last))
            records = self.table.between(document_id, first, last)
        for stored in records:
            yield load_page(document_id, int(stored["record"].removeprefix("page#")), stored)

    def result(self, document_id: DocumentId, page: int, task: str) -> Result | None:
        stored = self.table.get(result_key(document_id, page, task))
        return self.loaded(document_id, page, Task(task), stored) if stored else None

    def loaded(self, document_id: DocumentId, page: int, task: Task, stored: Attributes) -> Result:
        if "result_key" not in stored:
            return load_result(json.loads(stored["result"]))
        try:
            return load_result(self.large_results.json(stored["result_key"]))
        except ObjectGone:
            return self.without_output(document_id, page, task, stored)

    def without_output(self, document_id: DocumentId, page: int, task: Task, stored: Attributes) -> Result:
        """A large result that is not in the bucket any more, as the account knows it: its page job has ended all the
        same, and is not paid for again."""
        account = self.page(document_id, page)
        line = next((job for job in account.jobs if job.task is task), None) if account else None
        if line is None:
            raise StorageBusy("A result is being withdrawn.")
        return Result(
            document_id=document_id,
            page=page,
            task=task,
            status=line.status,
            attempts=line.attempts,
            ended=stored["ended"],
            reason=line.reason,
            message=line.message,
            usage=line.usage,
            run=line.run,
            reused_from=line.reused_from,
            group=line.group,
            source=line.source,
            lane=line.lane,
            # Which rules it broke has gone with it.
            validation=None if line.valid is None else Validation(() if line.valid else (Problem("", "unknown"),)),
        )

    def results(self, document_id: DocumentId) -> Iterator[Result]:
        """All that are stored, by pages and tasks, read as they are asked for."""
        for stored in self.table.records(document_id, "result#"):
            _, page, task = stored["record"].split("#")
            yield self.loaded(document_id, int(page), Task(task), stored)

    def record(self, result: Result, page_tasks: int, image: StoredImage | None = None) -> Recorded:
        """Store a result and move the page's and the document's counters with it, in one transaction;
        a result that is already there stays as it is, and nothing moves.

        `image`, the page's, is remembered where the page job has failed: a redrive needs it.
        """
        stored = self.stored_form(result)
        for attempt in range(TRIES):
            # A page of one task needs no look: its first result is its last.
            look = page_tasks > 1 or result.run > 1 or attempt
            before = self.page(result.document_id, result.page) if look else None
            if before and before.run_of(result.task) != result.run:
                return Recorded(result, first=False, page_closed=False, superseded=True)
            ended = len(before.jobs) if before else 0
            closes = ended == page_tasks - 1
            try:
                self.table.change(*changes([(result, stored)], before, image, closes=closes))
            except Refused as refused:
                if 0 in refused.unmet:
                    return self.already(result)
                self.back_off(attempt)
            else:
                return Recorded(result, first=True, page_closed=closes)
        raise StorageBusy(f"The account of page {result.page} is busy.")

    def record_group(
        self, results: Sequence[Result], page_tasks: int, images: Mapping[int, StoredImage]
    ) -> RecordedGroup:
        """Store the results of a group's pages and move all counters with them, in one transaction: of those pages
        that have not ended and are in the results' runs. The first of them holds the answer and its bill.

        `images` by pages, remembered where page jobs have failed.
        """
        document_id, task = results[0].document_id, results[0].task
        within = PageRange(min(one.page for one in results), max(one.page for one in results))
        forms: dict[int, Attributes] = {}
        for attempt in range(TRIES):
            accounts = {account.page: account for account in self.pages(document_id, within)}
            fresh = [one.page for one in results if is_awaited(one, accounts.get(one.page))]
            if not fresh:
                return RecordedGroup((), frozenset(), self.ended_before(results, accounts, fresh))
            held = self.held(results, fresh)
            if held[0].page not in forms:
                forms = {one.page: self.stored_form(one) for one in held}
            together, closed = group_changes([(one, forms[one.page]) for one in held], accounts, page_tasks, images)
            try:
                self.table.change(*together)
            except Refused:
                self.back_off(attempt)
            else:
                return RecordedGroup(tuple(held), closed, self.ended_before(results, accounts, fresh))
        raise StorageBusy(f"The accounts of the pages from {within.first} for {task} are busy.")

    def held(self, results: Sequence[Result], fresh: Sequence[int]) -> list[Result]:
        return held_by(results, fresh)

    def ended_before(
        self, results: Sequence[Result], accounts: Mapping[int, PageAccount], fresh: Sequence[int]
    ) -> tuple[Result, ...]:
        stored = (
            self.result(one.document_id, one.page, one.task)
            for one in results
            if one.page not in fresh and accounts[one.page].run_of(one.task) == one.run
        )
        return tuple(result for result in stored if result)

    def record_failures(self, results: Sequence[Result], page_tasks: int, before: PageAccount | None) -> RecordedPage:
        """Store failed results of one page, as far as its jobs have not ended, in one transaction.

        `before`: the page as it was read last. Failed results are short, and need no bucket.
        """
        for attempt in range(TRIES):
            known = before or PageAccount(results[0].document_id, results[0].page, (), closed=False)
            ended = {job.task for job in known.jobs}
            fresh = [one for one in results if one.task not in ended and one.run == known.run_of(one.task)]
            after = known.with_jobs([load_job(one.task, dump_job(one), one.run) for one in fresh], page_tasks)
            try:
                if fresh:
                    written = [(one, self.stored_form(one)) for one in fresh]
                    self.table.change(*changes(written, before, None, closes=after.closed))
            except Refused:
                self.back_off(attempt)
                before = self.page(known.document_id, known.page)
            else:
                return RecordedPage(tuple(fresh), known, after)
        raise StorageBusy(f"The account of page {results[0].page} is busy.")

    def withdraw(
        self,
        document_id: DocumentId,
        page: int,
        task: Task,
        run: int | None,
        due: str,
        reserve: Reservation | None = None,
    ) -> int | None:
        """Take a failed result out of the account, to be done again: the one way in which an end is ever undone.

        Parameters
        ----------
        run: the caller's own, from an earlier withdrawal; a new one is begun if the document is not in it any more.
        due: when the document, open again, becomes overdue.
        reserve: what is claimed of the day's cap, of a document that counts for one.

        Returns the run in which the page job is to be done again; None if it has no failed result. Raises DayIsSpent.
        """
        for attempt in range(TRIES):
            document, account = self.document(document_id), self.page(document_id, page)
            stored = self.table.get(result_key(document_id, page, task))
            if document is None or stored is None or stored["status"] != JobStatus.FAILED:
                return None
            open_in_run = document.status is DocumentStatus.IN_PROGRESS and document.run == run
            if document.status is not DocumentStatus.IN_PROGRESS and not document.announced:
                raise StorageBusy("The document's end is being published. Redrive it again.")
            if account and any(job.task is task for job in account.jobs):
                chosen = document.run if open_in_run else document.run + 1
                money = reservation(document, reserve)
                try:
                    self.table.change(*withdrawal(document, account, task, stored, chosen, due, money))
                except Refused as refused:
                    if SPEND in refused.unmet:
                        raise DayIsSpent from None
                else:
                    return chosen
            self.back_off(attempt)
        raise StorageBusy(f"The account of page {page} is busy.")

    def back_off(self, attempt: int) -> None:
        self.pause(random.random() * min(LONGEST_PAUSE_SECONDS, 0.01 * 2**attempt))

    def already(self, result: Result) -> Recorded:
        found = self.result(result.document_id, result.page, result.task)
        if found is None:
            raise StorageBusy("A result was deleted while it was written.")
        page = self.page(result.document_id, result.page)
        return Recorded(found, first=False, page_closed=page is not None and page.closed)

    def stored_form(self, result: Result) -> Attributes:
        """The result's attributes. A large one goes to the bucket first, under a key of this attempt's own: only the
        transaction makes it the result."""
        shown = dump_result(result)
        text = dumped(shown)
        about: Attributes = {"status": str(result.status), "ended": result.ended}
        if len(text.encode()) <= INLINE_RESULT_BYTES:
            return {**about, "result": text}
        token = path_safe(result.request_id or result.ended)
        key = f"documents/{result.document_id}/results/{result.page:05}.{result.task}.{token}.json"
        self.large_results.put_json(key, shown)
        return {**about, "result_key": key}


def changes(
    written: Sequence[tuple[Result, Attributes]], before: PageAccount | None, image: StoredImage | None, *, closes: bool
) -> list[Change]:
    """One transaction: results of a page with their stored forms, their lines in the page, and the page's sum in the
    document if it closes.

    The page must be as it was seen, so that exactly one transaction closes it.
    """
    result = written[0][0]
    lines = {one.task: dump_job(one) for one, _ in written}
    ended = len(before.jobs) if before else 0
    account: Attributes = {f"job#{task}": line for task, line in lines.items()}
    account["ended_jobs"] = ended + len(lines)
    gone: tuple[str, ...] = ()
    if closes:
        account["closed"] = True
    if result.reason == UNREADABLE_PAGE:
        gone = ("image",)
    elif image and result.status is JobStatus.FAILED:
        # As text: its geometry is in fractions, which DynamoDB's client refuses.
        account["image"] = dumped(dump_image(image))
    together: list[Change] = [
        *(Put(result_key(one.document_id, one.page, one.task), stored, NEW) for one, stored in written),
        Update(page_key(result.document_id, result.page), seen(before), set=account, remove=gone),
    ]
    if closes:
        jobs = (*(before.jobs if before else ()), *(load_job(one.task, lines[one.task], one.run) for one, _ in written))
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
    """That the page is as it was read: every result adds to the first number, every withdrawal to the second."""
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
    as_read = Condition(equal={"status": str(document.status), "run": document.run, "announced": document.announced})
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
            remove=("ended", "swept"),
        ),
        *money.claims,
    ]


@dataclass(frozen=True, slots=True)
class ReservationChanges:
    """What a reserve changes in the document, and in the day's sum."""

    set: Attributes = field(default_factory=dict)
    add: Mapping[str, int] = field(default_factory=dict)
    claims: tuple[Change, ...] = ()


def reservation(document: Document, reserve: Reservation | None) -> ReservationChanges:
    """A document that had ended begins to count for the day on which it is opened again; what it has cost stays with
    the days before. Raises DayIsSpent."""
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
    return bool(document.outputs) and document.assembled < document.run


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
        }
    )
    if not (document.announced or changed.get("announced")):
        return Update(document_key(document.id), as_seen, set=changed)
    word = UNASSEMBLED if is_unassembled(document) else FAILED if document.failed else None
    listed: Attributes = {"open": word} if word else {}
    return Update(document_key(document.id), as_seen, set={**changed, **listed}, remove=() if word else ("open",))


def final_status(document: Document) -> DocumentStatus:
    if document.failed == 0:
        return DocumentStatus.COMPLETE
    return DocumentStatus.PARTIAL if document.recognized else DocumentStatus.FAILED


# ── records ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def given_up_key(document_id: DocumentId, pages: PageRange) -> Key:
    return Key(document_id, split_key(document_id, pages).record.replace("split#", "given_up#"))


def path_safe(token: str) -> str:
    """A part of a key, which may have 1,024 bytes in all."""
    return "".join(character if character.isascii() and character.isalnum() else "-" for character in token[:64])
