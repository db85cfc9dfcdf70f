"""The files that a run leaves."""

from __future__ import annotations

import io
import json
from pathlib import Path, PurePosixPath

import pytest
from PIL import Image, ImageChops

from local.outcome import OutputError, prepare, problems, remove_earlier, write_page, write_result


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


def test_an_output_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written to: Not a directory"):
        prepare(tmp_path / "file/out")
