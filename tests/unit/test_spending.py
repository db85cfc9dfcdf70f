"""Caps on what documents cost: nothing over them is begun, and the day's sum is the sum of the bills."""

from __future__ import annotations

from pathlib import Path

import pytest

from pagewise.account.records import spend_key
from pagewise.account.spending import Spending
from pagewise.geometry import Size
from pagewise.model import Document, DocumentStatus, TaskOptions
from pagewise.pages.rendering import Renderer, inspect
from pagewise.qwen.tokens import Price
from pagewise.tasks import Task
from pagewise.use_cases.settings import SplitSettings
from tests.pictures import picture, tiff
from tests.split.documents import text_pdf
from tests.unit.conftest import Pagewise

UNIT = Price.units_of_one


def capped(document: float = 0.0, day: float = 0.0) -> Pagewise:
    return Pagewise(settings=SplitSettings(spending=Spending(document, day)))


def upload(pagewise: Pagewise, pages: int = 2, key: str = "uploads/document") -> Document:
    return pagewise.split.upload(pagewise.uploads.put(tiff(pages), key=key))


def spent(pagewise: Pagewise) -> float:
    (day,) = {key.partition.removeprefix("spend#") for key in pagewise.table.stored if key.record == "day"}
    return pagewise.ledger.spent(day) / UNIT


def test_the_most_that_a_page_can_cost_is_its_image_and_the_longest_answer() -> None:
    most = Spending().most([Size(1024, 1024)], [Task.TEXT_RECOGNITION], TaskOptions())
    assert most / UNIT == pytest.approx(((1024 + 2 + 200) * 0.07 + 8192 * 0.16) / 1e6)


def test_pages_add_up_over_tasks_and_one_of_unknown_size_is_the_largest() -> None:
    one = Spending().most([None], [Task.TEXT_RECOGNITION], TaskOptions())
    assert Spending().most([None] * 3, [Task.TEXT_RECOGNITION, Task.MULTI_LAN], TaskOptions()) == pytest.approx(6 * one)
    assert one > Spending().most([Size(1000, 1000)], [Task.TEXT_RECOGNITION], TaskOptions())


def test_max_tokens_lowers_what_a_page_can_cost() -> None:
    pages, tasks = [Size(100, 100)], [Task.TEXT_RECOGNITION]
    short = Spending(max_output_tokens=1000).most(pages, tasks, TaskOptions())
    assert short < Spending().most(pages, tasks, TaskOptions()) / 5


def test_a_document_over_the_cap_is_rejected_before_anything_is_done() -> None:
    pagewise = capped(document=0.005)
    document = upload(pagewise, pages=4)
    assert (document.status, document.reason) == (DocumentStatus.REJECTED, "over_budget")
    assert (pagewise.queues.jobs, pagewise.pages.objects) == ([], {})
    (event,) = pagewise.publisher.named("DocumentRejected")
    assert "MaxDocumentCost" in event["message"]
    assert upload(pagewise, pages=3, key="uploads/smaller").status is DocumentStatus.IN_PROGRESS


def test_the_day_s_cap_holds_for_all_documents_together() -> None:
    pagewise = capped(day=0.006)
    assert upload(pagewise, key="uploads/1").status is DocumentStatus.IN_PROGRESS
    assert upload(pagewise, key="uploads/2").status is DocumentStatus.IN_PROGRESS
    rejected = upload(pagewise, key="uploads/3")
    assert (rejected.status, rejected.reason) == (DocumentStatus.REJECTED, "over_budget")
    assert "MaxDailyCost" in str(rejected.message)
    assert 0.005 < spent(pagewise) <= 0.006


def test_a_document_larger_than_the_day_s_cap_is_rejected_on_an_unused_day() -> None:
    pagewise = capped(day=0.001)
    assert upload(pagewise).reason == "over_budget"
    assert not [key for key in pagewise.table.stored if key == spend_key("2026-01-01")]


def test_the_bill_takes_the_place_of_what_was_reserved_and_makes_room() -> None:
    pagewise = capped(day=0.006)
    documents = [upload(pagewise, key=f"uploads/{number}") for number in range(2)]
    pagewise.run_queues()
    bills = sum(Price().amount(pagewise.stored(document).usage) for document in documents)
    assert spent(pagewise) == pytest.approx(bills)
    assert upload(pagewise, key="uploads/later").status is DocumentStatus.IN_PROGRESS


def test_an_upload_that_comes_again_reserves_once() -> None:
    pagewise = capped(day=1.0)
    upload(pagewise)
    once = spent(pagewise)
    upload(pagewise)
    pagewise.ledger.open(pagewise.stored(upload(pagewise)), day_cap=UNIT)
    assert spent(pagewise) == once


def test_without_a_cap_nothing_is_counted(pagewise: Pagewise) -> None:
    upload(pagewise)
    assert not [key for key in pagewise.table.stored if key.partition.startswith("spend#")]


@pytest.mark.parametrize(("content", "pages"), [(tiff(3, (40, 60)), 3), (picture(), 1), (text_pdf(2), 2)])
def test_sizes_are_those_that_the_pages_get(content: bytes, pages: int, tmp_path: Path) -> None:
    pagewise = capped()
    document = pagewise.split.upload(pagewise.upload(content))
    path = tmp_path / "document"
    path.write_bytes(content)
    sizes = Renderer().sizes(path, inspect(path))
    assert len(sizes) == document.pages == pages
    assert sizes == [Size(job.image.width, job.image.height) for job in pagewise.queues.jobs]
