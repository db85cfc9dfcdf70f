"""The way of a page image to the engine: as Base64 in the request, or by a URL from which the engine fetches it.

Qwen-OCR documentation, FAQ: over HTTP, Base64 for originals under 7 MB, a public URL from 7 to 10 MB. An image that
breaks one of the "Image limits" is mended before it is sent: losslessly where that is enough, else with the least
loss, in this order: another container, a tighter PNG, fewer pixels where the limits force it, JPEG from quality 95
down, and at last fewer pixels again. Pillow is imported only then: a page within the limits costs a look at its header.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from pagewise.errors import DocumentRejected, ImageRejected
from pagewise.pages import images, limits
from pagewise.pages.colours import opaque

if TYPE_CHECKING:
    from PIL.Image import Image

JPEG_QUALITIES = (95, 90, 85, 80)
# The factor of the sides at a step: a fifth of the pixels less.
SHRINK = 0.9


class ImageTransport(StrEnum):
    """The setting: the FAQ's table, or always one way.

    `base64` is for engines that cannot reach the pages bucket, `url` for requests that shall stay small.
    """

    AUTO = "auto"
    BASE64 = "base64"
    URL = "url"


@dataclass(frozen=True, slots=True)
class Inline:
    """An image that travels in the request itself."""

    content: bytes
    media_type: str

    @property
    def prefix(self) -> str:
        return f"data:{self.media_type};base64,"


@dataclass(frozen=True, slots=True)
class Sent:
    """An image as it is sent, for the result to show.

    `mended` names the changes against the stored page: `converted_to_png` and `recompressed` lose nothing,
    `downscaled` and `jpeg_<quality>` do.
    """

    media_type: str
    width: int
    height: int
    size: int
    by_url: bool = False
    mended: tuple[str, ...] = ()

    def shown(self) -> dict[str, Any]:
        return {
            "transport": "url" if self.by_url else "base64",
            "media_type": self.media_type,
            "width": self.width,
            "height": self.height,
            "bytes": self.size,
            "mended": list(self.mended),
        }


@dataclass(frozen=True, slots=True)
class FittedImage:
    """The image to send, and its difference from the stored page. `content` is that very page where none was mended."""

    content: bytes
    sent: Sent


@dataclass(frozen=True, slots=True)
class Header:
    """The facts in the first bytes of an image."""

    format: str
    width: int
    height: int


def fitted_for_call(
    content: bytes,
    choice: ImageTransport = ImageTransport.AUTO,
    max_url_bytes: int = limits.MAX_URL_BYTES,
    most: int | None = None,
) -> FittedImage:
    """The image in a form that passes the limits, and has `most` bytes; `max_url_bytes` is the model's.

    Raises ImageRejected with the name of a rule that cannot be kept.
    """
    header = read_header(content)
    limits.check_dimensions(header.width, header.height)
    room = min(room_for(choice, max_url_bytes), max_url_bytes if most is None else most)
    if len(content) <= room and not must_be_encoded_anew(header):
        media_type, by_url = limits.MEDIA_TYPES[header.format], goes_by_url(len(content), choice)
        limits.check(header.width, header.height, header.format, len(content), by_url, max_url_bytes)
        return FittedImage(content, Sent(media_type, header.width, header.height, len(content), by_url))
    for attempt in mendings(content, header):
        if attempt.sent.size <= room:
            return replace(attempt, sent=replace(attempt.sent, by_url=goes_by_url(attempt.sent.size, choice)))
    raise ImageRejected("too_many_bytes", f"No encoding of the page is under {room:,} bytes. Scan it smaller.")


def fitted_together(fitted: Sequence[FittedImage], choice: ImageTransport) -> list[FittedImage]:
    """Images of one call, each within the limits already, such that all of them keep to those of a request.

    The inline images together may be as large as one image may be. Beyond that the largest go by URL; where there are
    no URLs, images larger than an equal share of the room are encoded anew to fit into it. Raises ImageRejected.
    """
    together = list(fitted)
    room = limits.MAX_INLINE_BYTES
    inline = sorted(
        (place for place, one in enumerate(fitted) if not one.sent.by_url), key=lambda n: fitted[n].sent.size
    )
    if sum(fitted[place].sent.size for place in inline) <= room:
        return together
    for done, place in enumerate(inline):
        size = together[place].sent.size
        if choice is not ImageTransport.BASE64 and size > room:
            together[place] = replace(together[place], sent=replace(together[place].sent, by_url=True))
            continue
        share = room // (len(inline) - done)
        if choice is ImageTransport.BASE64 and size > share:
            mended = fitted_for_call(together[place].content, choice, most=share)
            done_before = together[place].sent.mended
            together[place] = replace(mended, sent=replace(mended.sent, mended=(*done_before, *mended.sent.mended)))
        room -= together[place].sent.size
    return together


def room_for(choice: ImageTransport, max_url_bytes: int) -> int:
    return limits.MAX_INLINE_BYTES if choice is ImageTransport.BASE64 else max_url_bytes


def goes_by_url(size: int, choice: ImageTransport) -> bool:
    return choice is ImageTransport.URL or (choice is ImageTransport.AUTO and size > limits.MAX_INLINE_BYTES)


def must_be_encoded_anew(header: Header) -> bool:
    """Whether it breaks a rule that only another format or size keeps."""
    return too_large(header.width, header.height) or limits.format_too_large(header.width, header.height, header.format)


def too_large(width: int, height: int) -> bool:
    return limits.too_many_pixels(width, height) or limits.exceeds(limits.EIGHT_K, width, height)


def mendings(content: bytes, header: Header) -> Iterator[FittedImage]:
    """Ever smaller encodings of an image that keep all rules but that of the bytes: the lossless first."""
    with images.guarded("The page image"):
        picture = opened(content, header.format)
        picture.load()
        done: tuple[str, ...] = ()
        if too_large(*picture.size):
            picture, done = within_limits(opaque(picture)), ("downscaled",)
        if header.format != "JPEG" or done:
            word = "recompressed" if header.format == "PNG" else "converted_to_png"
            yield encoded(picture, "PNG", (*done, *([] if done else [word])))
        plain = opaque(picture)
        plain = plain if plain.mode in ("L", "RGB") else plain.convert("L")
        for quality in JPEG_QUALITIES:
            yield encoded(plain, "JPEG", (*done, f"jpeg_{quality}"), quality)
        while min(plain.size) * SHRINK >= limits.MIN_SIDE:
            plain = plain.resize((round(plain.width * SHRINK), round(plain.height * SHRINK)), reducing_gap=3.0)
            yield encoded(plain, "JPEG", ("downscaled", f"jpeg_{JPEG_QUALITIES[-1]}"), JPEG_QUALITIES[-1])


def within_limits(picture: Image) -> Image:
    """The picture in the most pixels that pass."""
    from PIL import Image as Pillow

    scale = math.sqrt(limits.MAX_PIXELS / (picture.width * picture.height))
    scale = min(scale, max(limits.EIGHT_K) / max(picture.size), min(limits.EIGHT_K) / min(picture.size))
    grey = picture.convert("L") if picture.mode == "1" else picture
    return grey.resize((int(picture.width * scale), int(picture.height * scale)), Pillow.Resampling.LANCZOS)


def encoded(picture: Image, image_format: str, mended: tuple[str, ...], quality: int = 0) -> FittedImage:
    buffer = io.BytesIO()
    if image_format == "PNG":
        suited = picture if picture.mode in PNG_MODES else opaque(picture)
        suited.save(buffer, format="PNG", compress_level=6)
    else:
        picture.save(buffer, format="JPEG", quality=quality, subsampling=0)
    content = buffer.getvalue()
    return FittedImage(content, Sent(limits.MEDIA_TYPES[image_format], *picture.size, len(content), mended=mended))


PNG_MODES = ("1", "L", "LA", "I;16", "P", "RGB", "RGBA")


def read_header(content: bytes) -> Header:
    """Format and size by the content, never by a name. Raises ImageRejected `unsupported_format`, `undecodable`."""
    try:
        image_format = images.sniff(content[:4096])
    except DocumentRejected as error:
        raise ImageRejected("unsupported_format", error.message) from None
    if image_format not in limits.MEDIA_TYPES:
        raise ImageRejected(
            "unsupported_format", f"{image_format} is none of BMP, JPEG, PNG, TIFF, WEBP, HEIC. Convert it to PNG."
        )
    if image_format == "PNG" and content[12:16] == b"IHDR":
        return Header("PNG", int.from_bytes(content[16:20]), int.from_bytes(content[20:24]))
    if image_format == "JPEG" and (size := jpeg_size(content)):
        return Header("JPEG", *size)
    with images.guarded("The page image"), opened(content, image_format) as image:
        return Header(image_format, image.width, image.height)


def jpeg_size(content: bytes) -> tuple[int, int] | None:
    """Width and height by the first frame header (ITU-T T.81, B.2.2); None where there is none."""
    place = 2
    while place + 9 <= len(content) and content[place] == 0xFF:
        marker = content[place + 1]
        if marker == 0xFF:  # padding
            place += 1
            continue
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return int.from_bytes(content[place + 7 : place + 9]), int.from_bytes(content[place + 5 : place + 7])
        place += 2 + int.from_bytes(content[place + 2 : place + 4])
    return None


def opened(content: bytes, image_format: str) -> Image:
    from PIL import Image as Pillow

    Pillow.MAX_IMAGE_PIXELS = None  # the size is checked before a pixel is decoded
    if image_format == "HEIF":
        import pillow_heif

        pillow_heif.register_heif_opener()
    return Pillow.open(io.BytesIO(content), formats=[image_format, "MPO"] if image_format == "JPEG" else [image_format])


def check_file(content: bytes) -> Header:
    """Hold this very file, as Base64, to the service's limits; its pixels are decoded as well.

    Raises ImageRejected with the rule's name, or `undecodable`.
    """
    header = read_header(content)
    limits.check(header.width, header.height, header.format, len(content))
    with images.guarded("The image"), opened(content, header.format) as image:
        image.load()
    return header


def url_seconds(seconds: float) -> int:
    """The life of a URL for a call of so many seconds: the service fetches it at the call's begin, and again for a
    retry. A minute covers clocks that differ."""
    return math.ceil(seconds) + 60
