"""TIFF frames that Pillow does not read, or reads wrong, by the libtiff of Pillow's own wheel.

libtiff's own conversion to RGBA covers TIFF's kinds up to 16 bits a sample: both byte orders, planes, old-style JPEG,
Lab, palettes of 8-bit values. The other kinds (32 and 64 bits, floating point, CMYK of 16 bits) come as samples, and
Pillow's operations scale them: numpy with tifffile would be 32 MB of the layer, libtiff is there.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import math
import struct
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from pagewise.errors import PageUnreadable
from pagewise.pages.colours import eight_bit, inverted

if TYPE_CHECKING:
    from PIL.Image import Image

# Tags (TIFF 6.0 and the registry).
WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, ORIENTATION = 256, 257, 258, 259, 262, 274
SAMPLES, MAX_SAMPLE_VALUE, PLANES, COLOUR_MAP = 277, 281, 284, 320
X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT = 282, 283, 296
TILE_WIDTH, TILE_HEIGHT, EXTRA_SAMPLES, SAMPLE_FORMAT = 322, 323, 338, 339
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE = 0, 1, 2, 3
SEPARATED, YCBCR, CIELAB, ICCLAB = 5, 6, 8, 9
JPEG = 7
UNSIGNED, SIGNED, FLOAT, UNDEFINED = 1, 2, 3, 4
SEPARATE = 2
PREMULTIPLIED, TRANSPARENT = 1, 2

LITTLE = sys.byteorder == "little"

# No file has more frames than this on purpose: the largest document allowed has far fewer.
MOST_FRAMES = 1_000_000
# A byte of a compressed strip becomes some thousand at most. The bound of libtiff's memory for one frame, beside the
# picture.
MOST_BYTES = 1_500_000_000
# Pillow's names for samples in the machine's byte order that become floating point.
RAW_MODES = {
    (UNSIGNED, 8): "F;8",
    (SIGNED, 8): "F;8S",
    (UNSIGNED, 16): "F;16N",
    (SIGNED, 16): "F;16NS",
    (UNSIGNED, 32): "F;32N",
    (SIGNED, 32): "F;32NS",
    (FLOAT, 32): "F;32NF",
    (FLOAT, 64): "F;64NF",
}


def frame_offsets(path: Path) -> list[int]:
    """The offset of each frame's directory, in the file's order.

    A chain that leads out of the file ends with that frame; the frame is lost. One that leads back ends before that.
    """
    offsets: dict[int, None] = {}
    size = path.stat().st_size
    with path.open("rb") as file:
        order = "<" if file.read(2) == b"II" else ">"
        long = number(file, order, 2) == 43
        file.seek(8 if long else 4)
        offset = number(file, order, 8 if long else 4)
        while offset and offset not in offsets and len(offsets) < MOST_FRAMES:
            offsets[offset] = None
            if offset >= size:
                break
            file.seek(offset)
            entries = number(file, order, 8 if long else 2)
            file.seek(offset + (8 if long else 2) + min(entries, size) * (20 if long else 12))
            offset = number(file, order, 8 if long else 4)
    return list(offsets)


def number(file: BinaryIO, order: str, length: int) -> int:
    """The next unsigned number; 0 at the file's end."""
    found = file.read(length)
    return int(struct.unpack(order + {2: "H", 4: "I", 8: "Q"}[length], found)[0]) if len(found) == length else 0


def suits_pillow(tags: Mapping[int, Any]) -> bool:
    """Whether Pillow shows a frame of these tags as it is."""
    bits, formats = tags.get(BITS, (1,)), tags.get(SAMPLE_FORMAT, (UNSIGNED,))
    photometric, compression = tags.get(PHOTOMETRIC, WHITE_IS_ZERO), tags.get(COMPRESSION, 1)
    if set(formats) != {UNSIGNED} or len(set(bits)) != 1 or bits[0] not in (1, 2, 4, 8):
        return False
    if tags.get(PLANES, 1) == SEPARATE and len(bits) > 1:
        return False
    if photometric == PALETTE:
        return bool(max(tags.get(COLOUR_MAP, (0,))) > 255)
    if photometric == YCBCR:
        return bool(compression == JPEG)
    return photometric in (WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, SEPARATED)


def frame_image(path: Path, offset: int, check_size: Callable[[int, int], None]) -> Image:
    """The frame at this offset, 8 bits a channel: of mode L, LA, RGB, RGBA, LAB or CMYK, not turned, with its
    orientation and its resolution.

    Raises PageUnreadable without a page number, and the errors of `check_size`.
    """
    with opened(path, offset) as tiff:
        frame = described(tiff)
        check_size(frame.width, frame.height)
        if not library().TIFFIsCODECConfigured(ctypes.c_uint16(compression := short_of(tiff, COMPRESSION))):
            raise Unsupported(f"compression {compression}")
        image = shown_by_libtiff(tiff, frame) or from_samples(tiff, frame)
        image.getexif()[ORIENTATION] = frame.orientation
        if resolution := resolution_of(tiff):
            image.info["dpi"] = resolution
        return image


