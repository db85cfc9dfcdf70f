"""PDFium, the second reader: it draws the pages that poppler complains of, loses or leaves empty.

It runs in a process of its own with limits as poppler's. The first question starts it: sound documents never do. It
ends with its time, its memory or a crash, and is started anew for the next page.
"""

from __future__ import annotations

import fcntl
import importlib.util
import json
import mmap
import os
import select
import shlex
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from pagewise.errors import Configuration, PageUnreadable
from pagewise.geometry import Size
from pagewise.model import PageRange
from pagewise.pages.listings import Picture, scan_of
from pagewise.pages.page_pipes import PIPE_BYTES
from pagewise.pages.pdf_pages import MAX_RASTER_PIXELS, PageSize, PageTimedOut, Scan
from pagewise.pages.png import Raster
from pagewise.pages.poppler import CPU_SECONDS, INSPECT_SECONDS, LIST_SECONDS, MEMORY_KILOBYTES

PROGRAM = Path(__file__).with_name("pdfium_program.py")
START = "import runpy, sys; sys.path.insert(0, sys.argv[1]); runpy.run_path(sys.argv[2], run_name='__main__')"
# The program starts in 0.1 s.
START_SECONDS = 10.0
MAX_ANSWER_BYTES = 1_000_000
# 20,000 characters of 50 bytes.
MAX_TEXT_BYTES = 2_000_000
# A dense page takes 0.1 s.
TEXT_SECONDS = 5.0
# LD_LIBRARY_PATH is where the functions' runtime keeps Python's own library.
GUARD = """ulimit -c 0
ulimit -t {cpu_seconds}
ulimit -f 0
ulimit -v {memory_kilobytes} 2>/dev/null || : # macOS has none
set -- ${{LD_LIBRARY_PATH:+LD_LIBRARY_PATH="$LD_LIBRARY_PATH"}}
exec /usr/bin/env -i PATH={path} LC_ALL=C "$@" {python} -I -S -B -c {start} {packages} {program} {fonts}
"""


@dataclass(frozen=True, slots=True)
class Part:
    """The drawn part of a page that is `whole` large in pixels: so many, from `left` and `top`."""

    size: Size
    whole: Size
    left: int = 0
    top: int = 0

    @classmethod
    def all_of(cls, size: Size) -> Part:
        return cls(size, size)


@dataclass(frozen=True, slots=True)
class SecondDrawing:
    """A page as PDFium drew it, and of how many texts and pictures."""

    raster: Raster
    objects: int


