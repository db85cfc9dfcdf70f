"""The engine's HTML as blocks."""

from __future__ import annotations

import pytest

from pagewise.outputs.html_reader import HtmlTooLarge, blocks_of_html
from tests.outputs.test_tables import table_in


def test_spans_and_headers_and_line_breaks() -> None:
    table = table_in(
        "<table><caption>Sales</caption><thead><tr><th rowspan=2>Year<td colspan=2>Sum</thead>"
        "<tr><td>a<br>b<td>c</tr><tr><td>1<td colspan=99>2</table>"
    )
    assert table.caption == "Sales"
    assert table.rows == 3
    assert [row[:3] for row in table.grid()] == [["Year", "Sum", ""], ["", "a\nb", "c"], ["1", "2", ""]]
    assert [cell.header for cell in table.by_row()[0]] == [True, True]


def test_a_table_in_a_cell_is_the_cells_text() -> None:
    table = table_in("<table><tr><td>a<table><tr><td>b</td><td>c</td></tr></table></td><td>d</td></tr></table>")
    assert table.grid() == [["a\nb c", "d"]]


@pytest.mark.parametrize(
    "html",
    ["<table><tr><td>" * 1_300_000, "<table><tr><td>" * 100, "<div>" * 300 + "x", "<table>" + "<tr><td>x" * 600_000],
)
def test_what_no_page_holds_is_refused_by_words(html: str) -> None:
    with pytest.raises(HtmlTooLarge):
        blocks_of_html(html)


def test_a_table_of_a_hundred_thousand_cells_is_read() -> None:
    table = table_in("<table>" + ("<tr>" + "<td>12345" * 100 + "</tr>") * 1000 + "</table>")
    assert (table.rows, table.columns) == (1000, 100)


def test_scripts_leave_nothing() -> None:
    table = table_in(
        '<table><tr><td onclick="x()">a<script>alert(1)</script><style>b</style><img src=x onerror=y>c</table>'
    )
    assert table.grid() == [["ac"]]
