"""Every rule of "Image limits" before the call; what is sent instead of a page that breaks one; and how it travels."""

from __future__ import annotations

import asyncio
import base64
import csv
import io
import random
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from PIL import Image, ImageChops

from pagewise.errors import ImageRejected, Permanent
from pagewise.model import Document, DocumentId, DocumentStatus, PageJob, PageRange, Source, StoredImage
from pagewise.pages import limits
from pagewise.pages.images import PageImage
from pagewise.pages.rendering import Renderer, inspect
from pagewise.qwen import fitting
from pagewise.qwen.fitting import ImageTransport, Inline
from pagewise.qwen.question import Question
from pagewise.tasks import Task
from tests.engine.asking import ROOT, Engine, encode
from tests.fakes import text_answer
from tests.protocol.conftest import address, asked, question
from tests.protocol.test_client import comment
from tests.unit.conftest import Pagewise

CORPUS = ROOT.parent / "shared/corpus"
MB = 1_000_000


def blank(width: int, height: int, image_format: str = "PNG") -> bytes:
    return encode(Image.new("L", (width, height), 255), image_format)


def noise(width: int, height: int, mode: str = "L") -> Image.Image:
    channels = len(mode)
    return Image.frombytes(mode, (width, height), random.Random(1).randbytes(width * height * channels))


def rule(content: bytes) -> str | None:
    try:
        fitting.check_file(content)
    except Permanent as error:
        return error.reason
    return None


@pytest.mark.parametrize(
    ("width", "height", "image_format", "expected"),
    [
        (10, 100, "PNG", "too_small"),
        (100, 10, "PNG", "too_small"),
        (11, 11, "PNG", None),
        (2200, 11, "PNG", None),
        (2201, 11, "PNG", "extreme_aspect_ratio"),
        (11, 2201, "PNG", "extreme_aspect_ratio"),
        (4000, 3920, "PNG", None),
        (4000, 3921, "PNG", "too_many_pixels"),
        (7680, 2000, "JPEG", None),
        (7681, 2000, "JPEG", "over_8k"),
        (3839, 2159, "WEBP", None),
        (3840, 100, "BMP", "format_from_4k"),
        (2160, 100, "TIFF", None),
        (2161, 2160, "TIFF", "format_from_4k"),
        (3840, 2160, "WEBP", "format_from_4k"),
        (3840, 2160, "JPEG", None),
        (2160, 3840, "PNG", None),
        (400, 400, "GIF", "unsupported_format"),
    ],
)
def test_each_rule_at_its_edge_as_the_engine_sees_it(
    canned: Engine, width: int, height: int, image_format: str, expected: str | None
) -> None:
    content = blank(width, height, image_format)
    assert rule(content) == expected
    assert (canned.ask(content).status_code == 200) is (expected is None) or image_format == "GIF"


def test_the_size_of_base64_and_of_a_file_by_url() -> None:
    limits.check(1000, 1000, "PNG", 7_860_000)
    limits.check(1000, 1000, "PNG", 9_990_000, by_url=True)
    for size, by_url in ((7_870_000, False), (10_000_001, True)):
        with pytest.raises(ImageRejected) as refused:
            limits.check(1000, 1000, "PNG", size, by_url)
        assert refused.value.reason == "too_many_bytes"


@pytest.mark.parametrize("image_format", ["BMP", "JPEG", "PNG", "TIFF", "WEBP"])
def test_the_media_type_is_that_of_the_bytes(image_format: str) -> None:
    fitted = fitting.fitted_for_call(blank(300, 200, image_format))
    assert fitted.sent.media_type == limits.MEDIA_TYPES[image_format]
    assert (fitted.sent.width, fitted.sent.height) == (300, 200)
    assert fitted.sent.mended == ()
    assert fitted.content == blank(300, 200, image_format)


def test_a_header_is_read_without_decoding_also_of_a_jpeg_with_much_before_its_frame() -> None:
    picture = Image.new("RGB", (321, 123), "white")
    picture.getexif()[0x010E] = "x" * 40_000
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", exif=picture.getexif(), progressive=True, comment=b"c" * 30_000)
    assert fitting.read_header(buffer.getvalue()) == fitting.Header("JPEG", 321, 123)


