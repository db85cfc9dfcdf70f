"""Worlds with persons in them: documents are cancelled, deleted, uploaded again and reviewed, at any step.

A person whose request has no answer makes it again, as a browser does, with the version that was read. Messages of
deleted documents come once more when all is over. `Peopled` is also the witness: of what was answered to whom, and of
every change that only persons bring about.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from pagewise.account.changes import is_gone
from pagewise.account.deletion import Deletions
from pagewise.account.ledger import Ledger
from pagewise.account.records import DELETED, document_key, page_key
from pagewise.account.reviews import Claimed, Conflict, Reviews
from pagewise.errors import Deleted, StorageBusy
from pagewise.messages import dump_upload
from pagewise.model import DocumentId, DocumentStatus, PageJob, Source, Upload
from pagewise.ports import DeletedObjects
from pagewise.review.corrections import Person
from pagewise.table import Attributes, Key
from pagewise.use_cases.cancel import CancelDocument
from pagewise.use_cases.delete import DeleteDocument
from pagewise.use_cases.review import InProgress, ReviewPages, Said
from pagewise.use_cases.show import Invalid, NotFound, Rejected, ShowDocuments
from tests.fakes import MemoryLinks, MemoryObjects, MemoryTable
from tests.faults.invocations import s3_event
from tests.faults.scheduler import Crash
from tests.faults.simulator import FaultyEngine, FaultyTable, Odds, WitnessedRecognize, World, in_run
from tests.pictures import tiff

ANA, BEN = Person("1", "Ana"), Person("2", "Ben")
# The attributes of a deletion receipt in the table.
LEFT_OF_DELETED = frozenset(
    {"status", "announced", "deleting", "deleted_by", "deleted", "deleted_objects", "deleted_versions",
     "deleted_records"}
)  # fmt: skip
LATE_MESSAGES = 12
STEPS_OF_A_WAIT = (0, 0, 60)


class LookingRecognize(WitnessedRecognize):
    """Tells the world when a page job last looked whether it is still wanted."""

    def check_wanted(self, job: PageJob) -> None:
        super().check_wanted(job)
        world = self.ledger.table.world  # type: ignore[attr-defined]
        world.looked[job.document_id, job.page, job.task] = world.scheduler.steps
        accounts = [world.table.stored.get(page_key(job.document_id, member.page), {}) for member in job.members]
        runs = [account.get(f"run#{job.task}", 1) for account in accounts]
        if all(run > member.run for run, member in zip(runs, job.members, strict=True)):
            world.broken.append(f"{job.task} of page {job.page} is asked about, and was redriven")


class FaultyObjects(MemoryObjects):
    """Batches of two objects, each with all that can happen around it."""

    def __init__(self, world: World) -> None:
        super().__init__(world.uploads, world.pages, world.outputs)
        self.world = world

    def delete_upload(self, source: Source) -> int:
        delete = super().delete_upload
        deleted: int = self.world.effect("delete upload", lambda: delete(source))
        return deleted

    def delete_objects(self, document_id: DocumentId) -> Iterator[DeletedObjects]:
        objects = super().delete_objects(document_id)

        def two() -> DeletedObjects:
            return sum((one for _, one in zip(range(2), objects, strict=False)), DeletedObjects())

        while batch := self.world.effect("delete objects", two):
            if not batch.objects:
                return
            yield batch


class PeopledTable(FaultyTable):
    """Knows what a deletion takes away, and witnesses corrections and claims."""

    world: Peopled

    def is_persons(self, key: Key, before: Attributes, after: Attributes) -> bool:
        record = key.record
        if key.partition.startswith("reuse#"):
            if "deleting" in (self.stored.get(document_key(before.get("of_document", ""))) or {}):
                self.unanswered.add(key.partition)
            return False
        if record == "document":
            return self.witness_document(DocumentId(key.partition), before, after)
        if record.startswith("corrections#") and after:
            self.witness_corrections(key, before, after)
        if record == "review" and after:
            self.witness_claim_of(key, before, after)
        return self.world.has_deleted(key.partition)

    def witness_document(self, document_id: DocumentId, before: Attributes, after: Attributes) -> bool:
        if DELETED in (before.get("status"), after.get("status")):
            if after.get("status") != DELETED:
                self.world.broken.append(f"{document_id} was brought back")
            elif before["status"] != DELETED and "reserved" in before:
                self.world.bills += before["reserved"] + before.get("settled", 0)
            return True
        if before.get("cancelled") and not after.get("cancelled"):
            self.world.cancelled_at.pop(document_id, None)
        if after.get("reviews", 0) > before.get("reviews", 0):
            self.world.note_review(document_id)
        return self.world.has_deleted(document_id)

    def witness_corrections(self, key: Key, before: Attributes, after: Attributes) -> None:
        if after["version"] != before.get("version", 0) + 1:
            self.world.broken.append(f"{key.record}: version {after['version']} after {before.get('version', 0)}")
        self.world.saved.setdefault((key.partition, key.record), []).append(after["corrections"])

    def witness_claim_of(self, key: Key, before: Attributes, after: Attributes) -> None:
        holds = before.get("claimed_until", "") > self.world.clock.iso(self.world.clock.milliseconds)
        anothers = after.get("claimed_id", before.get("claimed_id")) != before.get("claimed_id")
        if holds and anothers and not self.world.has_deleted(key.partition):
            self.world.broken.append(f"{after.get('claimed_by')} took what {before['claimed_by']} has")


@dataclass
class Visit:
    """A person's look at one page: what was read, and is to be said of it."""

    person: Person
    document_id: DocumentId
    page: int
    text: str
    claims: bool
    finishes: bool
    version: int | None = None
    said: list[Said] | None = None


