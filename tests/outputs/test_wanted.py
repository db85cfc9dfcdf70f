"""Names of outputs, and the tasks that each needs."""

from __future__ import annotations

import pytest

from pagewise.outputs.manifest import ranges
from pagewise.outputs.wanted import WantedOutput, parse_outputs, tasks_for
from pagewise.tasks import Task


def test_names_of_outputs_and_the_tasks_they_need() -> None:
    assert parse_outputs(["xlsx", "text", "TEXT "]) == (WantedOutput.TEXT, WantedOutput.TABLES)
    assert parse_outputs(["all"]) == tuple(WantedOutput)
    with pytest.raises(ValueError, match="docx"):
        parse_outputs(["docx"])
    assert tasks_for(parse_outputs(["pdf", "tables", "text"]), [Task.DOCUMENT_PARSING]) == (Task.ADVANCED_RECOGNITION,)
    assert tasks_for(parse_outputs(["fields"]), []) == (Task.KEY_INFORMATION_EXTRACTION, Task.ADVANCED_RECOGNITION)
    assert ranges([3, 1, 2, 7]) == "1-3,7"