@pytest.mark.parametrize(
    ("size", "choice", "by_url"),
    [
        (6.9, ImageTransport.AUTO, False),
        (7.1, ImageTransport.AUTO, True),
        (9.9, ImageTransport.AUTO, True),
        (0.1, ImageTransport.URL, True),
        (6.9, ImageTransport.BASE64, False),
    ],
)
def test_the_way_is_chosen_as_the_faq_says(size: float, choice: ImageTransport, by_url: bool) -> None:
    page = padded(blank(1000, 1000), round(size * MB))
    fitted = fitting.fitted_for_call(page, choice)
    assert fitted.content is page
    assert (fitted.sent.by_url, fitted.sent.mended) == (by_url, ())


def padded(png: bytes, size: int) -> bytes:
    """The same picture in a PNG of so many bytes, with a comment of nothing."""
    return png[:-12] + comment(size - len(png) - 20) + png[-12:]


def test_a_large_png_is_made_tighter_without_loss() -> None:
    page = encode_png(Image.new("RGB", (2000, 2000), "white"), level=0)
    assert len(page) > 10 * MB
    fitted = fitting.fitted_for_call(page)
    assert fitted.sent.mended == ("recompressed",)
    assert not ImageChops.difference(opened(page), opened(fitted.content)).getbbox()


def test_losing_colour_depth_comes_before_losing_pixels() -> None:
    page = encode_png(noise(2000, 2000, "RGB"), level=0)  # noise has no tighter PNG
    fitted = fitting.fitted_for_call(page)
    assert fitted.sent.media_type == "image/jpeg"
    assert fitted.sent.mended[-1].startswith("jpeg_")
    assert (fitted.sent.width, fitted.sent.height) == (2000, 2000)
    assert fitted.sent.size <= 10 * MB


def test_at_last_pixels_go_as_few_as_needed() -> None:
    page = encode_png(noise(2500, 2500, "RGB"), level=0)
    fitted = fitting.fitted_for_call(page, ImageTransport.BASE64)
    assert fitted.sent.mended == ("downscaled", "jpeg_80")
    assert fitted.sent.size <= 7 * MB
    assert 0.5 < fitted.sent.width / 2500 < 1
    assert fitting.read_header(fitted.content).width == fitted.sent.width


@pytest.mark.parametrize(
    ("content", "mended"),
    [
        (lambda: blank(4000, 3000, "BMP"), ("converted_to_png",)),
        (lambda: blank(4000, 3000, "TIFF"), ("converted_to_png",)),
        (lambda: blank(4000, 4000, "PNG"), ("downscaled",)),
        (lambda: blank(9000, 1000, "JPEG"), ("downscaled",)),
    ],
)
def test_what_breaks_a_rule_is_mended_and_passes(canned: Engine, content: object, mended: tuple[str, ...]) -> None:
    page: bytes = content()  # type: ignore[operator]
    assert rule(page) is not None
    fitted = fitting.fitted_for_call(page)
    assert fitted.sent.mended == mended
    assert rule(fitted.content) is None
    assert canned.ask(fitted.content).status_code == 200


@pytest.mark.parametrize("content", [blank(10, 300), blank(2300, 11), b"", b"GIF89a" + bytes(50), b"no image at all"])
def test_what_cannot_be_mended_is_a_permanent_error_with_the_rules_name(content: bytes) -> None:
    with pytest.raises(ImageRejected) as refused:
        fitting.fitted_for_call(content)
    assert refused.value.reason in {"too_small", "extreme_aspect_ratio", "unsupported_format"}


class Bucket(BaseHTTPRequestHandler):
    page = b""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.page)))
        self.end_headers()
        self.wfile.write(self.page)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def bucket() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Bucket) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


# ── The corpus ───────────────────────────────────────────────────────────────────────────────────────────────────────


def corpus() -> list[dict[str, str]]:
    if not CORPUS.exists():
        return []
    with (CORPUS / "manifest.csv").open(newline="", encoding="utf-8") as rows:
        return [row for row in csv.DictReader(rows) if row["raw_api_rule"] != "PDF is not an image format"]


def label(row: dict[str, str]) -> str:
    return Path(row["file"]).name[:3]


@pytest.mark.parametrize("row", [row for row in corpus() if row["raw_api_ok"] != "unclear"], ids=label)
def test_our_validation_says_of_each_corpus_image_what_the_manifest_says(row: dict[str, str]) -> None:
    content = (CORPUS / row["file"]).read_bytes()
    assert (rule(content) is None) is (row["raw_api_ok"] == "yes"), (rule(content), row["raw_api_rule"])


