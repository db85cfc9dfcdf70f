"""What splitting costs: pages for each CPU second against poppler's own, memory, time to the first page job.

The text PDF is a document of the corpus, or one of our own making where the corpus is absent. Compared within one run,
on one core's time: children's CPU seconds and our own.
"""

from __future__ import annotations

import io
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from tests.split.traces import children, peak_megabytes

DPI = 150
MEMORY_PAGES = (50, 200, 1000)
MEMORY_DPI = 100
# pdf2image's PNG is slow: so many pages of it are enough.
SLOW_PAGES = 40


def rendering(folder: Path) -> dict[str, Any]:
    path = longest(folder)
    pages = count(path)
    slow = min(pages, SLOW_PAGES)
    raw = measured(partial(pdftoppm, path, 1, pages), pages)
    their_png = measured(partial(pdftoppm, path, 1, slow, "-png"), slow)
    pdf2image_png = measured(lambda: in_own_process("pdf2image_png", path, slow), slow)
    ours = measured(lambda: in_own_process("ours", path, pages), pages)
    sizes = json.loads(in_own_process("sizes", path, slow))
    return {
        "document_pages": pages,
        "dpi": DPI,
        "pages_per_cpu_second": {
            "pdftoppm_raw": raw["pages_per_cpu_second"],
            "pdftoppm_png": their_png["pages_per_cpu_second"],
            "pdf2image_png": pdf2image_png["pages_per_cpu_second"],
            "ours": ours["pages_per_cpu_second"],
        },
        "wall_ms_per_page": {
            "pdftoppm_raw": raw["wall_ms_per_page"],
            "pdf2image_png": pdf2image_png["wall_ms_per_page"],
            "ours": ours["wall_ms_per_page"],
        },
        "ours_to_raw_ratio": ratio(ours, raw),
        "ours_to_pdf2image_png_ratio": ratio(ours, pdf2image_png),
        "ours_to_poppler_png_bytes_ratio": round(sizes["ours"] / sizes["poppler"], 3),
        "pixels_equal_pdftoppms": sizes["equal"],
        **first_and_last(path),
        **memory(folder, path),
    }


def ratio(measure: dict[str, float], other: dict[str, float]) -> float:
    return round(measure["pages_per_cpu_second"] / other["pages_per_cpu_second"], 2)


def longest(folder: Path) -> Path:
    from tests.split.corpus import FOLDER
    from tests.split.documents import stream, text_pdf

    found = sorted((FOLDER / "files").glob("B09_*"))
    if found:
        return found[0]
    words = b" ".join(b"word%d" % number for number in range(12))
    lines = b"".join(b"0 -14 Td (%s) Tj " % words for _ in range(50))
    contents = {f"contents{number}": stream(b"BT /F 11 Tf 40 780 Td " + lines + b"ET") for number in range(1, 242)}
    path = folder / "text.pdf"
    path.write_bytes(text_pdf(241, "0 0 612 792", contents))
    return path


def count(path: Path) -> int:
    from pagewise.pages.rendering import inspect

    return inspect(path).pages


def joined(folder: Path, path: Path, pages: int) -> Path:
    """A document of so many pages, from this one as often as it takes."""
    from pypdf import PdfWriter

    writer = PdfWriter()
    content = path.read_bytes()
    while len(writer.pages) < pages:
        writer.append(io.BytesIO(content), pages=(0, min(count(path), pages - len(writer.pages))))
    target = folder / f"{pages}.pdf"
    with target.open("wb") as file:
        writer.write(file)
    return target


def pdftoppm(path: Path, first: int, last: int, *options: str) -> None:
    command = ["pdftoppm", "-cropbox", "-r", str(DPI), "-f", str(first), "-l", str(last), *options, str(path)]
    # Through a pipe, as pdf2image has it.
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    while process.stdout.read(1024 * 1024):
        pass
    assert process.wait() == 0


def cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    own = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime + own.ru_utime + own.ru_stime


def measured(work: Callable[[], object], pages: int) -> dict[str, float]:
    began, cpu = time.monotonic(), cpu_seconds()
    work()
    wall, used = time.monotonic() - began, cpu_seconds() - cpu
    return {"pages_per_cpu_second": round(pages / used, 1), "wall_ms_per_page": round(1000 * wall / pages, 2)}


