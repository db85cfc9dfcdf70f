"""Small documents that tests draw."""

from __future__ import annotations

import io

from PIL import Image, ImageDraw


def picture(
    width: int = 200, height: int = 100, mode: str = "RGB", image_format: str = "PNG", **options: object
) -> bytes:
    """A small picture with something drawn on it."""
    image = Image.new("RGB", (width, height), "white")
    ImageDraw.Draw(image).line((0, 0, width, height), fill="red", width=3)
    buffer = io.BytesIO()
    image.convert(mode).save(buffer, format=image_format, **options)
    return buffer.getvalue()


def tiff(pages: int, size: tuple[int, int] = (120, 80), colour: int = 0) -> bytes:
    """A TIFF of so many pages, each with its number of bars in this grey; white ones are blank."""
    frames = []
    for page in range(pages):
        frame = Image.new("L", size, 255)
        for bar in range(page + 1):
            ImageDraw.Draw(frame).rectangle((4 * bar, 0, 4 * bar + 1, 40), fill=colour)
        frames.append(frame)
    buffer = io.BytesIO()
    frames[0].save(buffer, format="TIFF", save_all=True, append_images=frames[1:])
    return buffer.getvalue()
