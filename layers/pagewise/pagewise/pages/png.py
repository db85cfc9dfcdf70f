"""From the pixels of a page to a PNG file, without loss and in a fraction of the rendering time.

poppler's PNG takes nine tenths of a text page's time: three channels, two of them redundant, five filters tried on
every line, zlib at level 6. Here the redundant channels go first, one filter serves the whole picture, and igzip
(ISA-L) deflates at ten times zlib's speed. A PNG's chunks are few lines to write, and no library uses igzip for them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

# A comparison stops at the first block that differs.
BLOCK_BYTES = 3 * 64 * 1024
# igzip has levels 0 to 3. On text at 150 dpi: 1.1 ms and 87 kB, 0.9 ms and 69 kB, 1.1 ms and 68 kB, 1.4 ms and 69 kB.
IGZIP_LEVEL = 1
# Coloured pictures that shrink to this share of themselves are up to 1.7 times as large by igzip as by zlib. They are
# plain areas, and zlib is quick with them, too (drawings and covers of the corpus: 23 ms and 9 ms).
PLAIN_AREAS = 0.04
ZLIB_LEVEL = 6

SIGNATURE = b"\x89PNG\r\n\x1a\n"
GREY, RGB = 0, 2
NONE, SUB, UP = range(3)
# The sample for the choice of a filter: bands of so many lines.
SAMPLE_BANDS, SAMPLE_LINES = 4, 16


@dataclass(frozen=True, slots=True)
class Raster:
    """Pixels line by line without padding, 8 bits a channel: one channel of grey, or three of red, green, blue."""

    width: int
    height: int
    channels: int
    pixels: bytes | bytearray

    def image(self) -> Image:
        from PIL import Image

        return Image.frombytes("L" if self.channels == 1 else "RGB", (self.width, self.height), self.pixels)


def raster_of(image: Image) -> Raster:
    """The pixels of a Pillow image of mode 1, L or RGB."""
    image = image.convert("L") if image.mode == "1" else image
    return Raster(image.width, image.height, len(image.getbands()), image.tobytes())


def png(raster: Raster) -> bytes:
    """A PNG of exactly these pixels, in grey where it has no colour and of 1 bit where it has black and white alone."""
    plain = without_needless_channels(raster)
    if plain.channels == 1 and is_bilevel(plain.pixels):
        bits = plain.image().convert("1").tobytes()  # dithering finds nothing to do in black and white
        return file(plain, GREY, 1, deflated(lines(bits, (plain.width + 7) // 8, NONE)))
    length = plain.width * plain.channels
    kind = best_filter(plain)
    filtered = plain.pixels if kind == NONE else difference(plain.image(), kind).tobytes()
    scanlines = lines(filtered, length, kind)
    compressed = deflated(scanlines)
    if plain.channels == 3 and len(compressed) < PLAIN_AREAS * len(scanlines):
        import zlib

        compressed = min(compressed, zlib.compress(scanlines, ZLIB_LEVEL), key=len)
    return file(plain, GREY if plain.channels == 1 else RGB, 8, compressed)


def without_needless_channels(raster: Raster) -> Raster:
    """Grey if red, green and blue are equal in every pixel."""
    if raster.channels == 1:
        return raster
    for block in blocks(raster.pixels):
        red = block[0::3]
        if red != block[1::3] or red != block[2::3]:
            return raster
    return Raster(raster.width, raster.height, 1, raster.pixels[0::3])


def is_bilevel(pixels: bytes | bytearray) -> bool:
    return not any(block.translate(None, b"\x00\xff") for block in blocks(pixels))


def blocks(pixels: bytes | bytearray) -> Iterator[bytes | bytearray]:
    return (pixels[start : start + BLOCK_BYTES] for start in range(0, len(pixels), BLOCK_BYTES))


def best_filter(raster: Raster) -> int:
    """The filter that makes the smallest of bands of lines from all over the picture.

    Text is smallest as it is, photos as differences. All five filters for each line, as libpng has it, would take ten
    times as long for a tenth less.
    """
    length = raster.width * raster.channels
    if raster.height <= SAMPLE_BANDS * SAMPLE_LINES:
        sample = raster
    else:
        starts = [band * (raster.height - SAMPLE_LINES) // (SAMPLE_BANDS - 1) for band in range(SAMPLE_BANDS)]
        pixels = b"".join(raster.pixels[line * length : (line + SAMPLE_LINES) * length] for line in starts)
        sample = Raster(raster.width, SAMPLE_BANDS * SAMPLE_LINES, raster.channels, pixels)
    picture = sample.image()
    sizes = {kind: len(deflated(difference(picture, kind).tobytes())) for kind in (SUB, UP)}
    sizes[NONE] = len(deflated(sample.pixels))
    return min(sorted(sizes), key=sizes.__getitem__)


def difference(image: Image, kind: int) -> Image:
    """The picture by PNG's filters SUB and UP: each byte less that of the pixel before, or above it."""
    from PIL import Image as Pillow
    from PIL import ImageChops

    before = Pillow.new(image.mode, image.size)
    before.paste(image, (1, 0) if kind == SUB else (0, 1))
    return ImageChops.subtract_modulo(image, before)


def lines(pixels: bytes | bytearray, length: int, kind: int) -> bytes:
    """The lines of a picture, each led by its filter's number."""
    lead = bytes([kind])
    return b"".join([lead + pixels[start : start + length] for start in range(0, len(pixels), length)])


def deflated(content: bytes | bytearray) -> bytes:
    """The same bytes for the same content, so that a page has one digest in all its renderings.

    igzip's `compress` does not give them: it uses the old content of its hash table's memory (15 bytes in the place of
    14, in one of ten runs of the fault simulator). The compressor object clears the table, and is as fast.
    """
    from isal import isal_zlib

    compressor = isal_zlib.compressobj(IGZIP_LEVEL)
    return b"".join([compressor.compress(content), compressor.flush()])


def file(raster: Raster, colour: int, depth: int, compressed: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", raster.width, raster.height, depth, colour, 0, 0, 0)
    chunks = (chunk(b"IHDR", header), chunk(b"IDAT", compressed), chunk(b"IEND", b""))
    return SIGNATURE + b"".join(chunks)


def chunk(name: bytes, content: bytes) -> bytes:
    from isal import isal_zlib

    check = isal_zlib.crc32(content, isal_zlib.crc32(name))
    return b"".join([struct.pack(">I", len(content)), name, content, struct.pack(">I", check)])
