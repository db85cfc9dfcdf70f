"""The font without glyphs."""

from __future__ import annotations

from layers.outputs import glyphless
from pagewise.outputs import invisible_font


def test_the_font_is_the_one_that_its_script_makes() -> None:
    assert invisible_font.FONT.read_bytes() == glyphless.built()
