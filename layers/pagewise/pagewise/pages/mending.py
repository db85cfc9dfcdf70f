"""Files whose picture is sound and whose wrapping is not: JPEGs with broken APP segments, PNGs with broken chunks.

Pillow stops at the first metadata that it cannot parse; every viewer passes over it. This module leaves the picture,
and of its metadata only the parts that affect its look.
"""

from __future__ import annotations

import io
import struct
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

EXIF_ORIENTATION = 0x0112

# JPEG markers (ITU T.81, table B.1).
SOI, EOI, SOS, DNL, COM = 0xD8, 0xD9, 0xDA, 0xDC, 0xFE
APP0, APP1, APP14, APP15 = 0xE0, 0xE1, 0xEE, 0xEF
WITHOUT_LENGTH = {0x01, *range(0xD0, 0xD8)}
FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
PICTURE = {*range(0xC0, 0xD0), 0xDB, 0xDD}
# A segment holds at most 65,535 bytes: the next one begins before the end of two.
LOOK_AHEAD = 2 * 65_536

# PNG chunks that decide how the picture looks.
CRITICAL = {b"IHDR", b"PLTE", b"IDAT", b"IEND"}
WANTED = {b"tRNS", b"pHYs", b"eXIf"}


def mended(content: bytes, image_format: str) -> Image | None:
    """The picture without its broken metadata, opened; None where the file has another fault."""
    if image_format == "JPEG":
        return mended_jpeg(content)
    if image_format == "PNG":
        return mended_png(content)
    return None


# ── JPEG ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def mended_jpeg(content: bytes) -> Image | None:
    from PIL import Image

    parts, orientation = [content[:2]], 1
    for marker, start, end in segments(content):
        payload = content[start + 4 : end]
        if marker == APP1:
            orientation = orientation_in(payload) or orientation
        # Whether CMYK is inverted, and RGB is YCbCr.
        if marker in PICTURE or marker == SOS or (marker == APP14 and payload[:5] == b"Adobe" and len(payload) >= 12):
            parts.append(content[start:end])
    if len(parts) < 3:
        return None
    image = Image.open(io.BytesIO(b"".join(parts)), formats=["JPEG"])
    image.getexif()[EXIF_ORIENTATION] = orientation
    return image


def segments(content: bytes) -> list[tuple[int, int, int]]:
    """Marker, start and end of each segment that is whole; the last is the scan, to the file's end."""
    found: list[tuple[int, int, int]] = []
    place: int | None = 2
    while place is not None and (segment := segment_at(content, place)):
        marker, start, end = segment
        if marker == SOS:
            return [*found, (marker, start, len(content))]
        if leads_on(content, end):
            found.append(segment)
            place = end
        else:
            place = next_segment(content, start)
    return []


def segment_at(content: bytes, place: int) -> tuple[int, int, int] | None:
    """The segment that begins here, after any fill bytes."""
    while content[place : place + 2] == b"\xff\xff":
        place += 1
    head = content[place : place + 4]
    if len(head) < 4 or head[0] != 0xFF:
        return None
    return head[1], place, place + 2 + max(2, struct.unpack(">H", head[2:])[0])


def leads_on(content: bytes, place: int) -> bool:
    """Whether a marker stands here that can follow a segment."""
    head = content[place : place + 2].ljust(2, b"\x00")
    return head[0] == 0xFF and (head[1] >= 0xC0 or head[1] == 0x01)


def next_segment(content: bytes, broken: int) -> int | None:
    """The offset where the picture's own segments go on after a broken one: the first that leads on to the scan."""
    place = content.find(b"\xff", broken + 2, broken + LOOK_AHEAD)
    while place >= 0:
        if is_picture(content, place):
            return place
        place = content.find(b"\xff", place + 1, broken + LOOK_AHEAD)
    return None


def is_picture(content: bytes, place: int) -> bool:
    for _ in range(64):
        segment = segment_at(content, place)
        if segment is None or segment[0] not in {*PICTURE, SOS, COM, *range(APP0, APP15 + 1)}:
            return False
        if segment[0] == SOS:
            return True
        place = segment[2]
    return False


def orientation_in(payload: bytes) -> int | None:
    from PIL import Image

    exif = Image.Exif()
    # Exif's reader raises nearly every kind of error at a directory that is cut off; then the picture lies as it is
    # stored.
    with suppress(Exception):
        exif.load(payload)
        return int(exif.get(EXIF_ORIENTATION, 1))
    return None


def bits_of_jpeg(content: bytes) -> int | None:
    """Bits a channel, as the frame says."""
    for marker, start, _ in segments(content):
        if marker in FRAMES:
            return content[start + 4]
    return None


# ── PNG ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def mended_png(content: bytes) -> Image | None:
    from PIL import Image

    parts, place, compressed = [content[:8]], 8, []
    while place + 12 <= len(content):
        length = struct.unpack(">I", content[place : place + 4])[0]
        name, end = content[place + 4 : place + 8], place + 12 + length
        sound = zlib.crc32(content[place + 4 : end - 4]) == int.from_bytes(content[end - 4 : end])
        if name == b"IDAT":
            compressed.append((content[place + 8 : end - 4], sound))
            parts.append(chunk(name, content[place + 8 : end - 4]))
        elif (name in CRITICAL | WANTED and sound) or name == b"IEND":
            parts.append(content[place:end])
        place = end
    # The pixels' own check sum says whether those of the chunks or the pixels are wrong.
    if not compressed or not (all(sound for _, sound in compressed) or is_whole([idat for idat, _ in compressed])):
        return None
    return Image.open(io.BytesIO(b"".join(parts)), formats=["PNG"])


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def is_whole(compressed: list[bytes]) -> bool:
    stream = zlib.decompressobj()
    try:
        for part in compressed:
            while part:
                stream.decompress(part, 1 << 20)
                part = stream.unconsumed_tail  # noqa: PLW2901 (the rest of this part)
    except zlib.error:
        return False
    return stream.eof
