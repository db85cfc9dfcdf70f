"""The batch lane's promises, each broken once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pagewise.account.lots import Lot, LotState, custom_id
from pagewise.model import Document, JobStatus, PageJob, Result, Usage
from pagewise.qwen.batches import request_line
from pagewise.qwen.question import Answer
from pagewise.table import ANY, Change
from pagewise.use_cases.collect import Collect, line_bytes
from pagewise.use_cases.follow import Follow, Waits
from pagewise.use_cases.questions import question_of
from pagewise.use_cases.redrive import Redrive
from pagewise.use_cases.settle import Left, Settle
from tests.faults.batch_lane import Batched, LaneTable
from tests.faults.simulator import WitnessedRecognize

FOUND_AT = Path(__file__).with_name("batch_found_at.json")


def unconditional(*records: str) -> type[Batched]:
    """A table that writes these records whatever their conditions say."""

    class Unconditional(LaneTable):
        def holds(self, change: Change) -> bool:
            free = any(change.key.record.startswith(record) for record in records)
            return super().holds(replace(change, condition=ANY) if free else change)

    class Mutated(Batched):
        def make_table(self) -> LaneTable:
            return Unconditional(self)

    return Mutated


def following(kind: type[Follow]) -> type[Batched]:
    return type("Following", (Batched,), {"follow_class": kind})


def settling(kind: type[Settle]) -> type[Batched]:
    return type("Settling", (Batched,), {"settle_class": kind})


class CreatesWithoutLooking(Follow):
    def created(self, lot: Lot) -> Lot:
        batch = self.service.create(lot.file_id or "", lot.name, self.lane.window_hours)
        self.lots.note(lot, state=LotState.CREATED, batch_id=batch.id, created=self.now())
        raise Waits(60)


class SendsWhatIsCancelled(Follow):
    def line_of(self, job: PageJob) -> bytes | None:
        document = self.settle.ledger.document(job.document_id)
        if document is None:
            return None
        images = [image for member in job.members if (image := self.inline(member.image))]
        asking = question_of(job, images, self.settle.settings)
        return request_line(custom_id(job), asking, self.settle.reader.protocol)


def custom_id_of(job: PageJob) -> str:
    from pagewise.account.lots import custom_id

    return custom_id(job)


class ForgetsMissingLines(Follow):
    def stored(self, lot: Lot, deadline: float) -> Lot:  # noqa: ARG002
        for line in self.replies(lot):
            self.settle.line(lot, line)
        return self.lots.note(lot, state=LotState.STORED)


class LeavesFilesBehind(Follow):
    def tidied(self, lot: Lot) -> Lot:
        return self.lots.note(lot, state=LotState.DONE)


class LeavesRepliesBehind(Follow):
    def tidied(self, lot: Lot) -> Lot:
        self.service.delete(lot.file_id or "")
        return self.lots.note(lot, state=LotState.DONE)


class NeverGivesUpOnTheService(Follow):
    def is_late(self, _lot: Lot) -> bool:
        return False


class NeverCloses(Follow):
    def close_if_old(self) -> None:
        pass


class LeavesBeforeItIsQueued(Settle):
    def go_live(self, lot: Lot, job: PageJob, spent: Usage = Usage()) -> Left:  # noqa: B008 - a value
        self.lots.leave(lot, job)
        return super().go_live(lot, job, spent)


class LeavesBeforeItIsStored(Settle):
    def keep(self, document: Document, result: Result, job: PageJob) -> None:
        for lot in self.lots.all():
            self.lots.leave(lot, job)
        super().keep(document, result, job)


class ForgetsWhatWasBilled(Settle):
    def go_live(self, lot: Lot, job: PageJob, spent: Usage = Usage()) -> Left:  # noqa: ARG002, B008
        return super().go_live(lot, job)


class BillsTheWholePrice(Settle):
    def result(self, lot: Lot, job: PageJob, answer: Answer) -> Result:
        found = super().result(lot, job, answer)
        return replace(found, usage=Usage(found.usage.input_tokens, found.usage.output_tokens))


class KeepsAnswersOfNoUse(Settle):
    def answered(self, lot: Lot, job: PageJob, answer: Answer) -> Left:
        if document := self.document(job.document_id):
            self.keep(document, self.result(lot, job, answer), job)
        self.lots.leave(lot, job)
        return Left.ANSWERED


class AsksForGoodAnswersAgain(Settle):
    """Where the job is still in the lot, as it is after a crash, what is stored is not looked for."""

    def answered(self, lot: Lot, job: PageJob, answer: Answer) -> Left:
        if self.result(lot, job, answer).status is JobStatus.RECOGNIZED and job.page == 1:
            return self.go_live(lot, job, answer.usage.of_batch)
        return super().answered(lot, job, answer)


class ForgetsWhatNoLineCarries(Collect):
    def page_jobs(self, jobs: Sequence[PageJob]) -> None:
        super().page_jobs([job for job in jobs if self.is_batched(job, line_bytes(job))])


class Forgetful(Batched):
    collect_class = ForgetsWhatNoLineCarries


class RedrivesInAHurry(Batched):
    redrive_class = Redrive


class Hearing(WitnessedRecognize):
    def is_heard(self, _job: PageJob) -> bool:
        return True


class HearsEveryDeparture(Batched):
    recognize_class = Hearing
    crash_after_departure = 0.6


MUTATIONS: dict[str, type[Batched]] = {
    "a lot is closed whatever has joined it": unconditional("open"),
    "a lot is worked on by whoever comes": unconditional("lot"),
    "a page job joins any number of lots": unconditional("batch#"),
    "a batch is created without looking for an earlier one": following(CreatesWithoutLooking),
    "page jobs of cancelled documents are sent": following(SendsWhatIsCancelled),
    "page jobs without a line in the replies are forgotten": following(ForgetsMissingLines),
    "remote files stay when their results are stored": following(LeavesFilesBehind),
    "files of replies stay when they are stored": following(LeavesRepliesBehind),
    "a service that is away is waited for without end": following(NeverGivesUpOnTheService),
    "nobody closes a lot that is not full": following(NeverCloses),
    "a page job leaves its lot before it is queued": settling(LeavesBeforeItIsQueued),
    "a page job leaves its lot before its result is stored": settling(LeavesBeforeItIsStored),
    "what a line was billed is forgotten on the way to the live lane": settling(ForgetsWhatWasBilled),
    "what batches bill is billed at the whole price": settling(BillsTheWholePrice),
    "an answer of no use ends its page job": settling(KeepsAnswersOfNoUse),
    "good answers are asked for again, live": settling(AsksForGoodAnswersAgain),
    "what no line can carry is forgotten": Forgetful,
    "a redrive leaves a batch no time": RedrivesInAHurry,
    "every message from the batch lane is heard": HearsEveryDeparture,
}


def found_at() -> dict[str, int]:
    """Tried first, which saves time and decides nothing."""
    seeds: dict[str, int] = json.loads(FOUND_AT.read_text(encoding="utf-8"))
    return seeds
