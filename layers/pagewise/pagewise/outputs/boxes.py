"""A page with its lines' quadrilaterals and numbers drawn over it, as PNG and as SVG.

The PNG shows numbers; the SVG has each line's text too, in any script, shown when its box is pointed at.
"""

from __future__ import annotations

import base64
import html
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pagewise import geometry
from pagewise.geometry import Point, Size
from pagewise.outputs.contents import PageContents
from pagewise.outputs.refusal import OutputRefused
from pagewise.tasks import Task

COLOURS = ("#d00000", "#0060d0", "#008040", "#a000a0", "#c06000")
# The picture is for looking at; the SVG has the page in full.
MOST_DRAWN = 4_000_000
MOST_PIXELS = 40_000_000  # no page image has more than 15.68 million
# zlib's quickest: a page takes a fifth of the time of its usual one.
LEVEL = 1

STYLE = (
    "polygon{fill:transparent}text{font-family:sans-serif;paint-order:stroke;stroke:#fff;stroke-width:.2em}"
    ".line{opacity:0;pointer-events:none}g:hover .line{opacity:1}g:hover polygon{fill:#ff03}"
)

Box = tuple[int, tuple[Point, ...], str]


def boxes_of(page: PageContents) -> list[Box]:
    """Number, corners and text of each line that has a position. Numbers are the line's in the result, from 1."""
    result = page.recognized(Task.ADVANCED_RECOGNITION)
    found: list[Box] = []
    for number, line in enumerate(result.output.get("lines") or () if result else (), 1):
        if corners := corners_of(line):
            found.append((number, corners, str(line.get("text") or "")))
    return found


def corners_of(line: Any) -> tuple[Point, ...] | None:
    location = geometry.numbers(line.get("location"), 8)
    rect = geometry.numbers(line.get("rotate_rect"), 5)
    if location:
        return tuple(geometry.pairs(location))
    return tuple(geometry.corners_of(geometry.as_rect(rect))) if rect else None


def write_png(boxes: Sequence[Box], image: Path, to: Path) -> None:
    """Raises OutputRefused where the page image is none."""
    from PIL import Image, ImageDraw, ImageFont

    try:
        with Image.open(image) as opened:
            if opened.width * opened.height > MOST_PIXELS:
                raise OutputRefused("unreadable_image", "The page image is larger than any page. Render it again.")
            full = Size(opened.width, opened.height)
            scale = min(1.0, math.sqrt(MOST_DRAWN / (full.width * full.height)))
            drawn = opened.convert("RGB")
            if scale < 1:
                drawn = drawn.resize((round(full.width * scale), round(full.height * scale)), reducing_gap=2.0)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise OutputRefused("unreadable_image", "The page image cannot be read. Render the page again.") from error
    draw = ImageDraw.Draw(drawn)
    line_width = max(1, round(min(drawn.size) / 600))
    for number, places, _ in boxes:
        corners = [(x * drawn.width / full.width, y * drawn.height / full.height) for x, y in places]
        colour = COLOURS[(number - 1) % len(COLOURS)]
        draw.polygon(corners, outline=colour, width=line_width)
        size = label_size(corners, Size(*drawn.size))
        font = ImageFont.load_default(size)
        x, y = label_place(corners, size)
        left, top, right, bottom = draw.textbbox((x, y), str(number), font=font)
        draw.rectangle((left - 1, top - 1, right + 1, bottom + 1), fill="white")
        draw.text((x, y), str(number), fill=colour, font=font)
    drawn.save(to, format="PNG", compress_level=LEVEL)


def write_svg(boxes: Sequence[Box], size: Size, image: Path | None, to: Path) -> None:
    """The page image is in the SVG: a link would hold in the bucket or in a fetched folder, and not in both."""
    thick = max(1, round(min(size.width, size.height) / 600))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size.width} {size.height}">',
        f"<style>{STYLE}</style>",
    ]
    if image:
        parts.append(f'<image href="{embedded(image)}" width="{size.width}" height="{size.height}"/>')
    for number, corners, text in boxes:
        colour = COLOURS[(number - 1) % len(COLOURS)]
        points = " ".join(f"{x:g},{y:g}" for x, y in corners)
        high = label_size(corners, size)
        x, y = label_place(corners, high)
        shown = html.escape("".join(letter for letter in text if letter >= " " and not "\ud800" <= letter <= "\udfff"))
        parts.append(
            f'<g fill="{colour}"><title>{number}: {shown}</title>'
            f'<polygon points="{points}" stroke="{colour}" stroke-width="{thick}"/>'
            f'<text x="{x:g}" y="{y + high * 0.85:g}" font-size="{high:g}">{number}</text>'
            f'<text class="line" x="{x + high * 2:g}" y="{y + high * 0.85:g}" font-size="{high * 1.4:g}">'
            f"{shown}</text></g>"
        )
    to.write_text("\n".join([*parts, "</svg>"]) + "\n", encoding="utf-8")


def label_size(corners: Sequence[Point], page: Size) -> float:
    """Half a line's height, and legible."""
    rect = geometry.rect_around(list(corners))
    return min(max(rect[3] / 2, max(page.width, page.height) / 130), max(page.width, page.height) / 40)


def label_place(corners: Sequence[Point], size: float) -> Point:
    """At the left of the first corner, outside of the box where the page has room."""
    left, top = min(x for x, _ in corners), min(y for _, y in corners)
    return max(left - size * 1.4, 0), max(top - size * 0.3, 0)


def embedded(image: Path) -> str:
    """A page image, PNG or JPEG, as a data URL."""
    content = image.read_bytes()
    media_type = "image/png" if content.startswith(b"\x89PNG") else "image/jpeg"
    return f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}"
