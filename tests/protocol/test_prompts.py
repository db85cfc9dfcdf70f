"""The prompts are those of the vendor's page."""

from __future__ import annotations

import pytest

from pagewise.qwen import prompts
from pagewise.tasks import Task
from tests.protocol.test_documentation import ROOT

VENDORS_PAGE = ROOT.parent / "shared/qwen-ocr-documentation.txt"


@pytest.mark.skipif(not VENDORS_PAGE.exists(), reason="../shared/qwen-ocr-documentation.txt is not here")
@pytest.mark.parametrize("prompt", [prompts.CUSTOM_FIELDS, *prompts.PROMPTS.values()])
def test_our_prompts_are_the_vendors_word_for_word(prompt: str) -> None:
    assert prompt in VENDORS_PAGE.read_text(encoding="utf-8")
    assert set(prompts.PROMPTS) == set(Task)
