"""Runs of one direction, in reading order."""

from __future__ import annotations

from pagewise.outputs.directions import Run, levels_of, runs_of, visual_order

HEBREW = "\u05d0\u05d1\u05d2"


def test_text_from_left_to_right_is_one_run() -> None:
    assert runs_of("Größe 12") == [Run("Größe 12", 0)]


def test_right_to_left_text_is_turned_and_stands_after_what_is_to_its_left() -> None:
    first, second = runs_of(f"ab {HEBREW}")
    assert (first.text, first.before) == ("ab ", 0)
    assert second.text == HEBREW[::-1]
    assert second.before > 0


def test_no_character_is_lost_or_doubled() -> None:
    text = f"{HEBREW} 12 (ab) {HEBREW}."
    assert sorted("".join(run.text for run in runs_of(text))) == sorted(text)
    assert sorted(visual_order(levels_of(text))) == list(range(len(text)))
