"""The program that draws with PDFium sees nothing and writes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from pagewise.pages.pdfium import Pdfium
from pagewise.pages.pdfium_program import unpadded
from tests.split.documents import text_pdf


def test_pdfium_sees_nothing_of_the_environment_and_writes_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("LD_LIBRARY_PATH", "/no library:/or two")
    path.write_bytes(text_pdf(1))
    with Pdfium(path, None) as pdfium:
        pdfium.count()
        assert pdfium.process is not None
        proc = Path(f"/proc/{pdfium.process.pid}")
        environment = set((proc / "environ").read_bytes().split(b"\0")) - {b""}
        assert {entry.split(b"=")[0] for entry in environment} == {b"PATH", b"LC_ALL", b"LD_LIBRARY_PATH"}
        assert b"LD_LIBRARY_PATH=/no library:/or two" in environment
        limits = (proc / "limits").read_text()
        assert "Max file size             0" in limits
        assert f"Max address space         {2_000_000 * 1024}" in limits


def test_lines_of_pixels_come_without_their_padding() -> None:
    assert unpadded(b"abc.def.", 4, 3) == b"abcdef"
    assert unpadded(b"abcdef", 3, 3) == b"abcdef"