class Unsupported(PageUnreadable):
    def __init__(self, form: str) -> None:
        super().__init__(f"its form ({form}) is not supported. Save it as a TIFF of 8 bits a channel, or as PNG.")


class Broken(PageUnreadable):
    def __init__(self) -> None:
        super().__init__("its picture is damaged or cut off. Save or scan it again.")


@dataclass(frozen=True, slots=True)
class Frame:
    """The layout of a frame's samples."""

    width: int
    height: int
    bits: int
    samples: int
    kind: int
    photometric: int
    separate: bool
    extra: tuple[int, ...]
    orientation: int

    @property
    def together(self) -> int:
        """Samples of one pixel side by side."""
        return 1 if self.separate else self.samples


@cache
def library() -> ctypes.CDLL:
    """libtiff as Pillow uses it. Raises Unsupported where Pillow was built without a library of its own."""
    import PIL

    beside = Path(PIL.__file__).parent
    found = [*beside.parent.glob("pillow.libs/libtiff-*.so*"), *beside.glob(".dylibs/libtiff*.dylib")]
    name = str(found[0]) if found else ctypes.util.find_library("tiff")
    if name is None:
        raise Unsupported("one that Pillow alone does not read")
    from PIL import Image

    Image.preinit()  # loads the libraries that libtiff needs
    tiff = ctypes.CDLL(name)
    handle, pixels = ctypes.c_void_p, ctypes.c_uint32
    for function, result, arguments in (
        ("TIFFOpenOptionsAlloc", handle, []),
        ("TIFFOpenOptionsFree", None, [handle]),
        ("TIFFOpenOptionsSetMaxCumulatedMemAlloc", None, [handle, ctypes.c_ssize_t]),
        ("TIFFOpenExt", handle, [ctypes.c_char_p, ctypes.c_char_p, handle]),
        ("TIFFClose", None, [handle]),
        ("TIFFSetSubDirectory", ctypes.c_int, [handle, ctypes.c_uint64]),
        ("TIFFRGBAImageOK", ctypes.c_int, [handle, ctypes.c_char_p]),
        (
            "TIFFReadRGBAImageOriented",
            ctypes.c_int,
            [handle, pixels, pixels, handle, ctypes.c_int, ctypes.c_int],
        ),
        ("TIFFIsTiled", ctypes.c_int, [handle]),
        ("TIFFNumberOfStrips", pixels, [handle]),
        ("TIFFNumberOfTiles", pixels, [handle]),
        ("TIFFTileSize", ctypes.c_ssize_t, [handle]),
        ("TIFFStripSize", ctypes.c_ssize_t, [handle]),
        ("TIFFScanlineSize", ctypes.c_ssize_t, [handle]),
        ("TIFFReadEncodedStrip", ctypes.c_ssize_t, [handle, pixels, handle, ctypes.c_ssize_t]),
        ("TIFFReadEncodedTile", ctypes.c_ssize_t, [handle, pixels, handle, ctypes.c_ssize_t]),
    ):
        getattr(tiff, function).restype = result
        getattr(tiff, function).argtypes = arguments
    tiff.TIFFSetErrorHandler(None)
    tiff.TIFFSetWarningHandler(None)
    return tiff


@contextmanager
def opened(path: Path, offset: int) -> Iterator[int]:
    tiff = library()
    options = tiff.TIFFOpenOptionsAlloc()
    try:
        tiff.TIFFOpenOptionsSetMaxCumulatedMemAlloc(options, MOST_BYTES)
        # r: read. h: no frame yet, since the first may be the broken one. m: no mapping, of a file that may shrink.
        handle = tiff.TIFFOpenExt(bytes(path), b"rhm", options)
    finally:
        tiff.TIFFOpenOptionsFree(options)
    if not handle:
        raise Broken
    try:
        if not tiff.TIFFSetSubDirectory(handle, offset):
            raise Broken
        yield handle
    finally:
        tiff.TIFFClose(handle)


