"""BMP files with colour masks."""

from __future__ import annotations

import struct

import pytest

from pagewise.errors import PageUnreadable
from pagewise.pages.bitmaps import masked_bitmap


def bitmap(pixels: bytes, width: int, height: int, bits: int, *masks: int) -> bytes:
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, 3, len(pixels), 0, 0, 0, 0)
    offset = 14 + len(header) + 4 * len(masks)
    file = struct.pack("<2sIHHI", b"BM", offset + len(pixels), 0, 0, offset)
    return file + header + struct.pack(f"<{len(masks)}I", *masks) + pixels


def check_size(width: int, height: int) -> None:
    assert width * height < 100


RED_GREEN = struct.pack("<4H", 0xF800, 0x07E0, 0x001F, 0xFFFF)


@pytest.mark.parametrize("top_down", [False, True])
def test_sixteen_bits_of_any_mask_are_colours(top_down: bool) -> None:
    image = masked_bitmap(bitmap(RED_GREEN, 2, -2 if top_down else 2, 16, 0xF800, 0x07E0, 0x001F), check_size)
    assert image is not None
    found = [image.getpixel((x, y)) for y in range(2) for x in range(2)]
    first, second = [(255, 0, 0), (0, 255, 0)], [(0, 0, 255), (255, 255, 255)]
    assert found == (first + second if top_down else second + first)


def test_a_picture_that_is_cut_off_is_unreadable() -> None:
    with pytest.raises(PageUnreadable, match="cut off"):
        masked_bitmap(bitmap(RED_GREEN, 2, 2, 16, 0xF800, 0x07E0, 0x001F)[:-1], check_size)


@pytest.mark.parametrize("content", [b"", b"BM" + bytes(200), bitmap(RED_GREEN, 2, 2, 24, 1, 2, 4)])
def test_any_other_file_is_none(content: bytes) -> None:
    assert masked_bitmap(content, check_size) is None