class Pdfium:
    """One document as PDFium reads it. Nothing is started before it is asked for."""

    def __init__(self, path: Path, password: str | None) -> None:
        self.path = path
        self.password = password
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Pdfium:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        if self.process:
            self.process.kill()
            for pipe in (self.process.stdin, self.process.stdout):
                with suppress(OSError):
                    if pipe:
                        pipe.close()
            self.process.wait()
            self.process = None

    def count(self) -> int:
        """Raises PageUnreadable if it cannot open the document."""
        return int(self.ask(INSPECT_SECONDS, ask="count")["pages"])

    def sizes(self, pages: PageRange) -> dict[int, PageSize]:
        """The sizes of the pages that PDFium can open."""
        found = {}
        for page in pages.numbers():
            with suppress(PageUnreadable):
                found[page] = size_of(self.ask(LIST_SECONDS, ask="page", page=page))
        return found

    def scans(self, pages: PageRange, sizes: dict[int, PageSize]) -> dict[int, Scan]:
        found = {}
        for page in pages.numbers():
            with suppress(PageUnreadable):
                seen = self.ask(LIST_SECONDS, ask="contents", page=page)
                pictures = [Picture(int(shown[0]), int(shown[1]), *shown[2:]) for shown in seen["pictures"]]
                if page in sizes and not seen["characters"] and (scan := scan_of(pictures, sizes[page])):
                    found[page] = scan
        return found

    def units(self, pages: PageRange) -> dict[int, float]:
        """The points to a unit (UserUnit) of the pages where they are not one. Of none, if that takes long."""
        if not may_name_units(self.path):
            return {}
        found = {}
        until: float | None = None
        with suppress(PageUnreadable):
            for page in pages.numbers():
                left = LIST_SECONDS if until is None else until - time.monotonic()
                unit = float(self.ask(left, ask="unit", page=page)["unit"])
                until = until or time.monotonic() + LIST_SECONDS
                if 0 < unit < float("inf") and unit != 1.0:
                    found[page] = unit
        return found

    def draw(self, page: int, part: Part, seconds: float) -> SecondDrawing:
        """Raises PageUnreadable."""
        if part.size.width * part.size.height > MAX_RASTER_PIXELS:
            raise unreadable(page)
        answer = self.ask(
            seconds,
            ask="draw",
            page=page,
            width=part.size.width,
            height=part.size.height,
            left=part.left,
            top=part.top,
            whole_width=part.whole.width,
            whole_height=part.whole.height,
        )
        return SecondDrawing(Raster(part.size.width, part.size.height, 3, answer["pixels"]), int(answer["objects"]))

    def text(self, page: int) -> dict[str, Any]:
        """The characters of a page and its other content (shape: pdfium_program.py). Raises PageUnreadable."""
        return self.ask(TEXT_SECONDS, ask="text", page=page)

    def ask(self, seconds: float, **question: Any) -> dict[str, Any]:
        """Raises PageUnreadable if there is no answer, or that it cannot be done. The process is ended then that did
        not answer."""
        page = int(question.get("page", 1))
        try:
            self.start()  # has a time of its own
            answer = self.exchange(question, time.monotonic() + seconds)
        except TimeoutError:
            self.close()
            raise PageTimedOut(page, seconds) from None
        except (OSError, EOFError, ValueError, MemoryError) as error:
            self.close()
            raise unreadable(page) from error
        if answer.get("failed"):
            raise unreadable(page)
        return answer

    def start(self) -> None:
        if self.process:
            return
        self.process = subprocess.Popen(
            ["/bin/sh", "-c", guard()], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        if self.process.stdout:
            os.set_blocking(self.process.stdout.fileno(), False)
            with suppress(OSError, AttributeError):
                fcntl.fcntl(self.process.stdout.fileno(), fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        opening = {"ask": "open", "path": str(self.path), "password": self.password}
        if self.exchange(opening, time.monotonic() + START_SECONDS).get("failed"):
            raise ValueError("PDFium cannot open the file")

    def exchange(self, question: dict[str, Any], deadline: float) -> dict[str, Any]:
        if self.process is None or self.process.stdin is None or self.process.stdout is None:
            raise EOFError
        self.process.stdin.write(json.dumps(question, allow_nan=False).encode() + b"\n")
        self.process.stdin.flush()
        answers = Answers(self.process.stdout.fileno(), deadline)
        answer: dict[str, Any] = json.loads(answers.line())
        if question["ask"] == "draw" and not answer.get("failed"):
            answer["pixels"] = answers.bytes(3 * question["width"] * question["height"])
        if length := min(int(answer.get("follows", 0)), MAX_TEXT_BYTES):
            answer |= json.loads(answers.bytes(length))
        return answer


@dataclass(frozen=True, slots=True)
class Answers:
    """The program's output, until a deadline. Raises EOFError, TimeoutError, ValueError."""

    descriptor: int
    deadline: float

    def line(self) -> bytes:
        found = b""
        while not found.endswith(b"\n"):
            if len(found) > MAX_ANSWER_BYTES:
                raise ValueError("no answer")
            found += self.bytes(1)
        return found

    def bytes(self, count: int) -> bytearray:
        buffer = bytearray(count)
        remaining = memoryview(buffer)
        while remaining:
            seconds = self.deadline - time.monotonic()
            if seconds <= 0 or not select.select([self.descriptor], [], [], seconds)[0]:
                raise TimeoutError
            read = os.readv(self.descriptor, [remaining])
            if not read:
                raise EOFError
            remaining = remaining[read:]
        return buffer


def unreadable(page: int) -> PageUnreadable:
    return PageUnreadable(f"Page {page} cannot be rendered. Export or scan it again.")


def size_of(answer: dict[str, Any]) -> PageSize:
    left, bottom, right, top = map(float, answer["box"])
    return PageSize(abs(right - left), abs(top - bottom), left=left, bottom=bottom, turn=int(answer["turn"]) % 360)


def guard() -> str:
    found = importlib.util.find_spec("pypdfium2")
    if found is None or found.origin is None:
        raise Configuration("pdfium_missing", "The package pypdfium2 is not there: build the Pagewise layer again.")
    return GUARD.format(
        cpu_seconds=CPU_SECONDS,
        memory_kilobytes=MEMORY_KILOBYTES,
        path=shlex.quote(os.defpath),
        python=shlex.quote(sys.executable),
        start=shlex.quote(START),
        packages=shlex.quote(str(Path(found.origin).parents[1])),
        program=shlex.quote(str(PROGRAM)),
        fonts=shlex.quote(fonts()),
    )


def fonts() -> str:
    """The folder of the poppler layer's fonts, for those that a PDF names and does not bring. Empty: the system's."""
    program = shutil.which("pdftoppm")
    folder = Path(program).parent.parent / "poppler/share/fonts" if program else None
    return str(folder) if folder and folder.is_dir() else ""


# The most that is unpacked of a file to look for the word; PDFium is asked about a larger file.
MAX_UNPACKED_BYTES = 64_000_000
USER_UNIT = b"/UserUnit"


def may_name_units(path: Path) -> bool:
    """Whether a page may have a UserUnit: the word is in the file, or in one of its packed objects."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        if content.find(USER_UNIT) >= 0:
            return True
        at = content.find(b"/ObjStm")
        if at >= 0 and content.find(b"/Encrypt") >= 0:
            return True
        remaining = MAX_UNPACKED_BYTES
        while at >= 0:
            unpacked = unpacked_at(content, content.find(b"stream", at), remaining)
            remaining -= len(unpacked)
            if remaining <= 0 or USER_UNIT in unpacked:
                return True
            at = content.find(b"/ObjStm", at + 1)
        return False


def unpacked_at(content: mmap.mmap, stream: int, limit: int) -> bytes:
    """A stream's content, if it is deflated; else nothing."""
    from isal import igzip_lib, isal_zlib

    if stream < 0:
        return b""
    start = stream + len(b"stream")
    start += 2 if content[start : start + 2] == b"\r\n" else 1
    end = content.find(b"endstream", start)
    with suppress(igzip_lib.IsalError):  # type: ignore[arg-type]  # the stub has an instance of it
        return isal_zlib.decompressobj().decompress(content[start : end if end >= 0 else None], limit)
    return b""
