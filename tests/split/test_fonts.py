"""Text in fonts that a PDF names and does not embed, as the splitter renders it here: OCR reads it back.

The same of the poppler layer: tests/build/test_poppler_layer.py.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from pagewise.model import PageRange
from pagewise.pages.images import PageImage
from pagewise.pages.rendering import Renderer, inspect
from tests.build.unembedded import FONTS, line

LINES = [
    ("eng", "Helvetica", "Invoice 2048 of 17 March, total 1,365.90"),
    ("eng", "Times-Roman", "Invoice 2048 of 17 March, total 1,365.90"),
    ("eng", "Courier", "Invoice 2048, total 1,365.90"),
    ("eng", "Arial", "Invoice 2048 of 17 March, total 1,365.90"),
    ("chi_sim", "STSong-Light", "文档识别系统"),
    ("jpn", "HeiseiMin-W3", "請求書をお送りします"),
    ("kor", "HYSMyeongJo-Medium", "문서를 확인하십시오"),
]


def languages() -> list[str]:
    if not shutil.which("tesseract"):
        return []
    return subprocess.run(["tesseract", "--list-langs"], check=True, capture_output=True, text=True).stdout.split()


@pytest.mark.parametrize(("language", "name", "text"), LINES, ids=[name for _, name, _ in LINES])
def test_text_in_a_font_that_is_not_embedded_is_read(language: str, name: str, text: str, tmp_path: Path) -> None:
    if language not in languages():
        pytest.skip(f"Tesseract with {language} is not installed")
    path = tmp_path / "line.pdf"
    path.write_bytes(line(next(font for font in FONTS if font.name == name), text))
    (page,) = Renderer(dpi=200).render(path, inspect(path), PageRange(1, 1))
    assert isinstance(page, PageImage)
    (tmp_path / "line.png").write_bytes(page.content)
    command = ["tesseract", str(tmp_path / "line.png"), "-", "--psm", "7", "-l", language]
    read = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert re.sub(r"\s", "", read) == re.sub(r"\s", "", text)


def test_greek_letters_of_the_symbol_font_are_drawn(tmp_path: Path) -> None:
    """No language pack for Greek is asked for, so the ink is looked at: six letters, each with some."""
    from PIL import Image, ImageChops

    from tests.build.unembedded import CELL, pdf

    symbol = next(font for font in FONTS if font.name == "Symbol")
    path = tmp_path / "symbols.pdf"
    path.write_bytes(pdf(symbol))
    (page,) = Renderer(dpi=72).render(path, inspect(path), PageRange(1, 1))
    assert isinstance(page, PageImage)
    (tmp_path / "symbols.png").write_bytes(page.content)
    with Image.open(tmp_path / "symbols.png") as opened:
        ink = ImageChops.invert(opened.convert("L"))
    for number in range(len(symbol.text)):
        assert ink.crop((number * CELL, 0, (number + 1) * CELL, CELL)).getbbox(), symbol.text[number]