def described(tiff: int) -> Frame:
    extra = extra_samples(tiff)
    frame = Frame(
        width=long_of(tiff, WIDTH),
        height=long_of(tiff, HEIGHT),
        bits=short_of(tiff, BITS),
        samples=short_of(tiff, SAMPLES),
        kind=short_of(tiff, SAMPLE_FORMAT),
        photometric=short_of(tiff, PHOTOMETRIC, WHITE_IS_ZERO),
        separate=short_of(tiff, PLANES) == SEPARATE,
        extra=extra,
        orientation=short_of(tiff, ORIENTATION),
    )
    if not frame.width or not frame.height:
        raise Broken
    return frame


def short_of(tiff: int, tag: int, absent: int = 0) -> int:
    value = ctypes.c_uint16()
    known = library().TIFFGetFieldDefaulted(ctypes.c_void_p(tiff), ctypes.c_uint32(tag), ctypes.byref(value))
    return value.value if known else absent


def long_of(tiff: int, tag: int) -> int:
    value = ctypes.c_uint32()
    known = library().TIFFGetFieldDefaulted(ctypes.c_void_p(tiff), ctypes.c_uint32(tag), ctypes.byref(value))
    return value.value if known else 0


def resolution_of(tiff: int) -> tuple[float, float] | None:
    """Dots an inch, across and down; None where the frame does not say, or counts in no unit."""
    factor = {2: 1.0, 3: 2.54}.get(short_of(tiff, RESOLUTION_UNIT))
    across, down = real_of(tiff, X_RESOLUTION), real_of(tiff, Y_RESOLUTION)
    return (factor * across, factor * down) if factor and across > 0 and down > 0 else None


def real_of(tiff: int, tag: int) -> float:
    value = ctypes.c_float()
    known = library().TIFFGetFieldDefaulted(ctypes.c_void_p(tiff), ctypes.c_uint32(tag), ctypes.byref(value))
    return value.value if known and math.isfinite(value.value) else 0.0


def extra_samples(tiff: int) -> tuple[int, ...]:
    count, kinds = ctypes.c_uint16(), ctypes.POINTER(ctypes.c_uint16)()
    known = library().TIFFGetFieldDefaulted(
        ctypes.c_void_p(tiff), ctypes.c_uint32(EXTRA_SAMPLES), ctypes.byref(count), ctypes.byref(kinds)
    )
    return tuple(kinds[place] for place in range(count.value)) if known else ()


def shown_by_libtiff(tiff: int, frame: Frame) -> Image | None:
    """The frame as libtiff shows it; None where it does not show frames of this form."""
    from PIL import Image as Pillow

    # Other kinds than unsigned would be shown by their bits, grey of 12 in 16 bits as black, Lab's white as yellow.
    grey = frame.photometric in (WHITE_IS_ZERO, BLACK_IS_ZERO)
    if frame.kind not in (UNSIGNED, UNDEFINED) or (grey and frame.bits > 8) or frame.photometric == CIELAB:
        return None
    if not library().TIFFRGBAImageOK(tiff, ctypes.create_string_buffer(1024)):
        return None
    pixels = bytearray(4 * frame.width * frame.height)
    target = (ctypes.c_char * len(pixels)).from_buffer(pixels)
    read = library().TIFFReadRGBAImageOriented(
        tiff, frame.width, frame.height, ctypes.addressof(target), frame.orientation or 1, 1
    )
    del target
    if not read:
        return None
    image = Pillow.frombuffer("RGBa", (frame.width, frame.height), pixels, "raw", "RGBa", 0, 1)
    if not {PREMULTIPLIED, TRANSPARENT} & set(frame.extra):
        red, green, blue, _ = image.split()
        return red if grey else Pillow.merge("RGB", (red, green, blue))
    return image.convert("RGBA")


def from_samples(tiff: int, frame: Frame) -> Image:
    """The frame from its samples, each scaled to 8 bits."""
    from PIL import Image as Pillow

    colours = {WHITE_IS_ZERO: 1, BLACK_IS_ZERO: 1, RGB: 3, SEPARATED: 4, CIELAB: 3, ICCLAB: 3}.get(frame.photometric)
    if colours is None or frame.samples < colours or (frame.kind, frame.bits) not in KINDS:
        raise Unsupported(f"{frame.samples} × {frame.bits} bits, photometric interpretation {frame.photometric}")
    size = frame.width, frame.height
    samples = [Pillow.frombytes("L", size, plane) for plane in planes(tiff, frame)]
    shown, extra = samples[:colours], samples[colours:]
    if frame.photometric == WHITE_IS_ZERO:
        shown = [inverted(shown[0])]
    if frame.photometric == CIELAB:  # a and b are signed
        shown[1:] = [plane.point(lambda value: value ^ 128) for plane in shown[1:]]
    alpha = extra[0] if extra and frame.extra[:1] == (TRANSPARENT,) else None
    if alpha is not None and colours in (1, 3) and frame.photometric in (WHITE_IS_ZERO, BLACK_IS_ZERO, RGB):
        return Pillow.merge("LA" if colours == 1 else "RGBA", (*shown, alpha))
    mode = {1: "L", 3: "LAB" if frame.photometric in (CIELAB, ICCLAB) else "RGB", 4: "CMYK"}[colours]
    return shown[0] if mode == "L" else Pillow.merge(mode, shown)


