"""Pages as LaTeX."""

from __future__ import annotations

from pylatexenc.latexwalker import LatexWalker

from pagewise.outputs import latex
from pagewise.outputs.blocks import Formula, Paragraph, Span, Style
from pagewise.outputs.page_blocks import PageBlocks
from tests.outputs.test_documents import parsed, whole


def test_latex_is_closed_and_formulas_that_write_or_read_do_not_pass() -> None:
    hostile = [
        r"\input{/etc/passwd}",
        r"\write18{x}",
        r"\csname input\endcsname",
        r"x^^5cinput",
        r"a}\evil{b",
        r"\def\x{}",
        "a\n\nb",
        "a % b",
        r"\left(",
    ]
    blocks = (
        *parsed().blocks,
        *(Formula(one) for one in hostile),
        Paragraph(tuple(Span(one, Style.FORMULA) for one in hostile)),
    )
    written = whole(latex, PageBlocks(1, blocks))
    LatexWalker(written, tolerant_parsing=False).get_latex_nodes()
    for one in (r"\input{", r"\write18", r"\csname", "^^", r"\def"):
        assert one not in written, one
    assert written.count(r"\begin{") == written.count(r"\end{")
