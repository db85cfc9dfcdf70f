"""The receipt has every page job."""

from __future__ import annotations

from typing import Any

import pytest

from tests.pictures import tiff
from tests.unit.conftest import Pagewise
from tests.unit.test_recognize import split
from tests.unit.test_redrive import REFUSED, ended


def test_every_page_job_is_in_the_receipt_with_its_tokens(pagewise: Pagewise) -> None:
    document = split(pagewise, pages=2, tasks="text_recognition,multi_lan")
    pagewise.run_queues()

    receipt = pagewise.receipt_of(document)
    assert receipt["status"] == "complete"
    assert [(job["page"], job["task"], job["status"], job["attempts"]) for job in receipt["page_jobs"]] == [  # type: ignore[attr-defined]
        (page, task, "recognized", 1) for page in (1, 2) for task in ("text_recognition", "multi_lan")
    ]
    assert receipt["usage"] == {"input_tokens": 400, "output_tokens": 40}
    assert receipt["cost"]["amount"] == pytest.approx((400 * 0.07 + 40 * 0.16) / 1e6)  # type: ignore[index]


def test_the_receipt_says_why_each_page_job_failed(pagewise: Pagewise) -> None:
    document = ended(pagewise, REFUSED)
    receipt: dict[str, Any] = pagewise.receipt_of(document)
    assert [job["message"] for job in receipt["page_jobs"]] == ["The engine refuses this page.", None]


def test_the_receipt_has_the_options_of_calls_and_pages(pagewise: Pagewise) -> None:
    wishes = {"ocr_dpi": "100", "ocr_preprocessing": "median,deskew", "ocr_text_layer": "prefer"}
    document = pagewise.split.upload(pagewise.uploads.put(tiff(1), **wishes))
    pagewise.run_queues()
    assert pagewise.receipt_of(document)["options"] == {
        "dpi": 100,
        "preprocessing": ["median", "deskew"],
        "text_layer": "prefer",
    }
