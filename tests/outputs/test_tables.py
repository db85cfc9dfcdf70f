"""Tables from HTML and LaTeX to CSV and XLSX; joined over pages only where that is certain."""

from __future__ import annotations

import csv
import io
import random
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagewise.outputs.blocks import DrawnCell, Table, TooManyCells, laid_out
from pagewise.outputs.html_reader import HtmlTooLarge, blocks_of_html
from pagewise.outputs.joining import FoundTable, JoinedTable, joined_tables
from pagewise.outputs.latex_reader import blocks_of_latex
from pagewise.outputs.page_blocks import blocks_of
from pagewise.outputs.table_files import as_number, harmless, write_csv, write_xlsx
from pagewise.outputs.tables import found_on
from pagewise.tasks import Task
from tests.outputs.making import A4, line, page_of, recognized_lines, result

# ── From markup to tables ────────────────────────────────────────────────────────────────────────────────────────────


def table_in(html: str) -> Table:
    (table,) = [block for block in blocks_of_html(html) if isinstance(block, Table)]
    return table


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


def test_latex_and_html_give_the_same_table() -> None:
    latex = r"""\begin{table}\caption{Sales}\begin{tabular}{|l|l|l|}\hline
        \multirow{2}{*}{Year} & \multicolumn{2}{c|}{Sum} \\ \cline{2-3} & a & 3\% \\ \hline 1 & $x^2$ & \\ \hline
        \end{tabular}\end{table}"""
    html = "<table><caption>Sales</caption><tr><td rowspan=2>Year<td colspan=2>Sum"
    html += "<tr><td>a<td>3%<tr><td>1<td>$x^2$<td></table>"
    assert blocks_of_latex(latex) == [table_in(html)]


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


# ── Hostile ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "html",
    ["<table><tr><td>" * 1_300_000, "<table><tr><td>" * 100, "<div>" * 300 + "x", "<table>" + "<tr><td>x" * 600_000],
)
def test_what_no_page_holds_is_refused_by_words(html: str) -> None:
    with pytest.raises(HtmlTooLarge):
        blocks_of_html(html)


def test_spans_beyond_measure_do_not_grow_the_table() -> None:
    assert table_in('<table><tr><td rowspan=999999 colspan="1">a<td>b</table>').rows == 1
    with pytest.raises(TooManyCells):
        blocks_of_html("<table>" + "<tr><td colspan=1000>x" * 500 + "</table>")


def test_a_table_of_a_hundred_thousand_cells_is_read() -> None:
    table = table_in("<table>" + ("<tr>" + "<td>12345" * 100 + "</tr>") * 1000 + "</table>")
    assert (table.rows, table.columns) == (1000, 100)


def test_scripts_leave_nothing() -> None:
    table = table_in(
        '<table><tr><td onclick="x()">a<script>alert(1)</script><style>b</style><img src=x onerror=y>c</table>'
    )
    assert table.grid() == [["ac"]]


# ── Numbers and formulas ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("7", 7),
        ("-12", -12),
        ("3.50", 3.5),
        ("0.05", 0.05),
        ("0.125", 0.125),
        ("1234.125", 1234.125),
        ("1,234,567", 1234567),
        ("1,234.50", 1234.5),
        ("1.234,50", 1234.5),
        ("123456789012345", 123456789012345),
    ],
)
def test_what_a_number_says_in_full_is_a_number(text: str, number: float) -> None:
    found = as_number(text)
    assert found is not None
    assert found[0] == number


@pytest.mark.parametrize(
    "text",
    [
        "007",
        "00",
        "-0",
        "1234567890123456",
        "0.1234567890123456",
        "1,234",
        "1.234",
        "1,23",
        "1 234",
        "12/05/2024",
        "2024-05-12",
        "1E5",
        "+5",
        "5%",
        "$5",
        "(5)",
        "٣",
        "１２",
        "",
        "1.",
        ".5",
        "1,2345",
        "12,345.6.7",
        "−5",
        "NaN",
        "1,234,56",
    ],
)
def test_what_would_lose_something_stays_text(text: str) -> None:
    assert as_number(text) is None


def test_the_format_shows_a_number_as_it_was() -> None:
    assert as_number("3.50") == (3.5, "0.00")
    assert as_number("1,234,567") == (1234567, "#,##0")


