"""The code of each promise, broken once, to show that the simulator notices."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from pagewise.account.changes import DayIsSpent
from pagewise.account.closing import ASSEMBLY_SECONDS, Accounting
from pagewise.account.ledger import Ledger
from pagewise.account.records import document_key, dump_document, result_key, spend_key
from pagewise.account.reuse import CacheMiss, Lease, Reuse
from pagewise.account.spending import Spending
from pagewise.aws import wiring
from pagewise.errors import (
    Configuration,
    DocumentRejected,
    ObjectGone,
    PagewiseError,
    Rejection,
    StorageBusy,
    Throttled,
)
from pagewise.events import recognition_suspended
from pagewise.model import (
    Document,
    DocumentId,
    Edition,
    JobStatus,
    Lane,
    Original,
    PageJob,
    PageRange,
    Result,
    StoredImage,
    TaskOptions,
    Upload,
    Usage,
)
from pagewise.ports import Recorded, RecordedGroup
from pagewise.rate.budget import Backoff, Calendar, Grant, RateBudget, WindowClaim
from pagewise.rate.gate import Approach, Gate
from pagewise.table import ANY, NEW, Attributes, Change, Condition, Put, Refused, Update
from pagewise.tasks import Task
from pagewise.use_cases.assemble import Assemble, Assembled
from pagewise.use_cases.recognize import MembersUnfit
from pagewise.use_cases.redrive import Redrive, Redriven, Selection
from pagewise.use_cases.split import Split, StoredPage, workspace
from pagewise.use_cases.suspension import Suspension
from tests.faults.invocations import Handler
from tests.faults.people_mutations import PEOPLE_MUTATIONS
from tests.faults.promises import simulate
from tests.faults.simulator import Crowded, FaultyOutputs, FaultyTable, Odds, WitnessedRecognize, World

SEEDS_TO_FIND_A_MUTATION = 500
# Tried first by the tests. That saves minutes and decides nothing: where it no longer finds, all seeds are tried.
FOUND_AT = Path(__file__).with_name("found_at.json")


def without_condition(prefix: str) -> type[World]:
    """A table that writes records of this kind against their conditions."""

    class Unconditional(FaultyTable):
        def holds(self, change: Change) -> bool:
            record = change.key.record
            return super().holds(replace(change, condition=ANY) if record.startswith(prefix) else change)

    class Mutated(World):
        def make_table(self) -> FaultyTable:
            return Unconditional(self)

    return Mutated


class ResultAndCountersApart(World):
    class Apart(Ledger):
        def record(self, result: Result, page_tasks: int, image: StoredImage | None = None) -> Recorded:
            """The result is seen as stored before the counters have moved."""
            if self.result(result.document_id, result.page, result.task) is None:
                stored = self.stored_form(result)
                self.table.change(Put(result_key(result.document_id, result.page, result.task), stored))
            return super().record(result, page_tasks, image)

    ledger_class = Apart


class NoLookBeforeTheCall(World):
    class Blind(Ledger):
        def result(self, document_id: DocumentId, page: int, task: str) -> Result | None:  # noqa: ARG002
            return None

    ledger_class = Blind


class NothingPublishedAgain(World):
    class Silent(Accounting):
        def publish_again(self, document: Document, result: Result) -> None:
            pass

    accounting_class = Silent


class AnnouncedBeforeItIsPublished(World):
    class Hasty(Accounting):
        def announce(self, document: Document) -> None:
            self.ledger.announced(document, self.clock.after(ASSEMBLY_SECONDS))
            super().announce(document)

    accounting_class = Hasty


class EventsFromTheClock(World):
    class Restamping(Accounting):
        def publish_end(self, document: Document, result: Result, page_closed: bool) -> None:
            super().publish_end(document, replace(result, ended=self.clock.now()), page_closed)

    accounting_class = Restamping


class SplitIsNotedFirst(World):
    class Hasty(Split):
        def fan_out(self, document: Document, pages: PageRange, rendered: object) -> None:
            self.ledger.mark_split(document.id, pages)
            super().fan_out(document, pages, rendered)  # type: ignore[arg-type]

    split_class = Hasty


class PutOffIsLost(World):
    class Impatient(WitnessedRecognize):
        def put_off(self, *_arguments: object) -> None:
            return None  # the message is deleted, and no fresh one takes its place

    recognize_class = Impatient


class RedriveForgetsToQueue(World):
    class Forgetful(Redrive):
        def queue(self, document: Document, _choice: Selection) -> Redriven:
            return Redriven(document.run, 0, 0)

    redrive_class = Forgetful


class RedriveCountsTwice(World):
    """The counters are not moved back."""

    class OneWay(FaultyTable):
        def make(self, change: Change) -> None:
            if isinstance(change, Update) and any(number < 0 for number in change.add.values()):
                change = replace(change, add={})
            super().make(change)

    def make_table(self) -> FaultyTable:
        return self.OneWay(self)


class RedriveOfWhatWasNotPublished(World):
    usual = Odds(redrive=0.01, most_redrives=4)  # a redrive between a result and its event is rare otherwise

    class Hasty(Redrive):
        def document(self, document_id: DocumentId, choice: Selection) -> Redriven:
            of = self.accounting
            silent = NothingPublishedAgain.Silent(of.ledger, of.pages, of.publisher, of.clock)
            return Redrive.document(replace(self, accounting=silent), document_id, choice)

    redrive_class = Hasty


class GateIsOpen(World):
    class Open(Gate):
        async def opens(self, turn: Grant) -> None:
            pass

        def approach(self) -> Approach:
            return Approach(Gate())  # without a budget

    gate_class = Open


class BillsAreNotSettled(World):
    class Generous(Ledger):
        def billed(self, _document: Document, _bill: int) -> list[Change]:
            return []

    ledger_class = Generous


class DayIsClaimedApart(World):
    class Apart(Ledger):
        def open(self, document: Document, day_cap: int = 0) -> Document:
            """The day's cap is claimed first, whether or not the document is new."""
            if document.reserved is None:
                return super().open(document)
            fits = Condition(at_most={"spent": day_cap - document.reserved})
            try:
                self.table.change(Update(spend_key(document.day), fits, add={"spent": document.reserved}))
            except Refused as refused:
                raise (DayIsSpent if refused.unmet else StorageBusy("busy")) from None
            try:
                self.table.change(Put(document_key(document.id), dump_document(document), NEW))
            except Refused:
                return self.document(document.id) or document
            return document

    ledger_class = Apart


