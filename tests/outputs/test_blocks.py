"""Cells of a table neither overlap nor lie outside."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagewise.outputs.blocks import DrawnCell, TooManyCells, laid_out
from pagewise.outputs.html_reader import blocks_of_html
from tests.outputs.test_tables import table_in


@given(st.lists(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=5), min_size=1, max_size=6))
def test_no_cells_overlap_or_lie_outside(spans: list[list[tuple[int, int]]]) -> None:
    table = laid_out([[DrawnCell("x", rows, columns) for rows, columns in row] for row in spans])
    covered = [
        (row, column)
        for cell in table.cells
        for row in range(cell.row, cell.row + cell.row_span)
        for column in range(cell.column, cell.column + cell.column_span)
    ]
    assert len(covered) == len(set(covered))
    assert all(row < table.rows and column < table.columns for row, column in covered)
    assert len(table.cells) == sum(map(len, spans))


def test_spans_beyond_measure_do_not_grow_the_table() -> None:
    assert table_in('<table><tr><td rowspan=999999 colspan="1">a<td>b</table>').rows == 1
    with pytest.raises(TooManyCells):
        blocks_of_html("<table>" + "<tr><td colspan=1000>x" * 500 + "</table>")