@pytest.mark.parametrize(
    "text", ["=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "  =1", "＝1+1", "-x", "+49 30 1234"]
)
def test_no_cell_of_a_csv_can_become_a_formula(text: str, tmp_path: Path) -> None:
    write_csv(laid_out([[DrawnCell(text)]]), tmp_path / "t.csv")
    ((cell,),) = list(csv.reader(io.StringIO((tmp_path / "t.csv").read_text("utf-8-sig"))))
    assert cell.startswith("'")
    assert harmless("-5") == "-5"
    assert harmless("a=b") == "a=b"


def test_an_xlsx_keeps_merged_cells_text_and_numbers(tmp_path: Path) -> None:
    rows = [
        [DrawnCell("Head", 1, 2, header=True), DrawnCell("=1+1", 2, 1)],
        [DrawnCell("007"), DrawnCell("3.50")],
        [DrawnCell("12/05/2024"), DrawnCell("https://example.com"), DrawnCell("a\nb")],
    ]
    table = laid_out(rows)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write_xlsx([("001 page 1", JoinedTable(table, [1]))], tmp_path / f"{name}.xlsx", tmp_path / name)
    assert (tmp_path / "one.xlsx").read_bytes() == (tmp_path / "two.xlsx").read_bytes()
    sheet = openpyxl.load_workbook(tmp_path / "one.xlsx")["001 page 1"]
    assert sorted(map(str, sheet.merged_cells.ranges)) == ["A1:B1", "C1:C2"]
    assert [[cell.value for cell in row] for row in sheet.iter_rows()] == [
        ["Head", None, "=1+1"],
        ["007", 3.5, None],
        ["12/05/2024", "https://example.com", "a\nb"],
    ]
    assert sheet["C1"].data_type == "s"
    assert sheet["B2"].number_format == "0.00"
    assert sheet["B3"].hyperlink is None


# ── Joining ──────────────────────────────────────────────────────────────────────────────────────────────────────────

HEAD = ["No.", "Description", "Quantity", "Price"]
WORDS = [
    "bolt",
    "nut",
    "washer",
    "screw",
    "bracket",
    "hinge",
    "panel",
    "cable",
    "switch",
    "lamp",
    "motor",
    "valve",
    "filter",
    "gasket",
    "bearing",
    "spring",
]


def rows_of(count: int, first: int = 1, numbered: bool = True, seed: int = 1) -> list[list[str]]:
    chance = random.Random(seed)
    return [
        [
            str(first + n) if numbered else chance.choice(WORDS),
            " ".join(chance.sample(WORDS, 2)),
            str(chance.randint(1, 99)),
            f"{chance.randint(100, 9999) / 100:.2f}",
        ]
        for n in range(count)
    ]


def made(rows: list[list[str]], head: list[str] | None = None, caption: str = "", marked: bool = False) -> Table:
    drawn = [[DrawnCell(text, header=marked) for text in head]] if head else []
    return laid_out([*drawn, *[[DrawnCell(text) for text in row] for row in rows]], caption)


COLUMNS_AT = (0.1, 0.2, 0.6, 0.8)


def first_part(table: Table, page: int = 1, last: bool | None = True, bottom: float | None = 0.93) -> FoundTable:
    return FoundTable(page, table, False, last, bottom, COLUMNS_AT)


def next_part(table: Table, page: int = 2, first: bool | None = True, at: tuple[float, ...] = COLUMNS_AT) -> FoundTable:
    return FoundTable(page, table, first, False, 0.5, at)


def split(
    count: int, at: int, numbered: bool = True, seed: int = 1
) -> tuple[list[list[str]], list[list[str]], list[list[str]]]:
    rows = rows_of(count, numbered=numbered, seed=seed)
    return rows, rows[:at], rows[at:]


def split_cases() -> list[tuple[str, list[FoundTable], list[list[str]]]]:
    cases: list[tuple[str, list[FoundTable], list[list[str]]]] = []

    def add(name: str, parts: list[FoundTable], rows: list[list[str]]) -> None:
        cases.append((name, parts, [HEAD, *rows]))

    rows, one, two = split(30, 18)
    add(
        "header repeated, marked",
        [first_part(made(one, HEAD, marked=True)), next_part(made(two, HEAD, marked=True))],
        rows,
    )
    rows, one, two = split(30, 18, numbered=False)
    add("header repeated, unmarked", [first_part(made(one, HEAD)), next_part(made(two, HEAD))], rows)
    add("no header, columns aligned", [first_part(made(one, HEAD)), next_part(made(two))], rows)
    rows, one, two = split(40, 25)
    add("numbering goes on, nothing known of places", [FoundTable(1, made(one, HEAD)), FoundTable(2, made(two))], rows)
    add("numbering goes on, header repeated", [FoundTable(1, made(one, HEAD)), FoundTable(2, made(two, HEAD))], rows)
    rows, one, two = split(26, 25)
    add("a single row left over", [first_part(made(one, HEAD)), next_part(made(two))], rows)
    rows, one, two = split(30, 20, numbered=False, seed=3)
    add(
        "said to be continued",
        [FoundTable(1, made(one, HEAD, "Table 3: Stock")), FoundTable(2, made(two, HEAD, "Table 3 (continued)"))],
        rows,
    )
    add("the same caption again", [first_part(made(one, HEAD, "Stock")), next_part(made(two, HEAD, "Stock"))], rows)
    rows = rows_of(60)
    add(
        "over three pages",
        [
            first_part(made(rows[:20], HEAD)),
            FoundTable(2, made(rows[20:40], HEAD), True, True, 0.95, COLUMNS_AT),
            next_part(made(rows[40:], HEAD), 3),
        ],
        rows,
    )
    rows, one, two = split(20, 12, numbered=False, seed=5)
    total = [*two, ["Total", "", "99", "1234.00"]]
    add("a total at its very end", [first_part(made(one, HEAD)), next_part(made(total, HEAD))], [*one, *total])
    rows, one, two = split(22, 11, numbered=False, seed=6)
    add(
        "a single column of difference in case",
        [first_part(made(one, HEAD)), next_part(made(two, ["NO.", "Description ", "quantity", "Price"]))],
        rows,
    )
    rows, one, two = split(24, 14, numbered=False, seed=7)
    add(
        "nothing but the header repeats (no proof that it is last)",
        [FoundTable(1, made(one, HEAD)), FoundTable(2, made(two, HEAD))],
        rows,
    )
    return cases


SPLIT = split_cases()


def test_nine_of_twelve_split_tables_come_back_whole() -> None:
    exact = [name for name, parts, rows in SPLIT if [table.table.grid() for table in joined_tables(parts)] == [rows]]
    assert len(SPLIT) == 12
    assert len(exact) >= 11, {name for name, _, _ in SPLIT} - set(exact)


def neighbours() -> list[tuple[str, FoundTable, FoundTable]]:
    cases: list[tuple[str, FoundTable, FoundTable]] = []
    for seed in range(10):
        one, two = rows_of(12, numbered=False, seed=seed), rows_of(9, numbered=False, seed=seed + 100)
        counted, again = rows_of(12, seed=seed), rows_of(9, seed=seed + 100)
        head, other = HEAD, ["Name", "Town", "Age", "Pay"]
        cases += [
            ("a caption of its own", first_part(made(one, head)), next_part(made(two, head, f"Table {seed}: More"))),
            (
                "a header of its own, marked",
                first_part(made(one, head, marked=True)),
                next_part(made(two, other, marked=True)),
            ),
            ("a header of its own", first_part(made(one, head)), next_part(made(two, other))),
            ("numbering begins anew", first_part(made(counted, head)), next_part(made(again, head))),
            (
                "a total at the first's end",
                first_part(made([*one, ["Total", "", "9", "9.99"]], head)),
                next_part(made(two, head)),
            ),
            ("text before the second", first_part(made(one, head)), next_part(made(two, head), first=False)),
            ("text after the first", first_part(made(one, head), last=False), next_part(made(two, head))),
            ("room left under the first", first_part(made(one, head), bottom=0.4), next_part(made(two, head))),
            ("a page between", first_part(made(one, head)), next_part(made(two, head), page=3)),
            (
                "one column more",
                first_part(made(one, head)),
                next_part(made([[*row, "x"] for row in two], [*head, "Note"])),
            ),
            (
                "columns elsewhere, no header",
                first_part(made(one, head)),
                next_part(made(two), at=(0.1, 0.3, 0.5, 0.8)),
            ),
            (
                "other kinds of columns",
                first_part(made(one, head)),
                next_part(made([[row[3], row[2], row[1], row[0]] for row in two])),
            ),
            ("forms without proof", FoundTable(1, made(one, head)), FoundTable(2, made(two, head))),
        ]
    return cases


def test_no_neighbours_are_joined() -> None:
    pairs = neighbours()
    assert len(pairs) >= 50
    assert [name for name, one, two in pairs if len(list(joined_tables([one, two]))) != 2] == []


@given(st.integers(2, 6), st.integers(2, 12), st.integers(1, 12), st.integers(0, 1000))
def test_joining_loses_no_row(columns: int, before: int, after: int, seed: int) -> None:
    chance = random.Random(seed)

    def words(count: int) -> list[list[str]]:
        return [[str(chance.randint(0, 9)) for _ in range(columns)] for _ in range(count)]

    one, two = made(words(before)), made(words(after))
    tables = list(joined_tables([FoundTable(1, one, True, True), FoundTable(2, two, True, True)]))
    assert sum(table.table.rows for table in tables) in {one.rows + two.rows, one.rows + two.rows - 1}


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
