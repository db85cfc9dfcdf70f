"""The files that a run leaves."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path, PurePosixPath

import pytest
from PIL import Image, ImageChops

from commands.outputs import OutputError, prepare, problems, remove_earlier, write_page, write_result
from commands.uploads import LocalDocument, find_documents


def test_a_page_that_is_a_jpeg_becomes_a_png_of_the_same_pixels(tmp_path: Path) -> None:
    image = Image.radial_gradient("L").convert("RGB")
    stored = io.BytesIO()
    image.save(stored, "JPEG")
    write_page(tmp_path / "pages", PurePosixPath("documents/1/pages/00012.jpg"), stored.getvalue())
    with Image.open(tmp_path / "pages/0012.png") as png, Image.open(stored) as jpeg:
        assert png.format == "PNG"
        assert ImageChops.difference(png, jpeg).getbbox() is None


def test_a_png_is_kept_as_it_is(tmp_path: Path) -> None:
    write_page(tmp_path, PurePosixPath("documents/1/pages/10001.png"), b"png")
    assert (tmp_path / "10001.png").read_bytes() == b"png"


def test_a_result_has_files_for_what_it_holds(tmp_path: Path) -> None:
    result = {"page": 3, "task": "table_parsing", "text": "naïve\r\n", "html": "<table>", "latex": None}
    write_result(tmp_path, result)
    assert json.loads((tmp_path / "0003.table_parsing.json").read_text(encoding="utf-8")) == result
    assert (tmp_path / "0003.table_parsing.txt").read_bytes() == "naïve\r\n".encode()
    assert (tmp_path / "0003.table_parsing.html").read_text() == "<table>"
    assert not (tmp_path / "0003.table_parsing.tex").exists()


def test_what_is_invalid_is_told_once_for_a_page(tmp_path: Path) -> None:
    broken = [("Total", "required"), ("Lines/0/Price", "pattern"), ("Lines/17/Price", "pattern"), (None, "type")]
    shown = [{"field": field, "rule": rule} for field, rule in broken]
    task = "key_information_extraction"
    assert problems({"task": task, "validation": {"valid": False, "problems": shown}}) == {
        f"{task}: invalid: Total (required)",
        f"{task}: invalid: Lines/…/Price (pattern)",
        f"{task}: invalid: its fields (type)",
    }
    assert problems({"task": task, "validation": {"valid": True, "problems": []}}) == set()
    assert problems({"task": task, "validation": None}) == set()


def test_what_an_earlier_run_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages/0009.png").touch()
    (tmp_path / "receipt.json").touch()
    (tmp_path / "notes.txt").touch()
    remove_earlier(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("output", ["folder/doc.pdf", "folder/doc.pdf/out"])
def test_an_output_that_is_a_file_is_told(tmp_path: Path, output: str) -> None:
    (document,) = one_document(tmp_path)
    with pytest.raises(OutputError, match=r"doc\.pdf.* is a file, or lies in one"):
        prepare(tmp_path / output, [document])


@pytest.mark.parametrize("in_the_way", ["out/doc.pdf", "out/doc.pdf/pages", "out/doc.pdf/results", "out/logs"])
def test_a_file_where_a_folder_is_to_be_is_told(tmp_path: Path, in_the_way: str) -> None:
    documents = one_document(tmp_path)
    (tmp_path / in_the_way).parent.mkdir(parents=True)
    (tmp_path / in_the_way).touch()
    with pytest.raises(OutputError, match=f"{in_the_way} is a file"):
        prepare(tmp_path / "out", documents)


def test_an_output_that_holds_the_document_is_told(tmp_path: Path) -> None:
    documents = one_document(tmp_path)
    with pytest.raises(OutputError, match="lies where its own results go"):
        prepare(tmp_path / "folder", documents)
    shutil.copytree(tmp_path / "folder", tmp_path / "out/doc.pdf/pages")
    within = find_documents(tmp_path / "out/doc.pdf/pages/doc.pdf", tmp_path / "out")
    with pytest.raises(OutputError, match="lies where its own results go"):
        prepare(tmp_path / "out", within)


def test_the_same_output_again_is_fine(tmp_path: Path) -> None:
    documents = one_document(tmp_path)
    for _ in range(2):
        prepare(tmp_path / "out", documents)
        for name in ("pages", "results"):
            (tmp_path / "out/doc.pdf" / name).mkdir(parents=True, exist_ok=True)


def one_document(tmp_path: Path) -> list[LocalDocument]:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/doc.pdf").write_bytes(b"x")
    return find_documents(tmp_path / "folder/doc.pdf", tmp_path / "out")
