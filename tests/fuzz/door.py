"""Mutations of real files, and what the splitter makes of them."""

from __future__ import annotations

import io
import math
import os
import random
import re
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from pagewise.model import DocumentStatus, PageRange
from pagewise.pages.rendering import Contents, Rendered, Renderer
from pagewise.use_cases.settings import SplitSettings
from tests.pictures import picture, tiff
from tests.split.corpus import FOLDER
from tests.split.documents import endless_pdf, scan, text_pdf
from tests.split.traces import children, temporary_files
from tests.unit.conftest import Pagewise

LARGEST_SEED = 130_000
PAGE_SECONDS = 2.0
# Of one input: two that take a page's whole time, and what pdfinfo and Pillow need on a busy machine.
INPUT_SECONDS = 60.0
# What parsers count by: page counts, sizes, lengths, offsets, levels.
NUMBERS = (b"0", b"-1", b"1", b"65536", b"99999999", b"2147483648", b"9999999999", b"1e30", b"0.00001")
TOKENS = (b"endobj", b"stream", b"/Kids [1 0 R]", b"/Length 9999999", b"/Filter /FlateDecode", b"<<" * 50, b"%%EOF")


@dataclass(frozen=True, slots=True)
class TimedRenderer(Renderer):
    """Notes how long each page lets one wait."""

    seconds: list[float] = field(default_factory=list)

    def render(
        self,
        path: Path,
        contents: Contents,
        pages: PageRange,
        password: str | None = None,
        deadline: float = math.inf,
    ) -> Generator[Rendered, None, None]:
        began = time.monotonic()
        for page in Renderer.render(self, path, contents, pages, password, deadline):
            self.seconds.append(time.monotonic() - began)
            yield page
            began = time.monotonic()


@dataclass
class Outcome:
    inputs: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    pages: int = 0
    lost_pages: int = 0
    longest_input: float = 0.0
    longest_page: float = 0.0
    seconds: float = 0.0
    failures: list[str] = field(default_factory=list)

    def add(self, other: Outcome) -> None:
        self.inputs += other.inputs
        self.ends += other.ends
        self.pages += other.pages
        self.lost_pages += other.lost_pages
        self.longest_input = max(self.longest_input, other.longest_input)
        self.longest_page = max(self.longest_page, other.longest_page)
        self.failures += other.failures

    def summary(self) -> dict[str, object]:
        return {
            "inputs": self.inputs,
            "ends": dict(self.ends.most_common()),
            "pages": self.pages,
            "lost_pages": self.lost_pages,
            "page_seconds_allowed": PAGE_SECONDS,
            "longest_page_seconds": round(self.longest_page, 2),
            "longest_input_seconds": round(self.longest_input, 2),
            "seconds": round(self.seconds, 1),
            "failures": self.failures[:20],
        }


