"""poppler's programs on untrusted files: few resources, no environment, one page's raster at a time.

pdf2image starts pdfinfo and pdftoppm, as the Qwen-OCR documentation recommends ("Going live"). It takes neither limits
nor an environment for them and keeps all pages until the last is done, but it takes the programs' folder. So it gets a
folder of guards: shell scripts of the programs' names that set the limits, clear the environment, and become the real
program. pdftoppm's output paths are named pipes, one for each page: a page is read, raw, as soon as it is done. (Its
standard output would keep the end of a page back until the next one is done.) A pipe of its own takes pdftoppm's
complaints: pdftoppm ends with code 0 even where a page has lost its text.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Generator, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from pagewise.errors import Configuration, DocumentRejected, PageUnreadable, Rejection
from pagewise.model import PageRange
from pagewise.pages.listings import properties_of, rejection_of, scans_of, sizes_of
from pagewise.pages.page_pipes import Complaints, Pipe, Writer
from pagewise.pages.pdf_pages import Drawing, PageSize, PageTimedOut, Scale, Scan

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
