"""`python -m tests.split.turns [PAGES]`: how often ways to find out how a page lies are wrong: pages of the corpus,
each turned four ways. DECISIONS.md (2026-11-25) has the figures."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from PIL import Image, ImageOps

from pagewise.errors import DocumentRejected
from pagewise.model import PageRange
from pagewise.pages.images import PageImage
from pagewise.pages.preprocessing import unevenness
from pagewise.pages.rendering import Renderer, inspect
from tests.split.corpus import manifest

PAGES_OF_A_FILE = 2
# Lie turned in the corpus, run downwards, or have no line of text.
NOT_UPRIGHT = ("A07", "A15", "A20", "A25", "A28", "A29", "A30", "B30", "C01", "C10", "C11", "C13")


def pages() -> Iterator[tuple[str, Image.Image]]:
    for expected in manifest():
        if expected.name in NOT_UPRIGHT:
            continue
        try:
            contents = inspect(expected.path)
            for page in Renderer().render(expected.path, contents, PageRange(1, min(contents.pages, PAGES_OF_A_FILE))):
                if isinstance(page, PageImage) and not page.look.blank:
                    image = Image.open(io.BytesIO(page.content))
                    yield f"{expected.name} page {page.page}", image.convert("L")
        except DocumentRejected:
            continue


def by_osd(image: Image.Image, folder: Path) -> tuple[int | None, float]:
    """Degrees clockwise that set it upright, as Tesseract's orientation detection has it, and its confidence."""
    path = folder / "page.png"
    image.save(path, dpi=(200, 200))
    command = ["tesseract", str(path), "-", "--psm", "0", "-c", "min_characters_to_try=10"]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    turn, sure = re.search(r"Rotate: (\d+)", said), re.search(r"Orientation confidence: ([\d.]+)", said)
    return (int(turn[1]), float(sure[1])) if turn and sure else (None, 0.0)


def is_upended(image: Image.Image) -> bool:
    """Whether lines run up or down the page, by its rows and columns: of lines, rows differ more."""
    ink = ImageOps.invert(image)
    ink.thumbnail((1000, 1000), reducing_gap=2.0)
    return unevenness(ink.rotate(90, expand=True), 0.0) > unevenness(ink, 0.0)


def measure(upright: Image.Image, name: str, folder: Path, found: Counter[str], spent: dict[str, float]) -> None:
    for turn in (0, 90, 180, 270):
        image = upright.rotate(turn, expand=True)  # counter-clockwise: clockwise it goes back
        found["pages"] += 1
        began = time.perf_counter()
        found["profile wrong"] += is_upended(image) is not (turn in (90, 270))
        osd_began = time.perf_counter()
        said, sure = by_osd(image, folder)
        spent["profile"] += osd_began - began
        spent["osd"] += time.perf_counter() - osd_began
        for least in (0, 2, 5, 10):
            silent = said is None or sure < least
            found[f"osd from {least} silent"] += silent
            found[f"osd from {least} wrong"] += not silent and said != turn
        if said is not None and said != turn:
            sys.stdout.write(f"osd: {name} turned by {turn} is turned by {said}, confidence {sure}\n")


def main() -> int:
    most = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    found: Counter[str] = Counter()
    spent = {"profile": 0.0, "osd": 0.0}
    with tempfile.TemporaryDirectory() as folder:
        for name, upright in islice(pages(), most):
            measure(upright, name, Path(folder), found, spent)
    for name, number in sorted(found.items()):
        sys.stdout.write(f"{name}: {number}\n")
    for name, seconds in spent.items():
        sys.stdout.write(f"{name}: {1000 * seconds / max(1, found['pages']):.0f} ms a page\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
