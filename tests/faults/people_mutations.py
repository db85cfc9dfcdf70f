"""The code of each promise to persons, broken once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from pagewise.account.closing import Accounting
from pagewise.account.deletion import Deletions
from pagewise.account.ledger import Ledger
from pagewise.account.records import document_key
from pagewise.account.reuse import Lease, Reuse
from pagewise.account.reviews import CLAIM, Reviews
from pagewise.model import Document, DocumentId, DocumentStatus, PageJob, Result
from pagewise.ports import DeletedObjects
from pagewise.review.corrections import Correction, PageCorrections, Person
from pagewise.table import ANY, Attributes, Change, Delete, Key
from pagewise.use_cases.assemble import Assemble
from pagewise.use_cases.cancel import CancelDocument
from pagewise.use_cases.delete import DeleteDocument
from tests.faults.people import LookingRecognize, Peopled, PeopledTable
from tests.faults.simulator import FaultyTable, Odds

CANCEL, DELETE, REVIEW = (1, 0, 0, 0, 0), (0, 1, 0, 0, 0), (0, 0, 0, 1, 0)
NO_FAULTS = Odds(fault=0.0, duplicate=0.0, expiry=0.0, lost=0.0, engine=0.0, outage=0.0)


class Cancelling(Peopled):
    """Page jobs wait for their turn, and meanwhile documents are cancelled."""

    inclinations = CANCEL
    likely = 0.05
    most_acts = 12
    most_pages = 1
    requests_per_minute = (20,)


class Deleting(Peopled):
    inclinations = DELETE
    likely = 0.03


class Reviewing(Peopled):
    """Two persons, and nothing else that could explain what they meet."""

    inclinations = REVIEW
    usual = NO_FAULTS
    most_acts = 12


class PagesAreAskedAfterACancellation(Cancelling):
    class Blind(LookingRecognize):
        def wants(self, _document: Document) -> bool:
            return True

    recognize_class = Blind


class PagesOfEndedDocumentsAreAsked(Cancelling):
    """As it was once: the last look saw a cancelled document only while it was in progress."""

    class HalfBlind(LookingRecognize):
        def wants(self, document: Document) -> bool:
            return not document.cancelled or document.status is not DocumentStatus.IN_PROGRESS

    recognize_class = HalfBlind


class RedrivenPagesAreAskedAboutTwice(Cancelling):
    inclinations = (1, 0, 0, 0, 1)
    usual = Odds(most_redrives=8)

    class Careless(LookingRecognize):
        def is_done_elsewhere(self, _document: Document, _job: PageJob) -> bool:
            return False

    recognize_class = Careless


class CancelledDocumentsAreTakenForOverdue(Cancelling):
    class Forgetful(CancelDocument):
        def ended(self, document_id: DocumentId, deadline: float) -> Document | None:
            document = self.ledger.document(document_id)
            if document and document.cancelled and document.status is DocumentStatus.IN_PROGRESS:
                self.ledger.table.stored[document_key(document_id)].pop("cancelled", None)  # type: ignore[attr-defined]
            return super().ended(document_id, deadline)

    cancel_class = Forgetful


class DeletedOnce(Deleting):
    """Records and objects that an invocation writes after the deletion stay."""

    class Hasty(DeleteDocument):
        def go_on(self, document_id: DocumentId, deadline: float) -> None:
            if self.deletions.is_buried(document_id, self.clock.now()):
                self.deletions.finish(document_id, self.clock.now())
            super().go_on(document_id, deadline)

    delete_class = Hasty


class NoReceiptIsKept(Deleting):
    class Thorough(Deletions):
        def told(self, document_id: DocumentId) -> None:
            self.ledger.table.change(Delete(document_key(document_id)))

    deletions_class = Thorough


class ReceiptsAreTakenForDocuments(Deleting):
    """An upload is opened whatever is there."""

    class Careless(Ledger):
        def is_deleted(self, document_id: DocumentId) -> bool:
            stored = self.table.get(document_key(document_id))
            if stored and stored["status"] == "deleted":
                self.table.change(Delete(document_key(document_id)))
            return False

    ledger_class = Careless


class AnswersOfDeletedDocumentsStay(Deleting):
    class Careless(Deletions):
        def forgot_answer(self, _pointer: Key) -> bool:
            return False

    deletions_class = Careless


class AnswersAreNotPointedTo(Deleting):
    class Careless(Reuse):
        def answered(self, asking: object, result: Result) -> None:
            super().answered(asking, result)  # type: ignore[arg-type]
            self.ledger.table.change(Delete(Key(result.document_id, asking.key.partition)))  # type: ignore[attr-defined]

    reuse_class = Careless


class AnswersThatAreNotKeptArePointedTo(Peopled):
    """As it was once: an answer that came after its page job's redrive was taken for a stored result."""

    class Credulous(LookingRecognize):
        async def answered(self, asking: Lease | None, answer: Result, saved: Result | None) -> None:
            await super().answered(asking, answer, saved or answer)

    recognize_class = Credulous


