"""Names that were meant."""

from __future__ import annotations

import pytest

from pagewise.options.spelling import did_you_mean

NAMES = ("ocr-tasks", "ocr-tag", "table_parsing")


@pytest.mark.parametrize(
    ("name", "meant"),
    [("ocr-task", "ocr-tasks"), ("OCR_TAG", "ocr-tag"), ("table", "table_parsing"), ("table-parsing", "table_parsing")],
)
def test_a_near_name_is_told(name: str, meant: str) -> None:
    assert did_you_mean(name, NAMES) == f" Did you mean {meant}?"


@pytest.mark.parametrize("name", ["", "zzz", "x" * 1_000_000])
def test_a_far_name_is_passed_over(name: str) -> None:
    assert did_you_mean(name, NAMES) == ""
