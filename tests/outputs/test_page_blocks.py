"""A page's blocks, from the results of its tasks."""

from __future__ import annotations

from pagewise.outputs import plain_text
from pagewise.outputs.blocks import Formula, Heading, Paragraph, Span, Table
from pagewise.outputs.page_blocks import PageBlocks, blocks_of, running_lines, without_running_lines
from pagewise.tasks import Task
from tests.outputs.making import failed, page_of, result
from tests.outputs.test_documents import whole


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


def test_a_table_of_one_column_that_is_the_page_s_text_is_no_table() -> None:
    table = result(1, Task.TABLE_PARSING, html="<table><tr><td>A letter<tr><td>without a table</table>")
    letter = page_of(1, result(1, Task.TEXT_RECOGNITION, text="A letter\nwithout a table"), table)
    assert [type(block) for block in blocks_of(letter).blocks] == [Paragraph]
    assert "".join(plain_text.page(blocks_of(letter))).split() == ["A", "letter", "without", "a", "table"]


def test_a_list_of_one_column_on_a_page_with_more_is_a_table() -> None:
    table = result(1, Task.TABLE_PARSING, html="<table><tr><td>Flour<tr><td>Butter</table>")
    page = page_of(1, result(1, Task.TEXT_RECOGNITION, text="What to buy\n\nFlour\nButter\n\nThank you"), table)
    assert [type(block) for block in blocks_of(page).blocks] == [Paragraph, Table, Paragraph]
    assert [type(block) for block in blocks_of(page_of(1, table)).blocks] == [Table]


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
