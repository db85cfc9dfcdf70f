"""Reviews as they are kept: which documents wait for one and why, which person has a document, and what was said.

    record                 attributes
    ──────────────────     ──────────────────────────────────────────────────────────────────────────────
    review                 state (none, waiting, done), run, reasons, pages; while it waits `open` is
                           "review" and `due` the document's end: the oldest first. A claim: claimed_by,
                           claimed_id, claimed_until. `changed`: values that differ from the machine's
    corrections#00001      version, corrections (JSON), changed, saved, by
    reviewed#00001         of a review that was done: fact (JSON), as it is published, now or a hundred reviews later;
                           until it is, `open` is "reviewed" and `due` the time to try again

Two persons who save the same page see each other by its version, two who take the same document by the claim.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from pagewise.account.changes import is_unassembled
from pagewise.account.ledger import TRIES, Ledger
from pagewise.account.records import (
    REVIEW,
    REVIEWED,
    UNASSEMBLED,
    corrections_key,
    document_key,
    review_key,
    reviewed_key,
)
from pagewise.errors import Deleted, PagewiseError, Permanent, StorageBusy
from pagewise.model import Document, DocumentId, DocumentStatus, PageAccount
from pagewise.options.rules import judged
from pagewise.review import doubts
from pagewise.review.corrections import NOBODYS, Correction, PageCorrections, Person, corrected, load_correction
from pagewise.review.doubts import Counted, Doubt, DoubtCode
from pagewise.review.policy import ALWAYS, DOUBTFUL, NEVER, is_drawn
from pagewise.strict_json import dumped
from pagewise.table import KNOWN, NEW, Attributes, Condition, Put, Refused, Update
from pagewise.tasks import Task

# A review's list names so many doubtful pages; a document may have ten thousand.
MOST_PAGES_NAMED = 1_000
# Of a document's fields, so many pages are looked through where it ends: at 50 ms a page's worst, 25 s.
MOST_PAGES_READ = 500
# An item of the table may have 400 KB, its other attributes among them.
MOST_CORRECTION_BYTES = 300_000


class ReviewState(StrEnum):
    NONE = "none"
    WAITING = "waiting"
    CLAIMED = "claimed"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Claim:
    """Somebody's, until a moment."""

    person: Person
    until: str

    def is_anothers(self, person: Person, now: str) -> bool:
        return self.until > now and self.person.id != person.id


@dataclass(frozen=True, slots=True)
class Review:
    """Of one document. `state` says nothing of claims, which end by themselves. `number` of reviews are done."""

    state: ReviewState = ReviewState.NONE
    run: int = 1
    reasons: tuple[Counted, ...] = ()
    pages: tuple[int, ...] = ()
    claim: Claim | None = None
    reviewed: str | None = None
    reviewed_by: str | None = None
    number: int = 0
    changed: int = 0

    def state_at(self, now: str) -> ReviewState:
        claimed = self.claim and self.claim.until > now and self.state is not ReviewState.DONE
        return ReviewState.CLAIMED if claimed else self.state

    def shown(self, now: str, person: Person | None = None) -> dict[str, Any]:
        claim = self.claim if self.state_at(now) is ReviewState.CLAIMED else None
        return {
            "state": self.state_at(now),
            "reasons": [reason.shown() for reason in self.reasons],
            "pages": list(self.pages),
            "claimed_by": claim.person.name if claim else None,
            "claimed_until": claim.until if claim else None,
            "mine": bool(claim and person and claim.person.id == person.id),
            "reviewed": self.reviewed,
            "reviewed_by": self.reviewed_by,
            "corrections": self.changed,
        }


UNREVIEWED = Review()


class Claimed(PagewiseError):
    """Another person has the document."""

    def __init__(self, claim: Claim) -> None:
        super().__init__("claimed", f"{claim.person.name} is reviewing this document until {claim.until}.")
        self.claim = claim


class Conflict(PagewiseError):
    """Another has saved the page since it was read. Nothing of either is lost."""

    def __init__(self, stored: PageCorrections) -> None:
        by = stored.by or "Nobody"
        super().__init__("conflict", f"{by} has saved this page since you read it. Compare, and save again.")
        self.stored = stored


class TooLarge(Permanent):
    def __init__(self) -> None:
        super().__init__(
            "too_large", f"The corrections of one page may have {MOST_CORRECTION_BYTES:,} bytes. Correct fewer values."
        )


