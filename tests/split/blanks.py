"""`python -m tests.split.blanks`: which pages are called blank: those of the corpus, and made ones of both kinds."""

from __future__ import annotations

import io
import random
import sys
import time
from collections.abc import Iterator, Sequence
from functools import cache

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

from pagewise.errors import DocumentRejected
from pagewise.model import PageRange
from pagewise.pages.blank import is_blank
from pagewise.pages.images import PageImage
from pagewise.pages.png import raster_of
from pagewise.pages.rendering import Renderer, inspect
from tests.split.corpus import manifest

A4 = (1654, 2339)  # at 200 dpi


@cache
def font(points: float, dpi: int = 200) -> ImageFont.FreeTypeFont:
    return ImageFont.load_default(points * dpi / 72)  # type: ignore[return-value]


def paper(
    shade: int = 255, noise: float = 0, gradient: int = 0, seed: int = 1, size: tuple[int, int] = A4
) -> Image.Image:
    """A sheet: its shade, its noise's standard deviation, by how much it darkens to the right."""
    image = Image.new("L", size, shade)
    if gradient:
        ramp = Image.linear_gradient("L").transpose(Image.Transpose.ROTATE_90).resize(size)
        image = Image.eval(ramp, lambda value: max(0, shade - gradient * value // 255))
    if noise:
        random.seed(seed)
        grain = Image.effect_noise(size, noise)
        image = Image.blend(image, grain, 0.5).point(lambda value: max(0, min(255, round(2 * value - 128))))
    return image


def jpeg(image: Image.Image, quality: int = 75) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer)


def written(
    sheet: Image.Image, text: str, points: float, contrast: int, at: tuple[int, int] = (700, 1000), dpi: int = 200
) -> Image.Image:
    """Text that is darker than its paper by this contrast."""
    ink = Image.new("L", sheet.size, 0)
    ImageDraw.Draw(ink).text(at, text, fill=contrast, font=font(points, dpi))
    return ImageChops.subtract(sheet, ink)


TEXTS = ("A few faint words", "Page 7", "7", "i", "see over", "1.", "-2-")
CONTRASTS = (10, 15, 20, 30, 60, 120, 255)
POINTS = (6, 8, 10, 12, 24)


def with_text(
    texts: Sequence[str] = TEXTS, points_of: Sequence[int] = POINTS, contrasts: Sequence[int] = CONTRASTS
) -> Iterator[tuple[str, Image.Image]]:
    """Pages with little on them, none of which may be called blank."""
    sheets = {
        "clean": paper(),
        "grey": paper(200),
        "noise 2": paper(235, 2),
        "noise 4": paper(225, 4),
        "gradient": paper(240, 2, 60),
    }
    for name, sheet in sheets.items():
        for text in texts:
            for points in points_of:
                for contrast in contrasts:
                    noisy = name not in ("clean", "grey")
                    if noisy and contrast < 20:
                        continue
                    image = written(sheet, text, points, contrast)
                    yield f"{name}: {text!r} of {points} points, contrast {contrast}", jpeg(image) if noisy else image
    yield from other_papers()


def other_papers() -> Iterator[tuple[str, Image.Image]]:
    for points in POINTS:
        for dpi, size in ((72, (595, 842)), (100, (827, 1170)), (300, (2480, 3508))):
            image = written(paper(size=size), "Page 7", points, 60, (200, 300), dpi)
            yield f"{dpi} dpi: 'Page 7' of {points} points, contrast 60", image
    yellow = Image.new("RGB", A4, "white")
    ImageDraw.Draw(yellow).text((300, 300), "yellow", fill=(255, 255, 150), font=font(12))
    yield "yellow on white", yellow
    yield "white on black", Image.eval(written(paper(), "few words", 12, 255), lambda value: 255 - value)
    yield "near the lower edge", written(paper(), "12", 8, 200, (800, 2300))
    yield "a small picture of one word", written(paper(size=(120, 40)), "word", 8, 200, (20, 8))


def without_text() -> Iterator[tuple[str, Image.Image]]:
    """Pages with nothing to read on them."""
    yield "white", paper()
    yield "black", paper(0)
    yield "coloured", Image.new("RGB", A4, (240, 230, 180))
    for noise in (1, 2, 3, 4, 6, 8):
        for seed in range(3):
            yield f"scan, noise {noise} ({seed})", paper(235, noise, seed=seed)
            yield f"scan as JPEG, noise {noise} ({seed})", jpeg(paper(235, noise, seed=seed))
    for gradient in (10, 30, 60, 120):
        yield f"gradient {gradient}", jpeg(paper(245, 2, gradient))
        yield f"smooth gradient {gradient}", paper(245, 0, gradient)
    yield "specks", specks(paper(240, 2), 60)
    yield "specks on clean paper", specks(paper(), 60)
    yield "shadow at the edge", shadow(paper(240, 2))
    yield "black edges", edges(paper(240, 2))
    yield "punched holes", holes(paper(240, 2))
    yield "holes, specks and shadow", jpeg(holes(specks(shadow(paper(240, 2)), 30)))
    yield "small", paper(size=(200, 100))


def specks(sheet: Image.Image, count: int) -> Image.Image:
    random.seed(5)
    draw = ImageDraw.Draw(sheet)
    for _ in range(count):
        x, y, side = random.randrange(A4[0]), random.randrange(A4[1]), random.choice((1, 2, 3))
        draw.rectangle((x, y, x + side - 1, y + side - 1), fill=60)
    return sheet


def shadow(sheet: Image.Image) -> Image.Image:
    """Darker towards the left edge, as beside a book's fold."""
    ramp = Image.linear_gradient("L").transpose(Image.Transpose.ROTATE_90).resize((200, A4[1]))
    part = sheet.crop((0, 0, 200, A4[1]))
    sheet.paste(Image.composite(part, Image.new("L", part.size, 60), ramp), (0, 0))
    return sheet


def edges(sheet: Image.Image) -> Image.Image:
    draw = ImageDraw.Draw(sheet)
    draw.polygon([(0, 0), (30, 0), (12, A4[1]), (0, A4[1])], fill=10)
    draw.rectangle((0, A4[1] - 14, A4[0], A4[1]), fill=20)
    return sheet.filter(ImageFilter.GaussianBlur(1))


def holes(sheet: Image.Image) -> Image.Image:
    draw = ImageDraw.Draw(sheet)
    for y in (854, 1484):
        draw.ellipse((71, y - 24, 119, y + 24), fill=30)
    return sheet


def corpus_pages() -> Iterator[tuple[str, bool]]:
    for expected in manifest():
        try:
            contents = inspect(expected.path)
            for page in Renderer().render(expected.path, contents, PageRange(1, min(contents.pages, 40))):
                if isinstance(page, PageImage):
                    yield f"{expected.path.name} page {page.page}", page.look.blank
        except DocumentRejected:
            continue


def main() -> int:
    wrong = 0
    for kind, right, pages in (("with text", False, with_text()), ("blank", True, without_text())):
        count, missed, seconds = 0, [], 0.0
        for name, image in pages:
            raster = raster_of(image)
            began = time.perf_counter()
            found = is_blank(raster)
            seconds += time.perf_counter() - began
            count += 1
            if found is not right:
                missed.append(name)
        sys.stdout.write(f"{count} made pages {kind}: {len(missed)} wrong, {1000 * seconds / count:.1f} ms a page\n")
        sys.stdout.writelines(f"  {name}\n" for name in missed)
        wrong += len(missed) if not right else 0
    corpus = list(corpus_pages())
    sys.stdout.write(f"{len(corpus)} pages of the corpus, called blank:\n")
    sys.stdout.writelines(f"  {name}\n" for name, blank in corpus if blank)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
