"""`python -m tests.split.kinds`: a small picture in every kind of every format accepted, as the pipeline stores it
beside what a second decoder (tifffile with imagecodecs) makes of it; 1 if one differs.

The picture is 61 × 47, so that no strip or tile ends with it.
"""

# numpy and the decoders hand on untyped arrays, and lambdas take their loop\'s values by default.
# mypy: disable-error-code="misc, no-any-return, operator, call-overload"

from __future__ import annotations

import io
import itertools
import struct
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import tifffile
from PIL import Image, ImageCms

from pagewise.errors import DocumentRejected
from pagewise.model import PageRange
from pagewise.pages.images import PageImage
from pagewise.pages.rendering import Renderer, inspect

Pixels = np.ndarray[Any, Any]
WIDTH, HEIGHT = 61, 47
# Mean difference of a channel, of 255: rounding alone, or a lossy codec decoded twice, or Lab by another arithmetic.
EXACT, LOSSY = 1.0, 2.5


@dataclass(frozen=True)
class Kind:
    """`decoded` gives the picture as a second decoder has it, grey or RGB; None if the file is to be rejected."""

    name: str
    content: Callable[[], bytes]
    decoded: Callable[[bytes], Pixels] | None
    most: float = EXACT


def constant(picture: Pixels) -> Callable[[bytes], Pixels]:
    return lambda _: picture


def colours() -> Pixels:
    """Areas and ramps of colour, with white, black and the primaries among them; smooth, so that JPEG keeps it."""
    down, across = np.mgrid[0:HEIGHT, 0:WIDTH]
    picture = np.stack([255 * across / (WIDTH - 1), 255 * down / (HEIGHT - 1), 128 + 0 * across], axis=-1)
    picture[:16, :16], picture[:16, 16:32], picture[:16, 32:48] = 255, 0, (200, 30, 40)
    return picture.round().astype(np.uint8)


def grey() -> Pixels:
    return np.asarray(Image.fromarray(colours()).convert("L"))


def alpha() -> Pixels:
    picture = np.full((HEIGHT, WIDTH), 255, np.uint8)
    picture[20:, 30:] = 0
    picture[20:30, 10:30] = 128
    return picture


# ── To samples of another depth, and back ────────────────────────────────────────────────────────────────────────────

DEPTHS = ("uint8", "uint16", "uint32", "uint64", "int16", "int32", "float16", "float32", "float64")


def deep(picture: Pixels, depth: str) -> Pixels:
    kind = np.dtype(depth)
    if kind.kind == "f":
        return (picture / 255).astype(kind)
    if kind.kind == "i":
        return (picture.astype(np.int64) * 50 - 6000).astype(kind)
    return np.asarray(picture.astype(kind) * kind.type(int(np.iinfo(kind).max) // 255))


def shallow(samples: Pixels) -> Pixels:
    values = samples.astype(np.float64)
    if samples.dtype.kind == "f":
        return 255 * values
    if samples.dtype.kind == "i":
        return np.asarray((values - values.min()) * 255 / (values.max() - values.min()))
    return values * 255 / float(np.iinfo(samples.dtype).max)


def on_white(straight: Pixels, opacity: Pixels) -> Pixels:
    share = (opacity / 255.0)[..., None] if straight.ndim == 3 else opacity / 255.0
    return straight * share + 255 * (1 - share)


def from_cmyk(inks: Pixels) -> Pixels:
    paper = 255.0 - inks
    return np.asarray(paper[..., :3] * paper[..., 3:4] / 255)


def lab_of(picture: Pixels) -> Pixels:
    """8-bit L*, a* and b*, the latter two signed, as TIFF has them."""
    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    return np.asarray(ImageCms.profileToProfile(Image.fromarray(picture), srgb, lab, outputMode="LAB"))


def from_lab(lightness: Pixels, a: Pixels, b: Pixels) -> Pixels:
    """sRGB of CIE L*a*b* (D50), by the formulas of CIE 15 and IEC 61966-2-1, adapted to D65 by Bradford's matrix."""
    fy = (lightness + 16) / 116
    f = np.stack([fy + a / 500, fy, fy - b / 200], axis=-1)
    xyz = np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29)) * (0.9642, 1.0, 0.8249)
    to_rgb = ((3.1339, -1.6169, -0.4906), (-0.9788, 1.9161, 0.0335), (0.0719, -0.2290, 1.4052))
    linear = np.clip(xyz @ np.array(to_rgb).T, 0, 1)
    return np.asarray(255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055))


