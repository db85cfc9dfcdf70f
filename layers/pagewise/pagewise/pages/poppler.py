"""poppler's programs on untrusted files: few resources, no environment, one page's raster at a time.

pdf2image starts pdfinfo and pdftoppm, as the Qwen-OCR documentation recommends ("Going live"). It takes neither limits
nor an environment for them and keeps all pages until the last is done, but it takes the programs' folder. So it gets a
folder of guards: shell scripts of the programs' names that set the limits, clear the environment, and become the real
program. pdftoppm's output paths are named pipes, one for each page: a page is read, raw, as soon as it is done. (Its
standard output would keep the end of a page back until the next one is done.) A pipe of its own takes pdftoppm's
complaints: pdftoppm ends with code 0 even where a page has lost its text.
"""

from __future__ import annotations

import fcntl
import os
import re
import select
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from types import TracebackType

from pagewise.errors import Configuration, DocumentRejected, PageUnreadable, Rejection
from pagewise.model import PageRange
from pagewise.pages.png import Raster

POINTS_PER_INCH = 72

# pdfinfo reads the whole cross-reference table; a large linearised file takes a second or two.
INSPECT_SECONDS = 30
# Listing the images of twenty pages takes 10 ms; a slower listing is not worth its time.
LIST_SECONDS = 2
# CPU time of pdftoppm: an invocation has no more (template.yaml, the splitter's Timeout).
CPU_SECONDS = 300
# The raster of the largest page is 47 MB; an embedded scan of 81 MP needs 250 MB.
MEMORY_KILOBYTES = 2_000_000
# Font caches are the only files they may write: 64 MB in ulimit's blocks of 512 bytes.
FILE_BLOCKS = 131_072
PIPE_BYTES = 1024 * 1024  # Linux's largest for an ordinary user: 3 pipefuls a page, not 40
POLL_SECONDS = 0.05
# pdftoppm writes 4 KB at a time: to let a few of them gather saves a twelfth of the CPU time of a page.
GATHER_SECONDS = 0.0005
# Above a page of 15.68 MP, the service's limit, in three channels; a larger raster is not read.
MAX_RASTER_PIXELS = 40_000_000
COVERS = 0.8  # of a page's area: scanners leave margins
# A page's first complaints are enough to know their kind.
MAX_COMPLAINT_BYTES = 16_384
PROGRAMS = ("pdftoppm", "pdfinfo", "pdfimages", "pdftotext")

GUARD = """#!/bin/sh
ulimit -c 0
ulimit -t {cpu_seconds}
ulimit -f {file_blocks}
ulimit -v {memory_kilobytes} 2>/dev/null || : # macOS has none
echo $$ >{processes}
{redirection}
exec /usr/bin/env -i PATH={path} LC_ALL=C {program} {options} "$@"
"""


class PageTimedOut(PageUnreadable):
    def __init__(self, page: int, seconds: float) -> None:
        super().__init__(f"Page {page} takes longer than {seconds:.0f} seconds to render. Export it more simply.")


@dataclass(frozen=True, slots=True)
class Scale:
    """The rendering of a page: dots per inch, and whether its crop box bounds it, as in a reader, or its whole sheet.

    The dots are those of an inch of 72 units: where a unit is larger than a point (UserUnit), an inch has fewer.
    """

    dpi: float
    cropped: bool = True


@dataclass(frozen=True, slots=True)
class PageSize:
    """The size of a page as it lies in the file, in its own units: its crop box, and its media box for want of one.

    `missing` if the file has no such page; `left` and `bottom` of the box, `turn` as /Rotate says, in degrees
    clockwise, and `unit` the points that a unit has (UserUnit).
    """

    width: float = 0.0
    height: float = 0.0
    missing: bool = False
    cropped: bool = True
    left: float = 0.0
    bottom: float = 0.0
    turn: int = 0
    unit: float = 1.0

    @property
    def inches(self) -> tuple[float, float]:
        return self.width * self.unit / POINTS_PER_INCH, self.height * self.unit / POINTS_PER_INCH


@dataclass(frozen=True, slots=True)
class Scan:
    """The resolution of a page of pictures alone: dots per inch of the picture that covers it, and of the finest."""

    dpi: float
    finest: float


