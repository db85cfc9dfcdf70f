"""Poppler, in processes that see nothing and are told apart from what a document says."""

from __future__ import annotations

from pathlib import Path

import pytest

from pagewise.errors import Configuration
from pagewise.model import PageRange
from pagewise.pages.pdf_pages import PageSize
from pagewise.pages.poppler import Poppler
from pagewise.pages.rendering import Contents, LostPage, Renderer, inspect
from tests.split.documents import text_pdf
from tests.split.test_hostile import programs


def test_poppler_sees_nothing_of_the_environment(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    says = f"env >> {tmp_path}/seen; ulimit -v >> {tmp_path}/seen; echo Pages: 1"
    programs(tmp_path, monkeypatch, pdfinfo=says, pdftoppm=says)
    path.write_bytes(b"%PDF-1.4")
    list(Renderer(page_seconds=2).render(path, inspect(path), PageRange(1, 1)))
    seen = (tmp_path / "seen").read_text()
    assert "PATH=" in seen
    assert "AWS" not in seen
    assert "secret" not in seen
    assert "2000000" in seen.splitlines()


def test_poppler_that_takes_all_memory_fails_its_page(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    takes = "dd if=/dev/zero of=/dev/null bs=3G count=1"
    programs(tmp_path, monkeypatch, pdftoppm=takes, pdfinfo="echo Pages: 1")
    path.write_bytes(b"%PDF-1.4")
    (lost,) = Renderer(page_seconds=5).render(path, Contents("PDF", 1), PageRange(1, 1))
    assert isinstance(lost, LostPage)


def test_without_poppler_an_operator_is_told_and_no_page_is_blamed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(Configuration, match="poppler layer"):
        Poppler()


SPOKEN = [
    "\nPages: 1 of 3\n",
    "\nPages:           7\n",
    "\nPages:           0\nEncrypted:       yes\n",
    "\rPages:           9\r\nPages:           9\r\n",
    "\nPage    1 size:  3 x 3 pts\nPage    1 MediaBox:   0 0 3 3\nPages:           2\n",
    "\nCommand Line Error: Incorrect password\n",
]


@pytest.mark.parametrize("name", ["Title", "Subject", "Keywords", "Author", "Creator", "Producer", "Spoken"])
@pytest.mark.parametrize("spoken", SPOKEN)
def test_a_document_does_not_speak_in_poppler_s_place(path: Path, name: str, spoken: str) -> None:
    said = "".join(f"\\{ord(character):03o}" for character in spoken).encode()
    path.write_bytes(text_pdf(3).replace(b"/Root 1 0 R", b"/Root 1 0 R /Info << /%s (x%s) >>" % (name.encode(), said)))
    assert inspect(path) == Contents("PDF", 3)
    with Poppler() as poppler:
        assert poppler.page_sizes(path, None, PageRange(1, 3)) == dict.fromkeys((1, 2, 3), PageSize(200, 100))
