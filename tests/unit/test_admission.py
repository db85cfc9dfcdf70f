"""An upload is held against the limits before anything is spent, by the splitter and by an estimate."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pagewise.account.spending import Spending
from pagewise.errors import DocumentRejected, Rejection
from pagewise.qwen.tokens import Price
from pagewise.use_cases.admission import check_bytes, forecast
from pagewise.use_cases.settings import SplitSettings
from tests.fakes import MemoryProfiles
from tests.pictures import tiff


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "scan.tif"
    path.write_bytes(tiff(3))
    return path


def test_a_forecast_counts_every_page_for_every_task(path: Path) -> None:
    found = forecast(
        SplitSettings(), MemoryProfiles(), "uploads/scan.tif", {"ocr-tasks": "multi_lan,table_parsing"}, path
    )
    assert (found.pages, sorted(found.by_task), found.over) == (3, ["multi_lan", "table_parsing"], None)
    one = forecast(SplitSettings(), MemoryProfiles(), "uploads/scan.tif", {"ocr-tasks": "multi_lan"}, path)
    assert 0 < one.most < found.most


def test_a_forecast_over_a_cap_says_so(path: Path) -> None:
    within = forecast(SplitSettings(), MemoryProfiles(), "uploads/scan.tif", {}, path)
    least_that_fits = Price().amount_of(within.most)
    capped = replace(SplitSettings(), spending=Spending(document_cap=0.99 * least_that_fits))
    over = forecast(capped, MemoryProfiles(), "uploads/scan.tif", {}, path).over
    assert over is not None
    assert over.reason == Rejection.OVER_BUDGET


def test_an_upload_over_the_disk_is_refused_by_its_size() -> None:
    check_bytes(SplitSettings(max_megabytes=1), 1_000_000)
    with pytest.raises(DocumentRejected, match="MaxUploadMegabytes"):
        check_bytes(SplitSettings(max_megabytes=1), 1_000_001)


def test_too_many_pages_are_refused(path: Path) -> None:
    with pytest.raises(DocumentRejected) as rejected:
        forecast(SplitSettings(max_pages=2), MemoryProfiles(), "uploads/scan.tif", {}, path)
    assert rejected.value.reason == Rejection.TOO_MANY_PAGES
