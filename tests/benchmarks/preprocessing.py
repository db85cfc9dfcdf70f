"""`python -m tests.benchmarks.preprocessing`: what each step of preprocessing does to the character error rate.

On poor scans of the corpus that have a ground truth, and on a good one that is spoiled on purpose, read by the embedded
engine. The page is what the splitter stores.
"""

from __future__ import annotations

import io
import random
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from PIL import Image, ImageChops, ImageFilter

from pagewise.model import PageRange, Step
from pagewise.pages.images import PageImage
from pagewise.pages.rendering import Renderer, inspect
from tests.engine import corpus
from tests.engine.asking import Engine, running_engine, wait_until_ready

POOR = ("A04", "A05", "A12", "A32")
GOOD = "A24"


def skewed(page: Image.Image) -> Image.Image:
    return page.rotate(7, Image.Resampling.BICUBIC, expand=True, fillcolor=255)


def speckled(page: Image.Image) -> Image.Image:
    """One pixel in ten black or white."""
    chance = random.Random(1)
    spoiled = page.copy()
    for _ in range(page.width * page.height // 10):
        spoiled.putpixel((chance.randrange(page.width), chance.randrange(page.height)), chance.choice((0, 255)))
    return spoiled


def grainy(page: Image.Image) -> Image.Image:
    return ImageChops.add(page, Image.effect_noise(page.size, 160), 1.0, -128)


def badly_lit(page: Image.Image) -> Image.Image:
    """From full light down to a twentieth of the contrast, in shadow."""
    shadow = Image.linear_gradient("L").resize(page.size)
    faint = page.point(lambda brightness: 40 + brightness // 20)
    return Image.composite(faint, page, shadow).filter(ImageFilter.GaussianBlur(0.5))


SPOILED: dict[str, Callable[[Image.Image], Image.Image]] = {
    "7 degrees askew": skewed,
    "speckled": speckled,
    "grainy": grainy,
    "badly lit": badly_lit,
}


def main() -> int:
    if not corpus.is_here():
        say(f"the corpus is absent: {corpus.CORPUS}")
        return 0
    say(f"| page | as it is | {' | '.join(Step)} |\n| --- | --- {'| --- ' * len(Step)}|")
    with running_engine() as engine, tempfile.TemporaryDirectory() as folder:
        wait_until_ready(engine)
        for name in POOR:
            row(engine, name, corpus.original(name), corpus.truth(name))
        with Image.open(corpus.original(GOOD)) as opened:
            good = opened.convert("L")
        for how, spoil in SPOILED.items():
            path = Path(folder) / "spoiled.png"
            spoil(good).save(path)
            row(engine, f"{GOOD}, {how}", path, corpus.truth(GOOD))
    return 0


def row(engine: Engine, name: str, path: Path, truth: str) -> None:
    rates = [rate(engine, path, truth, steps) for steps in ((), *((step,) for step in Step))]
    say(f"| {name} | {' | '.join(f'{error:.3f}' for error in rates)} |")


def rate(engine: Engine, path: Path, truth: str, steps: tuple[Step, ...]) -> float:
    (page,) = Renderer(preprocessing=steps).render(path, inspect(path), PageRange(1, 1))
    assert isinstance(page, PageImage)
    content = page.content
    if page.media_type == "image/png" and len(content) > corpus.MOST_PIXELS:
        with Image.open(io.BytesIO(content)) as image:
            buffer = io.BytesIO()
            image.save(buffer, "JPEG", quality=95)
            content = buffer.getvalue()
    return corpus.error_rate(engine.text(content), truth)


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
