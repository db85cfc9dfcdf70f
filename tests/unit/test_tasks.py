"""Tasks by the service's own names."""

from __future__ import annotations

import pytest

from pagewise.tasks import OUTPUTS, Task, parse_tasks


def test_names_are_taken_once_in_their_order_whatever_their_case() -> None:
    assert parse_tasks([" TABLE_parsing ", "multi_lan", "", "table_parsing"]) == (Task.TABLE_PARSING, Task.MULTI_LAN)


def test_all_are_those_that_are_deployed() -> None:
    assert parse_tasks(["all"]) == tuple(Task)
    assert parse_tasks(["multi_lan", "all"], [Task.TABLE_PARSING]) == (Task.MULTI_LAN, Task.TABLE_PARSING)


def test_an_unknown_name_is_the_error_s_only_argument() -> None:
    with pytest.raises(ValueError, match=r"^table$"):
        parse_tasks(["table_parsing", "Table"])


def test_every_task_has_a_field_of_its_own() -> None:
    assert set(OUTPUTS) == set(Task)
