"""Pages as plain text."""

from __future__ import annotations

from pagewise.outputs import plain_text
from pagewise.outputs.page_blocks import blocks_of
from pagewise.tasks import Task
from tests.outputs.making import page_of, result


def test_a_page_is_its_lines_and_markup_is_text() -> None:
    read = blocks_of(page_of(1, result(1, Task.TEXT_RECOGNITION, text="One <b>\n\nTwo")))
    assert "".join(plain_text.page(read)).split() == ["One", "<b>", "Two"]


def test_a_page_that_is_missing_leaves_its_note() -> None:
    assert "It failed." in plain_text.page_note(7, "It failed.")