@dataclass(frozen=True, slots=True)
class Drawing:
    """A page as poppler drew it, and the first lines of poppler's complaints meanwhile."""

    raster: Raster
    complaints: tuple[str, ...] = ()


class Poppler:
    """The programs behind guards, in a folder that goes when this is closed."""

    def __init__(self) -> None:
        if not (shutil.which("pdftoppm") and shutil.which("pdfinfo")):
            raise Configuration(
                "poppler_missing",
                "pdftoppm and pdfinfo are not on the PATH: add the poppler layer, or install poppler-utils.",
            )
        self.folder = tempfile.TemporaryDirectory(prefix="pagewise-poppler-")
        self.guards = Path(self.folder.name)
        # Guards write their process id, so that the process can be ended.
        self.processes = self.guards / "processes"
        os.mkfifo(self.processes, 0o600)
        self.told = os.open(self.processes, os.O_RDWR | os.O_NONBLOCK)
        self.complaints = Complaints(self.guards / "complaints")
        for program in PROGRAMS:
            if found := shutil.which(program):
                guard = self.guards / program
                guard.write_text(self.guard(program, found))
                guard.chmod(0o700)

    def guard(self, program: str, found: str) -> str:
        return GUARD.format(
            cpu_seconds=CPU_SECONDS if program == "pdftoppm" else INSPECT_SECONDS,
            file_blocks=FILE_BLOCKS,
            memory_kilobytes=MEMORY_KILOBYTES,
            processes=shlex.quote(str(self.processes)),
            # pdf2image reads the version that -v prints there.
            redirection=f'[ "$1" = -v ] || exec 2>{shlex.quote(str(self.complaints.pipe))}'
            if program == "pdftoppm"
            else "",
            path=shlex.quote(os.defpath),
            program=shlex.quote(found),
            options="-box" if program == "pdfinfo" else "",
        )

    def __enter__(self) -> Poppler:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self.told)
        self.complaints.close()
        self.folder.cleanup()

    def properties(self, path: Path, password: str | None, pages: PageRange | None = None) -> dict[str, str]:
        """pdfinfo's properties of a PDF, with each page's boxes if a range is given. Raises DocumentRejected."""
        numbers = ["-f", str(pages.first), "-l", str(pages.last)] if pages else []
        secret = [] if password is None else ["-upw", password]
        command = [str(self.guards / "pdfinfo"), *secret, *numbers, str(path)]
        try:
            # To a file, whose size the guard bounds: a title may be as long as memory is.
            with tempfile.TemporaryFile(dir=self.guards) as said:
                done = subprocess.run(
                    command, timeout=INSPECT_SECONDS, check=False, stdout=said, stderr=subprocess.PIPE
                )
                said.seek(0)
                properties = properties_of(said.read().decode("utf-8", "replace"))
        except subprocess.TimeoutExpired as error:
            raise DocumentRejected(
                Rejection.UNREADABLE, f"The PDF could not be read within {INSPECT_SECONDS} seconds. Export it again."
            ) from error
        except (ValueError, OSError) as error:  # a password with a null byte; a program that is gone
            raise DocumentRejected(Rejection.UNREADABLE, "The PDF cannot be read. Export or scan it again.") from error
        if not properties:
            raise rejection_of(done.stderr.decode("utf-8", "replace"))
        return properties

    def page_sizes(self, path: Path, password: str | None, pages: PageRange) -> dict[int, PageSize]:
        """The sizes of these pages; of none where pdfinfo cannot list them."""
        try:
            return sizes_of(self.properties(path, password, pages))
        except DocumentRejected:
            return {}

    def scans(
        self, path: Path, password: str | None, pages: PageRange, sizes: Mapping[int, PageSize]
    ) -> dict[int, Scan] | None:
        """The pages that are nothing but pictures: drawn finer than their pictures, they would show no more; drawn
        coarser, less. Pages with text, even unseen text from an earlier OCR, are left out: it may be finer. None where
        it cannot be known."""
        numbers = ["-f", str(pages.first), "-l", str(pages.last)]
        listing = self.listed("pdfimages", "-list", *numbers, str(path), password=password)
        if not listing:
            return None
        scans = scans_of(listing, sizes)
        if not scans:
            return {}
        texts = self.listed("pdftotext", *numbers, str(path), "-", password=password).split("\f")
        if len(texts) <= len(pages):
            return None
        textless = {page for page, text in zip(pages.numbers(), texts, strict=False) if not text.strip()}
        return {page: scan for page, scan in scans.items() if page in textless}

    def listed(self, program: str, *arguments: str, password: str | None) -> str:
        """The output of a listing program; empty if the program is not there, or fails, or is slow."""
        if not (self.guards / program).exists():
            return ""
        command = [str(self.guards / program), *(["-upw", password] if password else []), *arguments]
        with suppress(subprocess.SubprocessError, OSError):
            done = subprocess.run(
                command, timeout=LIST_SECONDS, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
            return done.stdout.decode("utf-8", "replace")
        return ""

    def rasters(
        self,
        path: Path,
        document_pages: int,
        scale: Scale,
        pages: PageRange,
        *,
        password: str | None,
        page_seconds: float,
    ) -> Generator[Drawing, None, None]:
        """The pages one after the other, as poppler makes them, by one process.

        Raises PageUnreadable in the place of the first page that takes longer than `page_seconds` or that poppler ends
        at; no process is left behind then, or when the iterator is closed.
        """
        with tempfile.TemporaryDirectory(dir=self.guards) as folder:
            # pdftoppm numbers with as many digits as the document's last page has.
            digits = len(str(document_pages))
            pipes = {page: Path(folder) / f"page-{page:0{digits}}.ppm" for page in pages.numbers()}
            for pipe in pipes.values():
                os.mkfifo(pipe, 0o600)
            self.complaints.forget()
            writer = Writer(self.told, lambda: self.convert(path, pages, scale, password, folder))
            try:
                for page, pipe in pipes.items():
                    yield self.drawing(writer, page, pipe, page_seconds)
            finally:
                writer.close()

    def drawing(self, writer: Writer, page: int, pipe: Path, seconds: float) -> Drawing:
        """For the first page, the time includes the start of the programs."""
        try:
            with Pipe(pipe, writer, self.complaints) as reader:
                return reader.drawing(time.monotonic() + seconds)
        except TimeoutError:
            raise PageTimedOut(page, seconds) from None
        except (EOFError, ValueError, MemoryError) as error:
            raise PageUnreadable(f"Page {page} cannot be rendered. Export or scan it again.") from error

    def convert(self, path: Path, pages: PageRange, scale: Scale, password: str | None, folder: str) -> None:
        from pdf2image import convert_from_path

        # The reason of a failure is of no use: a page's pipe stays empty.
        with suppress(Exception):
            convert_from_path(
                str(path),
                dpi=scale.dpi,  # type: ignore[arg-type]  # pdftoppm takes fractions
                first_page=pages.first,
                last_page=pages.last,
                userpw=password,  # type: ignore[arg-type]
                use_cropbox=scale.cropped,
                poppler_path=str(self.guards),
                output_folder=folder,
                output_file=(name for name in ["page"]),
                paths_only=True,
            )


class Writer:
    """A thread in which pdf2image waits for its programs; these write their process ids to `told`."""

    def __init__(self, told: int, write: Callable[[], None]) -> None:
        self.told = told
        self.latest_process()  # of earlier programs
        self.thread = Thread(target=write, daemon=True)
        self.thread.start()

    def is_alive(self) -> bool:
        return self.thread.is_alive()

    def latest_process(self) -> int | None:
        said = b""
        with suppress(BlockingIOError):
            while part := os.read(self.told, 4096):
                said += part
        return int(said.split()[-1]) if said.strip() else None

    def close(self) -> None:
        """Let the thread end, at once after the last page; else end the program that it waits for."""
        process = None
        self.thread.join(POLL_SECONDS)
        while self.thread.is_alive():
            process = self.latest_process() or process
            if process:
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            self.thread.join(POLL_SECONDS)


class Complaints:
    """pdftoppm's complaints of a page, from a pipe that is emptied during the wait for the page's own."""

    def __init__(self, pipe: Path) -> None:
        self.pipe = pipe
        os.mkfifo(pipe, 0o600)
        self.descriptor = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
        self.said = b""

    def close(self) -> None:
        os.close(self.descriptor)

    def hear(self) -> None:
        with suppress(BlockingIOError):
            while part := os.read(self.descriptor, 65_536):
                self.said += part[: MAX_COMPLAINT_BYTES - len(self.said)]

    def forget(self) -> None:
        self.hear()
        self.said = b""

    def lines(self) -> tuple[str, ...]:
        return tuple(line for line in self.said.decode("utf-8", "replace").splitlines() if line.strip())


class Pipe:
    """The content of a named pipe while there is a writer."""

    def __init__(self, pipe: Path, writer: Writer, complaints: Complaints) -> None:
        # Open for writing, too: it has no end then before the writer has come.
        self.descriptor = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
        self.writer = writer
        self.complaints = complaints

    def __enter__(self) -> Pipe:
        return self

    def widen(self) -> int:
        """The bytes that the pipe held until now."""
        with suppress(OSError, AttributeError):
            held = fcntl.fcntl(self.descriptor, fcntl.F_GETPIPE_SZ)
            fcntl.fcntl(self.descriptor, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
            return held
        return PIPE_BYTES

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        os.close(self.descriptor)

    def drawing(self, deadline: float) -> Drawing:
        """A picture in PPM. Raises EOFError, TimeoutError, ValueError."""
        if self.line(deadline) != "P6":
            raise ValueError("no PPM")
        # The page is drawn, and all its complaints are written. pdftoppm begins the next page after writing this one.
        # A page that the pipe holds whole may be written already: complaints then may be of either, and count for both.
        self.complaints.hear()
        complaints = self.complaints.lines()
        held = self.widen()
        width, height = map(int, self.line(deadline).split())
        self.line(deadline)
        if not 0 < width * height <= MAX_RASTER_PIXELS:
            raise ValueError("a picture of no possible size")
        pixels = bytearray(3 * width * height)
        if len(pixels) > held:
            self.complaints.said = b""
        self.fill(pixels, deadline)
        return Drawing(Raster(width, height, 3, pixels), complaints)

    def line(self, deadline: float) -> str:
        found = bytearray()
        character = bytearray(1)
        while character != b"\n" and len(found) < 64:
            self.fill(character, deadline)
            found += character
        return found.decode("ascii", "replace").strip()

    def fill(self, buffer: bytearray, deadline: float) -> None:
        remaining = memoryview(buffer)
        while remaining:
            try:
                count = os.readv(self.descriptor, [remaining])
            except BlockingIOError:
                self.wait(deadline)
            else:
                remaining = remaining[count:]

    def wait(self, deadline: float) -> None:
        """Wait until there are bytes to read. Raises EOFError when no more can come, TimeoutError."""
        while True:
            ended = not self.writer.is_alive()
            sources = [self.descriptor, self.complaints.descriptor]
            readable, _, _ = select.select(sources, [], [], 0 if ended else POLL_SECONDS)
            if self.complaints.descriptor in readable:
                self.complaints.hear()
            if self.descriptor in readable:
                time.sleep(0 if ended else GATHER_SECONDS)
                return
            if ended:
                raise EOFError
            if time.monotonic() > deadline:
                raise TimeoutError


def rejection_of(poppler_says: str) -> DocumentRejected:
    if "Incorrect password" in poppler_says:
        return DocumentRejected(
            Rejection.ENCRYPTED, "The PDF opens only with a password. Upload a copy without one, or name the password."
        )
    if "Invalid page count 0" in poppler_says:
        return DocumentRejected(Rejection.EMPTY, "The PDF has no pages. Export it again.")
    return DocumentRejected(Rejection.UNREADABLE, "The PDF is damaged beyond reading. Export or scan it again.")


def scans_of(listing: str, sizes: Mapping[int, PageSize]) -> dict[int, Scan]:
    """From `pdfimages -list`, the pages that pictures cover.

    Columns: page, number, type, width, height … and at the end x-ppi, y-ppi, size, ratio.
    """
    pictures: dict[int, list[Picture]] = {}
    for row in listing.splitlines()[2:]:
        columns = row.split()
        if len(columns) >= 14 and columns[2] != "smask":
            picture = Picture(int(columns[3]), int(columns[4]), float(columns[-4]), float(columns[-3]))
            pictures.setdefault(int(columns[0]), []).append(picture)
    found = {page: scan_of(shown, sizes[page]) for page, shown in pictures.items() if page in sizes}
    return {page: scan for page, scan in found.items() if scan}


@dataclass(frozen=True, slots=True)
class Picture:
    """In pixels, and in dots per inch of 72 units along its own sides, as drawn."""

    width: int
    height: int
    horizontal: float
    vertical: float

    @property
    def is_drawn(self) -> bool:
        return min(self.width, self.height, self.horizontal, self.vertical) > 0

    @property
    def dpi(self) -> float:
        return max(self.horizontal, self.vertical)

    @property
    def area(self) -> float:
        return self.width / self.horizontal * self.height / self.vertical


def scan_of(pictures: Iterable[Picture], size: PageSize) -> Scan | None:
    """None if the pictures leave more than the margins of the page. It may be one of strips, or of several layers: the
    finest of them decide that together cover it."""
    drawn = sorted((picture for picture in pictures if picture.is_drawn), key=lambda picture: -picture.dpi)
    sheet = size.width * size.height / POINTS_PER_INCH**2
    covered = 0.0
    for picture in drawn:
        covered += picture.area
        if 0 < COVERS * sheet < covered:
            return Scan(exact(picture, size) / size.unit, drawn[0].dpi / size.unit)
    return None


def exact(picture: Picture, size: PageSize) -> float:
    """Dots per inch are listed as whole numbers. Those of a picture that fills its page follow from their sizes."""
    sides = (size.width, size.height) if size.turn % 180 == 0 else (size.height, size.width)
    for width, height in (sides, sides[::-1]):
        dpi = picture.width * POINTS_PER_INCH / width, picture.height * POINTS_PER_INCH / height
        if abs(dpi[0] - picture.horizontal) <= 1 and abs(dpi[1] - picture.vertical) <= 1:
            # A trace less, so that no pixel is begun beyond the last: pages are listed to six digits.
            lost = max(picture.width, picture.height) * (1 - min(dpi) / max(dpi))
            return (min(dpi) if lost < 1 else max(dpi)) * (1 - 1e-5)
    return picture.dpi


PAGES_LINE = re.compile(r"^Pages: +[0-9]+$", re.MULTILINE)


def properties_of(said: str) -> dict[str, str]:
    """poppler's own statements in pdfinfo's lines; none without a number of pages.

    The document's own strings (title, author, producer …) come first, as they are, and may hold lines of any look; from
    the last line of pages on, all are poppler's.
    """
    *_, own = [None, *PAGES_LINE.finditer(said)]
    lines = said[own.start() :].split("\n") if own else []
    return {name: value.strip() for name, colon, value in (line.partition(":") for line in lines) if colon}


def sizes_of(properties: Mapping[str, str]) -> dict[int, PageSize]:
    """Page sizes as `pdfinfo -box` prints them: `Page    3 size: 595.276 x 841.89 pts (A4)`.

    A page that is counted but not to be found has a size of nothing and no boxes. pdftoppm would draw the page before
    it once more.
    """
    said: dict[int, dict[str, list[float]]] = {}
    for name, value in properties.items():
        words = name.split()
        if len(words) == 3 and words[0] == "Page" and words[1].isdecimal():
            with suppress(ValueError):
                numbers = [float(word) for word in str(value).replace(" x ", " ").split("pts")[0].split()]
                said.setdefault(int(words[1]), {})[words[2]] = numbers
    return {page: size_of(of_page) for page, of_page in said.items() if len(of_page.get("size", ())) >= 2}


def size_of(said: Mapping[str, Sequence[float]]) -> PageSize:
    width, height = said["size"][:2]
    turn = int(said.get("rot", [0])[0]) % 360
    crop, media = said.get("CropBox"), said.get("MediaBox")
    if width > 0 and height > 0:
        left, bottom = corner(crop)
        return PageSize(width, height, left=left, bottom=bottom, turn=turn)
    if media is None or len(media) < 4:
        return PageSize(missing=True)
    left, bottom = corner(media)
    return PageSize(
        abs(media[2] - media[0]), abs(media[3] - media[1]), cropped=False, left=left, bottom=bottom, turn=turn
    )


def corner(box: Sequence[float] | None) -> tuple[float, float]:
    if box is None or len(box) < 4:
        return 0.0, 0.0
    return min(box[0], box[2]), min(box[1], box[3])
