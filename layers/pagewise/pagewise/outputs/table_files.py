"""Tables as files that spreadsheets open: one CSV each, and one XLSX with a sheet each.

A text becomes a number only where the number says all that the text says, and its format shows it alike: no leading
zeros, at most fifteen digits (a double's), separators that can be read in one way only. Dates stay text: 03/04 is
March or April. No cell can become a formula.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

import xlsxwriter
from xlsxwriter.format import Format

from pagewise.outputs.blocks import Table
from pagewise.outputs.joining import JoinedTable

# Excel's and OWASP's lists, with the full-width forms that East Asian versions take for the same.
FORMULA_SIGNS = "=+-@\t\r＝＋－＠"
DIGITS = 15
PLAIN = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?")
GROUPED = re.compile(r"-?[1-9]\d{0,2}((,\d{3})+\.\d+|(,\d{3}){2,}|(\.\d{3})+,\d+|(\.\d{3}){2,})")
THOUSANDS = re.compile(r"-?[1-9]\d{0,2}\.\d{3}")
MOST_TEXT = 32_767  # of an XLSX cell
CREATED = datetime(2000, 1, 1, tzinfo=UTC).replace(tzinfo=None)
UNREADABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def as_number(text: str) -> tuple[float | int, str] | None:
    """The number that a text is and the format that shows it so; None where a part of it would be lost."""
    if THOUSANDS.fullmatch(text):
        return None  # 1.234 is a thousand and more where a comma parts decimals
    if PLAIN.fullmatch(text):
        plain, grouping = text, "0"
    elif GROUPED.fullmatch(text):
        decimal = text[-1 - len(re.split(r"[.,]", text)[-1])] if has_decimals(text) else ""
        whole = text.replace("," if decimal != "," else ".", "")
        plain = (whole.replace(",", ".") if decimal == "," else whole) if decimal else re.sub(r"[.,]", "", text)
        grouping = "#,##0"
    else:
        return None
    if text.startswith("-0") and not plain.strip("-0."):
        return None  # minus zero
    if len(re.sub(r"\D", "", plain).lstrip("0")) > DIGITS:
        return None
    decimals = len(plain.partition(".")[2])
    shown = grouping + ("." + "0" * decimals if decimals else "")
    return (float(plain) if decimals else int(plain)), shown


def has_decimals(text: str) -> bool:
    return "," in text and "." in text


def harmless(text: str) -> str:
    """A text that no spreadsheet takes for a formula: an apostrophe goes before a possible one."""
    if text and (text[0] in FORMULA_SIGNS or text.lstrip()[:1] in set(FORMULA_SIGNS)) and not as_number(text):
        return "'" + text
    return text


def write_csv(table: Table, to: Path) -> None:
    """RFC 4180, UTF-8 with the mark that Excel knows it by. Merged cells hold their text at their top left."""
    with to.open("w", encoding="utf-8-sig", newline="") as file:
        write_rows(table, file)


def write_rows(table: Table, file: TextIO) -> None:
    writer = csv.writer(file, lineterminator="\r\n")
    for row in table.by_row():
        texts = [""] * table.columns
        for cell in row:
            texts[cell.column] = harmless(UNREADABLE.sub("", cell.text))
        writer.writerow(texts)


def write_xlsx(tables: Iterable[tuple[str, JoinedTable]], to: Path, folder: Path) -> int:
    """One sheet a table, by name; returns how many. Rows go to the disk as they are written."""
    count = 0
    options = {"constant_memory": True, "tmpdir": str(folder), "strings_to_urls": False}
    with xlsxwriter.Workbook(str(to), options) as book:
        book.set_properties({"created": CREATED})
        formats: dict[tuple[str, bool], Format] = {}

        def format_of(number: str, header: bool) -> Format:
            key = number, header
            if key not in formats:
                formats[key] = book.add_format(
                    {"num_format": number or "@", "bold": header, "text_wrap": not number, "valign": "top"}
                )
            return formats[key]

        for name, joined in tables:
            count += 1
            sheet = book.add_worksheet(name)
            for cell in joined.table.cells:
                text = UNREADABLE.sub("", cell.text)[:MOST_TEXT]
                number = as_number(text)
                if number:
                    sheet.write_number(cell.row, cell.column, number[0], format_of(number[1], cell.header))
                else:
                    sheet.write_string(cell.row, cell.column, text, format_of("", cell.header))
                if cell.row_span > 1 or cell.column_span > 1:
                    # merge_range writes blanks below, and rows that are on the disk can't be gone back to.
                    sheet.merge.append(
                        [cell.row, cell.column, cell.row + cell.row_span - 1, cell.column + cell.column_span - 1]
                    )
            for column, width in widths_of(joined.table).items():
                sheet.set_column(column, column, width)
    return count


def widths_of(table: Table) -> dict[int, int]:
    """The columns' widths in characters, by the table's first thousand cells."""
    widths: dict[int, int] = {}
    for cell in table.cells[:1000]:
        if cell.column_span == 1:
            longest = max(map(len, cell.text.splitlines()), default=0)
            widths[cell.column] = max(widths.get(cell.column, 8), min(longest + 2, 60))
    return widths
