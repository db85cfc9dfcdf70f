"""Images as they are sent: fetched or decoded, and held to the service's limits before any pixel is read."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import aiohttp
from PIL import Image, UnidentifiedImageError
from pillow_heif import register_heif_opener
from yarl import URL

from local.engine import refusal

if TYPE_CHECKING:
    from local.engine.recognition.page import Picture

MOST_BYTES = 10_485_760
DOWNLOAD_SECONDS = 15.0
LEAST_SIDE_EXCLUSIVE = 10
MOST_ASPECT_RATIO = 200
MOST_PIXELS = 15_680_000
SIDES_4K = (3840, 2160)
SIDES_8K = (7680, 4320)
MIME_TYPES = {
    "BMP": "image/bmp",
    "JPEG": "image/jpeg",
    # A JPEG with further frames behind it, as phones write it.
    "MPO": "image/jpeg",
    "PNG": "image/png",
    "TIFF": "image/tiff",
    "WEBP": "image/webp",
    "HEIF": "image/heic",
}
FROM_4K_UP = ("image/jpeg", "image/png")

register_heif_opener()
Image.MAX_IMAGE_PIXELS = None  # The limits below are stricter, and apply before a pixel is decoded.


@dataclass(frozen=True, slots=True)
class SentImage:
    """An image that keeps the limits, not yet decoded."""

    content: bytes
    width: int
    height: int

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


async def receive(source: str) -> SentImage:
    """The image behind a data URL or an http(s) URL."""
    if source.startswith("data:"):
        return await asyncio.to_thread(_from_data_url, source)
    if re.match(r"https?://[^/\s]+", source):
        content = await _download(source)
        return await asyncio.to_thread(inspect, content, None)
    raise refusal.invalid_url()


def _from_data_url(source: str) -> SentImage:
    head, _, encoded = source.partition(",")
    declared = re.fullmatch(r"data:(image/[a-z0-9.+-]+);base64", head, re.IGNORECASE)
    if declared is None:
        raise refusal.invalid_url()
    if len(encoded) > MOST_BYTES:
        raise refusal.invalid(f"Exceeded limit on max bytes per data-uri item : {MOST_BYTES}")
    try:
        content = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        raise refusal.undecodable() from None
    return inspect(content, declared[1].lower())


async def _download(url: str) -> bytes:
    try:
        limit = aiohttp.ClientTimeout(total=DOWNLOAD_SECONDS)
        async with aiohttp.ClientSession(timeout=limit) as session, session.get(_as_signed(url)) as reply:
            if reply.status != 200:
                raise refusal.download_failed()
            content = await reply.content.read(MOST_BYTES + 1)
            while len(content) <= MOST_BYTES and (more := await reply.content.read(MOST_BYTES + 1 - len(content))):
                content += more
    except TimeoutError:
        raise refusal.download_timed_out() from None
    except (aiohttp.ClientError, ValueError):
        raise refusal.download_failed() from None
    if len(content) > MOST_BYTES:
        raise refusal.invalid(f"Exceeded limit on max bytes per url item : {MOST_BYTES}")
    return content


def _as_signed(url: str) -> URL:
    # A presigned URL's signature covers its exact spelling: nothing may be re-encoded.
    return URL(url, encoded=True)


def inspect(content: bytes, declared: str | None) -> SentImage:
    """Hold an image to the documented limits; `declared` is the data URL's MIME type."""
    try:
        with Image.open(io.BytesIO(content)) as image:
            mime_type, (width, height) = MIME_TYPES.get(image.format or ""), image.size
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError):
        raise refusal.undecodable() from None
    if mime_type is None:
        raise refusal.invalid("The image format is illegal and cannot be opened.")
    if declared is not None and declared != mime_type:
        raise refusal.invalid(f"The image format is illegal and cannot be opened: {mime_type} declared as {declared}.")
    _check_dimensions(width, height)
    _check_format(width, height, mime_type)
    return SentImage(content, width, height)


def _check_dimensions(width: int, height: int) -> None:
    broken = "The image length and width do not meet the model restrictions."
    if min(width, height) <= LEAST_SIDE_EXCLUSIVE:
        raise refusal.invalid(f"{broken} [height:{height} or width:{width} must be larger than {LEAST_SIDE_EXCLUSIVE}]")
    if max(width, height) > MOST_ASPECT_RATIO * min(width, height):
        raise refusal.invalid(
            f"{broken} [absolute aspect ratio must be smaller than {MOST_ASPECT_RATIO}, "
            f"got {max(width, height)} / {min(width, height)}]"
        )
    if width * height > MOST_PIXELS:
        raise refusal.invalid(f"{broken} [the image must not exceed {MOST_PIXELS} pixels, got {width * height}]")


def _check_format(width: int, height: int, mime_type: str) -> None:
    sides = (max(width, height), min(width, height))
    if sides[0] > SIDES_8K[0] or sides[1] > SIDES_8K[1]:
        raise refusal.invalid("The image length and width do not meet the model restrictions. [resolution is above 8K]")
    if (sides[0] >= SIDES_4K[0] or sides[1] >= SIDES_4K[1]) and mime_type not in FROM_4K_UP:
        raise refusal.invalid(f"The image format is illegal and cannot be opened: {mime_type} from 4K (3840x2160) up.")


def picture(image: SentImage, max_pixels: int) -> Picture:
    """The image's pixels as they were sent (EXIF not applied), transparency on white, at most `max_pixels`."""
    import cv2
    import numpy as np

    try:
        with Image.open(io.BytesIO(image.content)) as opened:
            opened.load()
            colour = _on_white(opened)
    except (OSError, ValueError, SyntaxError, EOFError):
        raise refusal.undecodable() from None
    pixels = np.asarray(colour)[:, :, ::-1]
    if image.width * image.height <= max_pixels:
        return np.ascontiguousarray(pixels)
    scale = (max_pixels / (image.width * image.height)) ** 0.5
    size = max(1, int(image.width * scale)), max(1, int(image.height * scale))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode == "I;16" or image.mode.startswith("I"):
        # 16 bits a pixel: keep the upper eight.
        image = image.point(lambda value: value / 256).convert("L")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        white = Image.new("RGB", image.size, "white")
        white.paste(rgba, mask=rgba.getchannel("A"))
        return white
    return image.convert("RGB")
