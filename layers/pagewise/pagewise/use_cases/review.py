"""Use case: a person looks at a document that has ended, says what is wrong, and is done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pagewise.account.closing import Accounting
from pagewise.account.ledger import Ledger
from pagewise.account.reviews import Reviews
from pagewise.errors import Permanent
from pagewise.model import Document, DocumentId, DocumentStatus, Result
from pagewise.ports import Clock
from pagewise.results import dump_result
from pagewise.review.corrections import Correction, PageCorrections, Person, machines
from pagewise.review.pointers import NoSuchPlace, Scalar
from pagewise.review.values import PageValues, of_page_values
from pagewise.tasks import OUTPUTS, Output, Task
from pagewise.use_cases.show import PAGE, Invalid, NotFound, Rejected, ShowDocuments, Shown

# Long enough to read a page with a pencil, short enough that a closed browser holds up nobody for the day.
CLAIM_SECONDS = 900.0
ASSEMBLY_SECONDS = 8 * 3600.0


class InProgress(Permanent):
    def __init__(self) -> None:
        super().__init__("in_progress", "The document is still being recognized. Review it once it has ended.")


@dataclass(frozen=True, slots=True)
class Said:
    """A value as a request has it."""

    task: Task
    pointer: str
    value: Scalar


@dataclass(frozen=True, slots=True)
class ReviewPages:
    ledger: Ledger
    reviews: Reviews
    accounting: Accounting
    show: ShowDocuments
    clock: Clock

    def page(self, document_id: DocumentId, number: int, person: Person) -> Shown:
        """Raises NotFound."""
        document = self.with_page(document_id, number)
        results, said = self.results(document, number), self.reviews.corrections(document.id, number)
        values = self.values(document, results, said)
        return {
            "document_id": document.id,
            "name": document.source.key.rpartition("/")[2],
            "page": number,
            "pages": document.pages,
            "status": document.status,
            "image": self.image(document, number, results),
            "results": {task: shown_result(result, said) for task, result in results.items()},
            "fields": [value.shown() for value in values.values],
            "reasons": [doubt.shown() for doubt in values.doubts],
            "review": said.shown(),
            "document_review": self.reviews.of(document.id).shown(self.clock.now(), person),
        }

    def claim(self, document_id: DocumentId, person: Person) -> Shown:
        """Raises NotFound, InProgress and Claimed."""
        now, until = self.clock.now(), self.clock.after(CLAIM_SECONDS)
        return self.reviews.claim(self.ended(document_id), person, now, until).shown(now, person)

    def release(self, document_id: DocumentId, person: Person) -> Shown:
        """Raises NotFound and Claimed."""
        now = self.clock.now()
        return self.reviews.release(self.show.known(document_id), person, now).shown(now, person)

    def check(self, document_id: DocumentId, number: int, version: int, said: Sequence[Said], person: Person) -> Shown:
        """What would be stored, and what the document's rules say of it. Raises NotFound and Invalid."""
        document = self.with_page(document_id, number)
        results = self.results(document, number)
        wanted = PageCorrections(version, tuple(self.taken(results, said, PageCorrections(), person)))
        return self.shown(self.values(document, results, wanted), wanted)

    def save(self, document_id: DocumentId, number: int, version: int, said: Sequence[Said], person: Person) -> Shown:
        """Raises NotFound, InProgress, Invalid, Claimed, Conflict and TooLarge."""
        document = self.ended(document_id)
        self.with_page(document_id, number)
        results, before = self.results(document, number), self.reviews.corrections(document.id, number)
        corrections = self.taken(results, said, before, person)
        now, until = self.clock.now(), self.clock.after(CLAIM_SECONDS)
        stored = self.reviews.save(document, number, version, corrections, person, now, until)
        return self.shown(self.values(document, results, stored), stored)

    def done(self, document_id: DocumentId, person: Person) -> Shown:
        """Raises NotFound, InProgress and Claimed. What follows is done once more by the next call, or the
        sweeper, where this one dies of it."""
        now = self.clock.now()
        document, review = self.reviews.done(self.ended(document_id), person, now, self.clock.after(ASSEMBLY_SECONDS))
        self.accounting.reviewed(document)
        return review.shown(now, person)

    # ── parts ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def ended(self, document_id: DocumentId) -> Document:
        document = self.show.known(document_id)
        if document.status is DocumentStatus.REJECTED:
            raise Rejected(document)
        if document.status is DocumentStatus.IN_PROGRESS or not document.announced:
            raise InProgress
        return document

    def with_page(self, document_id: DocumentId, number: int) -> Document:
        document = self.show.known(document_id)
        if document.status is DocumentStatus.REJECTED:
            raise Rejected(document)
        if not 1 <= number <= document.pages:
            raise NotFound(PAGE)
        return document

    def results(self, document: Document, number: int) -> dict[Task, Result]:
        found = {task: self.ledger.result(document.id, number, task) for task in document.tasks}
        return {task: result for task, result in found.items() if result}

    def values(self, document: Document, results: Mapping[Task, Result], said: PageCorrections) -> PageValues:
        judged = {task: self.as_said(document, result, said) for task, result in results.items()}
        return of_page_values(results, judged, said, document.options.result_schema)

    def as_said(self, document: Document, result: Result, said: PageCorrections) -> Result:
        try:
            changed: Result = self.reviews.corrected(document, result, said)
        except NoSuchPlace:
            return result  # said of an earlier run's result, which had other places
        return changed

    def taken(
        self, results: Mapping[Task, Result], said: Sequence[Said], before: PageCorrections, person: Person
    ) -> list[Correction]:
        """What is said, beside the machine's; what has not changed keeps its author."""
        known = {(one.task, one.pointer): one for one in before.corrections}
        now = self.clock.now()
        taken: dict[tuple[Task, str], Correction] = {}
        for one in said:
            if one.task not in results:
                raise Invalid(f"The page has no result of {one.task} that could be corrected.")
            result = fillable(results[one.task])
            try:
                machine = machines(result, one.pointer)
            except NoSuchPlace:
                raise Invalid("A pointer leads to nothing in the page's result that could be corrected.") from None
            new = Correction(one.task, one.pointer, machine, one.value, person.name, now)
            old = known.get((one.task, one.pointer))
            unchanged = old is not None and replace(new, by=old.by, at=old.at) == old
            taken[one.task, one.pointer] = old if old and unchanged else new
        return list(taken.values())

    def image(self, document: Document, number: int, results: Mapping[Task, Result]) -> Shown | None:
        key = self.show.links.page_image(document.id, number)
        if key is None:
            return None
        size = next((result for result in results.values() if result.image_width), None)
        width, height = (size.image_width, size.image_height) if size else (None, None)
        return {**self.show.link(key), "width": width, "height": height}

    def shown(self, values: PageValues, said: PageCorrections) -> Shown:
        return {
            "review": said.shown(),
            "fields": [value.shown() for value in values.values],
            "reasons": [doubt.shown() for doubt in values.doubts],
        }


def fillable(result: Result) -> Result:
    """A page job that failed has no fields; a person can fill them in."""
    field = OUTPUTS[result.task]
    if field is Output.FIELDS and field not in result.output:
        return replace(result, output={**result.output, field: {}})
    return result


def shown_result(result: Result, said: PageCorrections) -> dict[str, Any]:
    return {**dump_result(result), "review": [correction.shown() for correction in said.of(result.task)]}