class ReuseByPageNumber(World):
    """As if a page's number, or its key's ending, identified its image."""

    class ByNumber(Reuse):
        def look(self, job: PageJob) -> Result | Backoff | CacheMiss:
            return Reuse.look(self, replace(job, image=replace(job.image, sha256=job.image.key[-9:])))

        def original(self, job: PageJob, state: Attributes) -> Result | None:
            of = Original(state["of_document"], int(state["of_page"]))
            found = self.ledger.result(of.document_id, of.page, job.task)
            return found and replace(
                found, document_id=job.document_id, page=job.page, run=job.run, usage=Usage(), reused_from=of
            )

        def answered(self, asking: Lease, result: Result) -> None:
            Reuse.answered(self, replace(asking, image=result.image_sha256), result)

    reuse_class = ByNumber


class ReuseForgetsTheOptions(World):
    class Forgetful(Reuse):
        def look(self, job: PageJob) -> Result | Backoff | CacheMiss:
            return Reuse.look(self, replace(job, options=TaskOptions()))

    reuse_class = Forgetful


class ReuseOfFailedResults(World):
    usual = Odds(engine=0.6, most_faults=30)

    class Indiscriminate(Reuse):
        def answered(self, asking: Lease, result: Result) -> None:
            Reuse.answered(self, asking, replace(result, status=JobStatus.RECOGNIZED))

        def original(self, job: PageJob, state: Attributes) -> Result | None:
            of = Original(state["of_document"], int(state["of_page"]))
            found = self.ledger.result(of.document_id, of.page, job.task)
            return found and replace(
                found, document_id=job.document_id, page=job.page, run=job.run, usage=Usage(), reused_from=of
            )

    reuse_class = Indiscriminate


