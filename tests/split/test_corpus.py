"""Every file of the corpus ends as its manifest says."""

from __future__ import annotations

import io
import re

import pytest
from PIL import Image

from pagewise.model import Document, DocumentStatus
from pagewise.pages import limits
from pagewise.pages.rendering import Renderer
from pagewise.use_cases.settings import SplitSettings
from tests.split.corpus import Expected, manifest
from tests.unit.conftest import Pagewise

MANIFEST = manifest()
# Many pages, which would take long at 100 dpi; and one page that poppler never ends.
MANY_PAGES = {"B09", "B10"}
ENDLESS = "B14"


def split(pagewise: Pagewise, expected: Expected) -> Document:
    renderer = Renderer(
        dpi=50 if expected.name in MANY_PAGES else 100, page_seconds=3 if expected.name == ENDLESS else 20
    )
    pagewise.settings = SplitSettings(pages_per_range=400, renderer=renderer)
    return pagewise.split.upload(pagewise.upload(expected.path.read_bytes()))


@pytest.mark.skipif(not MANIFEST, reason="the corpus is not there")
@pytest.mark.parametrize("expected", MANIFEST, ids=lambda expected: expected.name)
def test_a_file_ends_as_the_manifest_says(expected: Expected, pagewise: Pagewise) -> None:
    document = split(pagewise, expected)
    got = document.reason if document.status is DocumentStatus.REJECTED else f"{document.pages} pages"
    assert got in expected.outcomes
    if document.status is DocumentStatus.REJECTED:
        assert "." in str(document.message)
        assert re.search(r"(Upload|Export|Scan|scan|Cut|name the password)", str(document.message)), document.message
        return
    pages = [job.page for job in pagewise.queues.jobs]
    assert pages == list(range(1, document.pages + 1))
    for job in pagewise.queues.jobs:
        content = pagewise.pages.objects[job.image.key]
        kind = "JPEG" if job.image.media_type == "image/jpeg" else "PNG"
        limits.check(job.image.width, job.image.height, kind, len(content), by_url=True)
        with Image.open(io.BytesIO(content)) as image:
            image.load()
            assert (image.format, image.size) == (kind, (job.image.width, job.image.height))
            assert image.mode in {"1", "L", "RGB"}