def fuzz(inputs: int, seed: int, seconds: float = 1800) -> Outcome:
    """So many mutations, on all cores."""
    began = time.monotonic()
    total = Outcome()
    workers = os.cpu_count() or 1
    portion = max(1, min(50, inputs // workers))
    starts = range(0, inputs, portion)
    with ProcessPoolExecutor(workers) as pool:
        tasks = [
            pool.submit(run, range(start, min(start + portion, inputs)), seed, began + seconds) for start in starts
        ]
        for done in as_completed(tasks):
            total.add(done.result())
    total.seconds = time.monotonic() - began
    return total


def run(numbers: range, seed: int, until: float) -> Outcome:
    outcome = Outcome()
    seeds = list(seed_files())
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        tempfile.tempdir = folder
        try:
            for number in numbers:
                if time.monotonic() > until:
                    break
                one_input(number, seed, seeds, Path(folder), outcome)
        finally:
            tempfile.tempdir = None
    return outcome


def one_input(number: int, seed: int, seeds: list[bytes], folder: Path, outcome: Outcome) -> None:
    content = mutated(random.Random(f"{seed}:{number}"), seeds)
    before = children(os.getpid())
    began = time.monotonic()
    try:
        outcome.ends[judged(content, outcome)] += 1
    except Exception:  # noqa: BLE001  every error is a finding
        outcome.failures.append(f"input {number} of seed {seed}: {traceback.format_exc(limit=-4)}")
    taken = time.monotonic() - began
    outcome.inputs += 1
    outcome.longest_input = max(outcome.longest_input, taken)
    if taken > INPUT_SECONDS:
        outcome.failures.append(f"input {number} of seed {seed} took {taken:.0f} seconds")
    if left := temporary_files(folder):
        outcome.failures.append(f"input {number} of seed {seed} left the files {left}")
    if left_running := children(os.getpid()) - before:
        outcome.failures.append(f"input {number} of seed {seed} left the processes {left_running}")


def judged(content: bytes, outcome: Outcome) -> str:
    """How the document ended. Raises whatever should not happen."""
    renderer = TimedRenderer(dpi=40, page_seconds=PAGE_SECONDS)
    pagewise = Pagewise(settings=SplitSettings(pages_per_range=100, max_pages=40, renderer=renderer))
    document = pagewise.split.upload(pagewise.upload(content))
    outcome.longest_page = max(outcome.longest_page, *renderer.seconds, 0.0)
    if document.status is DocumentStatus.REJECTED:
        assert pagewise.queues.jobs == []
        assert document.message
        return f"rejected: {document.reason}"
    queued = [job.page for job in pagewise.queues.jobs]
    failed = [int(event["page"]) for event in pagewise.publisher.named("PageFailed")]
    assert sorted(queued + failed) == list(range(1, document.pages + 1))
    for stored in pagewise.pages.objects.values():
        with Image.open(io.BytesIO(stored)) as image:
            image.load()
    outcome.pages += len(queued)
    outcome.lost_pages += len(failed)
    return "accepted, pages lost" if failed else "accepted"


def seed_files() -> Iterator[bytes]:
    """The tests' own documents, and the corpus' small files where it is there."""
    yield from (text_pdf(1), text_pdf(5), scan(60, 80, "200 300"), endless_pdf(2, 1), tiff(3))
    for image_format in ("PNG", "JPEG", "BMP", "WEBP", "TIFF"):
        yield picture(image_format=image_format)
    yield picture(mode="P")
    yield picture(mode="CMYK", image_format="JPEG")
    for path in sorted((FOLDER / "files").glob("*")):
        if 0 < path.stat().st_size <= LARGEST_SEED and not path.name.startswith("B14"):
            yield path.read_bytes()


Mutation = Callable[[random.Random, bytearray, list[bytes]], None]


def mutated(chance: random.Random, seeds: list[bytes]) -> bytes:
    content = bytearray(chance.choice(seeds))
    for _ in range(chance.choice((1, 1, 2, 3, 8))):
        if content:
            chance.choice(MUTATIONS)(chance, content, seeds)
    return bytes(content)


def change_bytes(chance: random.Random, content: bytearray, _seeds: list[bytes]) -> None:
    for _ in range(chance.choice((1, 4, 30))):
        content[chance.randrange(len(content))] = chance.randrange(256)


def change_head(chance: random.Random, content: bytearray, _seeds: list[bytes]) -> None:
    """The first bytes say what everything is, and how large."""
    for _ in range(chance.randrange(1, 5)):
        content[chance.randrange(min(len(content), 64))] = chance.choice((0, 1, 127, 128, 255, chance.randrange(256)))


def cut_off(chance: random.Random, content: bytearray, _seeds: list[bytes]) -> None:
    del content[chance.randrange(len(content)) :]


def cut_out(chance: random.Random, content: bytearray, _seeds: list[bytes]) -> None:
    start = chance.randrange(len(content))
    del content[start : start + chance.randrange(1, 1000)]


def double(chance: random.Random, content: bytearray, _seeds: list[bytes]) -> None:
    start = chance.randrange(len(content))
    part = content[start : start + chance.randrange(1, 2000)]
    content[start:start] = part * chance.choice((1, 2, 20))


def mix(chance: random.Random, content: bytearray, seeds: list[bytes]) -> None:
    """A part of another file: polyglots."""
    other = chance.choice(seeds)
    start = chance.randrange(len(other)) if other else 0
    at = chance.choice((0, len(content), chance.randrange(len(content) + 1)))
    content[at:at] = other[start : start + chance.choice((100, 5000, 50_000))]


def change_number(chance: random.Random, content: bytearray, _seeds: list[bytes]) -> None:
    if found := list(re.finditer(rb"\d+", content[:200_000])):
        number = chance.choice(found)
        content[number.start() : number.end()] = chance.choice(NUMBERS)


def change_word(chance: random.Random, content: bytearray, _seeds: list[bytes]) -> None:
    if found := list(re.finditer(rb"/[A-Z][A-Za-z]+", content[:200_000])):
        first, second = chance.choice(found), chance.choice(found)
        content[first.start() : first.end()] = second.group()


def put_token(chance: random.Random, content: bytearray, _seeds: list[bytes]) -> None:
    at = chance.randrange(len(content) + 1)
    content[at:at] = chance.choice(TOKENS)


MUTATIONS: tuple[Mutation, ...] = (
    change_bytes,
    change_head,
    cut_off,
    cut_out,
    double,
    mix,
    change_number,
    change_word,
    put_token,
)
