"""Preprocessing does what its names say, and nothing unless it is asked for."""

from __future__ import annotations

import io
import random
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageDraw, ImageFont, ImageStat

from pagewise.aws.environment import steps
from pagewise.errors import Configuration
from pagewise.model import PageRange, Step
from pagewise.pages.images import PageImage
from pagewise.pages.png import raster_of
from pagewise.pages.preprocessing import preprocessed, skew
from pagewise.pages.rendering import Renderer, inspect
from tests.split.corpus import original
from tests.split.documents import text_pdf


def sheet() -> Image.Image:
    page = Image.new("L", (900, 1200), 255)
    font = ImageFont.load_default(28)
    for line in range(20):
        ImageDraw.Draw(page).text((80, 100 + 50 * line), "The quick brown fox jumps over it all", font=font, fill=0)
    return page


def difference(first: Image.Image, second: Image.Image) -> float:
    return float(ImageStat.Stat(ImageChops.difference(first, second)).mean[0])


def after(image: Image.Image, *chosen: Step) -> Image.Image:
    return preprocessed(raster_of(image), chosen).image()


@pytest.mark.parametrize("degrees", [-7, -2.5, -0.6, 0, 0.4, 3, 6.8])
def test_skew_is_found_to_a_fifth_of_a_degree(degrees: float) -> None:
    turned = sheet().rotate(degrees, Image.Resampling.BICUBIC, fillcolor=255)
    assert skew(turned) == pytest.approx(-degrees, abs=0.2)


def test_a_skewed_page_is_turned_level_and_a_level_one_left_alone() -> None:
    level = sheet()
    turned = level.rotate(3, Image.Resampling.BICUBIC, fillcolor=255)
    assert difference(after(turned, Step.DESKEW), level) < 0.5 * difference(turned, level)
    assert after(level, Step.DESKEW).tobytes() == level.tobytes()


def test_an_empty_page_is_not_turned() -> None:
    assert skew(Image.new("L", (600, 800), 255)) == 0


def test_the_skewed_scan_of_the_corpus_comes_out_level() -> None:
    path = original("B02")
    found = []
    for chosen in ((), (Step.DESKEW,)):
        (page,) = Renderer(dpi=100, preprocessing=chosen).render(path, inspect(path), PageRange(1, 1))
        assert isinstance(page, PageImage)
        found.append(abs(skew(Image.open(io.BytesIO(page.content)).convert("L"))))
    assert found[0] > 1.5
    assert found[1] < 0.3


@pytest.mark.parametrize("step", [Step.MEDIAN, Step.MEAN])
def test_smoothing_takes_speckles_away(step: Step) -> None:
    clean = sheet()
    chance = random.Random(1)
    speckled = clean.copy()
    for _ in range(20_000):
        speckled.putpixel((chance.randrange(900), chance.randrange(1200)), chance.choice((0, 255)))
    paper = (0, 0, 900, 90)
    before = ImageStat.Stat(speckled.crop(paper)).stddev[0]
    assert ImageStat.Stat(after(speckled, step).crop(paper)).stddev[0] < 0.5 * before


def test_uneven_light_is_evened_out() -> None:
    """Text in shadow, with a tenth of the contrast of the text in light, gets half as much again."""
    light = sheet()
    shadow = Image.linear_gradient("L").resize(light.size)
    faint = light.point(lambda brightness: 60 + brightness // 10)
    uneven = Image.composite(faint, light, shadow)
    lines = (80, 1000, 700, 1090)
    before = ImageStat.Stat(uneven.crop(lines)).stddev[0]
    assert ImageStat.Stat(after(uneven, Step.EQUALIZE).crop(lines)).stddev[0] > 1.5 * before


@pytest.mark.parametrize("size", [(11, 11), (11, 900), (300, 13), (801, 603)])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_every_size_and_mode_is_kept(size: tuple[int, int], mode: str) -> None:
    result = after(Image.linear_gradient("L").resize(size).convert(mode), *Step)
    assert (result.size, result.mode) == (size, mode)


def test_colours_stay() -> None:
    page = Image.new("RGB", (400, 400), "white")
    ImageDraw.Draw(page).rectangle((50, 50, 350, 350), fill=(200, 30, 30))
    red, green, blue = after(page, Step.EQUALIZE).getpixel((200, 200))  # type: ignore[misc]
    assert red > green + 60
    assert red > blue + 60


def test_nothing_is_done_unless_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "page.pdf"
    path.write_bytes(text_pdf(1))
    pages = [
        next(Renderer(preprocessing=chosen).render(path, inspect(path), PageRange(1, 1)))
        for chosen in ((), (), (Step.MEAN,))
    ]
    contents = [page.content for page in pages if isinstance(page, PageImage)]
    assert contents[0] == contents[1] != contents[2]


def test_a_picture_that_is_preprocessed_is_not_kept_as_a_file(tmp_path: Path) -> None:
    path = tmp_path / "photo"
    sheet().save(path, "JPEG")
    (page,) = Renderer(preprocessing=(Step.EQUALIZE,)).render(path, inspect(path), PageRange(1, 1))
    assert isinstance(page, PageImage)
    assert page.media_type == "image/png"


def test_the_setting_names_steps() -> None:
    assert steps({"PREPROCESSING": "none"}, "PREPROCESSING") == ()
    assert steps({"PREPROCESSING": "deskew,median"}, "PREPROCESSING") == (Step.MEDIAN, Step.DESKEW)
    with pytest.raises(Configuration, match="sharpen"):
        steps({"PREPROCESSING": "sharpen"}, "PREPROCESSING")
