"""The compatible protocol's bodies and replies."""

from __future__ import annotations

from pagewise.geometry import Size
from pagewise.qwen.openai_compatible import OpenAICompatible
from pagewise.qwen.parsing import output_of
from tests.protocol.conftest import question
from tests.protocol.test_parsing import LINES, compatible


def test_a_server_that_rejects_pixel_limits_gets_none() -> None:
    body = OpenAICompatible(pixel_limits=False).body(question(), "https://host/page.png")
    assert set(body["messages"][0]["content"][0]) == {"type", "image_url"}


def test_the_compatible_protocols_thousandths_become_pixels() -> None:
    text = '```json\n[{"pos_list": [{"rotate_rect": [500, 250, 40, 600, -90], "text": "Audience"}]}]\n```'
    output = output_of(LINES, compatible(text), Size(2000, 1000))
    (line,) = output["lines"]
    assert line["text"] == output["text"] == "Audience"
    assert line["rotate_rect"] == [1000, 250, 1200, 40, 0]
    assert line["location"] == [400, 230, 1600, 230, 1600, 270, 400, 270]
    assert line["raw"] == {"rotate_rect": [500, 250, 40, 600, -90]}
