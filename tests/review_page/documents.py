"""Documents to review: recognized ones, and others that have what a test needs."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from pagewise.model import DocumentId, JobStatus, Result, ResultSource
from pagewise.options.rules import judged
from pagewise.results import load_result
from pagewise.tasks import Task
from tests.review_page.serving import Held, Page, Picture

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PROFILE = json.loads((ROOT / "profiles/receipts.json").read_text(encoding="utf-8"))
WIDTH, HEIGHT = 1240, 1754
LINE = 34


def stored(path: Path) -> Result:
    """A result as `./pagewise run` leaves it."""
    return load_result({"request_id": None, "seconds": None} | json.loads(path.read_text(encoding="utf-8")))


def receipt(name: str = "receipt.jpg", misread: Mapping[str, Any] | None = None) -> Held:
    """The project's sample as the embedded engine reads it; `misread` takes the place of fields."""
    fields = stored(HERE / "results/receipt.key_information_extraction.json")
    read = replace(fields, output={**fields.output, "fields": {**fields.output["fields"], **(misread or {})}})
    lines = stored(HERE / "results/receipt.advanced_recognition.json")
    picture = Picture((ROOT / "events/samples/receipt.jpg").read_bytes(), "image/jpeg", 1240, 1900)
    return Held(name, [page([read, lines], picture, PROFILE["validation"])], "receipts", PROFILE["validation"])


def recognized(folder: Path, profile: str | None = "receipts") -> Held:
    """What `./pagewise run` has left in its folder of a document."""
    rules = PROFILE["validation"] if profile else None
    pages = []
    for image in sorted(folder.glob("pages/*")):
        results = [stored(path) for path in sorted(folder.glob(f"results/{image.stem}.*.json"))]
        with Image.open(image) as opened:
            picture = Picture(image.read_bytes(), f"image/{opened.format}".lower(), *opened.size)
        pages.append(page(results, picture, rules))
    return Held(folder.name, pages, profile, rules)


def page(results: Sequence[Result], picture: Picture | None = None, rules: Mapping[str, Any] | None = None) -> Page:
    return Page({result.task: judged(result, rules) for result in results}, picture)


def fields_of(fields: Mapping[str, Any], number: int = 1) -> Result:
    return result(Task.KEY_INFORMATION_EXTRACTION, number, fields=fields, text=json.dumps(fields))


def lines_of(texts: Sequence[str], number: int = 1) -> Result:
    """One below the other."""
    lines = [{"text": text, "location": place(at)} for at, text in enumerate(texts)]
    return result(Task.ADVANCED_RECOGNITION, number, lines=lines, text="\n".join(texts))


def table_of(html: str) -> Result:
    return result(Task.TABLE_PARSING, 1, html=html, text=html)


def result(task: Task, number: int, **output: Any) -> Result:
    return Result(
        DocumentId("document"),
        number,
        task,
        JobStatus.RECOGNIZED,
        1,
        "2026-11-25T08:00:00.000Z",
        WIDTH,
        HEIGHT,
        output=output,
        source=ResultSource.ENGINE,
    )


def place(at: int) -> list[int]:
    """Of a line among many: in columns of fifty."""
    column, row = divmod(at, 50)
    left, top = 20 + column * 12, row * LINE + 10
    right, bottom = left + (1_000 if column == 0 else 10), top + LINE - 6
    return [left, top, right, top, right, bottom, left, bottom]


@cache
def drawn(*texts: str) -> Picture:
    """A page with these lines."""
    image = Image.new("L", (WIDTH, HEIGHT), 255)
    draw = ImageDraw.Draw(image)
    for at, text in enumerate(texts):
        draw.text((20, at * LINE + 12), text.encode("ascii", "replace").decode(), fill=0, font_size=22)
    file = io.BytesIO()
    image.save(file, "PNG")
    return Picture(file.getvalue(), "image/png", WIDTH, HEIGHT)