@dataclass(frozen=True, slots=True)
class Decision:
    """What waits for a person, and why."""

    reasons: tuple[Counted, ...]
    pages: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Reviews:
    ledger: Ledger
    pause: Callable[[float], None] = field(default=time.sleep)

    # ── what waits ───────────────────────────────────────────────────────────────────────────────────────────────────

    def decide(self, document: Document, pages: Sequence[PageAccount]) -> Decision | None:
        """Whether a person shall look at a document that has ended. It is made of what is stored alone, so that it is
        the same however often the end is published."""
        if document.review == NEVER or document.status in (DocumentStatus.REJECTED, DocumentStatus.CANCELLED):
            return None
        found = dict(self.doubtful(document, pages)) if document.review in (DOUBTFUL, ALWAYS) else {}
        reasons = [doubt for of_page in found.values() for doubt in of_page]
        if document.review == ALWAYS:
            reasons.append(Doubt(DoubtCode.ALWAYS))
        if is_drawn(document.id, document.review):
            reasons.append(Doubt(DoubtCode.SAMPLE))
        named = tuple(sorted(page for page in found if page))[:MOST_PAGES_NAMED]
        return Decision(doubts.counted(reasons), named) if reasons else None

    def doubtful(self, document: Document, pages: Sequence[PageAccount]) -> Iterator[tuple[int, list[Doubt]]]:
        """The doubtful pages. Only fields are read for it: of all else the account knows the warnings."""
        read = self.fields_of(document) if Task.KEY_INFORMATION_EXTRACTION in document.tasks else {}
        for page in pages:
            known = doubts.of_account(page)
            values = [doubt for doubt in doubts.of_page(read.get(page.page, {})) if doubt.pointer]
            if any(doubt.code is DoubtCode.RULE for doubt in values):
                known = [doubt for doubt in known if doubt.code is not DoubtCode.RULE]
            if together := known + values:
                yield page.page, together
        if len(read) >= MOST_PAGES_READ and document.pages > MOST_PAGES_READ:
            yield 0, [Doubt(DoubtCode.UNREAD, Task.KEY_INFORMATION_EXTRACTION)]

    def fields_of(self, document: Document) -> dict[int, dict[Task, Any]]:
        wanted = (Task.KEY_INFORMATION_EXTRACTION, Task.ADVANCED_RECOGNITION)
        read: dict[int, dict[Task, Any]] = {}
        for result in self.ledger.results(document.id, wanted, MOST_PAGES_READ):
            read.setdefault(result.page, {})[result.task] = result
        return read

    def ended(self, document: Document, decision: Decision | None) -> Review | None:
        """Note what the end of this run of a document asks for; the review as it is stored, None if there is none."""
        for attempt in range(TRIES):
            stored = self.table_record(document.id)
            before = load_review(stored)
            # A later run's is there where an invocation comes late with the end of an earlier one.
            if (stored is None and decision is None) or (stored is not None and before.run >= document.run):
                return None if stored is None else before
            waits = decision is not None
            about: Attributes = {
                "state": str(ReviewState.WAITING if waits else ReviewState.NONE),
                "run": document.run,
                "reasons": dumped([reason.shown() for reason in decision.reasons] if decision else []),
                "pages": dumped(list(decision.pages) if decision else []),
                "due": document.ended or document.started,
            }
            listed = {"open": REVIEW} if waits else {}
            change = Update(
                review_key(document.id),
                Condition(equal={"run": before.run if stored else None}),
                set={**about, **listed},
                remove=() if waits else ("open",),
            )
            if self.changed(attempt, change):
                return load_review(self.table_record(document.id))
        raise StorageBusy("The review is being changed.")

    # ── persons ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def of(self, document_id: DocumentId) -> Review:
        return load_review(self.table_record(document_id))

    def claim(self, document: Document, person: Person, now: str, until: str) -> Review:
        """Raises Claimed. A document that was reviewed waits again once somebody takes it."""
        for attempt in range(TRIES):
            stored = self.table_record(document.id)
            review = load_review(stored)
            refuse_others(review, person, now)
            waits: Attributes = {
                "state": str(ReviewState.WAITING),
                "open": REVIEW,
                "due": (stored or {}).get("due") or document.ended or now,
                "run": review.run if stored else document.run,
            }
            change = Update(review_key(document.id), as_seen(stored), set=claimed(person, until) | waits)
            if self.changed(attempt, change):
                return self.of(document.id)
        raise StorageBusy("The review is being changed.")

    def release(self, document: Document, person: Person, now: str) -> Review:
        """Raises Claimed."""
        for attempt in range(TRIES):
            stored = self.table_record(document.id)
            review = load_review(stored)
            refuse_others(review, person, now)
            if stored is None or review.claim is None:
                return review
            change = Update(review_key(document.id), as_seen(stored), remove=CLAIM)
            if self.changed(attempt, change):
                return self.of(document.id)
        raise StorageBusy("The review is being changed.")

    def corrections(self, document_id: DocumentId, page: int) -> PageCorrections:
        return load_corrections(self.ledger.table.get(corrections_key(document_id, page)))

    def all_corrections(self, document_id: DocumentId) -> Iterator[tuple[int, PageCorrections]]:
        for stored in self.ledger.table.records(document_id, "corrections#"):
            yield int(stored["record"].removeprefix("corrections#")), load_corrections(stored)

    def save(
        self,
        document: Document,
        page: int,
        version: int,
        corrections: Sequence[Correction],
        person: Person,
        now: str,
        until: str,
    ) -> PageCorrections:
        """A page's corrections in the place of those of this version. The same once more, because its answer was lost,
        changes nothing. Raises Claimed, Conflict and TooLarge."""
        text = dumped([correction.shown() for correction in corrections])
        if len(text.encode()) > MOST_CORRECTION_BYTES:
            raise TooLarge
        said = PageCorrections(version + 1, tuple(corrections), now, person.name)
        for attempt in range(TRIES):
            stored, before = self.table_record(document.id), self.corrections(document.id, page)
            refuse_others(load_review(stored), person, now)
            if before.version == said.version and (before.by, before.values) == (said.by, said.values):
                return before
            if before.version != version:
                raise Conflict(before)
            waits: Attributes = {
                "state": str(ReviewState.WAITING),
                "open": REVIEW,
                "due": (stored or {}).get("due") or document.ended or now,
                "run": int((stored or {}).get("run", document.run)),
            }
            page_record: Attributes = {
                "version": said.version,
                "corrections": text,
                "changed": said.changed,
                "saved": now,
                "by": person.name,
            }
            together = (
                Put(
                    corrections_key(document.id, page),
                    page_record,
                    Condition(equal={"version": version or None}),
                ),
                Update(
                    review_key(document.id),
                    as_seen(stored),
                    set=claimed(person, until) | waits,
                    add={"changed": said.changed - before.changed},
                ),
            )
            if self.changed(attempt, *together):
                return said
        raise StorageBusy("The page's corrections are being changed.")

    def done(self, document: Document, person: Person, now: str, assembly_due: str) -> tuple[Document, Review]:
        """End a review; the document and the review as they are stored. Raises Claimed and Deleted."""
        for attempt in range(TRIES):
            stored = self.table_record(document.id)
            review = load_review(stored)
            refuse_others(review, person, now)
            if review.state is ReviewState.DONE:
                return document, review
            number = document.reviews + 1
            known = {} if stored else {"run": document.run, "due": document.ended or now}
            ends = Update(
                review_key(document.id),
                as_seen(stored),
                set={
                    "state": str(ReviewState.DONE),
                    "reviewed": now,
                    "reviewed_by": person.name,
                    "number": number,
                    **known,
                },
                remove=("open", *CLAIM),
            )
            fact = {
                "review": number,
                "reviewed": now,
                "by": person.name,
                "corrections": review.changed,
                "run": document.run,
                "status": document.status,
            }
            stays: Attributes = {"fact": dumped(fact), "open": REVIEWED, "due": now}
            kept = Put(reviewed_key(document.id, number), stays, NEW)
            if self.changed(attempt, ends, reviewed(document, number, assembly_due), kept):
                return self.known(document.id), self.of(document.id)
            document = self.known(document.id)
            if document.status is DocumentStatus.IN_PROGRESS:
                raise StorageBusy("The document is being recognized again. Finish its review once it has ended.")
        raise StorageBusy("The review is being changed.")

    def known(self, document_id: DocumentId) -> Document:
        """Raises Deleted."""
        if document := self.ledger.document(document_id):
            return document
        raise Deleted

    def untold(self, document_id: DocumentId) -> list[dict[str, Any]]:
        """The facts of reviews that were done and perhaps not published."""
        kept = self.ledger.table.records(document_id, "reviewed#")
        return [json.loads(stored["fact"]) for stored in kept if "open" in stored]

    def told(self, document_id: DocumentId, number: int) -> None:
        change = Update(reviewed_key(document_id, number), KNOWN, remove=("open", "due"))
        for attempt in range(TRIES):
            try:
                self.ledger.table.change(change)
            except Refused as refused:
                if refused.unmet:
                    return  # deleted
                self.ledger.back_off(attempt)
            else:
                return
        raise StorageBusy("The review is being changed.")

    def unpublished(self, before: str) -> Iterator[DocumentId]:
        """Documents with a review that was done before this time and perhaps not published."""
        yield from map(DocumentId, self.ledger.table.listed(REVIEWED, before))

    def corrected(self, document: Document, result: Any, said: PageCorrections) -> Any:
        """A result as the person has it, held against the document's rules."""
        changed = corrected(result, said.corrections)
        return result if changed is result else judged(changed, document.rules)

    # ── records ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def table_record(self, document_id: DocumentId) -> Attributes | None:
        return self.ledger.table.get(review_key(document_id))

    def changed(self, attempt: int, *changes: Put | Update) -> bool:
        """Whether the changes were made; else it is looked at again, soon."""
        try:
            self.ledger.table.change(*changes)
        except Refused:
            self.pause(random.random() * 0.01 * 2 ** min(attempt, 5))
            return False
        return True


