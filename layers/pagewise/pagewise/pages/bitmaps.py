"""BMP files of colour masks that Pillow does not know: any mask, in pixels of 16 or 32 bits, under any header."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pagewise.errors import PageUnreadable

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL.Image import Image

FILE_HEADER = 14
# Sizes of headers: BITMAPINFOHEADER, which the masks follow, and those of version 2 to 5, which hold them.
INFO_HEADER = 40
BITFIELDS, ALPHA_BITFIELDS = 3, 6


@dataclass(frozen=True, slots=True)
class Bitmap:
    """`masks` of red, green, blue and perhaps alpha; `offset` of the pixels."""

    width: int
    height: int
    bits: int
    top_down: bool
    masks: tuple[int, ...]
    offset: int


def masked_bitmap(content: bytes, check_size: Callable[[int, int], None]) -> Image | None:
    """The picture of a BMP with colour masks; None for any other BMP.

    Raises PageUnreadable without a page number, and the errors of `check_size`.
    """
    bitmap = described(content)
    if bitmap is None:
        return None
    check_size(bitmap.width, bitmap.height)
    line = -(-bitmap.width * bitmap.bits // 32) * 4
    pixels = content[bitmap.offset :][: line * bitmap.height]
    if len(pixels) < line * bitmap.height:
        raise PageUnreadable("its picture is cut off. Save or scan it again.")
    return picture(pixels, line, bitmap)


def described(content: bytes) -> Bitmap | None:
    if len(content) < FILE_HEADER + INFO_HEADER:
        return None
    (offset, header, width, height, _, bits, compression) = struct.unpack_from("<IIiiHHI", content, 10)
    if compression not in (BITFIELDS, ALPHA_BITFIELDS) or bits not in (16, 32) or header < INFO_HEADER or width <= 0:
        return None
    count = 4 if compression == ALPHA_BITFIELDS or header >= INFO_HEADER + 16 else 3
    if len(content) < FILE_HEADER + INFO_HEADER + 4 * count or height == 0:
        return None
    masks = struct.unpack_from(f"<{count}I", content, FILE_HEADER + INFO_HEADER)
    if not all(masks[:3]):
        return None
    return Bitmap(width, abs(height), bits, height < 0, tuple(mask for mask in masks if mask), offset)


def picture(pixels: bytes, line: int, bitmap: Bitmap) -> Image:
    from PIL import Image as Pillow
    from PIL.Image import Transpose

    stored = line * 8 // bitmap.bits, bitmap.height
    channels = []
    for mask in bitmap.masks:
        if bitmap.bits == 16:
            whole = Pillow.frombytes("I;16", stored, pixels, "raw", "I;16").convert("I")
            channels.append(whole.point(values(mask), "L"))
        else:
            channels.append(channel(pixels, stored, mask))
    if len(channels) == 4 and channels[3].getextrema() == (0, 0):
        channels.pop()  # an alpha of nothing but zeros was never written
    image = Pillow.merge("RGBA" if len(channels) == 4 else "RGB", channels)
    image = image.crop((0, 0, bitmap.width, bitmap.height))
    return image if bitmap.top_down else image.transpose(Transpose.FLIP_TOP_BOTTOM)


def values(mask: int) -> list[int]:
    """The channel under the mask, as 8 bits, for each 16-bit pixel."""
    shift = (mask & -mask).bit_length() - 1
    highest = mask >> shift
    return [((pixel & mask) >> shift) * 255 // highest for pixel in range(65_536)]


def channel(pixels: bytes, size: tuple[int, int], mask: int) -> Image:
    """The channel under a mask of 32 bits: from its upper bits. A window of 16 has all the bits that count."""
    from PIL import Image as Pillow

    low = max(0, min(2, (mask.bit_length() - 9) // 8))
    halves = bytearray(len(pixels) // 2)
    halves[0::2], halves[1::2] = pixels[low::4], pixels[low + 1 :: 4]
    window = (mask >> 8 * low) & 0xFFFF
    return Pillow.frombytes("I;16", size, bytes(halves), "raw", "I;16").convert("I").point(values(window), "L")
