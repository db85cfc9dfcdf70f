"""Pages as Markdown."""

from __future__ import annotations

from pagewise.outputs import markdown
from pagewise.outputs.blocks import Paragraph, Span
from pagewise.outputs.page_blocks import PageBlocks
from tests.outputs.test_documents import parsed, whole


def test_markdown_keeps_formulas_headings_lists_and_tables() -> None:
    written = whole(markdown, parsed())
    assert "# A & B\n" in written
    assert "## One\n" in written
    assert r"with $x^2+\frac{1}{2}$, 50% of \$3\_a.  " in written
    assert "- one\n- two\n" in written
    assert "  1. inner" in written
    assert "$$\nE=mc^2\n$$" in written
    assert "| a | 1 |\n| --- | --- |\n| b | 2 |" in written


def test_markdown_cannot_be_made_to_say_more() -> None:
    text = "# no heading\n- no list\n1. nor this\n<script>alert(1)</script> [a](b) *c* `d` | e\n> f\n&amp; ~~g~~"
    written = whole(markdown, PageBlocks(1, (Paragraph((Span(text),)),)))
    for sign in ("\n# ", "\n- ", "\n1. ", "<script", "[a]", "\n> "):
        assert sign not in written.partition("-->")[2], sign
