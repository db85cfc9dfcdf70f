"""Pages as one HTML file."""

from __future__ import annotations

from lxml import html as lxml_html

from pagewise.outputs import web_page
from pagewise.outputs.blocks import Formula, Heading, Paragraph, Span, Style, Table, Verbatim
from pagewise.outputs.latex_reader import blocks_of_latex
from pagewise.outputs.page_blocks import PageBlocks
from tests.outputs.test_documents import parsed, whole


def test_html_is_one_file_that_runs_and_loads_nothing() -> None:
    hostile = '<script>alert(1)</script><img src=x onerror="alert(1)">"><a href="javascript:x">'
    page = PageBlocks(
        1,
        (
            Heading(1, (Span(hostile),)),
            Paragraph((Span(hostile), Span(hostile, Style.CODE), Span(hostile, Style.FORMULA))),
            Formula(r"\text{" + hostile + "}"),
            Formula(r"\href{javascript:alert(1)}{x}"),
            Verbatim(hostile),
            *[
                block
                for block in blocks_of_latex(r"\begin{tabular}{l}<script>alert(1)</script>\\ \end{tabular}")
                if isinstance(block, Table)
            ],
        ),
    )
    written = whole(web_page, page)
    root = lxml_html.document_fromstring(written)
    assert root.xpath("//script | //iframe | //link | //img | //object | //@onerror | //@onclick | //@src") == []
    assert [link for link in root.xpath("//@href") if not link.startswith("#")] == []
    assert "default-src 'none'" in written
    assert 'name="viewport"' in written


def test_html_has_formulas_as_mathml_and_merged_cells() -> None:
    written = whole(web_page, parsed(r"$x^2$ \begin{tabular}{ll}\multicolumn{2}{c}{wide} \\ a & b\end{tabular}"))
    assert "<msup><mi>x</mi><mn>2</mn></msup>" in written
    assert 'colspan="2"' in written