# ── TIFF ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def tiff(samples: Pixels, **options: Any) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, samples, metadata=None, **options)
    return buffer.getvalue()


def read_tiff(content: bytes) -> Pixels:
    """The samples of the first frame, the channels last."""
    with tifffile.TiffFile(io.BytesIO(content)) as file:
        page = file.pages.first
        samples = np.asarray(page.asarray())
        separate = samples.ndim == 3 and page.planarconfig == tifffile.PLANARCONFIG.SEPARATE
        return np.moveaxis(samples, 0, -1) if separate else samples


def tiff_kinds() -> Iterator[Kind]:
    layouts: dict[str, dict[str, Any]] = {
        "strips": {"rowsperstrip": 7},
        "tiles": {"tile": (16, 32)},
    }
    for depth, order, (layout, options) in itertools.product(DEPTHS, "<>", layouts.items()):
        yield from depths(depth, order, layout, options)
    for compression, predictor, depth in (
        ("lzw", None, "uint8"),
        ("lzw", 2, "uint16"),
        ("zlib", 2, "uint8"),
        ("zlib", 2, "uint16"),
        ("zlib", 3, "float32"),
        ("packbits", None, "uint8"),
        ("zstd", None, "uint8"),
        ("zstd", 2, "uint16"),
        ("lzma", None, "uint8"),
    ):
        for order, planar in itertools.product("<>", ("contig", "separate")):
            yield compressed(compression, predictor, depth, order, planar)
    yield from other_tiffs()


def depths(depth: str, order: str, layout: str, options: dict[str, Any]) -> Iterator[Kind]:
    name = f"TIFF {depth} {order} {layout}"
    options = {"byteorder": order, **options}
    unsigned = depth.startswith("uint")
    yield Kind(f"{name} grey", lambda: tiff(deep(grey(), depth), photometric="minisblack", **options), decoded_grey)
    if unsigned:
        yield Kind(
            f"{name} white is zero",
            lambda: tiff(deep(255 - grey(), depth), photometric="miniswhite", **options),
            lambda content: 255 - decoded_grey(content),
        )
    if depth.startswith("int"):
        return
    for planar in ("contig", "separate"):
        laid = {"planarconfig": planar, **options}
        yield Kind(f"{name} RGB {planar}", rgb_tiff(depth, laid), decoded_grey)
        yield Kind(f"{name} RGBA {planar}", rgba_tiff(depth, laid), decoded_rgba)
        if unsigned:
            yield Kind(f"{name} CMYK {planar}", cmyk_tiff(depth, laid), decoded_cmyk)


def decoded_grey(content: bytes) -> Pixels:
    return shallow(read_tiff(content))


def decoded_rgba(content: bytes) -> Pixels:
    samples = shallow(read_tiff(content))
    return on_white(samples[..., :-1], samples[..., -1])


def decoded_cmyk(content: bytes) -> Pixels:
    return from_cmyk(shallow(read_tiff(content)))


def laid(samples: Pixels, options: dict[str, Any]) -> Pixels:
    return np.moveaxis(samples, -1, 0).copy() if options.get("planarconfig") == "separate" else samples


def rgb_tiff(depth: str, options: dict[str, Any]) -> Callable[[], bytes]:
    return lambda: tiff(laid(deep(colours(), depth), options), photometric="rgb", **options)


def rgba_tiff(depth: str, options: dict[str, Any]) -> Callable[[], bytes]:
    def content() -> bytes:
        samples = deep(np.dstack([colours(), alpha()]), depth)
        return tiff(laid(samples, options), photometric="rgb", extrasamples=["unassalpha"], **options)

    return content