class ReuseIsBilled(World):
    class Billing(Reuse):
        def original(self, job: PageJob, state: Attributes) -> Result | None:
            found = Reuse.original(self, job, state)
            return found and replace(found, usage=Usage(100, 10))

    reuse_class = Billing


class NobodyWaitsForAnAnswer(World):
    class Impatient(Reuse):
        def claim(self, found: CacheMiss, _seconds: float) -> Lease | Backoff:
            return Lease(found.key, found.image)

    reuse_class = Impatient


class ClaimsThatNeverEnd(World):
    class Patient(Reuse):
        def look(self, job: PageJob) -> Result | Backoff | CacheMiss:
            found = Reuse.look(self, job)
            return found if not isinstance(found, CacheMiss) or found.claimable else Backoff(10)

    reuse_class = Patient


class GroupsAreRecordedPageByPage(World):
    class PageByPage(Ledger):
        def record_group(
            self, results: Sequence[Result], page_tasks: int, images: Mapping[int, StoredImage]
        ) -> RecordedGroup:
            recorded = [Ledger.record_group(self, [result], page_tasks, images) for result in results]
            return RecordedGroup(
                tuple(result for one in recorded for result in one.results),
                frozenset(page for one in recorded for page in one.closed),
                tuple(result for one in recorded for result in one.others),
            )

        def held(self, results: Sequence[Result], fresh: Sequence[int]) -> list[Result]:
            return [result for result in results if result.page in fresh]

    ledger_class = PageByPage


class EachPageOfAGroupIsBilled(World):
    class Greedy(Ledger):
        def held(self, results: Sequence[Result], fresh: Sequence[int]) -> list[Result]:
            held = Ledger.held(self, results, fresh)
            return [replace(result, usage=held[0].usage) for result in held]

    ledger_class = Greedy


class AnswersAreLostWithTheirPage(World):
    """The first page of a group shall hold the answer, also when it has ended already."""

    usual = Odds(given_up=0.5, most_faults=40)  # rare otherwise

    class Stiff(Ledger):
        def held(self, results: Sequence[Result], fresh: Sequence[int]) -> list[Result]:
            return [result for result in results if result.page in fresh]

    ledger_class = Stiff


class GroupsAreAskedWhatHasEnded(World):
    class Blind(WitnessedRecognize):
        def left_of(self, document: Document, job: PageJob) -> tuple[PageJob | None, Result | None]:
            super().left_of(document, job)
            return job, None

    recognize_class = Blind


class OneImageFailsItsGroup(World):
    class Harsh(WitnessedRecognize):
        def fail_members(self, document: Document, job: PageJob, unfit: MembersUnfit, attempts: int) -> Result | None:
            (error, *_) = unfit.errors.values()
            return super().fail_members(
                document, job, MembersUnfit({member.page: error for member in job.members}), attempts
            )

    recognize_class = Harsh


class RangesTearGroups(World):
    class Careless(Split):
        def pages_per_range(self, _document: Document) -> int:
            return self.settings.pages_per_range

    split_class = Careless


class GroupsAreQueuedPageByPage(World):
    class Careless(Split):
        def queue(self, stored: Sequence[StoredPage], lane: Lane) -> None:
            for page in stored:
                Split.queue(self, [page], lane)

    split_class = Careless


class NarrowSelection(Selection):
    def with_groups(self, _document: Document) -> Selection:
        return self


class RedriveTearsGroups(World):
    """In a world where groups fail, and an operator always means the first page."""

    usual = Odds(engine=0.9, outage=0.0, redrive=0.05, most_redrives=10, most_faults=40)

    def __init__(self, seed: int, odds: Odds | None = None) -> None:
        super().__init__(seed, odds)
        self.spending = Spending()

    class Narrow(Redrive):
        def document(self, document_id: DocumentId, choice: Selection) -> Redriven:
            return Redrive.document(self, document_id, NarrowSelection(1, choice.task, choice.reason))

    redrive_class = Narrow


