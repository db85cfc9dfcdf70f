"""Blank pages are known, and no page with a word on it is taken for one."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pagewise.model import JobStatus
from pagewise.pages.blank import is_blank
from pagewise.pages.png import raster_of
from pagewise.qwen.settings import BlankPages
from pagewise.tasks import Task
from tests.pictures import picture
from tests.split.blanks import A4, other_papers, paper, with_text, without_text, written
from tests.split.documents import text_pdf
from tests.unit.conftest import Pagewise

# Shadows of two edges that holes and specks join.
TOO_SOILED = {"holes, specks and shadow"}


@pytest.mark.parametrize("text", ["A few faint words", "7"])
def test_no_page_with_words_is_called_blank(text: str) -> None:
    pages = list(with_text([text], [8, 12], [20, 60]))
    assert [name for name, image in pages if is_blank(raster_of(image))] == []


def test_words_of_other_papers_are_seen() -> None:
    assert [name for name, image in other_papers() if is_blank(raster_of(image))] == []


def test_paper_without_words_is_called_blank_whatever_the_scanner_made_of_it() -> None:
    sent = [name for name, image in without_text() if name not in TOO_SOILED and not is_blank(raster_of(image))]
    assert sent == []


@pytest.mark.parametrize("size", [(120, 80), (640, 400), (850, 1100), (1700, 2200)])
@pytest.mark.parametrize("period", [4, 6, 8, 10, 12])
def test_print_that_fills_the_page_is_not_taken_for_noise(period: int, size: tuple[int, int]) -> None:
    """Bar codes, rasters, tables of dense print: as much ink as paper, edge to edge."""
    across, down = (np.arange(side) % period < period / 2 for side in size)
    bars, lines, squares = np.tile(across, (size[1], 1)), np.tile(down, (size[0], 1)).T, down[:, None] ^ across
    called_blank = [
        name
        for name, ink in {"bars": bars, "lines": lines, "squares": squares}.items()
        for dark in (0, 100)
        if is_blank(raster_of(Image.fromarray(np.where(ink, dark, 255).astype(np.uint8))))
    ]
    assert called_blank == []


def test_a_cut_out_word_that_reaches_the_edges_is_none() -> None:
    assert not is_blank(raster_of(written(paper(size=(60, 20)), "word", 10, 250, (-4, -4))))


def saved(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def test_a_picture_too_small_to_have_paper_is_blank_only_in_one_colour() -> None:
    small = Image.linear_gradient("L").resize((16, 16))
    assert not is_blank(raster_of(small))
    assert is_blank(raster_of(Image.new("RGB", (16, 16), (10, 20, 30))))


def jobs_in(receipt: Mapping[str, Any]) -> list[dict[str, Any]]:
    return list(receipt["page_jobs"])


@pytest.mark.parametrize("task", Task)
def test_a_blank_page_ends_recognized_with_nothing_asked(task: Task, pagewise: Pagewise) -> None:
    document = pagewise.split.upload(pagewise.upload(saved(paper()), ocr_tasks=str(task)))
    pagewise.run_queues()
    assert pagewise.engine.questions == []
    (job,) = jobs_in(pagewise.receipt_of(document))
    assert (job["status"], job["blank"], job["attempts"]) == ("recognized", True, 0)
    assert (job["input_tokens"], job["output_tokens"]) == (0, 0)
    result = pagewise.ledger.result(document.id, 1, task)
    assert result is not None
    assert (result.status, result.output["text"], result.look.blank) == (JobStatus.RECOGNIZED, "", True)
    (event,) = pagewise.publisher.named("PageRecognized")
    assert event["blank"] is True
    assert pagewise.receipt_of(document)["status"] == "complete"


def test_a_blank_page_is_sent_where_the_setting_says_so(pagewise: Pagewise) -> None:
    pagewise.engine_settings = replace(pagewise.engine_settings, blank_pages=BlankPages.SEND)
    document = pagewise.split.upload(pagewise.upload(saved(paper())))
    pagewise.run_queues()
    assert len(pagewise.engine.questions) == 1
    (job,) = jobs_in(pagewise.receipt_of(document))
    assert (job["blank"], job["attempts"]) == (True, 1)


def test_a_redelivered_blank_page_is_accounted_once(pagewise: Pagewise) -> None:
    pagewise.split.upload(pagewise.upload(saved(paper())))
    job = pagewise.queues.jobs[0]
    assert pagewise.run_job(job) == pagewise.run_job(job, deliveries=2)
    assert len(pagewise.publisher.named("DocumentCompleted")) == 1


def test_the_blank_page_of_a_pdf_is_known_among_others(pagewise: Pagewise) -> None:
    pagewise.split.upload(pagewise.upload(text_pdf(3, changes={"contents2": None})))
    assert [job.image.look.blank for job in pagewise.queues.jobs] == [False, True, False]


def test_a_jpeg_that_stays_as_it_is_says_whether_it_is_blank(pagewise: Pagewise) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", A4, "white").save(buffer, "JPEG")
    for key, content in (("uploads/1", buffer.getvalue()), ("uploads/2", picture(image_format="JPEG"))):
        pagewise.split.upload(pagewise.uploads.put(content, key))
    assert [(job.image.media_type, job.image.look.blank) for job in pagewise.queues.jobs] == [
        ("image/jpeg", True),
        ("image/jpeg", False),
    ]