def in_own_process(what: str, path: Path, pages: int, dpi: int = DPI) -> str:
    """Imports, pages and memory of one renderer alone."""
    command = [sys.executable, "-m", "tests.benchmarks.rendering", what, str(path), str(pages), str(dpi)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def first_and_last(path: Path) -> dict[str, float]:
    seconds = json.loads(in_own_process("jobs", path, count(path)))
    return {
        "seconds_to_first_page_job": round(seconds["first"], 3),
        "seconds_to_last_page_job": round(seconds["last"], 3),
    }


def memory(folder: Path, path: Path) -> dict[str, Any]:
    """Peak memory of the splitter and of poppler, which is its child, for one range of all pages."""
    peaks = {
        pages: json.loads(in_own_process("memory", joined(folder, path, pages), pages, MEMORY_DPI))
        for pages in MEMORY_PAGES
    }
    least, most = peaks[MEMORY_PAGES[0]], peaks[MEMORY_PAGES[-1]]
    return {
        "peak_megabytes": {str(pages): round(peak["own"] + peak["poppler"], 1) for pages, peak in peaks.items()},
        "peak_of_1000_to_50_pages_ratio": round((most["own"] + most["poppler"]) / (least["own"] + least["poppler"]), 3),
        "temporary_megabytes": most["temporary"],
    }


def main(what: str, path: Path, pages: int, dpi: int) -> None:
    """What `in_own_process` runs."""
    print_json = {
        "pdf2image_png": pdf2image_png,
        "ours": render_all,
        "sizes": compare,
        "jobs": time_jobs,
        "memory": peak_memory,
    }[what](path, pages, dpi)
    sys.stdout.write(json.dumps(print_json))


def pdf2image_png(path: Path, pages: int, dpi: int) -> None:
    from pdf2image import convert_from_path

    for first in range(1, pages + 1, 10):
        for image in convert_from_path(
            path, dpi=dpi, fmt="png", use_cropbox=True, first_page=first, last_page=min(first + 9, pages)
        ):
            image.load()


def render_all(path: Path, pages: int, dpi: int) -> None:
    from pagewise.model import PageRange
    from pagewise.pages.rendering import Renderer, inspect

    rendered = Renderer(dpi=dpi).render(path, inspect(path), PageRange(1, pages))
    assert sum(1 for _ in rendered) == pages


def compare(path: Path, pages: int, dpi: int) -> dict[str, Any]:
    from PIL import Image

    from pagewise.model import PageRange
    from pagewise.pages.images import PageImage
    from pagewise.pages.rendering import Renderer, inspect

    ours = poppler = 0
    equal = True
    for page in Renderer(dpi=dpi).render(path, inspect(path), PageRange(1, pages)):
        assert isinstance(page, PageImage)
        command = [
            "pdftoppm",
            "-cropbox",
            "-png",
            "-r",
            str(dpi),
            "-f",
            str(page.page),
            "-l",
            str(page.page),
            str(path),
        ]
        their = subprocess.run(command, check=True, capture_output=True).stdout
        ours, poppler = ours + len(page.content), poppler + len(their)
        with Image.open(io.BytesIO(page.content)) as left, Image.open(io.BytesIO(their)) as right:
            equal = equal and left.convert("RGB").tobytes() == right.convert("RGB").tobytes()
    return {"ours": ours, "poppler": poppler, "equal": equal}


def splitting(path: Path, dpi: int) -> tuple[Any, list[float]]:
    """The splitter's use case in memory, which keeps no page, and when each batch of jobs was queued."""
    from pagewise.pages.rendering import Renderer
    from pagewise.use_cases.settings import SplitSettings
    from tests.unit.conftest import Pagewise

    pagewise = Pagewise(settings=SplitSettings(pages_per_range=10_000, renderer=Renderer(dpi=dpi)))
    moments: list[float] = []

    class Pages(type(pagewise.pages)):  # type: ignore[misc]
        def put_image(self, document_id: str, page: int, _content: bytes, _media_type: str) -> str:
            return f"{document_id}/{page}"

    class Queues(type(pagewise.queues)):  # type: ignore[misc]
        def send_jobs(self, _jobs: object) -> None:
            moments.append(time.monotonic())

    class Uploads(type(pagewise.uploads)):  # type: ignore[misc]
        def fetch(self, source: Any, to: Path) -> Any:
            from pagewise.ports import Download

            shutil.copyfile(path, to)
            return Download(source, {})

    pagewise.pages, pagewise.queues, pagewise.uploads = Pages(), Queues(), Uploads()
    return pagewise, moments


def time_jobs(path: Path, _pages: int, dpi: int) -> dict[str, float]:
    pagewise, moments = splitting(path, dpi)
    upload = pagewise.upload(b"")
    began = time.monotonic()
    pagewise.split.upload(upload)
    return {"first": moments[0] - began, "last": moments[-1] - began}


def peak_memory(path: Path, _pages: int, dpi: int) -> dict[str, float]:
    import tempfile
    from threading import Event, Thread

    pagewise, _ = splitting(path, dpi)
    largest, poppler = 0, 0.0
    over = Event()

    def watch(folder: Path) -> None:
        nonlocal largest, poppler
        while not over.wait(0.02):
            sizes = 0
            for file in folder.rglob("*"):
                try:
                    sizes += file.stat().st_size
                except OSError:
                    continue
            largest = max(largest, sizes)
            poppler = max(poppler, *(peak_megabytes(child) for child in children(os.getpid())), 0.0)

    with tempfile.TemporaryDirectory() as folder:
        tempfile.tempdir = folder
        watcher = Thread(target=watch, args=(Path(folder),))
        watcher.start()
        pagewise.split.upload(pagewise.upload(b""))
        over.set()
        watcher.join()
    own = peak_megabytes(os.getpid())
    megabytes = (largest - path.stat().st_size) / 1e6
    return {"own": round(own, 1), "poppler": round(poppler, 1), "temporary": round(max(megabytes, 0.0), 3)}


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