class DeadLettersOfGroupsEndOnePage(World):
    usual = Odds(engine=0.6, most_faults=30)

    class OnePage(Accounting):
        def fail_of(self, document: Document, job: PageJob, error: PagewiseError, attempts: int) -> Result | None:
            return Accounting.fail_of(self, document, replace(job, others=()), error, attempts)

    accounting_class = OnePage


class LoopsAreNotAllowed(World):
    may_loop = frozenset()


class DiskIsNotCleared(World):
    clears_disk = False


class MissingImagesAreForbidden(World):
    lists_pages = False


class SweepsBeginAnew(World):
    class Forgetful(Ledger):
        def mark_swept(self, document: Document, page: int) -> None:
            pass

    ledger_class = Forgetful


class EveryClaimIsWritten(Crowded):
    class Diligent(RateBudget):
        def written(
            self, calendar: Calendar, task: Task, takes: Sequence[WindowClaim], left: Sequence[int], now: float
        ) -> Update:
            written = RateBudget.written(self, calendar, task, takes, left, now)
            return written or Update(self.key, Condition(equal={"since": calendar.stored.get("since")}))

    budget_class = Diligent


class ToldAfterTheMessage(World):
    class Chatty(WitnessedRecognize):
        def postpone(
            self, document: Document, job: PageJob, attempts: int, error: Throttled | Configuration
        ) -> Result | None:
            put_off = self.put_off(document, replace(job, slot=None), attempts, 300.0)
            moment = self.clock.now()
            suspended = recognition_suspended(job.document_id, job.task, error.reason, error.message, moment)
            self.accounting.publisher.publish([suspended])
            return put_off

    recognize_class = Chatty


class AcceptedUploadsAreRejected(World):
    """The retry of an upload judges it anew."""

    class Forgetful(Split):
        def resumed(self, document: Document, deadline: float) -> Document:
            upload = Upload(document.source.bucket, document.source.key, document.source.version_id, "", "", 1)
            with workspace(self.disk) as folder:
                try:
                    self.uploads.download(upload, folder / "document")
                except ObjectGone as gone:
                    return self.accounting.reject(upload, DocumentRejected(Rejection.GONE, gone.message))
            return Split.resumed(self, document, deadline)

    split_class = Forgetful


class OwnTextIsAskedFor(World):
    class Paying(WitnessedRecognize):
        def own_text(self, _job: PageJob) -> None:
            return None

    recognize_class = Paying


class ConfigurationIsNotKept(World):
    class Strict(Suspension):
        def upload(self, _upload: Upload, error: Configuration) -> None:
            raise error

        def page_range(self, _document_id: DocumentId, _pages: PageRange, error: Configuration) -> None:
            raise error

    suspension_class = Strict


def with_handler(function: str, mutated: Callable[[Handler, dict[str, Any], Any], Any]) -> type[World]:
    """A function with this handler; it is given the real one."""
    real = World.handlers[function]

    class Mutated(World):
        handlers: ClassVar = {**World.handlers, function: lambda event, context: mutated(real, event, context)}

    return Mutated


def report_nothing(real: Handler, event: dict[str, Any], context: Any) -> Any:
    return real(event, context) and {"batchItemFailures": []}


def report_everything(real: Handler, event: dict[str, Any], context: Any) -> Any:
    real(event, context)
    return {"batchItemFailures": [{"itemIdentifier": record["messageId"]} for record in event["Records"]]}


def report_receipt_handles(real: Handler, event: dict[str, Any], context: Any) -> Any:
    handles = {record["messageId"]: record["receiptHandle"] for record in event["Records"]}
    failures = real(event, context)["batchItemFailures"]
    return {"batchItemFailures": [{"itemIdentifier": handles[failure["itemIdentifier"]]} for failure in failures]}


