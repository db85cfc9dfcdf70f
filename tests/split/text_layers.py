"""`python -m tests.split.text_layers [pages]`: which pages of the corpus are answered by their own text, and how far
that is from rendering and OCR. Of so many pages of each file (default 3) the embedded engine reads the page image; the
character error rates are against pdftotext, which reads the same file another way. 1 if a taken page differs from what
is seen on it by more than the embedded engine's own errors explain."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from statistics import mean

from pagewise.errors import DocumentRejected
from pagewise.model import PageRange, TextLayer
from pagewise.pages.images import PageImage
from pagewise.pages.rendering import Renderer, inspect
from pagewise.pages.text_layer import as_text
from tests.engine.asking import Engine, running_engine, wait_until_ready
from tests.engine.corpus import error_rate
from tests.split.corpus import FOLDER

SAMPLES = Path(__file__).parents[2] / "events/samples"
PREFERRING = Renderer(text_layer=TextLayer.PREFER)
# The most of the words that OCR of a sound page reads otherwise.
SUSPICIOUS = 0.15


def main(sampled: int) -> int:
    say(
        "| file | pages | taken | read | text layer against pdftotext | OCR against pdftotext "
        "| words of one that the other lacks |"
    )
    say("| --- | --- | --- | --- | --- | --- | --- |")
    pages = taken = 0
    rates: list[tuple[float, float, float]] = []
    with running_engine() as engine:
        wait_until_ready(engine)
        for path in files():
            count, found = taken_of(path)
            pages, taken = pages + count, taken + len(found)
            of_file = [compared(engine, path, page) for page in found[:: max(1, len(found) // sampled)][:sampled]]
            rates += of_file
            shown = [f"{mean(rate[column] for rate in of_file):.4f}" if of_file else "" for column in range(3)]
            say(f"| {path.name} | {count} | {len(found)} | {len(of_file)} | {' | '.join(shown)} |")
    wrong = sum(rate[2] > SUSPICIOUS for rate in rates)
    shown = [f"{mean(rate[column] for rate in rates):.4f}" for column in range(3)]
    say(
        f"| all | {pages} | {taken} | {len(rates)} | {' | '.join(shown)} |\n\n"
        f"{wrong} wrongly taken of {len(rates)} read"
    )
    return 1 if wrong else 0


def files() -> list[Path]:
    return [
        *sorted((FOLDER / "files").glob("*.pdf")),
        *sorted((FOLDER / "field").glob("*.pdf")),
        SAMPLES / "report.pdf",
    ]


def taken_of(path: Path) -> tuple[int, list[PageImage]]:
    try:
        contents = inspect(path)
    except DocumentRejected:
        return 0, []
    return contents.pages, list(with_lines(path, contents.pages))


def with_lines(path: Path, pages: int) -> Iterator[PageImage]:
    for found in PREFERRING.render(path, inspect(path), PageRange(1, pages)):
        if isinstance(found, PageImage) and found.lines is not None:
            yield found


def compared(engine: Engine, path: Path, page: PageImage) -> tuple[float, float, float]:
    number = str(page.page)
    said = subprocess.run(
        ["pdftotext", "-raw", "-f", number, "-l", number, str(path), "-"], capture_output=True, text=True, check=True
    ).stdout
    own, read = as_text(page.lines or ()), engine.text(page.content)
    return error_rate(own, said), error_rate(read, said), missing(own, read)


def missing(own: str, read: str) -> float:
    """The part of the words of one that the other does not have, wherever they stand: columns and tables are read in
    more than one order."""
    words, seen = (Counter(re.findall(r"\w+", text.casefold())) for text in (own, read))
    return max((words - seen).total(), (seen - words).total()) / max(words.total(), 1)


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if sys.argv[1:] else 3))
