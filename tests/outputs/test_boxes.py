"""Boxes of lines over a page."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from lxml import etree
from PIL import Image

from pagewise.geometry import Size
from pagewise.outputs.boxes import boxes_of, write_png, write_svg
from pagewise.outputs.refusal import OutputRefused
from tests.outputs.making import line, page_of, recognized_lines

SIZE = Size(300, 200)
PAGE = page_of(1, recognized_lines(1, [line("a < b", 10, 20, 100), {"text": "nowhere"}, line("c", 10, 80, 50)], SIZE))


def test_lines_with_a_place_keep_their_numbers() -> None:
    assert [(number, text) for number, _, text in boxes_of(PAGE)] == [(1, "a < b"), (3, "c")]


def test_an_svg_shows_a_line_s_text_as_text(tmp_path: Path) -> None:
    Image.new("L", (300, 200), 255).save(tmp_path / "page.jpg")
    write_svg(boxes_of(PAGE), SIZE, tmp_path / "page.jpg", tmp_path / "boxes.svg")
    svg = etree.parse(tmp_path / "boxes.svg").getroot()
    (shown,) = svg.iter("{*}image")
    kind, _, content = str(shown.get("href")).partition(";base64,")
    assert (kind, base64.b64decode(content)) == ("data:image/jpeg", (tmp_path / "page.jpg").read_bytes())
    assert [title.text for title in svg.iter("{*}title")] == ["1: a < b", "3: c"]


def test_a_png_has_the_page_s_size_and_marks_on_it(tmp_path: Path) -> None:
    Image.new("L", (300, 200), 255).save(tmp_path / "page.png")
    write_png(boxes_of(PAGE), tmp_path / "page.png", tmp_path / "boxes.png")
    with Image.open(tmp_path / "boxes.png") as drawn:
        assert drawn.size == (300, 200)
        assert len(drawn.getcolors(60_000) or []) > 1


def test_a_page_image_that_is_none_refuses_this_output_alone(tmp_path: Path) -> None:
    (tmp_path / "page.png").write_bytes(b"no picture")
    with pytest.raises(OutputRefused) as refused:
        write_png(boxes_of(PAGE), tmp_path / "page.png", tmp_path / "boxes.png")
    assert refused.value.reason == "unreadable_image"