def raise_for_one(real: Handler, event: dict[str, Any], context: Any) -> Any:
    answer = real(event, context)
    if answer["batchItemFailures"]:
        raise RuntimeError("some records failed")
    return answer


def not_back_off(real: Handler, event: dict[str, Any], context: Any) -> Any:
    without = replace(wiring.composition.get(), back_off=lambda _handle, _error, _deliveries: 0.0)
    wiring.composition.set(without)
    return real(event, context)


def stop_at_the_first_failure(real: Handler, event: dict[str, Any], context: Any) -> Any:
    """Of the uploads of an S3 event, without raising it."""
    if "s3" not in event["Records"][0]:
        return real(event, context)
    with suppress(Exception):
        for record in event["Records"]:
            real({"Records": [record]}, context)
    return None


def split_the_first_upload(real: Handler, event: dict[str, Any], context: Any) -> Any:
    return real({"Records": event["Records"][:1]}, context)


def ignore_uploads(real: Handler, event: dict[str, Any], context: Any) -> Any:
    others = [record for record in event["Records"] if "requestPayload" not in record["body"]]
    return real({"Records": others}, context) if others else {"batchItemFailures": []}


def do_nothing(_real: Handler, _event: dict[str, Any], _context: Any) -> Any:
    return None


class EarlierRunsOverwrite(World):
    class Careless(FaultyOutputs):
        def put_output(self, document_id: DocumentId, edition: Edition, name: str, media_type: str, file: Path) -> None:
            self.stored.pop((document_id, name), None)
            super().put_output(document_id, edition, name, media_type, file)

    class Stubborn(Assemble):
        def awaited(self, document_id: DocumentId, run: int) -> Document | None:
            document = self.ledger.document(document_id)
            return replace(document, run=run) if document and document.outputs else None

    usual = Odds(redrive=0.02, most_redrives=6, duplicate=0.6, engine=0.5, most_faults=40)
    outputs_class = Careless
    assemble_class = Stubborn


class OutputsAreNotNoted(World):
    class Forgetful(Ledger):
        def assembled(self, _document: Document) -> bool:
            return True

    ledger_class = Forgetful


class NobodyAsksAgainForOutputs(World):
    # Nothing but losses, and so many that some are of the last messages.
    usual = Odds(fault=0.0, duplicate=0.0, expiry=0.0, engine=0.0, lost=0.2, most_faults=40)

    class Silent(Accounting):
        def ask_again_for_outputs(self, document: Document) -> None:
            pass

    accounting_class = Silent


class OutputsAreToldOfOnce(World):
    """A stored manifest is taken for a published one."""

    class Silent(Assemble):
        def document(self, document_id: DocumentId, run: int, deadline: float = 0.0) -> Assembled | None:
            document = self.awaited(document_id, run)
            if document and self.has_manifest(document):
                self.ledger.assembled(document)
                return None
            return Assemble.document(self, document_id, run, deadline)

    assemble_class = Silent