def cmyk_tiff(depth: str, options: dict[str, Any]) -> Callable[[], bytes]:
    inks = np.asarray(Image.fromarray(colours()).convert("CMYK"))
    return lambda: tiff(laid(deep(inks, depth), options), photometric="separated", **options)


def compressed(compression: str, predictor: int | None, depth: str, order: str, planar: str) -> Kind:
    options = {"compression": compression, "byteorder": order, "planarconfig": planar, "rowsperstrip": 7}
    options |= {"predictor": predictor} if predictor else {}
    return Kind(
        f"TIFF {depth} {order} {compression} predictor {predictor or 1} RGB {planar}",
        rgb_tiff(depth, options),
        decoded_grey,
    )


def other_tiffs() -> Iterator[Kind]:
    for order in "<>":
        yield Kind(
            f"BigTIFF uint16 {order} grey",
            partial(tiff, deep(grey(), "uint16"), bigtiff=True, byteorder=order),
            decoded_grey,
        )
        yield Kind(
            f"BigTIFF uint8 {order} RGB",
            partial(tiff, colours(), photometric="rgb", bigtiff=True, byteorder=order),
            decoded_grey,
        )
        for highest in (255, 65_535):
            yield Kind(f"TIFF palette to {highest} {order}", palette_tiff(highest, order), decoded_palette)
        yield Kind(f"TIFF Lab uint8 {order}", lab_tiff("uint8", order), decoded_lab, LOSSY)
        yield Kind(f"TIFF Lab uint16 {order}", lab_tiff("uint16", order), decoded_lab, LOSSY)
        yield Kind(f"TIFF 12 of 16 bits {order}", twelve_bits(order), lambda content: read_tiff(content) / 4095 * 255)
        yield Kind(f"TIFF premultiplied {order}", premultiplied(order), decoded_premultiplied, LOSSY)
    for compression in ("group3", "group4", "raw", "tiff_lzw", "packbits", "tiff_adobe_deflate"):
        yield Kind(f"TIFF 1 bit {compression}", bilevel(compression), lambda content: 255.0 * read_tiff(content))
    for subsampling in ((1, 1), (2, 1), (2, 2)):
        yield Kind(f"TIFF JPEG YCbCr {subsampling}", jpeg_tiff(subsampling), decoded_grey, LOSSY)
    grey_jpeg = {"compression": "jpeg", "photometric": "minisblack"}
    yield Kind("TIFF JPEG grey", lambda: tiff(grey(), **grey_jpeg), decoded_grey, LOSSY)
    yield Kind("TIFF old-style JPEG", old_jpeg, decoded_old_jpeg, LOSSY)
    yield Kind("TIFF YCbCr raw", ycbcr_tiff, lambda content: from_ycbcr(read_tiff(content)), LOSSY)
    yield Kind(
        "TIFF WEBP", lambda: tiff(colours(), photometric="rgb", compression="webp"), None if NO_WEBP else decoded_grey
    )


# libtiff as Pillow's wheel has it is built without this codec.
NO_WEBP = True