class DeletionsAreToldOfOnce(Deleting):
    """What an invocation died of after the receipt stood is not made up for."""

    usual = Odds(fault=0.03, most_faults=200)

    class Silent(DeleteDocument):
        def tell(self, document_id: DocumentId) -> None:
            self.deletions.told(document_id)
            super().tell(document_id)

    delete_class = Silent


class SecondVersionsStay(Deleting):
    """As S3's own deletion without a version: what is older stays."""

    class Superficial(DeleteDocument):
        def purged(self, document_id: DocumentId, deadline: float) -> bool:
            next(iter(self.objects.delete_objects(document_id)), DeletedObjects())
            return all(True for _ in self.deletions.delete_records(document_id)) or super().purged(
                document_id, deadline
            )

    delete_class = Superficial


class Unguarded(PeopledTable):
    def holds(self, change: Change) -> bool:
        reviewing = change.key.record.startswith(("corrections#", "review"))
        return super().holds(replace(change, condition=ANY) if reviewing else change)


class LastSaveWins(Reviewing):
    class Careless(Reviews):
        def save(self, document: Document, page: int, version: int, corrections: Sequence[Correction],
                 person: Person, now: str, until: str) -> PageCorrections:  # fmt: skip
            newest = self.corrections(document.id, page).version
            return super().save(document, page, max(version, newest), corrections, person, now, until)

    reviews_class = Careless


class CorrectionsAreWrittenWhateverTheyWere(Reviewing):
    def make_table(self) -> FaultyTable:
        return Unguarded(self)


class Unclaimed(PeopledTable):
    def holds(self, change: Change) -> bool:
        return super().holds(replace(change, condition=ANY) if change.key.record == "review" else change)


class ClaimsAreNotKept(Reviewing):
    class Careless(Reviews):
        def table_record(self, document_id: DocumentId) -> Attributes | None:
            stored = super().table_record(document_id)
            return stored and {name: value for name, value in stored.items() if name not in CLAIM}

    reviews_class = Careless

    def make_table(self) -> FaultyTable:
        return Unclaimed(self)


class ReviewsAreToldOfOnce(Peopled):
    inclinations = REVIEW

    class Silent(Accounting):
        def reviewed(self, document: Document) -> None:
            for fact in self.reviews.untold(document.id):
                self.reviews.told(document.id, fact["review"])
                super().publisher.publish([])
            super().reviewed(document)

    accounting_class = Silent


class OutputsDoNotKnowOfReviews(Peopled):
    inclinations = REVIEW

    class Deaf(Assemble):
        def results(self, document: Document) -> Iterator[Result]:
            return self.ledger.results(document.id)

    assemble_class = Deaf


PEOPLE_MUTATIONS: dict[str, type[Peopled]] = {
    "pages are asked about after a cancellation": PagesAreAskedAfterACancellation,
    "pages of cancelled documents that have ended are asked about": PagesOfEndedDocumentsAreAsked,
    "pages are asked about by the job of before their redrive": RedrivenPagesAreAskedAboutTwice,
    "a cancelled document is taken for an overdue one": CancelledDocumentsAreTakenForOverdue,
    "a document is deleted once": DeletedOnce,
    "no deletion receipt is kept": NoReceiptIsKept,
    "a deletion receipt keeps no upload away": ReceiptsAreTakenForDocuments,
    "answers of a deleted document are pointed to": AnswersOfDeletedDocumentsStay,
    "a document does not know the questions that it answers": AnswersAreNotPointedTo,
    "answers that are not kept are pointed to": AnswersThatAreNotKeptArePointedTo,
    "a deletion is noted as told of before it is": DeletionsAreToldOfOnce,
    "a deletion takes the first batch of objects": SecondVersionsStay,
    "corrections are saved over those of another": LastSaveWins,
    "corrections are written whatever they were": CorrectionsAreWrittenWhateverTheyWere,
    "what one has claimed another saves": ClaimsAreNotKept,
    "a review is noted as told of before it is": ReviewsAreToldOfOnce,
    "outputs do not say what a person said": OutputsDoNotKnowOfReviews,
}