MUTATIONS: dict[str, type[World]] = {
    "a result is written over another": without_condition("result#"),
    "a page's account is written whatever it was": without_condition("page#"),
    "a document's end is written whatever it was": without_condition("document"),
    "result and counters are not one transaction": ResultAndCountersApart,
    "no look for a stored result before the call": NoLookBeforeTheCall,
    "a redelivered job publishes nothing": NothingPublishedAgain,
    "an end is noted as announced before it is published": AnnouncedBeforeItIsPublished,
    "events are stamped when they are published": EventsFromTheClock,
    "a range is noted as split before it is": SplitIsNotedFirst,
    "a job that is put off is lost": PutOffIsLost,
    "a redriven job is not queued": RedriveForgetsToQueue,
    "a redrive does not move the counters back": RedriveCountsTwice,
    "a redrive takes away what may not have been published": RedriveOfWhatWasNotPublished,
    "a window's places are claimed whatever it holds": without_condition("budget"),
    "page jobs go without a place": GateIsOpen,
    "a day's cap is claimed whatever is left of it": without_condition("day"),
    "a day's cap is claimed apart from the document": DayIsClaimedApart,
    "a bill does not take the place of what was reserved": BillsAreNotSettled,
    "results are reused by the page's number": ReuseByPageNumber,
    "results are reused whatever the options": ReuseForgetsTheOptions,
    "failed results are reused": ReuseOfFailedResults,
    "a reused result is billed": ReuseIsBilled,
    "nobody waits for the answer that another gets": NobodyWaitsForAnAnswer,
    "a claim without an answer never ends": ClaimsThatNeverEnd,
    "failed page jobs are not reported": with_handler("ocr", report_nothing),
    "finished page jobs are reported as failed": with_handler("ocr", report_everything),
    "failed page jobs are reported by their receipt handles": with_handler("ocr", report_receipt_handles),
    "a failed page job fails its batch": with_handler("ocr", raise_for_one),
    "failed page jobs wait for the visibility timeout": with_handler("ocr", not_back_off),
    "failed page ranges are not reported": with_handler("splitter", report_nothing),
    "uploads after one that fails are forgotten": with_handler("splitter", stop_at_the_first_failure),
    "only the first upload of an S3 event is split": with_handler("splitter", split_the_first_upload),
    "failed dead letters are not reported": with_handler("dead_letter", report_nothing),
    "finished dead letters are reported as failed": with_handler("dead_letter", report_everything),
    "dead letters of uploads are ignored": with_handler("dead_letter", ignore_uploads),
    "the sweeper does nothing": with_handler("sweeper", do_nothing),
    "the sweeper begins each visit at the first page": SweepsBeginAnew,
    "a group's pages are recorded one by one": GroupsAreRecordedPageByPage,
    "each page of a group has the bill": EachPageOfAGroupIsBilled,
    "a group's answer is its first page's, also where that has ended": AnswersAreLostWithTheirPage,
    "a group is asked about pages that have ended": GroupsAreAskedWhatHasEnded,
    "an image that is gone fails its group": OneImageFailsItsGroup,
    "page ranges end amidst a group": RangesTearGroups,
    "the pages of a group are queued one by one": GroupsAreQueuedPageByPage,
    "a page is redriven without its group": RedriveTearsGroups,
    "a failed group fails its first page": DeadLettersOfGroupsEndOnePage,
    "functions that queue for themselves may not": LoopsAreNotAllowed,
    "what a killed split has left stays on the disk": DiskIsNotCleared,
    "a missing page image is forbidden": MissingImagesAreForbidden,
    "a claim that changes nothing is written": EveryClaimIsWritten,
    "suspension is told of after the message is sent": ToldAfterTheMessage,
    "an accepted upload is judged anew": AcceptedUploadsAreRejected,
    "a configuration fault of the splitter is an error": ConfigurationIsNotKept,
    "outputs of an earlier run take the place of a later one's": EarlierRunsOverwrite,
    "outputs that were made are not noted": OutputsAreNotNoted,
    "nobody asks again for outputs whose message was lost": NobodyAsksAgainForOutputs,
    "a manifest is taken for one that was told of": OutputsAreToldOfOnce,
    "what a page says itself is asked for": OwnTextIsAskedFor,
    **PEOPLE_MUTATIONS,
}


def first_broken(kind: type[World], likely: int = 0) -> tuple[int, str] | None:
    """A seed that finds a mutation, and its finding: the likely one, or the first of all."""
    for seed in [likely, *range(SEEDS_TO_FIND_A_MUTATION)]:
        if found := simulate(seed, kind)[1]:
            return seed, found[0]
    return None


def found_at() -> dict[str, int]:
    """The seed that found each mutation when `make simulate` was last run."""
    seeds: dict[str, int] = json.loads(FOUND_AT.read_text(encoding="utf-8"))
    return seeds


def note_found(seeds: Mapping[str, int]) -> None:
    FOUND_AT.write_text(json.dumps(seeds, indent=2) + "\n", encoding="utf-8")
