"""Results, pages and shelves for tests: as stored, and on the disk."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pypdf
import pypdfium2
from rapidfuzz.distance import LCSseq

from pagewise.geometry import Size
from pagewise.model import DocumentId, JobStatus, Look, PageGeometry, Result
from pagewise.outputs.contents import PageContents
from pagewise.tasks import Task

DOCUMENT = DocumentId("document")
A4 = Size(1240, 1754)


def result(page: int, task: Task, size: Size = A4, geometry: PageGeometry | None = None, **output: Any) -> Result:
    output.setdefault("text", output.get("latex") or output.get("html") or "")
    return Result(
        DOCUMENT,
        page,
        task,
        JobStatus.RECOGNIZED,
        1,
        "2026-11-25T00:00:00Z",
        size.width,
        size.height,
        output=output,
        look=Look(geometry=geometry),
    )


def failed(page: int, task: Task, reason: str = "truncated", message: str = "The text is too long.") -> Result:
    return Result(DOCUMENT, page, task, JobStatus.FAILED, 1, "2026-11-25T00:00:00Z", reason=reason, message=message)


def blank(page: int, task: Task = Task.ADVANCED_RECOGNITION) -> Result:
    return Result(
        DOCUMENT,
        page,
        task,
        JobStatus.RECOGNIZED,
        0,
        "2026-11-25T00:00:00Z",
        100,
        100,
        output={"text": ""},
        look=Look(blank=True),
    )


def page_of(number: int, *results: Result, image: Path | None = None) -> PageContents:
    return PageContents(number, {one.task: one for one in results}, image)


def line(text: str, left: float, top: float, width: float, height: float = 30) -> dict[str, Any]:
    right, bottom = left + width, top + height
    return {
        "text": text,
        "location": [left, top, right, top, right, bottom, left, bottom],
        "rotate_rect": [left + width / 2, top + height / 2, width, height, 0],
    }


def recognized_lines(
    page: int, lines: Sequence[Mapping[str, Any]], size: Size = A4, geometry: PageGeometry | None = None
) -> Result:
    text = "\n".join(one["text"] for one in lines)
    return result(page, Task.ADVANCED_RECOGNITION, size, geometry, text=text, lines=list(lines))


@dataclass
class StoredPages:
    stored: dict[int, list[Result]]
    images: dict[int, Path] = field(default_factory=dict)

    def results(self, page: int) -> list[Result]:
        return self.stored.get(page, [])

    def image(self, page: int) -> Path | None:
        return self.images.get(page)


@dataclass
class Folder:
    """A shelf on the disk."""

    path: Path

    def put(self, name: str, media_type: str, file: Path) -> None:
        assert media_type
        to = self.path / name
        to.parent.mkdir(parents=True, exist_ok=True)
        to.write_bytes(file.read_bytes())


# ── Readers of PDFs ──────────────────────────────────────────────────────────────────────────────────────────────────


def read_by_poppler(path: Path) -> str:
    return subprocess.run(["pdftotext", path, "-"], capture_output=True, check=True).stdout.decode()


def read_by_pdfium(path: Path) -> str:
    with pypdfium2.PdfDocument(path) as pdf:
        return "\n".join(page.get_textpage().get_text_range() for page in pdf)


def read_by_pypdf(path: Path) -> str:
    return "\n".join(page.extract_text() for page in pypdf.PdfReader(path).pages)


READERS = {"pdftotext": read_by_poppler, "pdfium": read_by_pdfium, "pypdf": read_by_pypdf}
# Marks of direction that poppler puts around what it turned.
MARKS = dict.fromkeys(map(ord, "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\ufeff\x0c"))


def in_order(wanted: str, got: str) -> float:
    """The share of characters that come in the same order, spaces aside."""
    one, two = "".join(wanted.split()), "".join(got.translate(MARKS).split())
    return float(LCSseq.similarity(one, two)) / max(len(one), len(two), 1)
