"""Tables from HTML and LaTeX to CSV and XLSX; joined over pages only where that is certain."""

from __future__ import annotations

import pytest

from pagewise.outputs.blocks import Table
from pagewise.outputs.html_reader import blocks_of_html
from pagewise.outputs.latex_reader import blocks_of_latex
from pagewise.outputs.page_blocks import blocks_of
from pagewise.outputs.tables import found_on
from pagewise.tasks import Task
from tests.outputs.making import A4, line, page_of, recognized_lines, result

# ── From markup to tables ────────────────────────────────────────────────────────────────────────────────────────────


def table_in(html: str) -> Table:
    (table,) = [block for block in blocks_of_html(html) if isinstance(block, Table)]
    return table


def test_latex_and_html_give_the_same_table() -> None:
    latex = r"""\begin{table}\caption{Sales}\begin{tabular}{|l|l|l|}\hline
        \multirow{2}{*}{Year} & \multicolumn{2}{c|}{Sum} \\ \cline{2-3} & a & 3\% \\ \hline 1 & $x^2$ & \\ \hline
        \end{tabular}\end{table}"""
    html = "<table><caption>Sales</caption><tr><td rowspan=2>Year<td colspan=2>Sum"
    html += "<tr><td>a<td>3%<tr><td>1<td>$x^2$<td></table>"
    assert blocks_of_latex(latex) == [table_in(html)]


# ── Hostile ──────────────────────────────────────────────────────────────────────────────────────────────────────────


# ── Numbers and formulas ─────────────────────────────────────────────────────────────────────────────────────────────


# ── Joining ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_pages_own_text_tells_whether_a_table_is_its_last() -> None:
    rows = "".join(
        f"<tr><td>{name}<td>{price}" for name, price in [("bolt", "1.50"), ("nut", "0.75"), ("washer", "0.10")]
    )
    html = f"<table><tr><th>Part<th>Price{rows}</table>"
    text = ["A heading", "Part", "Price", "bolt", "1.50", "nut", "0.75", "washer", "0.10", "Page 3 of 7"]
    lines = [line(word, 100 + 300 * (n % 2), 100 + 40 * n, 200) for n, word in enumerate(text)]
    page = page_of(1, result(1, Task.TABLE_PARSING, html=html), recognized_lines(1, lines))
    (found,) = found_on(page, blocks_of(page), frozenset())
    assert (found.first, found.last) == (False, True)
    assert found.bottom == pytest.approx((100 + 40 * 8 + 30) / A4.height)
    assert len(found.columns_at) == 2


def test_tables_alone_say_nothing_of_the_text_around_them() -> None:
    page = page_of(1, result(1, Task.TABLE_PARSING, html="<table><tr><td>a<td>b<tr><td>c<td>d</table>"))
    (found,) = found_on(page, blocks_of(page), frozenset())
    assert (found.first, found.last) == (None, None)
