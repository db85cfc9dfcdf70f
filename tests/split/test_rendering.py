"""PDF pages come out as pdftoppm draws them, as large as they are useful, and small as files."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from pagewise.model import PageRange
from pagewise.pages.images import PageImage
from pagewise.pages.rendering import Renderer, inspect
from tests.split.corpus import original
from tests.split.documents import page as page_object
from tests.split.documents import scan, stream, text_pdf


def pages_of(path: Path, renderer: Renderer, pages: PageRange | None = None) -> list[PageImage]:
    contents = inspect(path)
    rendered = list(renderer.render(path, contents, pages or PageRange(1, contents.pages)))
    assert all(isinstance(page, PageImage) for page in rendered)
    return [page for page in rendered if isinstance(page, PageImage)]


@pytest.mark.parametrize(
    ("name", "dpi", "pages"),
    [
        ("B09", 150, PageRange(29, 36)),  # grey text, and a page with colour
        ("B10", 150, PageRange(1, 8)),
        ("B07", 150, PageRange(1, 1)),
        ("B25", 200, PageRange(1, 2)),
        ("B28", 100, PageRange(1, 1)),
        ("B30", 72, PageRange(1, 2)),
        ("B31", 150, PageRange(1, 1)),
    ],
)
def test_pixels_are_pdftoppms_and_files_are_no_larger_than_a_third_more(name: str, dpi: int, pages: PageRange) -> None:
    path = original(name)
    ours = pages_of(path, Renderer(dpi=dpi), pages)
    theirs = [pdftoppm_png(path, dpi, page) for page in pages.numbers()]
    assert [page.page for page in ours] == list(pages.numbers())
    for page, png in zip(ours, theirs, strict=True):
        with Image.open(io.BytesIO(page.content)) as our, Image.open(io.BytesIO(png)) as their:
            assert (page.width, page.height) == our.size == their.size
            assert our.convert("RGB").tobytes() == their.convert("RGB").tobytes()
        assert len(page.content) <= 1.3 * len(png)


def pdftoppm_png(path: Path, dpi: float, page: int) -> bytes:
    command = ["pdftoppm", "-cropbox", "-png", "-r", str(dpi), "-f", str(page), "-l", str(page), str(path)]
    return subprocess.run(command, check=True, capture_output=True).stdout


def test_black_and_white_scans_and_grey_text_are_stored_as_such(tmp_path: Path) -> None:
    path = tmp_path / "text.pdf"
    path.write_bytes(text_pdf(1))
    (page,) = pages_of(path, Renderer())
    assert Image.open(io.BytesIO(page.content)).mode == "L"
    path.write_bytes(text_pdf(1, changes={"contents1": stream(b"")}))
    (page,) = pages_of(path, Renderer())
    assert Image.open(io.BytesIO(page.content)).mode == "1"


@pytest.mark.parametrize(("box", "largest"), [("0 0 612 792", 8_388_608), ("0 0 3370 2384", 2_000_000)])
def test_a_page_is_never_larger_than_the_model_can_use(box: str, largest: int, tmp_path: Path) -> None:
    path = tmp_path / "page.pdf"
    path.write_bytes(text_pdf(1, box))
    (page,) = pages_of(path, Renderer(dpi=600, max_pixels=largest))
    assert 0.995 * largest < page.width * page.height <= largest


@pytest.mark.parametrize(
    ("content", "size"),
    [
        (scan(300, 400, "216 288"), (300, 400)),  # 100 dpi
        (scan(1200, 1600, "216 288"), (1200, 1600)),  # 400 dpi; the setting says 200, and the scan decides
        (scan(300, 400, "216 288", "BT /F 6 Tf 20 30 Td (Small print) Tj ET"), (600, 800)),
    ],
    ids=["a coarse scan", "a fine scan", "a coarse background"],
)
def test_a_scan_is_rendered_with_its_own_pixels(content: bytes, size: tuple[int, int], tmp_path: Path) -> None:
    path = tmp_path / "scan.pdf"
    path.write_bytes(content)
    (page,) = pages_of(path, Renderer(dpi=200))
    assert (page.width, page.height) == size


def test_pages_of_different_sizes_and_turns_keep_their_order(tmp_path: Path) -> None:
    path = tmp_path / "mixed.pdf"
    boxes = ["0 0 200 100", "0 0 100 200", "0 0 200 100", "0 0 300 300"]
    changes: dict[str, bytes | None] = {
        f"page{number}": page_object(6 + number, box, "/Rotate 90" if number == 3 else "")
        for number, box in enumerate(boxes, start=1)
    }
    path.write_bytes(text_pdf(4, changes=changes))
    pages = pages_of(path, Renderer(dpi=72))
    assert [(page.page, page.width, page.height) for page in pages] == [
        (1, 200, 100),
        (2, 100, 200),
        (3, 100, 200),
        (4, 300, 300),
    ]
