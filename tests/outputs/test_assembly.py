"""assemble(): every output of a document, one bad output beside good ones, bounds, the same bytes."""

from __future__ import annotations

import hashlib
import json
import zlib
from pathlib import Path
from typing import Any

import openpyxl
import pikepdf
import pytest
from pikepdf import Pdf
from PIL import Image

from pagewise.geometry import Size
from pagewise.outputs.assembly import AssembledDocument, Bounds, assemble
from pagewise.outputs.manifest import Manifest
from pagewise.outputs.wanted import Options, WantedOutput, parse_outputs
from pagewise.tasks import Task
from tests.outputs.making import DOCUMENT, Folder, StoredPages, blank, failed, line, recognized_lines, result

HTML = "<table><tr><th>No.<th>Part</tr>{rows}</table>"


def table_html(first: int, last: int) -> str:
    return HTML.format(rows="".join(f"<tr><td>{n}<td>part {n}</tr>" for n in range(first, last)))


@pytest.fixture
def stored(tmp_path: Path) -> StoredPages:
    image = tmp_path / "page.png"
    Image.new("RGB", (1240, 1754), "white").save(image)
    pages: dict[int, list[Any]] = {}
    for number in (1, 2):
        rows = [word for n in range(12 * number - 11, 12 * number + 1) for word in (str(n), f"part {n}")]
        words = ["No.", "Part", *rows, f"page {number} of 4"]
        lines = [line(word, 100 + 200 * (n % 2), 100 + 60 * (n // 2), 150) for n, word in enumerate(words)]
        pages[number] = [
            recognized_lines(number, lines),
            result(number, Task.TABLE_PARSING, html=table_html(12 * number - 11, 12 * number + 1)),
            result(number, Task.KEY_INFORMATION_EXTRACTION, fields={"first_part": f"part {12 * number - 11}"}),
        ]
    pages[3] = [failed(3, Task.ADVANCED_RECOGNITION, "unreadable_page", "Page 3 cannot be drawn. Export it again.")]
    pages[4] = [blank(4)]
    return StoredPages(pages, dict.fromkeys((1, 2, 4), image))


def original(tmp_path: Path, pages: int = 4) -> Path:
    path = tmp_path / "original.pdf"
    with Pdf.new() as pdf:
        for _ in range(pages):
            pdf.add_blank_page(page_size=(595, 842))
        pdf.save(path)
    return path


def assembled(
    tmp_path: Path, stored: StoredPages, wanted: Any = tuple(WantedOutput), to: str = "out", pages: int = 4, **more: Any
) -> tuple[Manifest, Path]:
    document = AssembledDocument(DOCUMENT, "scan.pdf", pages, more.pop("original", None) or original(tmp_path, pages))
    return assemble(document, stored, wanted, Folder(tmp_path / to), **more), tmp_path / to


def test_every_output_is_made_and_accounted_for(tmp_path: Path, stored: StoredPages) -> None:
    manifest, folder = assembled(tmp_path, stored)
    assert manifest.failed == ()
    shown = json.loads((folder / "manifest.json").read_text())
    assert shown == manifest.dump()
    assert {file["name"] for file in shown["files"]} == {
        "document.txt",
        "document.md",
        "document.html",
        "document.tex",
        "document.pdf",
        "fields.json",
        "tables/001.csv",
        "tables.xlsx",
        "boxes/0001.png",
        "boxes/0001.svg",
        "boxes/0002.png",
        "boxes/0002.svg",
    }
    for file in shown["files"]:
        content = (folder / file["name"]).read_bytes()
        assert (file["size"], file["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
    assert (shown["pages_failed"], shown["pages_blank"]) == ("3", "4")
    by_name = {file["name"]: file for file in shown["files"]}
    assert by_name["document.txt"]["made_from"] == {"advanced_recognition": "1-2"}
    assert by_name["document.txt"]["pages_missing"] == "3"
    assert shown["joined_tables"] == [{"table": 1, "pages": [1, 2], "why": ["numbering_goes_on"]}]
    sheet = openpyxl.load_workbook(folder / "tables.xlsx").worksheets[0]
    assert sheet.max_row == 25
    fields = json.loads((folder / "fields.json").read_text())
    assert fields["fields"]["first_part"]["text"] == "part 1"
    assert [conflict["field"] for conflict in fields["conflicts"]] == ["first_part"]


@pytest.mark.parametrize("name", ["document.txt", "document.md", "document.html", "document.tex"])
def test_failed_and_blank_pages_are_marked_in_their_place(name: str, tmp_path: Path, stored: StoredPages) -> None:
    _, folder = assembled(tmp_path, stored)
    text = (folder / name).read_text()
    first, cannot, blank_note = text.index("part 1"), text.index("cannot be drawn"), text.index("blank")
    assert first < cannot < blank_note


def test_the_same_results_give_the_same_bytes(tmp_path: Path, stored: StoredPages) -> None:
    file = original(tmp_path)
    one, _ = assembled(tmp_path, stored, to="one", original=file)
    two, _ = assembled(tmp_path, stored, to="two", original=file)
    assert one == two


def test_a_bad_output_costs_no_other(tmp_path: Path, stored: StoredPages) -> None:
    broken = tmp_path / "broken.pdf"
    broken.write_bytes(b"%PDF-1.7\nnothing")
    manifest, folder = assembled(tmp_path, stored, original=broken)
    assert [(one.output, one.reason) for one in manifest.failed] == [("pdf", "unreadable_original")]
    assert (folder / "fields.json").exists()


def test_an_output_that_breaks_its_bounds_costs_no_other(tmp_path: Path, stored: StoredPages) -> None:
    stored.stored[1].append(result(1, Task.DOCUMENT_PARSING, latex=r"\textbf{a $b$} \emph{c} " * 7000))
    wanted = parse_outputs(["latex", "fields", "boxes"])
    manifest, folder = assembled(tmp_path, stored, wanted, bounds=Bounds(seconds=0.8))
    assert "latex" in {one.output for one in manifest.failed if one.reason == "timed_out"}
    Image.new("RGB", (6000, 6000), "white").save(stored.images[1])
    small, _ = assembled(tmp_path, stored, ["boxes"], to="small", bounds=Bounds(memory_bytes=160_000_000))
    assert [one.reason for one in small.failed] == ["too_large"]
    assert all("Split" in one.message for one in (*manifest.failed, *small.failed))
    del folder


def test_a_bomb_as_the_original_is_words(tmp_path: Path, stored: StoredPages) -> None:
    """Object streams are unpacked by qpdf at the opening: a gigabyte and a half of them ends at the bound."""
    packer = zlib.compressobj(1)
    packed = b"".join(packer.compress(b" " * 10_000_000) for _ in range(150)) + packer.flush()
    path = tmp_path / "bomb.pdf"
    with Pdf.new() as pdf:
        pdf.add_blank_page()
        pdf.Root.Extra = pdf.make_indirect(pikepdf.Dictionary(A=1))
        pdf.save(path, object_stream_mode=pikepdf.ObjectStreamMode.generate)
    content = path.read_bytes()
    place = content.index(b"/ObjStm")
    begin = content.rindex(b"obj", 0, place)
    stream = content.index(b"stream", place)
    end = content.index(b"endstream", place)
    header = b"obj\n<< /Type /ObjStm /N 3 /First 20 /Filter /FlateDecode /Length %d >>\nstream\n" % len(packed)
    path.write_bytes(content[:begin] + header + packed + b"\n" + content[end:])
    del stream
    manifest, folder = assembled(tmp_path, stored, parse_outputs(["pdf", "text"]), original=path, pages=1)
    assert [one.output for one in manifest.failed] == ["pdf"]
    assert (folder / "document.txt").exists()


def test_hostile_markup_is_words_in_the_outputs(tmp_path: Path) -> None:
    nested = result(1, Task.TABLE_PARSING, html="<table><tr><td>" * 1_300_000)
    scripted = result(2, Task.TABLE_PARSING, html="<table><tr><td><script>alert(1)</script>=1+1</table>")
    many = result(3, Task.TABLE_PARSING, html="<table>" + ("<tr>" + "<td>1" * 100) * 1000 + "</table>")
    manifest, folder = assembled(
        tmp_path,
        StoredPages({1: [nested], 2: [scripted], 3: [many]}),
        parse_outputs(["html", "markdown", "tables"]),
        pages=3,
    )
    assert manifest.failed == ()
    assert "too large to be read" in (folder / "document.html").read_text()
    assert "<script" not in (folder / "document.html").read_text()
    assert (folder / "tables/001.csv").read_bytes() == b"\xef\xbb\xbf'=1+1\r\n"
    assert (folder / "tables/002.csv").exists()


def test_outputs_without_results_say_what_to_ask_for(tmp_path: Path) -> None:
    manifest, _ = assembled(tmp_path, StoredPages({1: [result(1, Task.TEXT_RECOGNITION, text="x")]}), pages=1)
    reasons = {one.output: one.reason for one in manifest.failed}
    assert reasons == {"tables": "no_tables", "boxes": "no_lines", "fields": "no_fields"}
    assert all("Ask for" in one.message for one in manifest.failed)


def test_running_lines_can_be_left_out(tmp_path: Path) -> None:
    pages = {n: [result(n, Task.TEXT_RECOGNITION, text=f"ACME Report\nbody {'x' * n}\nPage {n}")] for n in range(1, 5)}
    _, kept = assembled(tmp_path, StoredPages(pages), ["text"], to="kept")
    _, left_out = assembled(tmp_path, StoredPages(pages), ["text"], to="left", options=Options(running_lines=False))
    assert (kept / "document.txt").read_text().count("ACME") == 4
    assert "ACME" not in (left_out / "document.txt").read_text()
    assert "body xxxx" in (left_out / "document.txt").read_text()


def test_what_stands_in_boxes(tmp_path: Path, stored: StoredPages) -> None:
    stored.stored[1] = [
        recognized_lines(1, [line("<b>中文</b> & العربية", 100, 200, 300), {"text": "no place"}], Size(1240, 1754))
    ]
    _, folder = assembled(tmp_path, stored, ["boxes"])
    svg = (folder / "boxes/0001.svg").read_text()
    assert "&lt;b&gt;中文&lt;/b&gt; &amp; العربية" in svg
    assert svg.count("<polygon") == 1
    assert 'href="data:image/png;base64,' in svg
    with Image.open(folder / "boxes/0001.png") as drawn:
        assert drawn.size == (1240, 1754)
        assert drawn.getpixel((250, 200)) == (0xD0, 0, 0)


def test_tables_are_those_of_table_parsing_where_document_parsing_has_none(tmp_path: Path) -> None:
    table = result(1, Task.TABLE_PARSING, html="<table><tr><td>Flour<td>3</table>")
    parsed = result(1, Task.DOCUMENT_PARSING, latex="Flour 3, and more.")
    manifest, folder = assembled(tmp_path, StoredPages({1: [parsed, table]}), ["tables"], pages=1)
    assert manifest.failed == ()
    assert (folder / "tables/001.csv").read_bytes() == b"\xef\xbb\xbfFlour,3\r\n"
