"""Named pipes between poppler and its reader: real pipes, real writers."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pagewise.pages.page_pipes import MAX_COMPLAINT_BYTES, Complaints, Pipe, Writer

PPM = b"P6\n2 1\n255\n\x01\x02\x03\x04\x05\x06"


@pytest.fixture
def told(tmp_path: Path) -> Iterator[int]:
    os.mkfifo(tmp_path / "told")
    descriptor = os.open(tmp_path / "told", os.O_RDWR | os.O_NONBLOCK)
    yield descriptor
    os.close(descriptor)


@pytest.fixture
def complaints(tmp_path: Path) -> Iterator[Complaints]:
    heard = Complaints(tmp_path / "complaints")
    yield heard
    heard.close()


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    os.mkfifo(tmp_path / "page.ppm")
    return tmp_path / "page.ppm"


def soon() -> float:
    return time.monotonic() + 5


def reading(pipe: Path, told: int, complaints: Complaints, write: Callable[[], object]) -> Pipe:
    def written() -> None:
        write()

    return Pipe(pipe, Writer(told, written), complaints)


def test_a_page_is_read_with_its_complaints(pipe: Path, told: int, complaints: Complaints) -> None:
    def write() -> None:
        complaints.pipe.write_bytes(b"Syntax Error: a font is gone\n\n")
        pipe.write_bytes(PPM)

    with reading(pipe, told, complaints, write) as reader:
        drawn = reader.drawing(soon())
    assert (drawn.raster.width, drawn.raster.height, bytes(drawn.raster.pixels)) == (2, 1, b"\1\2\3\4\5\6")
    assert drawn.complaints == ("Syntax Error: a font is gone",)


@pytest.mark.parametrize("written", [b"", PPM[:-1], b"P6\n2 "])
def test_a_page_that_ends_early_is_no_page(pipe: Path, told: int, complaints: Complaints, written: bytes) -> None:
    with reading(pipe, told, complaints, lambda: pipe.write_bytes(written)) as reader, pytest.raises(EOFError):
        reader.drawing(soon())


@pytest.mark.parametrize("written", [b"P5\n2 1\n255\n", b"P6\n0 1\n255\n", b"P6\n9999 9999\n255\n", b"P6\nx y\n255\n"])
def test_a_picture_of_no_possible_size_is_refused(
    pipe: Path, told: int, complaints: Complaints, written: bytes
) -> None:
    with (
        reading(pipe, told, complaints, lambda: pipe.write_bytes(written)) as reader,
        pytest.raises(ValueError, match=r"PPM|size|int"),
    ):
        reader.drawing(soon())


def test_a_writer_that_says_nothing_runs_out_of_time(pipe: Path, told: int, complaints: Complaints) -> None:
    with reading(pipe, told, complaints, lambda: time.sleep(1)) as reader, pytest.raises(TimeoutError):
        reader.drawing(time.monotonic() + 0.1)


def test_complaints_are_bounded_and_forgotten(complaints: Complaints) -> None:
    descriptor = os.open(complaints.pipe, os.O_WRONLY)
    for _ in range(10):
        os.write(descriptor, b"x" * 4096)
        complaints.hear()
    os.close(descriptor)
    assert len(complaints.said) == MAX_COMPLAINT_BYTES
    complaints.forget()
    assert complaints.lines() == ()


def test_the_latest_process_is_the_last_that_was_told(told: int) -> None:
    writer = Writer(told, lambda: None)
    os.write(told, b"17\n18\n")
    assert writer.latest_process() == 18
    assert writer.latest_process() is None
