"""Page jobs join one lot, once in each run, whatever comes twice or at the same time."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagewise.account.lots import (
    MOST_TOGETHER,
    Gathered,
    LotLimits,
    Lots,
    custom_id,
    lot_of_file,
)
from pagewise.errors import StorageBusy
from pagewise.model import DocumentId, Lane, PageJob, StoredImage
from pagewise.table import Change, Refused
from pagewise.tasks import Task
from tests.fakes import MemoryTable

MOMENT = "2026-11-25T12:00:00.000Z"
IMAGE = StoredImage("key", "image/png", 10, 10, 3)


def job(page: int, run: int = 1, document: str = "d") -> PageJob:
    return PageJob(DocumentId(document), page, Task.TEXT_RECOGNITION, 1, IMAGE, run=run, lane=Lane.BATCH)


def gathered(*jobs: PageJob, size: int = 10) -> list[Gathered]:
    return [Gathered(one, size) for one in jobs]


def lots(table: MemoryTable | None = None, **limits: int) -> Lots:
    return Lots(table or MemoryTable(), LotLimits(**limits), pause=lambda _seconds: None)


def closed(of: Lots) -> list[list[PageJob]]:
    """The page jobs of all lots, the open one closed."""
    if seen := of.open_lot():
        of.close(seen, MOMENT)
    return [list(of.jobs(lot)) for lot in of.all()]


def test_page_jobs_come_back_as_they_went_in() -> None:
    of = lots()
    of.gather(gathered(job(1), job(2)), "model", MOMENT)
    assert closed(of) == [[job(1), job(2)]]
    assert of.open_lot() is None


@given(st.lists(st.lists(st.tuples(st.integers(1, 6), st.integers(1, 2)), max_size=8), max_size=8), st.integers(2, 60))
def test_each_page_job_is_in_one_lot_however_often_it_comes(deliveries: list[list[tuple[int, int]]], most: int) -> None:
    of = lots(jobs=max(most, 8))
    for delivered in deliveries:
        of.gather(gathered(*(job(page, run) for page, run in delivered)), "model", MOMENT)
    together = [custom_id(one) for jobs in closed(of) for one in jobs]
    assert len(together) == len(set(together))
    came = [one for delivered in deliveries for one in delivered]
    latest = {page: max(run for one, run in came if one == page) for page, _ in came}
    assert {custom_id(job(page, run)) for page, run in latest.items()} <= set(together)


def test_more_than_a_transaction_takes_is_several() -> None:
    of = lots()
    jobs = [job(page) for page in range(1, 3 * MOST_TOGETHER)]
    of.gather(gathered(*jobs), "model", MOMENT)
    assert closed(of) == [jobs]


@pytest.mark.parametrize("limits", [{"jobs": 3}, {"bytes": 30}])
def test_a_lot_that_is_full_is_closed_and_another_opened(limits: dict[str, int]) -> None:
    of = lots(None, **limits)
    for page in range(1, 8):
        of.gather(gathered(job(page)), "model", f"2026-11-25T12:00:0{page}.000Z")
    assert sorted(len(jobs) for jobs in closed(of)) == [1, 3, 3]


def test_another_model_is_another_lot() -> None:
    of = lots()
    of.gather(gathered(job(1)), "model", MOMENT)
    of.gather(gathered(job(2)), "other", MOMENT)
    assert len(closed(of)) == 2
    assert {lot.model for lot in of.all()} == {"model", "other"}


def test_what_joins_while_a_lot_is_closed_is_in_the_next() -> None:
    """Whoever saw the lot as it was before cannot close it over what has joined since."""
    of = lots()
    of.gather(gathered(job(1)), "model", MOMENT)
    seen = of.open_lot()
    assert seen is not None
    of.gather(gathered(job(2)), "model", MOMENT)
    of.close(seen, MOMENT)
    assert of.open_lot() is not None
    assert closed(of) == [[job(1), job(2)]]


class Conflicting(MemoryTable):
    conflicts = 3

    def change(self, *changes: Change) -> None:
        if self.conflicts:
            self.conflicts -= 1
            raise Refused(frozenset())
        super().change(*changes)


def test_conflicts_are_tried_again_and_end_as_busy_storage() -> None:
    table = Conflicting()
    of = lots(table)
    of.gather(gathered(job(1)), "model", MOMENT)
    assert closed(of) == [[job(1)]]
    table.conflicts = 1_000
    with pytest.raises(StorageBusy):
        of.gather(gathered(job(2)), "model", MOMENT)


def test_names_of_files_lead_back_to_lots() -> None:
    of = lots()
    of.gather(gathered(job(1)), "model", MOMENT)
    closed(of)
    (lot,) = of.all()
    assert lot_of_file(f"{lot.name}.jsonl") == lot.id
    assert [lot_of_file(name) for name in ("other.jsonl", "pagewise-x.txt", "")] == [None] * 3


def test_a_groups_pages_are_one_line() -> None:
    from pagewise.model import GroupPage

    of = lots()
    group = replace(job(1), others=(GroupPage(2, IMAGE), GroupPage(3, IMAGE)))
    of.gather(gathered(group), "model", MOMENT)
    assert closed(of) == [[group]]