class Peopled(World):
    usual = Odds(most_redrives=4)
    unsettled = frozenset({"open", "unassembled", "deleting", "deleted", "reviewed"})
    recognize_class = LookingRecognize
    cancel_class: type[CancelDocument] = CancelDocument
    delete_class: type[DeleteDocument] = DeleteDocument
    deletions_class: type[Deletions] = Deletions
    reviews_class: type[Reviews] = Reviews
    review_class: type[ReviewPages] = ReviewPages
    likely = 0.015
    most_acts = 8
    # Cancel, delete, upload again, review, redrive.
    inclinations = (3, 2, 1, 4, 2)

    def __init__(self, seed: int, odds: Odds | None = None) -> None:
        self.acts = 0
        self.broken: list[str] = []
        self.bills = 0
        self.looked: dict[tuple[DocumentId, int, str], int] = {}
        self.cancelled_at: dict[DocumentId, int] = {}
        self.deleted_at: dict[DocumentId, int] = {}
        self.history: dict[DocumentId, list[tuple[str, str]]] = {}
        self.saved: dict[tuple[str, str], list[str]] = {}
        self.acknowledged: list[tuple[DocumentId, int, int, str]] = []
        self.reviewed: dict[DocumentId, dict[str, str]] = {}
        self.told: Counter[str] = Counter()
        super().__init__(seed, odds)
        self.engine = PeopledEngine(self)

    def make_table(self) -> FaultyTable:
        return PeopledTable(self)

    # ── what persons do ──────────────────────────────────────────────────────────────────────────────────────────────

    def run(self) -> None:
        super().run()
        self.most_acts = 0
        published = len(self.publisher.events)
        self.replay()
        self.until_quiet()
        self.settle()
        gone = {document_id for document_id in self.sent if self.has_deleted(document_id)}
        revived = {event.id for event in self.publisher.events[published:] if event.id.split("/")[0] in gone}
        self.broken += [f"{event} was published by a late message" for event in sorted(revived)]

    def wander(self) -> None:
        if self.acts < self.most_acts and self.chance.random() < self.likely:
            self.act()

    def afterwards(self) -> None:
        super().afterwards()
        for _ in range(self.chance.randint(0, 3)):
            self.act()
            if self.chance.random() < 0.5:
                self.act()
            self.until_quiet()

    def act(self) -> None:
        if self.acts >= self.most_acts:
            return
        self.acts += 1
        deeds = (self.cancel, self.delete, self.upload_again, self.review, self.redrive)
        (deed,) = self.chance.choices(deeds, self.inclinations)
        deed()

    def anyone(self) -> DocumentId:
        return self.chance.choice(sorted(self.sent))

    def person(self, name: str, work: Callable[[], None]) -> None:
        """A request is made again until it is answered."""

        def ended(succeeded: bool) -> None:
            invocation = self.scheduler.current
            error = invocation.error if invocation else None
            if not succeeded and isinstance(error, Crash | StorageBusy):
                self.scheduler.start(name, work, ended)
            elif not succeeded:
                self.unfounded.append(f"{name} raised {error!r}")

        self.scheduler.start(name, work, ended)

    def cancel(self) -> None:
        document_id, deadline = self.anyone(), self.chance.choice([math.inf, -math.inf])

        def work() -> None:
            document = self.canceller().document(document_id, deadline)
            self.told["cancelled" if document else "unknown"] += 1
            stored = self.table.stored.get(document_key(document_id), {})
            if stored.get("cancelled"):
                self.cancelled_at.setdefault(document_id, self.scheduler.steps)

        self.person("cancel", work)

    def delete(self) -> None:
        document_id, deadline = self.anyone(), self.chance.choice([math.inf, -math.inf])

        def work() -> None:
            receipt = self.deleter().document(document_id, "Ana", deadline)
            self.told["deleted" if receipt else "unknown"] += 1
            if receipt:
                self.deleted_at.setdefault(document_id, self.scheduler.steps)

        self.person("delete", work)

    def upload_again(self) -> None:
        """Under the same key: another version, or S3 tells of the same one once more."""
        before = self.sent[self.anyone()]
        if self.chance.random() < 0.4:
            self.tell_of(s3_event([before]))
            return
        number = len(self.sent) + 1
        upload = self.upload(before.key, tiff(self.chance.randint(1, 3), (20, 20)), version=f"v{number}")
        self.tell_of(s3_event([upload]))

    def upload(self, key: str, content: bytes, version: str = "v1", **wishes: str) -> Upload:
        review = self.chance.choice(["never", "always", "always"])
        return super().upload(key, content, version, ocr_review=review, **wishes)

    def review(self) -> None:
        for person in self.chance.choice([(ANA,), (BEN,), (ANA, BEN)]):
            visit = Visit(
                person,
                self.anyone(),
                self.chance.randint(1, 2),
                f"{person.name} says {next(self.numbers)}",
                claims=self.chance.random() < 0.3,
                finishes=self.chance.random() < 0.6,
            )
            self.person("review", partial(self.reviewing, visit))

    def reviewing(self, visit: Visit) -> None:
        desk = self.desk()
        try:
            if visit.said is None:
                page = desk.page(visit.document_id, visit.page, visit.person)
                visit.version = page["review"]["version"]
                visit.said = [Said(task, "/text", visit.text) for task in sorted(page["results"])[:1]]
            if visit.claims:
                desk.claim(visit.document_id, visit.person)
            assert visit.version is not None
            stored = desk.save(visit.document_id, visit.page, visit.version, visit.said, visit.person)
            version = stored["review"]["version"]
            if version != visit.version + 1:
                self.broken.append(f"{visit.person.name} saved over version {version - 1}, having read {visit.version}")
            self.acknowledged.append((visit.document_id, visit.page, version, visit.text))
            self.told["saved"] += 1
            finish = desk.done if visit.finishes else desk.release
            finish(visit.document_id, visit.person)
        except (Claimed, Conflict, InProgress, NotFound, Rejected, Invalid, Deleted) as refused:
            self.told[refused.reason] += 1

    def note_review(self, document_id: DocumentId) -> None:
        """The corrections with which a review was done."""
        self.reviewed[document_id] = {
            key.record: stored["corrections"]
            for key, stored in self.table.stored.items()
            if key.partition == document_id and key.record.startswith("corrections#")
        }

    # ── late messages ────────────────────────────────────────────────────────────────────────────────────────────────

    def enqueue(self, queue: str, body: str, delay: float = 0.0) -> None:
        super().enqueue(queue, body, delay)
        for document_id in self.sent:
            if document_id in body:
                self.history.setdefault(document_id, []).append((queue, body))

    def replay(self) -> None:
        """Messages of deleted documents come once more, to their queues and as dead letters; so do their uploads'."""
        for document_id, upload in self.sent.items():
            if not self.has_deleted(document_id):
                continue
            bodies = self.history.get(document_id, [])
            for queue, body in self.chance.sample(bodies, min(LATE_MESSAGES, len(bodies))):
                self.enqueue(self.chance.choice([queue, "dead_letter"]), body)
            self.enqueue("split", s3_event([upload]))
            self.enqueue("dead_letter", s3_event([upload]))
            self.enqueue("split", dump_upload(upload))

    # ── parts ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def disturbances(self) -> int:
        return super().disturbances() + self.acts

    def has_deleted(self, document_id: str) -> bool:
        stored = self.table.stored.get(document_key(DocumentId(document_id)))
        return bool(stored and "status" in stored and is_gone(stored))

    def billed_before_deletion(self) -> int:
        return self.bills

    def canceller(self) -> CancelDocument:
        return self.cancel_class(self.ledger, self.sweeper(), self.clock)

    def deleter(self) -> DeleteDocument:
        whole = super().deleter()
        return self.delete_class(
            self.deletions_class(self.ledger),
            whole.cancel,
            FaultyObjects(self),
            whole.publisher,
            whole.clock,
            whole.monotonic,
        )

    async def sleep(self, seconds: float) -> None:
        """A place in the rate may be a minute away: much can be done in that time."""
        for _ in range(self.chance.choice(STEPS_OF_A_WAIT)):
            self.scheduler.step()
        await super().sleep(seconds)

    def desk(self) -> ReviewPages:
        reviews = self.reviews_class(self.ledger, self.ledger.pause)
        show = ShowDocuments(self.ledger, reviews, self.outputs, MemoryLinks(self.pages), self.clock)
        return self.review_class(self.ledger, reviews, self.accounting, show, self.clock)

    # ── promises ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def broken_by_persons(self) -> Iterator[str]:
        yield from self.broken
        ledger = Ledger(MemoryTable(self.table.stored), self.pages)
        for document_id in self.sent:
            if document_id in self.deleted_at and not self.has_deleted(document_id):
                yield f"{document_id} was to be deleted, and is there"
            if self.has_deleted(document_id):
                yield from self.left_of(document_id)
            elif document := ledger.document(document_id):
                yield from self.badly_cancelled(document)
                yield from self.badly_reviewed(ledger, document)

    def left_of(self, document_id: DocumentId) -> Iterator[str]:
        """Of a deleted document its receipt is left, told of once, and nothing else."""
        upload, own = self.sent[document_id], document_key(document_id)
        receipt = self.table.stored[own]
        if "deleted" not in receipt or set(receipt) - LEFT_OF_DELETED:
            yield f"the deletion receipt of {document_id} has {sorted(receipt)}"
        yield from (f"{key} is left" for key in self.table.stored if key.partition == document_id and key != own)
        pointing = [key for key, stored in self.table.stored.items() if stored.get("of_document") == document_id]
        yield from (f"{key.partition} points to a deleted result" for key in pointing)
        objects = [*self.pages.objects, *self.pages.documents, *self.pages.receipts]
        yield from (f"{key} is left" for key in objects if document_id in key)
        yield from (f"output {name} is left" for of, name in self.outputs.stored if of == document_id)
        if (upload.bucket, upload.key, upload.version) in self.uploads.objects:
            yield f"the upload {upload.key}, {upload.version} is left"
        told = [event.detail for event in self.publisher.events if event.id == f"{document_id}/DocumentDeleted"]
        if not told or any(detail != told[0] for detail in told) or told[0]["deleted"] != receipt.get("deleted"):
            yield f"the deletion of {document_id} was told of {len(told)} times, as {told[:2]}"

    def badly_cancelled(self, document: Any) -> Iterator[str]:
        if document.id in self.cancelled_at:
            expected = DocumentStatus.CANCELLED if document.failed else DocumentStatus.COMPLETE
            if document.status is not expected or not document.cancelled:
                yield f"{document.id} was cancelled, and ended as {document.status}"
        for event in self.publisher.events:
            its_end = event.id == f"{document.id}/DocumentCompleted{in_run(document.run)}"
            if its_end and event.detail["status"] != document.status:
                yield f"{document.id} is {document.status}, and told of as {event.detail['status']}"

    def badly_reviewed(self, ledger: Ledger, document: Any) -> Iterator[str]:
        reviews = Reviews(ledger)
        kept = dict(reviews.all_corrections(document.id))
        for document_id, page, version, text in self.acknowledged:
            if document_id == document.id:
                saved = self.saved[document_id, f"corrections#{page:05}"]
                if page not in kept or kept[page].version < version or text not in saved[version - 1]:
                    yield f"what was said of page {page} in version {version} is lost"
        changed = sum(said.changed for said in kept.values())
        if reviews.of(document.id).changed != changed:
            yield f"{reviews.of(document.id).changed} corrections are counted, {changed} are kept"
        done = {event.id for event in self.publisher.events if event.id.startswith(f"{document.id}/DocumentReviewed")}
        if len(done) != document.reviews:
            yield f"{document.reviews} reviews, told of as {sorted(done)}"
        if document.reviews and document.outputs:
            yield from self.without_the_last_review(document, {page: said.shown() for page, said in kept.items()})
        receipt = self.pages.receipts.get(document.id, {})
        if document.reviews and not receipt.get("review"):
            yield "the receipt does not know of the review"

    def without_the_last_review(self, document: Any, kept: dict[int, Any]) -> Iterator[str]:
        manifest = self.outputs.stored.get((document.id, "manifest.json"))
        if manifest is None or manifest[0] != document.edition:
            yield f"the outputs are of {manifest and manifest[0]}, the document is in {document.edition}"
            return
        _, text = self.outputs.stored[document.id, "document.text"]
        for record, corrections in self.reviewed[document.id].items():
            page = int(record.removeprefix("corrections#"))
            if kept[page]["corrections"] == json.loads(corrections):
                for one in json.loads(corrections):
                    if one["value"] not in text.decode():
                        yield f"the outputs do not say what {one['by']} said of page {page}"


class PeopledEngine(FaultyEngine):
    """Notes calls that began after a cancellation or deletion had been answered."""

    world: Peopled

    def pay(self, job: PageJob, began: int) -> None:
        super().pay(job, began)
        looked = self.world.looked.get((job.document_id, job.page, job.task), 0)
        for name, at in (("cancel", self.world.cancelled_at), ("delete", self.world.deleted_at)):
            if at.get(job.document_id, math.inf) < looked:
                self.world.broken.append(f"{job.task} of page {job.page} was paid for after {name} was answered")


def world_of(seed: int) -> type[World]:
    """Every third world has persons in it."""
    return Peopled if seed % 3 == 2 else World