def pages_of(file: Path) -> list[PageImage]:
    """The pages that the splitter makes of a file; none of one that it rejects."""
    try:
        contents = inspect(file)
    except Permanent:
        return []
    rendered = Renderer().render(file, contents, PageRange(1, contents.pages))
    return [page for page in rendered if isinstance(page, PageImage)]


@pytest.mark.parametrize("row", corpus(), ids=label)
def test_what_we_send_of_each_corpus_image_passes_the_engine(canned: Engine, bucket: str, row: dict[str, str]) -> None:
    """All pages that the splitter makes of it. What it refuses, the manifest refuses, too, or may."""
    file = CORPUS / row["file"]
    pages = pages_of(file)
    assert pages or "rejected" in row["pipeline_expected"] + row["also_acceptable"]
    for page in pages:
        fitted = fitting.fitted_for_call(page.content)
        Bucket.page = fitted.content
        image = f"{bucket}/page" if fitted.sent.by_url else Inline(fitted.content, fitted.sent.media_type)
        assert "Canned answer" in asked(address(canned), question(image=image)).text


# ── By URL ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_page_of_8_mb_is_refused_as_base64_and_taken_by_url(canned: Engine, bucket: str) -> None:
    Bucket.page = padded(blank(1000, 1000), 8 * MB)
    with pytest.raises(Permanent, match="data-uri"):
        asked(address(canned), question(image=Inline(Bucket.page, "image/png")))
    assert "Canned answer" in asked(address(canned), question(image=f"{bucket}/page.png")).text


def job_for(pagewise: Pagewise, content: bytes) -> PageJob:
    key = pagewise.pages.put_image(DocumentId("d"), 1, content, "image/png")
    image = StoredImage(key, "image/png", 4000, 4000, len(content))
    source = Source("uploads", "uploads/d.png", "v1", "v1", len(content))
    now, tasks = pagewise.clock.now(), (Task.ADVANCED_RECOGNITION,)
    pagewise.ledger.open(Document(DocumentId("d"), source, DocumentStatus.IN_PROGRESS, tasks, 1, now, now))
    return PageJob(DocumentId("d"), 1, Task.ADVANCED_RECOGNITION, 1, image)


def asked_of(pagewise: Pagewise, job: PageJob) -> Question:
    return pagewise.recognize.question(job, seconds=42.5)[0]


def test_a_stored_page_goes_by_a_url_that_lives_for_the_call() -> None:
    pagewise = Pagewise()
    job = job_for(pagewise, padded(blank(1000, 1000), 8 * MB))
    assert asked_of(pagewise, job).image == f"https://pages.example/{job.image.key}?seconds=103"
    assert list(pagewise.pages.objects) == [job.image.key]


def test_a_mended_page_that_goes_by_url_is_stored_beside_the_page_and_the_result_says_so() -> None:
    pagewise = Pagewise(script=[text_answer(words=[{"text": "a", "location": [0, 0, 10, 0, 10, 10, 0, 10]}])])
    page = encode_png(noise(4000, 4000), level=0)  # 16 MB and 16 MP: too many of both
    job = job_for(pagewise, page)
    (result,) = asyncio.run(pagewise.recognize.recognized(job, 1, time.monotonic() + 60))
    (asked_about,) = pagewise.engine.questions
    assert result.sent is not None
    assert result.sent["mended"][0] == "downscaled"
    assert result.sent["width"] == result.sent["height"] == 3959
    if result.sent["transport"] == "url":
        assert asked_about.image.startswith("https://pages.example/documents/d/sent/00001.")  # type: ignore[union-attr]
    assert pagewise.pages.objects[job.image.key] == page
    # What the engine located on the smaller image is told in pixels of the stored page.
    assert result.output["lines"][0]["location"] == [0, 0, 10.1, 0, 10.1, 10.1, 0, 10.1]


def encode_png(image: Image.Image, level: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=level)
    return buffer.getvalue()


def opened(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content))


def test_base64_of_the_largest_inline_page_is_within_the_services_limit() -> None:
    assert len(base64.b64encode(bytes(limits.MAX_INLINE_BYTES))) < limits.MAX_BASE64_CHARACTERS
