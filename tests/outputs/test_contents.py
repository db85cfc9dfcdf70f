"""A page's results, as outputs ask for them."""

from __future__ import annotations

from pagewise.geometry import Size
from pagewise.outputs.contents import failure_note
from pagewise.tasks import Task
from tests.outputs.making import blank, failed, page_of, result

READ = result(1, Task.TEXT_RECOGNITION, Size(10, 20), text="a")


def test_the_first_recognized_of_several_tasks_is_taken() -> None:
    page = page_of(1, failed(1, Task.TABLE_PARSING), READ)
    assert page.first_of(Task.TABLE_PARSING, Task.TEXT_RECOGNITION) == READ
    assert page.recognized(Task.TABLE_PARSING) is None
    assert set(page.failures) == {Task.TABLE_PARSING}
    assert page.size == Size(10, 20)


def test_a_page_without_results_is_neither_blank_nor_of_a_size() -> None:
    assert page_of(1, blank(1)).blank
    assert not page_of(1, READ).blank
    assert page_of(1, failed(1, Task.TABLE_PARSING)).size is None


def test_a_note_says_why_a_page_is_missing() -> None:
    assert "too long" in failure_note(page_of(1, failed(1, Task.TABLE_PARSING)))
