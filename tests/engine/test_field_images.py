"""The text of the field's images, from their page images to the embedded engine's answer."""

from __future__ import annotations

import pytest

from pagewise.model import PageRange
from pagewise.pages.images import PageImage
from pagewise.pages.rendering import Renderer, inspect
from tests.engine.asking import Engine
from tests.split.corpus import FOLDER

TEXTS = {
    "tw73-colormap8.tiff": "The origins of the National Security Agency",
    "rapid158-white-on-transparent.png": "我是中国人",
    "tw105-empty-jfif.jpg": "DEVICE INTERACTION",
    "rapid542-exif.jpg": "我是中国人",
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_field_image_is_recognized(name: str, engine: Engine) -> None:
    path = FOLDER / "field" / name
    if not path.exists():
        pytest.skip(f"the field's cases are not there ({name})")
    (page,) = Renderer().render(path, inspect(path), PageRange(1, 1))
    assert isinstance(page, PageImage)
    assert "".join(TEXTS[name].split()) in "".join(engine.text(page.content).split())
