"""pdftoppm's output, page by page, out of named pipes, while the thread that has started it waits for its end."""

from __future__ import annotations

import fcntl
import os
import select
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Thread
from types import TracebackType

from pagewise.pages.pdf_pages import MAX_RASTER_PIXELS, Drawing
from pagewise.pages.png import Raster

PIPE_BYTES = 1024 * 1024  # Linux's largest for an ordinary user: 3 pipefuls a page, not 40
POLL_SECONDS = 0.05
# pdftoppm writes 4 KB at a time: to let a few of them gather saves a twelfth of the CPU time of a page.
GATHER_SECONDS = 0.0005
# A page's first complaints are enough to know their kind.
MAX_COMPLAINT_BYTES = 16_384


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
