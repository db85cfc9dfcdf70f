"""Tables as CSV and XLSX: numbers stay numbers, and nothing is lost or run."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import openpyxl
import pytest

from pagewise.outputs.blocks import DrawnCell, laid_out
from pagewise.outputs.joining import JoinedTable
from pagewise.outputs.table_files import as_number, harmless, write_csv, write_xlsx


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
