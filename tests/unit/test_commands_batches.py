"""`./pagewise batches` says where each lot stands, and what it waits for."""

from __future__ import annotations

import json

import pytest

from commands.batches import json_lines, lines
from tests.fakes.batches import refused
from tests.unit.batch_lane import BatchLane


@pytest.fixture
def lane() -> BatchLane:
    return BatchLane()


def shown(lane: BatchLane) -> str:
    return "\n".join(lines(lane.lots))


def test_without_lots_it_says_what_makes_them(lane: BatchLane) -> None:
    assert shown(lane) == "There are no batches. Documents of the lane (ocr-lane: batch) make them."


def test_a_lot_is_told_of_from_its_gathering_to_its_end(lane: BatchLane) -> None:
    lane.service.reply = lambda line: refused() if "00001" in line["custom_id"] else None
    lane.upload(3)
    assert "gathering since" in shown(lane)
    assert "3 page jobs" in shown(lane)
    lane.send()
    assert "at the engine since" in shown(lane)
    assert f"{next(iter(lane.service.batches))}: validating" in shown(lane)
    lane.finish()
    assert "done since" in shown(lane)
    assert "completed; 0 answered, 3 went live" in shown(lane)


def test_a_program_reads_the_same(lane: BatchLane) -> None:
    lane.upload(2)
    (before,) = json_lines(lane.lots)
    assert json.loads(before)["gathering"]["page_jobs"] == 2
    lane.send()
    lane.finish()
    (after,) = json_lines(lane.lots)
    found = json.loads(after)
    assert (found["gathering"], len(found["lots"])) == (None, 1)
    assert {"state": "done", "page_jobs": 2, "answered": 2, "to_live": 0}.items() <= found["lots"][0].items()
