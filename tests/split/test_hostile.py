"""Documents that were made to do harm, or that came to it: each ends, soon, and takes nothing with it."""

from __future__ import annotations

import os
import struct
import time
import zlib
from pathlib import Path

import pytest

from pagewise.errors import DocumentRejected
from pagewise.model import DocumentStatus, PageRange
from pagewise.pages.images import PageImage
from pagewise.pages.poppler import LIST_SECONDS
from pagewise.pages.rendering import Contents, LostPage, Rendered, Renderer, Unreached, inspect
from pagewise.use_cases.settings import SplitSettings
from tests.pictures import picture
from tests.split.documents import endless_pdf, page, stream, text_pdf
from tests.unit.conftest import Pagewise


def outcomes(path: Path, renderer: Renderer, deadline: float = float("inf")) -> list[str]:
    contents = inspect(path)
    rendered = renderer.render(path, contents, PageRange(1, contents.pages), deadline=deadline)
    return [str(page.error.message) if isinstance(page, LostPage) else type(page).__name__ for page in rendered]


def test_a_page_that_never_ends_fails_alone_and_in_time(path: Path) -> None:
    path.write_bytes(endless_pdf(5, endless=3))
    began = time.monotonic()
    found = outcomes(path, Renderer(dpi=72, page_seconds=2))
    assert time.monotonic() - began < 30  # it would never end
    assert found[:2] + found[3:] == ["PageImage"] * 4
    assert found[2] == "Page 3 takes longer than 2 seconds to render. Export it more simply."


def test_a_document_with_a_page_that_never_ends_is_partial(pagewise: Pagewise) -> None:
    pagewise.settings = SplitSettings(renderer=Renderer(dpi=72, page_seconds=2))
    document = pagewise.split.upload(pagewise.upload(endless_pdf(3, endless=1)))
    pagewise.run_queues()
    receipt = pagewise.receipt_of(document)
    assert receipt["status"] == "partial"
    assert [(job["page"], job["reason"]) for job in receipt["page_jobs"] if job["status"] == "failed"] == [  # type: ignore[attr-defined]
        (1, "unreadable_page")
    ]


def test_pages_that_the_time_is_not_enough_for_are_left_to_another_invocation(pagewise: Pagewise) -> None:
    pagewise.settings = SplitSettings(renderer=Renderer(dpi=72, page_seconds=2))
    upload = pagewise.upload(endless_pdf(6, endless=2))
    began = time.monotonic()
    document = pagewise.split.upload(upload, deadline=began + LIST_SECONDS + 5.8)
    assert time.monotonic() - began < LIST_SECONDS + 5.8 + 10
    ((_, rest),) = pagewise.queues.ranges
    assert rest == PageRange(3, 6)
    assert pagewise.split.upload(upload).id == document.id  # the same event again
    assert len(pagewise.queues.ranges) == 1
    pagewise.run_queues()
    receipt = pagewise.receipt_of(document)
    assert [job["status"] for job in receipt["page_jobs"]] == ["recognized", "failed", *["recognized"] * 4]  # type: ignore[attr-defined]


def test_a_range_that_has_no_time_for_its_first_page_is_an_error_that_is_counted(pagewise: Pagewise) -> None:
    document = pagewise.split.upload(pagewise.upload(text_pdf(30)))
    ranges = [pages for _, pages in pagewise.queues.ranges]
    with pytest.raises(Exception, match="tried again"):
        pagewise.split.page_range(document.id, ranges[0], deadline=time.monotonic())
    assert not pagewise.ledger.is_split(document.id, ranges[0])
    assert [pages for _, pages in pagewise.queues.ranges] == ranges


def test_a_single_page_without_time_rejects_nothing(pagewise: Pagewise) -> None:
    upload = pagewise.upload(text_pdf(1))
    with pytest.raises(Exception, match="tried again"):
        pagewise.split.upload(upload, deadline=time.monotonic())
    assert pagewise.ledger.document(upload.document_id) is None


@pytest.mark.parametrize(
    ("changes", "lost"),
    [
        ({"page2": None}, [3]),  # poppler moves up what follows, counts three, and would draw page 2 again as page 3
        ({"page2": b"42"}, [3]),
        ({"page2": page(7, "0 0 2000000 2000000")}, []),
        ({"page2": page(7, "0 0 0 0")}, []),
        ({"page2": page(7, "a b c d")}, []),
        ({"page2": page(7, more="/CropBox [500 500 500 500]")}, []),
        ({"contents2": None}, []),
        ({"contents2": stream(b"\x01\x02 garbage ) ( [ <<")}, []),
        ({"contents2": stream(b"q " * 200_000)}, []),
        ({"contents2": stream(zlib.compress(bytes(300_000_000), 9), "/Filter /FlateDecode")}, []),
        ({"contents2": stream(b"[" * 100_000 + b"]" * 100_000)}, []),
    ],
    ids=[
        "no object",
        "no page",
        "28 km",
        "no size",
        "no numbers",
        "cropped away",
        "no contents",
        "garbage",
        "deep states",
        "bomb",
        "deep arrays",
    ],
)
def test_the_pages_that_can_be_read_are_read(changes: dict[str, bytes | None], lost: list[int], path: Path) -> None:
    path.write_bytes(text_pdf(3, changes=changes))
    found = outcomes(path, Renderer(dpi=72, page_seconds=10))
    assert [number for number, outcome in enumerate(found, start=1) if outcome != "PageImage"] == lost
    assert all("not in the file" in found[number - 1] for number in lost)