def reviews_of(ledger: Ledger) -> Reviews:
    return Reviews(ledger, ledger.pause)


CLAIM = ("claimed_by", "claimed_id", "claimed_until")


def claimed(person: Person, until: str) -> Attributes:
    return {"claimed_by": person.name, "claimed_id": person.id, "claimed_until": until}


def refuse_others(review: Review, person: Person, now: str) -> None:
    if review.claim and review.claim.is_anothers(person, now):
        raise Claimed(review.claim)


def as_seen(stored: Attributes | None) -> Condition:
    known = stored or {}
    return Condition(
        equal={name: known.get(name) for name in ("state", "run", "claimed_id", "claimed_until", "reviewed")}
    )


def reviewed(document: Document, number: int, assembly_due: str) -> Update:
    """The document after so many reviews; its outputs are to be made again."""
    again: Attributes = {}
    if is_unassembled(replace(document, reviews=number)):
        again = {"open": UNASSEMBLED, "due": assembly_due}
    as_it_is = Condition(
        equal={
            "status": str(document.status),
            "run": document.run,
            "announced": True,
            "reviews": document.reviews or None,
            "deleting": None,
        }
    )
    return Update(document_key(document.id), as_it_is, set={"reviews": number, **again})


def load_review(stored: Mapping[str, Any] | None) -> Review:
    if stored is None:
        return UNREVIEWED
    claim = None
    if "claimed_until" in stored:
        claim = Claim(Person(stored["claimed_id"], stored["claimed_by"]), stored["claimed_until"])
    return Review(
        state=ReviewState(stored["state"]),
        run=int(stored["run"]),
        reasons=tuple(
            Counted(DoubtCode(one["code"]), one["detail"], int(one["count"]))
            for one in json.loads(stored.get("reasons", "[]"))
        ),
        pages=tuple(json.loads(stored.get("pages", "[]"))),
        claim=claim,
        reviewed=stored.get("reviewed"),
        reviewed_by=stored.get("reviewed_by"),
        number=int(stored.get("number", 0)),
        changed=int(stored.get("changed", 0)),
    )


def review_shown(review: Review, said: Iterable[tuple[int, PageCorrections]]) -> dict[str, Any]:
    """As the receipt has it: what the machine said beside what a person said, of every value that was looked at."""
    return {
        "state": review.state,
        "reasons": [reason.shown() for reason in review.reasons],
        "reviewed": review.reviewed,
        "by": review.reviewed_by,
        "corrections": [
            {"page": page, **correction.shown()} for page, of_page in said for correction in of_page.corrections
        ],
    }


def load_corrections(stored: Mapping[str, Any] | None) -> PageCorrections:
    if stored is None:
        return NOBODYS
    corrections = tuple(map(load_correction, json.loads(stored["corrections"])))
    return PageCorrections(int(stored["version"]), corrections, stored["saved"], stored["by"])
