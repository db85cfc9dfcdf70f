"""Use case: collect what persons said beside what the machine said, over all documents: a later ground truth.

Nothing lists corrected documents alone, so that each document is asked: one query for each, sixteen at a time.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any

from pagewise.account.ledger import Ledger
from pagewise.account.reviews import Review, Reviews
from pagewise.model import Document, DocumentId, DocumentStatus, Result
from pagewise.review.corrections import Correction, is_text_of_line, same
from pagewise.review.doubts import lines_in
from pagewise.review.pointers import NoSuchPlace, found, parts_of
from pagewise.review.values import box_of
from pagewise.table import BY_STATUS
from pagewise.use_cases.show import READERS, in_order

# Asked about together: what has been read ahead is lost where nobody reads on.
TOGETHER = 4 * READERS
# A rejected document has no pages, and so nothing that was corrected.
STATUSES = tuple(status for status in DocumentStatus if status is not DocumentStatus.REJECTED)
Line = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Choice:
    """`since` is the earliest time at which a value was said; `confirmed`: values that were accepted, too."""

    since: str | None = None
    profile: str | None = None
    confirmed: bool = False

    def includes(self, correction: Correction) -> bool:
        is_recent = self.since is None or correction.at >= self.since
        return is_recent and (self.confirmed or not correction.accepts)


@dataclass(frozen=True, slots=True)
class GroundTruth:
    ledger: Ledger
    reviews: Reviews
    together: int = TOGETHER

    def lines(self, choice: Choice) -> Iterator[Line]:
        """One for each value, by documents (the newest first) and pages, as they are read."""
        listed = [
            in_order(self.ledger.table.along(BY_STATUS, status, None, None), newest_first=True) for status in STATUSES
        ]
        entries = heapq.merge(*listed, reverse=True)
        before: tuple[str, str] | None = None
        with ThreadPoolExecutor(READERS) as readers:
            while some := list(islice(entries, self.together)):
                # A document that changes its status meanwhile is listed under both.
                once = [entry for entry, last in zip(some, [before, *some], strict=False) if entry != last]
                before = some[-1]
                for lines in readers.map(lambda entry: self.of_document(DocumentId(entry[1]), choice), once):
                    yield from lines

    def of_document(self, document_id: DocumentId, choice: Choice) -> list[Line]:
        said = [
            (page, chosen)
            for page, corrections in self.reviews.all_corrections(document_id)
            if (chosen := [one for one in corrections.corrections if choice.includes(one)])
        ]
        document = self.ledger.document(document_id) if said else None
        if document is None or choice.profile not in (None, document.profile):
            return []
        review = self.reviews.of(document_id)
        return [line for page, chosen in said for line in self.of_page(document, review, page, chosen)]

    def of_page(self, document: Document, review: Review, page: int, said: list[Correction]) -> Iterator[Line]:
        stored = {task: self.ledger.result(document.id, page, task) for task in document.tasks}
        results = {task: result for task, result in stored.items() if result}
        words = lines_in(results)
        for correction in said:
            result = results.get(correction.task)
            seen = result if result and still_says(result, correction) else None
            box = box_of(seen, correction.pointer, words) if seen else None
            yield shown(document, review, page, correction, seen, list(box) if box else None)


def still_says(result: Result, correction: Correction) -> bool:
    """Whether the correction is of this result: a redrive may have put another in its place."""
    try:
        if parts_of(correction.pointer)[0] == "lines" and not is_text_of_line(result, correction.pointer):
            return False
        return same(found(result.output, correction.pointer), correction.machine)
    except NoSuchPlace:
        return False


def shown(
    document: Document, review: Review, page: int, correction: Correction, seen: Result | None, box: list[float] | None
) -> Line:
    return {
        "document_id": document.id,
        "key": document.source.key,
        "version": document.source.version,
        "profile": document.profile,
        "page": page,
        "task": correction.task,
        "pointer": correction.pointer,
        "machine": correction.machine,
        "value": correction.value,
        "confirmed": correction.accepts,
        "by": correction.by,
        "at": correction.at,
        "reviewed": review.reviewed,
        "box": box,
        "model": seen.model if seen else None,
    }
