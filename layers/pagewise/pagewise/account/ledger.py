"""The ledger: documents, pages and results, with the counters that belong to them. Exactly once, under any repetition.

    record                            attributes
    ─────────────────────────────     ──────────────────────────────────────────────────────
    document                          status, pages, tasks, source, counters; `open` is "open" until its end is
                                      announced, then "unassembled" until the outputs that it wants are made, then
                                      "failed" while page jobs of it have failed; `swept`: the page that the sweeper
                                      has come to in this run; `assembled`: the run whose outputs are made, and
                                      `assembled_reviews` of its `reviews`; `cancelled`, `deleting`: when that was asked
    split#00001-00020                 this page range has been fanned out (`#2` at the end: in the document's run 2)
    given_up#00001-00020              `page`: of this range, which could not be split, the last page that has ended
    page#00001                        ended_jobs, closed, of every ended job `job#<task>`, of redriven ones `run#<task>`
    result#00001#text_recognition     result (JSON), or result_key (in the pages bucket) if it is large
    superseded#00001#multi_lan#2      the failed result that the redrive of run 2 took out of the account

review and corrections#00001 are pagewise.account.reviews', and what is left of a deleted document is
pagewise.account.deletion's. All are in the document's own partition. A result, its page and (if it is the page's last)
its document change in one transaction. Hot counters are avoided by that hierarchy: most results touch their own page
only.

Where there is a cap, `spend#<date>` has `spent`: the bills of the documents that were accepted, or redriven, on that
day and have ended, and of the others the most that they can cost. It changes with the document, when it is opened and
closed.
`reuse#<fingerprint>` is pagewise.account.reuse's.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pagewise.account.changes import (
    SPEND,
    DayIsSpent,
    Reservation,
    changes,
    final_status,
    group_changes,
    is_awaited,
    is_gone,
    is_unassembled,
    listed_anew,
    listed_word,
    reservation,
    withdrawal,
)
from pagewise.account.groups import held_by
from pagewise.account.records import (
    FAILED,
    OPEN,
    UNASSEMBLED,
    document_key,
    dump_document,
    dump_job_account,
    load_document,
    load_job_account,
    load_page,
    page_key,
    result_key,
    spend_key,
    split_key,
)
from pagewise.errors import Cancelled, Deleted, ObjectGone, StorageBusy
from pagewise.model import (
    Document,
    DocumentId,
    DocumentStatus,
    JobStatus,
    Look,
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
from pagewise.table import NEW, Attributes, Change, Condition, Key, Put, Refused, Table, Update
from pagewise.tasks import Task

# Where a result costs least, in millionths of a USD. In the table: 2 × 0.625 for each KB, as it is written in a
# transaction, and 0.125 for each 4 KB read. In the bucket: 5 for the PUT, 0.4 for a GET, 1.375 for the record. So
# 6.5 against 6.8 at 5 KB, 7.8 at 6 KB; up to 0.3 of the 5 KB are other attributes. 100 KB, as it was once, cost 128.
INLINE_RESULT_BYTES = 4_800
# The loser of a race sees the winner's state next time; conflicts end within milliseconds.
TRIES = 12
LONGEST_PAUSE_SECONDS = 0.5
# A record's key has five digits for a page.
MOST_PAGES = 99_999


@dataclass(frozen=True, slots=True)
class Ledger:
    table: Table
    large_results: LargeResults
    pause: Callable[[float], None] = time.sleep
    price: Price = field(default_factory=Price)

    # ── documents ────────────────────────────────────────────────────────────────────────────────────────────────────

    def open(self, document: Document, day_cap: int = 0) -> Document:
        """Write the document unless its id is known; the stored one either way.

        Its reservation is claimed of its day's cap in the same transaction. Raises DayIsSpent if that is too much, and
        Deleted if the document was there and is not any more.
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
                if self.is_deleted(document.id):
                    raise Deleted from None
                if 1 in refused.unmet:
                    raise DayIsSpent from None
                self.back_off(attempt)
            else:
                return document
        raise StorageBusy("The document could not be written.")

    def document(self, document_id: DocumentId) -> Document | None:
        """None if it is not known, or deleted: to everybody but its deletion it is gone once its end is announced."""
        stored = self.table.get(document_key(document_id))
        return load_document(document_id, stored) if stored and not is_gone(stored) else None

    def is_deleted(self, document_id: DocumentId) -> bool:
        stored = self.table.get(document_key(document_id))
        return stored is not None and is_gone(stored)

    def cancel(self, document_id: DocumentId, now: str) -> Document | None:
        """Note that nothing of a document is to be done any more, unless it has ended; the document as it is stored."""
        for attempt in range(TRIES):
            document = self.document(document_id)
            if document is None or document.status is not DocumentStatus.IN_PROGRESS or document.cancelled:
                return document
            as_it_is = Condition(equal={"status": str(document.status), "run": document.run, "cancelled": None})
            # The sweeper goes on with it where the caller has no time left.
            change = Update(document_key(document_id), as_it_is, set={"cancelled": now, "due": now})
            try:
                self.table.change(change)
            except Refused:
                self.back_off(attempt)
        raise StorageBusy("The document is being changed.")

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
                    "cancelled": document.cancelled,
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
        """In the day's sum, a document's bill takes the place of its reservation, or of its bill before a redrive."""
        if document.reserved is None:
            return []
        return [Update(spend_key(document.day), add={"spent": bill - document.reserved})]

    def spent(self, day: str) -> int:
        """The amount claimed of a day's cap (YYYY-MM-DD), in the price's units."""
        return int((self.table.get(spend_key(day)) or {}).get("spent", 0))

    def announced(self, document: Document, assembly_due: str) -> bool:
        """Note that the end of this run of the document has been published; whether this is the first note.

        `assembly_due`: the time at which its outputs, which are made from now on, are overdue.
        """
        for attempt in range(TRIES):
            stored = self.document(document.id)
            if stored is None or stored.announced or (stored.status, stored.run) != (document.status, document.run):
                return False
            due = {"due": assembly_due} if listed_word(stored) == UNASSEMBLED else {}
            try:
                self.table.change(listed_anew(stored, {"announced": True, **due}))
            except Refused:
                self.back_off(attempt)
            else:
                return True
        raise StorageBusy("The document is being changed.")

    def assembled(self, document: Document) -> bool:
        """Note that the outputs of this run, and of its reviews, have been made and published; whether this is the
        first note. The run's end may not have been noted as announced yet."""
        for attempt in range(TRIES):
            stored = self.document(document.id)
            if stored is None or stored.edition != document.edition or not is_unassembled(stored):
                return False
            made = replace(stored, assembled=document.run, assembled_reviews=document.reviews)
            noted: Attributes = {"assembled": document.run}
            if document.reviews:
                noted["assembled_reviews"] = document.reviews
            try:
                self.table.change(listed_anew(made, noted, stored))
            except Refused:
                self.back_off(attempt)
            else:
                return True
        raise StorageBusy("The document is being changed.")

    def unassembled(self, before: str) -> Iterable[DocumentId]:
        """Documents with outputs that were due before this time and have not been made."""
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
        """Documents due before this time that have not ended, or have an end that is not announced."""
        return (DocumentId(partition) for partition in self.table.listed(OPEN, before))

    def with_failures(self) -> Iterable[DocumentId]:
        """Ended documents with failed page jobs, the oldest first; then unassembled ones: some may have any."""
        for word in (FAILED, UNASSEMBLED):
            yield from map(DocumentId, self.table.listed(word))

    # ── page ranges ──────────────────────────────────────────────────────────────────────────────────────────────────

    def is_split(self, document_id: DocumentId, pages: PageRange) -> bool:
        return self.table.get(split_key(document_id, pages)) is not None

    def mark_split(self, document_id: DocumentId, pages: PageRange) -> None:
        """The range has been fanned out completely."""
        self.table.change(Put(split_key(document_id, pages), {}))

    def given_up(self, document_id: DocumentId, pages: PageRange) -> int:
        """The last page of a range that has ended because the range was given up; the page before the range, if none
        has."""
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
        """The pages with at least one ended job, in order: all, or those of a range."""
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
            look=Look(blank=line.blank),
            warnings=line.warnings,
            lane=line.lane,
            # The names of the broken rules have gone with the result.
            validation=None if line.valid is None else Validation(() if line.valid else (Problem("", "unknown"),)),
        )

    def results(
        self, document_id: DocumentId, tasks: Container[Task] = frozenset(Task), most_pages: int = MOST_PAGES
    ) -> Iterator[Result]:
        """All that are stored, or those of these tasks and so many pages, by pages and tasks, read as they are asked
        for."""
        seen: set[str] = set()
        for stored in self.table.records(document_id, "result#"):
            _, page, task = stored["record"].split("#")
            if Task(task) not in tasks:
                continue
            seen.add(page)
            if len(seen) > most_pages:
                return
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
            after = known.with_jobs(
                [load_job_account(one.task, dump_job_account(one), one.run) for one in fresh], page_tasks
            )
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
        """Take a failed result out of the account, to be done again: nothing else ever undoes an end.

        Parameters
        ----------
        run: the caller's own, from an earlier withdrawal; a new one is begun if the document is not in it any more.
        due: the time at which the document, open again, becomes overdue.
        reserve: the claim of the day's cap, of a document that counts for one.

        Returns the run for doing the page job again; None if it has no failed result. Raises DayIsSpent, and Cancelled
        for a document that is being cancelled or deleted.
        """
        for attempt in range(TRIES):
            document, account = self.document(document_id), self.page(document_id, page)
            stored = self.table.get(result_key(document_id, page, task))
            if document is None or stored is None or stored["status"] != JobStatus.FAILED:
                return None
            if document.deleting or (document.cancelled and document.status is DocumentStatus.IN_PROGRESS):
                raise Cancelled
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


def given_up_key(document_id: DocumentId, pages: PageRange) -> Key:
    return Key(document_id, split_key(document_id, pages).record.replace("split#", "given_up#"))


def path_safe(token: str) -> str:
    """A part of a key; a key may have 1,024 bytes in all."""
    return "".join(character if character.isascii() and character.isalnum() else "-" for character in token[:64])