def test_a_document_that_counts_more_pages_than_it_has_loses_only_those(path: Path) -> None:
    path.write_bytes(text_pdf(3).replace(b"/Count 3", b"/Count 5"))
    assert [found == "PageImage" for found in outcomes(path, Renderer(dpi=72))] == [True, True, True, False, False]


@pytest.mark.parametrize("readable", [False, True], ids=["PDFium cannot read it", "PDFium reads it"])
def test_a_crash_in_the_middle_costs_one_page_at_most(
    readable: bool, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """poppler that dies on page 3, however it is asked for it."""
    draw = """[ "$1" = -v ] && exit
for root; do :; done
while [ "$1" != -f ]; do shift; done
for page in $(seq "$2" "$4"); do
    [ "$page" = 3 ] && kill -SEGV $$
    { printf 'P6\\n200 100\\n255\\n'; head -c 60000 /dev/urandom; } >"$root-$page.ppm"
done"""
    sizes = "".join(f"echo 'Page {page} size: 200 x 100 pts';" for page in range(1, 6))
    programs(tmp_path, monkeypatch, pdftoppm=draw, pdfinfo=f"echo Pages: 5; {sizes}")
    path.write_bytes(text_pdf(5) if readable else b"%PDF-1.4")
    rendered = list(Renderer(dpi=72, page_seconds=5).render(path, Contents("PDF", 5), PageRange(1, 5)))
    readers = [
        page.look.reader if isinstance(page, PageImage) else page.error.reason for page in lost_or_drawn(rendered)
    ]
    third = "pdfium" if readable else "unreadable_page"
    assert readers == ["poppler", "poppler", third, "poppler", "poppler"]


def lost_or_drawn(rendered: list[Rendered]) -> list[PageImage | LostPage]:
    return [page for page in rendered if not isinstance(page, Unreached)]


def programs(folder: Path, monkeypatch: pytest.MonkeyPatch, **scripts: str) -> None:
    """Programs of these names, first on the PATH."""
    for name, script in scripts.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def test_rendering_that_is_given_up_leaves_no_process(path: Path) -> None:
    path.write_bytes(endless_pdf(3, endless=2))
    rendered = Renderer(dpi=72).render(path, inspect(path), PageRange(1, 3))
    rendered.close()
    rendered = Renderer(dpi=72, page_seconds=2).render(path, inspect(path), PageRange(1, 3))
    next(rendered)
    rendered.close()


def test_a_deadline_that_has_passed_begins_no_page(path: Path) -> None:
    path.write_bytes(text_pdf(3))
    (only,) = Renderer().render(path, inspect(path), PageRange(1, 3), deadline=time.monotonic())
    assert only == Unreached(1)


def png_claiming(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(10_000))), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        for name, content in chunks
    )


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (png_claiming(60_000, 60_000), "unreadable"),
        (png_claiming(13_000, 12_000), "unreadable"),
        (png_claiming(2_000, 2_000), "unreadable"),  # far fewer pixels than it claims
        (b"%PDF-1.4\n" + picture(), "unreadable"),  # a picture in a PDF's clothes
        (b"GIF89a" + text_pdf(1), "1 pages"),  # readers look for the header further on
        (picture() + text_pdf(1), "1 pages"),
        (picture(image_format="JPEG")[:-400], "unreadable"),
        (b"II*\x00\x08\x00\x00\x00" + b"\xff" * 400, "unreadable"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "unreadable"),
        (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00heicmif1", "unreadable"),
    ],
    ids=[
        "3.6 gigapixels",
        "156 megapixels",
        "no pixels",
        "PNG in PDF",
        "GIF and PDF",
        "PNG and PDF",
        "cut JPEG",
        "wild TIFF",
        "empty WEBP",
        "empty HEIC",
    ],
)
def test_a_false_picture_is_refused_or_read_for_what_it_is(content: bytes, reason: str, pagewise: Pagewise) -> None:
    document = pagewise.split.upload(pagewise.upload(content))
    assert reason == (document.reason if document.status is DocumentStatus.REJECTED else f"{document.pages} pages")


def test_an_encrypted_document_says_that_it_wants_a_password(path: Path) -> None:
    from tests.split.corpus import original

    with pytest.raises(DocumentRejected) as rejected:
        inspect(original("B11"))
    assert rejected.value.reason == "encrypted"
    assert "password" in rejected.value.message