def palette_tiff(highest: int, order: str) -> Callable[[], bytes]:
    def content() -> bytes:
        shades = np.arange(256)
        colour_map = np.stack([shades, 255 - shades, shades // 2]) * (highest // 255)
        return tiff(grey(), photometric="palette", colormap=colour_map.astype(np.uint16), byteorder=order)

    return content


def decoded_palette(content: bytes) -> Pixels:
    with tifffile.TiffFile(io.BytesIO(content)) as file:
        page = file.pages.first
        colour_map = np.asarray(page.colormap, np.float64)
    return np.asarray((colour_map.T * 255 / colour_map.max())[read_tiff(content)])


def lab_tiff(depth: str, order: str) -> Callable[[], bytes]:
    def content() -> bytes:
        signed = lab_of(colours())
        samples = signed if depth == "uint8" else signed.astype(np.uint16) * 256
        return tiff(samples, photometric="cielab", byteorder=order)

    return content


def decoded_lab(content: bytes) -> Pixels:
    samples = read_tiff(content)
    full, signed = (255, np.int8) if samples.dtype == np.uint8 else (65_280, np.int16)
    unit = 1 if samples.dtype == np.uint8 else 256
    a, b = (samples[..., place].astype(signed).astype(np.float64) / unit for place in (1, 2))
    return from_lab(samples[..., 0] / full * 100, a, b)


def twelve_bits(order: str) -> Callable[[], bytes]:
    return lambda: tiff((grey().astype(np.uint32) * 4095 // 255).astype(np.uint16), byteorder=order)


def premultiplied(order: str) -> Callable[[], bytes]:
    def content() -> bytes:
        share = alpha()[..., None] / 255
        samples = np.dstack([(colours() * share).round().astype(np.uint8), alpha()])
        return tiff(samples, photometric="rgb", extrasamples=["assocalpha"], byteorder=order)

    return content


def decoded_premultiplied(content: bytes) -> Pixels:
    samples = shallow(read_tiff(content))
    return samples[..., :3] + 255 - samples[..., 3:]


def bilevel(compression: str) -> Callable[[], bytes]:
    return lambda: saved(Image.fromarray(grey()).convert("1"), "TIFF", compression=compression)


def jpeg_tiff(subsampling: tuple[int, int]) -> Callable[[], bytes]:
    return lambda: tiff(
        colours(), photometric="rgb", compression="jpeg", compressionargs={"level": 95}, subsampling=subsampling
    )


def old_jpeg() -> bytes:
    """Compression 6: a whole JPEG file, by its offset and length (TIFF 6.0, section 22)."""
    stream = saved(Image.fromarray(colours()), "JPEG", quality=95)
    entries = [
        (256, 3, 1, WIDTH),
        (257, 3, 1, HEIGHT),
        (258, 3, 3, 8 + 2 + 12 * 12 + 4),
        (259, 3, 1, 6),
        (262, 3, 1, 6),
        (273, 4, 1, 200),
        (277, 3, 1, 3),
        (278, 3, 1, HEIGHT),
        (279, 4, 1, len(stream)),
        (513, 4, 1, 200),
        (514, 4, 1, len(stream)),
        (530, 3, 2, 2 | 2 << 16),
    ]
    directory = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries)
    head = b"II*\0" + struct.pack("<I", 8) + directory + struct.pack("<I", 0) + struct.pack("<3H", 8, 8, 8)
    return head.ljust(200, b"\0") + stream


def decoded_old_jpeg(content: bytes) -> Pixels:
    return np.asarray(imagecodecs.jpeg8_decode(content[200:]), np.float64)


def ycbcr_tiff() -> bytes:
    samples = np.asarray(Image.fromarray(colours()).convert("YCbCr"))
    return tiff(samples, photometric="ycbcr", extratags=[(530, 3, 2, (1, 1), True)])


def from_ycbcr(samples: Pixels) -> Pixels:
    y, cb, cr = (samples[..., place].astype(np.float64) for place in range(3))
    red, blue = y + 1.402 * (cr - 128), y + 1.772 * (cb - 128)
    return np.stack([red, (y - 0.299 * red - 0.114 * blue) / 0.587, blue], axis=-1)


# ── PNG, JPEG, WEBP, HEIF ────────────────────────────────────────────────────────────────────────────────────────────


def saved(image: Image.Image, image_format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, image_format, **options)
    return buffer.getvalue()


def png_kinds() -> Iterator[Kind]:
    for depth in ("uint8", "uint16"):
        for channels in range(1, 5):
            yield Kind(f"PNG {depth} {channels} channels", png(depth, channels), decoded_png)
    for bits in (1, 2, 4, 8):
        yield Kind(f"PNG palette of {bits} bits", png_palette(bits), decoded_png)
    yield Kind("PNG broken text", lambda: broken_chunk(png("uint8", 3)(), b"tEXt"), lambda _: colours())
    yield Kind("PNG broken profile", lambda: broken_chunk(png("uint8", 3)(), b"iCCP"), lambda _: colours())


def png(depth: str, channels: int) -> Callable[[], bytes]:
    samples = {1: grey(), 2: np.dstack([grey(), alpha()]), 3: colours(), 4: np.dstack([colours(), alpha()])}[channels]
    return lambda: bytes(imagecodecs.png_encode(deep(samples, depth)))


def png_palette(bits: int) -> Callable[[], bytes]:
    return lambda: saved(Image.fromarray(colours()).quantize(2**bits), "PNG", bits=bits)


def decoded_png(content: bytes) -> Pixels:
    samples = shallow(np.asarray(imagecodecs.png_decode(content)))
    if samples.ndim == 3 and samples.shape[2] in (2, 4):
        straight = samples[..., 0] if samples.shape[2] == 2 else samples[..., :3]
        return on_white(straight, samples[..., -1])
    return samples


def broken_chunk(content: bytes, name: bytes) -> bytes:
    payload = b"comment\0\0 of which the check sum is wrong"
    return content[:33] + struct.pack(">I", len(payload)) + name + payload + b"\1\2\3\4" + content[33:]


def jpeg_kinds() -> Iterator[Kind]:
    picture = Image.fromarray(colours())
    ways: list[dict[str, Any]] = [{}, {"progressive": True}, {"subsampling": "4:2:0"}, {"restart_marker_rows": 1}]
    for mode, options in itertools.product(("L", "RGB", "CMYK"), ways):
        if mode == "L" and "subsampling" in options:
            continue
        said = ", ".join(map(str, options)) or "baseline"
        yield Kind(
            f"JPEG {mode} {said}",
            partial(saved, picture.convert(mode), "JPEG", quality=95, **options),
            decoded_jpeg,
            LOSSY,
        )
    yield Kind("JPEG CMYK not by Adobe", lambda: without_adobe(picture), decoded_jpeg, LOSSY)
    whole = saved(picture, "JPEG", quality=95)
    for name, segment in {
        "empty JFIF": b"\xff\xe0\x00\x07JFIF\0",
        "short JFIF": b"\xff\xe0\x00\x09JFIF\0\1\2",
        "cut EXIF": b"\xff\xe1\x00\x10Exif\0\0II*\0\x08\0",
        "EXIF longer than it is": b"\xff\xe1\x00\xffExif\0\0II*\0\x08\0\0\0",
        "broken MPF": b"\xff\xe2\x00\x0cMPF\0II*\0\x08\0",
        "short Adobe": b"\xff\xee\x00\x07Adobe",
        "empty profile": b"\xff\xe2\x00\x10ICC_PROFILE\0\1\2",
        "broken Photoshop": b"\xff\xed\x00\x16Photoshop 3.0\x008BIM\4",
        "APP of no length": b"\xff\xe5\x00\x00",
    }.items():
        content = whole[:2] + segment + whole[20:]
        yield Kind(f"JPEG {name}", partial(bytes, content), lambda _: decoded_jpeg(whole), LOSSY)
    yield Kind("JPEG 12 bits", twelve_bit_jpeg, None)


def without_adobe(picture: Image.Image) -> bytes:
    """CMYK with no word of being inverted, as it is all the same to browsers, libvips and ImageMagick."""
    content = saved(picture.convert("CMYK"), "JPEG", quality=95)
    start = content.index(b"\xff\xee")
    return content[:start] + content[start + 2 + struct.unpack(">H", content[start + 2 : start + 4])[0] :]


def decoded_jpeg(content: bytes) -> Pixels:
    samples = np.asarray(imagecodecs.jpeg8_decode(content), np.float64)
    if samples.ndim == 3 and samples.shape[2] == 4:
        return from_cmyk(255 - samples)
    return samples


def twelve_bit_jpeg() -> bytes:
    return bytes(imagecodecs.jpeg_encode((grey().astype(np.uint16) << 4), bitspersample=12))


def modern_kinds() -> Iterator[Kind]:
    picture, clear = Image.fromarray(colours()), Image.fromarray(np.dstack([colours(), alpha()]), "RGBA")
    for name, content in {
        "WEBP lossless": lambda: saved(picture, "WEBP", lossless=True),
        "WEBP lossy": lambda: saved(picture, "WEBP", quality=95),
        "WEBP with alpha": lambda: saved(clear, "WEBP", lossless=True, exact=True),
    }.items():
        yield Kind(name, content, lambda content: flat(imagecodecs.webp_decode(content)), LOSSY)
    # imagecodecs' wheel has no HEIF, so the picture itself is the measure.
    for name, image in {"HEIF": picture, "HEIF grey": picture.convert("L"), "HEIF with alpha": clear}.items():
        yield Kind(name, heif(image), constant(flat(np.asarray(image))), LOSSY)


def heif(image: Image.Image) -> Callable[[], bytes]:
    def content() -> bytes:
        import pillow_heif

        pillow_heif.register_heif_opener()
        return saved(image, "HEIF", quality=95)

    return content


def flat(samples: Any) -> Pixels:
    pixels = np.asarray(samples, np.float64)
    return on_white(pixels[..., :3], pixels[..., 3]) if pixels.ndim == 3 and pixels.shape[2] == 4 else pixels


# ── BMP: no other decoder reads them all, so the picture itself is the measure ───────────────────────────────────────


def bmp_kinds() -> Iterator[Kind]:
    masks = {
        "565": (16, 3, (0xF800, 0x07E0, 0x001F)),
        "555": (16, 3, (0x7C00, 0x03E0, 0x001F)),
        "655": (16, 3, (0xFC00, 0x03E0, 0x001F)),
        "444": (16, 3, (0x0F00, 0x00F0, 0x000F)),
        "BGRX": (32, 3, (0x00FF0000, 0x0000FF00, 0x000000FF)),
        "RGBX": (32, 3, (0xFF000000, 0x00FF0000, 0x0000FF00)),
        "XRGB swapped": (32, 3, (0x000000FF, 0x0000FF00, 0x00FF0000)),
        "10 bits": (32, 3, (0x3FF00000, 0x000FFC00, 0x000003FF)),
        "11-11-10": (32, 3, (0xFFE00000, 0x001FFC00, 0x000003FF)),
        "with alpha": (32, 6, (0x00FF0000, 0x0000FF00, 0x000000FF, 0xFF000000)),
        "alpha never written": (32, 6, (0x00FF0000, 0x0000FF00, 0x000000FF, 0xFF000000)),
    }
    for (name, (bits, compression, fields)), header, down in itertools.product(
        masks.items(), (40, 108, 124), (False, True)
    ):
        opacity = 0 if name == "alpha never written" else 255
        yield Kind(
            f"BMP {bits} bits {name}, header of {header}{', top down' if down else ''}",
            partial(masked_bmp, bits, compression, fields, header, down, opacity),
            lambda _: colours(),
            most={"444": 8.0, "555": 4.0, "565": 4.0, "655": 4.0}.get(name, EXACT),
        )
    for mode in ("1", "L", "P", "RGB"):
        picture = Image.fromarray(colours()).convert(mode)
        yield Kind(f"BMP {mode}", partial(saved, picture, "BMP"), constant(np.asarray(picture.convert("RGB"))))
    yield Kind("BMP RLE8", rle8_bmp, lambda _: grey())
    yield Kind("BMP OS/2", os2_bmp, lambda _: colours())


def masked_bmp(
    bits: int, compression: int, fields: tuple[int, ...], header: int, top_down: bool, opacity: int
) -> bytes:
    channels = [*np.moveaxis(colours(), -1, 0).astype(np.uint64), np.full((HEIGHT, WIDTH), opacity, np.uint64)]
    pixels = np.zeros((HEIGHT, WIDTH), np.uint64)
    for field, channel in zip(fields, channels, strict=False):
        shift = (field & -field).bit_length() - 1
        pixels |= ((channel * np.uint64(field >> shift) + np.uint64(127)) // np.uint64(255)) << np.uint64(shift)
    lines = pixels.astype(f"<u{bits // 8}")
    lines = lines if top_down else lines[::-1]
    body = b"".join(line.tobytes().ljust(-(-WIDTH * bits // 32) * 4, b"\0") for line in lines)
    height = -HEIGHT if top_down else HEIGHT
    inside = struct.pack("<IiiHHIIiiII", header, WIDTH, height, 1, bits, compression, 0, 0, 0, 0, 0)
    inside = (inside + struct.pack(f"<{len(fields)}I", *fields)).ljust(header, b"\0")
    return struct.pack("<2sIHHI", b"BM", 14 + len(inside) + len(body), 0, 0, 14 + len(inside)) + inside + body


def palette_bmp(body: bytes, header: bytes, entries: bytes) -> bytes:
    start = 14 + len(header) + len(entries)
    return struct.pack("<2sIHHI", b"BM", start + len(body), 0, 0, start) + header + entries + body


def rle8_bmp() -> bytes:
    lines = [b"".join(bytes([1, shade]) for shade in line) + b"\0\0" for line in grey()[::-1]]
    header = struct.pack("<IiiHHIIiiII", 40, WIDTH, HEIGHT, 1, 8, 1, 0, 0, 0, 256, 0)
    return palette_bmp(b"".join(lines) + b"\0\1", header, b"".join(bytes([n, n, n, 0]) for n in range(256)))


def os2_bmp() -> bytes:
    lines = [line[:, ::-1].tobytes().ljust(-(-WIDTH * 24 // 32) * 4, b"\0") for line in colours()[::-1]]
    return palette_bmp(b"".join(lines), struct.pack("<IHHHH", 12, WIDTH, HEIGHT, 1, 24), b"")


# ── The comparison ───────────────────────────────────────────────────────────────────────────────────────────────────


def kinds() -> list[Kind]:
    return [*tiff_kinds(), *png_kinds(), *jpeg_kinds(), *modern_kinds(), *bmp_kinds()]


def stored(content: bytes, folder: Path) -> Pixels | str:
    """What the pipeline stores of a file, or why it is lost."""
    path = folder / "picture"
    path.write_bytes(content)
    try:
        (page,) = Renderer().render(path, inspect(path), PageRange(1, 1))
    except DocumentRejected as rejected:
        return rejected.message
    if not isinstance(page, PageImage):
        return str(page.error) if hasattr(page, "error") else "unreached"
    return np.asarray(Image.open(io.BytesIO(page.content)).convert("RGB"), np.float64)


def difference(kind: Kind, folder: Path) -> float | str:
    """Mean over pixels and channels, of 255; or the words with which the file is refused."""
    content = kind.content()
    ours = stored(content, folder)
    if isinstance(ours, str) or kind.decoded is None:
        return ours if isinstance(ours, str) else "read"
    theirs = np.asarray(kind.decoded(content), np.float64)
    theirs = np.dstack([theirs] * 3) if theirs.ndim == 2 else theirs
    if ours.shape != theirs.shape:
        return f"{ours.shape[1]} × {ours.shape[0]}"
    return float(np.abs(ours - theirs).mean())


def is_right(kind: Kind, found: float | str) -> bool:
    if kind.decoded is None:
        return isinstance(found, str) and found != "read"
    return isinstance(found, float) and found <= kind.most


def main() -> int:
    sys.stdout.write("| kind | mean difference of 255 | at most |\n| --- | --- | --- |\n")
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        for kind in kinds():
            found = difference(kind, Path(folder))
            shown = f"{found:.2f}" if isinstance(found, float) else found
            right = is_right(kind, found)
            most = "refused" if kind.decoded is None else f"{kind.most:.1f}"
            sys.stdout.write(f"| {kind.name} | {shown}{'' if right else ' **wrong**'} | {most} |\n")
            wrong += not right
    sys.stdout.write(f"\n{len(kinds())} kinds, {wrong} wrong\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
