"""The whole document as text, Markdown, HTML and LaTeX."""

from __future__ import annotations

import time
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import html as lxml_html
from pylatexenc.latexwalker import LatexWalker

from pagewise.outputs import latex, markdown, plain_text, web_page
from pagewise.outputs.blocks import Formula, Heading, Paragraph, Span, Style, Table, Verbatim
from pagewise.outputs.latex_reader import blocks_of_latex
from pagewise.outputs.page_blocks import PageBlocks, blocks_of, running_lines, without_running_lines
from pagewise.tasks import Task
from tests.outputs.making import failed, page_of, result

SOURCE = r"""\documentclass{article}\usepackage{amsmath}
\title{A \& B}
\begin{document}\maketitle
\section*{One}
Some \textbf{bold} and \emph{leaning} text --- with $x^2+\frac{1}{2}$, 50\% of \$3\_a.\\
A new line [1].

Another paragraph\footnote{a note}. Caf\'e.
\begin{itemize}\item one \item two \begin{enumerate}\item inner\end{enumerate}\end{itemize}
\[ E=mc^2 \]
\begin{align}a&=b\\c&=d\end{align}
\begin{tabular}{ll}a & 1 \\ b & 2 \end{tabular}
\begin{verbatim}
 x   y
\end{verbatim}
\unknown{kept} 中文
\end{document}"""
WRITERS = (plain_text, markdown, web_page, latex)


def whole(writer: ModuleType, *pages: PageBlocks) -> str:
    parts = [writer.begin("scan <1>.pdf")]
    for page in pages:
        parts += [writer.page_start(page.number), *writer.page(page)]
    return "".join([*parts, writer.end()])


def parsed(source: str = SOURCE) -> PageBlocks:
    return PageBlocks(1, tuple(blocks_of_latex(source)), (Task.DOCUMENT_PARSING,))


@pytest.mark.parametrize("writer", WRITERS)
def test_every_word_is_in_every_form(writer: ModuleType) -> None:
    written = whole(writer, parsed())
    for word in ("bold", "leaning", "Another", "note", "Caf", "one", "inner", "kept", "中文", "x   y", "line"):
        assert word in written, word


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


@given(st.text(max_size=300))
def test_any_latex_is_read_and_no_letter_lost(source: str) -> None:
    blocks = blocks_of_latex(source)
    for writer in WRITERS:
        whole(writer, PageBlocks(1, tuple(blocks)))
    if not set(source) & set("\\{}$%&~^_#[]`'\"-!?<>"):
        lines = "".join("".join(plain_text.page(PageBlocks(1, tuple(blocks)))).split())
        assert lines == "".join(source.split())


@given(
    st.lists(
        st.sampled_from(
            [
                r"\begin{tabular}{l}",
                r"\end{tabular}",
                r"\item",
                "{",
                "}",
                "$",
                "&",
                r"\\",
                r"\multirow{2}{*}{",
                "x",
                r"\textbf{",
                r"\section{",
                "%",
                "\n\n",
                r"\begin{itemize}",
                r"\end{itemize}",
                r"\left",
                r"\[",
                r"\]",
            ]
        ),
        max_size=40,
    )
)
def test_broken_latex_is_never_an_error(parts: list[str]) -> None:
    page = PageBlocks(1, tuple(blocks_of_latex(" ".join(parts))))
    for writer in WRITERS:
        whole(writer, page)


@pytest.mark.parametrize(
    "source",
    ["{" * 100_000, r"\begin{tabular}{l}" * 5_000, "x" * 1_000_000, "$" * 50_000, r"\frac" * 20_000, r"\item" * 20_000],
)
def test_hostile_latex_ends_soon(source: str) -> None:
    started = time.monotonic()
    assert blocks_of_latex(source) is not None
    assert time.monotonic() - started < 20


# ── From results to blocks ───────────────────────────────────────────────────────────────────────────────────────────


def test_document_parsing_is_taken_first_and_each_part_once() -> None:
    page = page_of(1, result(1, Task.DOCUMENT_PARSING, latex="parsed"), result(1, Task.TEXT_RECOGNITION, text="plain"))
    assert blocks_of(page).tasks == (Task.DOCUMENT_PARSING,)
    assert [type(block) for block in blocks_of(page).blocks] == [Paragraph]


def test_a_table_takes_the_place_of_its_lines() -> None:
    html = "<table><tr><td>Part<td>Price<tr><td>bolt<td>1.50</table>"
    page = page_of(
        1,
        result(1, Task.TEXT_RECOGNITION, text="Before\nPart Price\nbolt 1.50\nAfter"),
        result(1, Task.TABLE_PARSING, html=html),
    )
    read = blocks_of(page)
    assert [type(block) for block in read.blocks] == [Paragraph, Table, Paragraph]
    assert "".join(plain_text.page(read)).split() == ["Before", "Part", "Price", "bolt", "1.50", "After"]


def test_a_table_that_the_text_does_not_show_comes_after_it() -> None:
    html = "<table><tr><td>Part<td>Price<tr><td>bolt<td>1.50</table>"
    page = page_of(1, result(1, Task.TEXT_RECOGNITION, text="Nothing\nof it"), result(1, Task.TABLE_PARSING, html=html))
    assert [type(block) for block in blocks_of(page).blocks] == [Paragraph, Table]


def test_formulas_and_fields_where_there_is_nothing_else() -> None:
    formula = blocks_of(page_of(1, result(1, Task.FORMULA_RECOGNITION, latex="$$x$$"))).blocks
    assert formula == (Formula("x"),)
    fields = blocks_of(page_of(1, result(1, Task.KEY_INFORMATION_EXTRACTION, fields={"total": "1.50"}))).blocks
    assert "".join(plain_text.page(PageBlocks(1, fields))).strip() == "total: 1.50"
    assert blocks_of(page_of(1, failed(1, Task.DOCUMENT_PARSING))).blocks == ()


def test_running_headers_and_footers_are_known_by_coming_again() -> None:
    pages = [
        PageBlocks(
            number,
            (
                Heading(2, (Span("ACME Report"),)),
                Paragraph((Span(f"Text {'a' * number}\nand {'b' * number}\nend {'c' * number}"),)),
                Paragraph((Span(f"Page {number} of 5"),)),
            ),
        )
        for number in range(1, 6)
    ]
    running = running_lines(pages)
    assert running == {"acme report", "page # of #"}
    assert all("ACME" not in whole(plain_text, without_running_lines(page, running)) for page in pages)
    assert "Text" in whole(plain_text, without_running_lines(pages[0], running))
    assert running_lines(pages[:2]) == frozenset()
