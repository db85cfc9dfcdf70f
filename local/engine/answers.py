"""Each task's answer, made from the page as it was read."""

from __future__ import annotations

import asyncio
import json
import math
from typing import TYPE_CHECKING, Any

from local.engine import refusal
from local.engine.images import SentImage
from local.engine.page_reader import PageReader, ReadImage
from local.engine.protocol_native import Answer
from local.engine.tasks import Request, Schema, Task

if TYPE_CHECKING:
    from local.engine.recognition.page import Quad

OF_ONE_IMAGE = (Task.ADVANCED_RECOGNITION,)
"""A place on a page has no page in the reply."""


def check_possible(wish: Request, image_count: int) -> None:
    if wish.task is Task.FORMULA_RECOGNITION:
        raise refusal.invalid(
            "The embedded engine can't recognize formulas: it has no model for them. "
            "Use a real Qwen-OCR endpoint for formula_recognition."
        )
    if image_count > 1 and wish.task in OF_ONE_IMAGE:
        raise refusal.invalid(f"{wish.task} takes one image, the request has {image_count}.")


async def answer(wish: Request, images: list[tuple[SentImage, int]], reader: PageReader) -> Answer:
    """`images` come with their max_pixels."""
    found = [await _answer_one(wish, image, max_pixels, reader) for image, max_pixels in images]
    return found[0] if len(found) == 1 else _together(wish, found)


def _together(wish: Request, found: list[Answer]) -> Answer:
    """One answer to the images of a document, in order."""
    match wish.task:
        case Task.KEY_INFORMATION_EXTRACTION:
            fields: dict[str, Any] = {}
            for one in found:
                fields = merged(fields, (one.ocr_result or {})["kv_result"], by_schema=bool(wish.schema))
            return _of_fields(fields)
        case Task.TABLE_PARSING:
            return Answer(_fenced("html", "\n".join(_unfenced("html", one.text) for one in found)))
        case Task.DOCUMENT_PARSING:
            return Answer(_fenced("latex", "\n\n".join(_unfenced("latex", one.text) for one in found)))
        case _:
            return Answer("\n\n".join(one.text for one in found))


def merged(fields: dict[str, Any], others: dict[str, Any], *, by_schema: bool) -> dict[str, Any]:
    """The fields of some pages with those of the next. Lists go on. With a schema a field has the first value that is
    found; without one it has all that differ."""
    together = dict(fields)
    for name, value in others.items():
        before = together.get(name)
        if before is None:
            together[name] = value
        elif isinstance(before, dict) and isinstance(value, dict):
            together[name] = merged(before, value, by_schema=by_schema)
        elif isinstance(before, list) and isinstance(value, list):
            together[name] = [one for one in (*before, *value) if _has_value(one)] or before
        elif not by_schema and value != before:
            values = [*(before if isinstance(before, list) else [before])]
            values += value if isinstance(value, list) else [value]
            together[name] = values
    return together


def _has_value(element: Any) -> bool:
    if isinstance(element, dict):
        return any(map(_has_value, element.values()))
    return element is not None


async def _answer_one(wish: Request, image: SentImage, max_pixels: int, reader: PageReader) -> Answer:
    read = await reader.read(image, max_pixels)
    match wish.task:
        case Task.ADVANCED_RECOGNITION:
            return _located(read, image)
        case Task.KEY_INFORMATION_EXTRACTION:
            return await asyncio.to_thread(_fields, read, wish.schema)
        case Task.TABLE_PARSING:
            from local.engine.tables import whole_page

            tables = await reader.tables(image, max_pixels) or [whole_page(read.page)]
            return Answer(_fenced("html", "\n".join(table.html() for table in tables)))
        case Task.DOCUMENT_PARSING:
            from local.engine.latex import document

            tables = await reader.tables(image, max_pixels)
            return Answer(_fenced("latex", document(read.page, tables)))
        case _:
            return Answer(read.page.text)


def _fenced(language: str, text: str) -> str:
    return f"```{language}\n{text}\n```"


def _unfenced(language: str, text: str) -> str:
    return text.removeprefix(f"```{language}\n").removesuffix("\n```")


def _located(read: ReadImage, image: SentImage) -> Answer:
    words, positions = [], []
    for line in read.page.lines:
        quad = _scaled(read.page.on_sent_image(line.quad), read.scale)
        rectangle = rotate_rect(quad)
        corners = [round(number) for corner in quad for number in corner]
        words.append({"rotate_rect": rectangle, "location": corners, "text": line.text})
        positions.append({"rotate_rect": _normalised(rectangle, image.width, image.height)})
    # Where no ocr_result holds the texts, they stand beside their rectangles.
    texts = [position | {"text": word["text"]} for position, word in zip(positions, words, strict=True)]
    return Answer(_listing(positions), {"words_info": words}, _listing(texts))


def _listing(positions: list[dict[str, Any]]) -> str:
    # The documented sample closes its fence without a line break.
    return f"```json\n{json.dumps([{'pos_list': positions}], ensure_ascii=False)}```"


def _scaled(quad: Quad, scale: float) -> Quad:
    a, b, c, d = ((x * scale, y * scale) for x, y in quad)
    return a, b, c, d


def rotate_rect(quad: Quad) -> list[int]:
    """[cx, cy, width, height, angle] by the service's convention: width and height swapped, angle a right angle off.

    A level line 197 long and 49 high comes as [150, 80, 49, 197, -89]: text angle = angle - 90 (modulo 180).
    """
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = quad
    along = (math.hypot(bx - ax, by - ay) + math.hypot(cx - dx, cy - dy)) / 2
    across = (math.hypot(dx - ax, dy - ay) + math.hypot(cx - bx, cy - by)) / 2
    tilt = math.degrees(math.atan2(by - ay, bx - ax)) % 180
    centre = (ax + bx + cx + dx) / 4, (ay + by + cy + dy) / 4
    return [round(centre[0]), round(centre[1]), round(across), round(along), round(tilt - 90)]


def _normalised(rectangle: list[int], width: int, height: int) -> list[int]:
    """In thousandths of the image's sides, each side of the rectangle measured along its own direction."""
    cx, cy, across, along, angle = rectangle
    return [
        round(cx * 1000 / width),
        round(cy * 1000 / height),
        round(across * _thousandths(angle, width, height)),
        round(along * _thousandths(angle + 90, width, height)),
        angle,
    ]


def _thousandths(angle: float, width: int, height: int) -> float:
    """Thousandths to a pixel in this direction: of the width when level, of the height when upright."""
    return math.hypot(math.cos(math.radians(angle)) * 1000 / width, math.sin(math.radians(angle)) * 1000 / height)


def _fields(read: ReadImage, schema: Schema | None) -> Answer:
    from local.engine.key_information import all_fields, fields_by_schema

    return _of_fields(fields_by_schema(read.page, schema) if schema else all_fields(read.page))


def _of_fields(found: dict[str, Any]) -> Answer:
    return Answer(_fenced("json", json.dumps(found, ensure_ascii=False, indent=4)), {"kv_result": found})