KINDS = {*RAW_MODES, (UNSIGNED, 64), (FLOAT, 16)}


def planes(tiff: int, frame: Frame) -> list[bytes]:
    """Each sample of all pixels, 8 bits, one after the other."""
    if frame.separate:
        return [narrowed(samples(tiff, frame, plane), frame) for plane in range(frame.samples)]
    together = narrowed(samples(tiff, frame, 0), frame)
    return [together[place :: frame.samples] for place in range(frame.samples)]


def narrowed(content: bytes | bytearray, frame: Frame) -> bytes:
    """Samples of 8 bits for those of a plane (or of all planes, side by side)."""
    from PIL import Image as Pillow

    size = frame.width * frame.together, frame.height
    kind, bits = frame.kind, frame.bits
    if (kind, bits) == (UNSIGNED, 8):
        return bytes(content)
    if (kind, bits) == (UNSIGNED, 64):
        content, bits = half(content, upper=True) if any(half(content, upper=True)) else half(content, upper=False), 32
    if kind == UNSIGNED and frame.samples > 1:
        return bytes(content[(bits // 8 - 1 if LITTLE else 0) :: bits // 8])
    if (kind, bits) == (FLOAT, 16):
        return eight_bit_halves(Pillow.frombytes("I;16", size, bytes(content), "raw", "I;16N").convert("I"))
    deep = Pillow.frombytes("F", size, bytes(content), "raw", RAW_MODES[kind, bits])
    return eight_bit(deep, 2.0**bits - 1 if kind == UNSIGNED else None).tobytes()


def half(content: bytes | bytearray, *, upper: bool) -> bytes:
    """The upper or lower 32 of each 64 bits."""
    words = memoryview(content).cast("I")[1 if upper is LITTLE else 0 :: 2]
    return words.tobytes()


def eight_bit_halves(halves: Image) -> bytes:
    """16-bit floating point as 8 bits: 0 to 1 is in use; beyond that is brighter than white."""
    values = (struct.unpack("e", struct.pack("H", bits))[0] for bits in range(65_536))
    table = [round(255 * min(1.0, max(0.0, value))) if value == value else 0 for value in values]  # noqa: PLR0124 (NaN)
    return halves.point(table, "L").tobytes()


def samples(tiff: int, frame: Frame, plane: int) -> bytearray:
    """A plane's samples, line by line without padding, whether they lie in strips or in tiles."""
    if library().TIFFIsTiled(tiff):
        return from_tiles(tiff, frame, plane)
    library_ = library()
    count = library_.TIFFNumberOfStrips(tiff) // (frame.samples if frame.separate else 1)
    length, size = library_.TIFFStripSize(tiff), frame.width * frame.together * frame.bits // 8 * frame.height
    if length <= 0 or count <= 0 or size > MOST_BYTES:
        raise Broken
    content = bytearray()
    buffer = ctypes.create_string_buffer(length)
    for strip in range(plane * count, (plane + 1) * count):
        got = library_.TIFFReadEncodedStrip(tiff, strip, buffer, length)
        if got < 0:
            raise Broken
        content += memoryview(buffer)[:got]
    if len(content) < size:
        raise Broken
    return content[:size]


def from_tiles(tiff: int, frame: Frame, plane: int) -> bytearray:
    library_ = library()
    pixel = frame.together * frame.bits // 8
    across, down = long_of(tiff, TILE_WIDTH), long_of(tiff, TILE_HEIGHT)
    length, line = library_.TIFFTileSize(tiff), frame.width * pixel
    if not across or not down or length != across * down * pixel or line * frame.height > MOST_BYTES:
        raise Broken
    content = bytearray(line * frame.height)
    buffer = ctypes.create_string_buffer(length)
    columns, rows = -(-frame.width // across), -(-frame.height // down)
    for row in range(rows):
        for column in range(columns):
            tile = (plane * rows + row) * columns + column
            if library_.TIFFReadEncodedTile(tiff, tile, buffer, length) < 0:
                raise Broken
            left, width = column * across * pixel, min(across, frame.width - column * across) * pixel
            for y in range(min(down, frame.height - row * down)):
                start = (row * down + y) * line + left
                content[start : start + width] = memoryview(buffer)[y * across * pixel :][:width]
    return content
