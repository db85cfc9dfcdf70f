"""From any accepted image to a page image. qwen/fitting.py makes the copy that a call carries.

Pillow is imported where it is used: an OCR function that only forwards a stored page never pays for the import.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pagewise.errors import DocumentRejected, ImageRejected, PageUnreadable, Rejection
from pagewise.geometry import Size
from pagewise.model import Look, PageGeometry
from pagewise.pages import limits, reading, tiffs
from pagewise.pages.blank import is_blank
from pagewise.pages.colours import opaque
from pagewise.pages.png import Raster, png, raster_of
from pagewise.pages.shrinking import manageable
from pagewise.pages.text_layer import TextLine

if TYPE_CHECKING:
    from PIL.Image import Image

# 34.8 MP, an A4 scan at 600 dpi, is ordinary; Pillow itself warns from 179 MP on. The memory for 150 MP, by kind:
# tests/split/test_memory.py.
MAX_UPLOAD_PIXELS = 150_000_000
BOMB_PIXELS = MAX_UPLOAD_PIXELS // 2  # Pillow warns from its limit and refuses from twice that


NOTHING_SEEN = Look()


@dataclass(frozen=True, slots=True)
class PageImage:
    """A page ready to be stored: `content` is a whole PNG or JPEG file of `width` × `height` pixels. `lines` are the
    page's own text, where it answers in the engine's place."""

    page: int
    content: bytes
    media_type: str
    width: int
    height: int
    look: Look = NOTHING_SEEN
    lines: tuple[TextLine, ...] | None = None


class UnsupportedType(DocumentRejected):
    def __init__(self, what: str) -> None:
        super().__init__(
            Rejection.UNSUPPORTED_TYPE,
            f"{what} is not supported. Upload a PDF, TIFF, JPEG, PNG, BMP, WEBP or HEIC file.",
        )


def sniff(head: bytes) -> str:
    """The format of a file by its first kilobytes, never by its name: PDF, TIFF, JPEG, PNG, BMP, WEBP or HEIF.

    Raises DocumentRejected (`empty`, `unsupported_type`).
    """
    if not head:
        raise DocumentRejected(Rejection.EMPTY, "The file is empty. Upload it again.")
    for magic, found in SIGNATURES:
        if head.startswith(magic):
            return found
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[4:8] == b"ftyp":
        brands = {head[i : i + 4] for i in range(8, min(len(head), 64), 4)}
        if brands & HEIC_BRANDS and head[8:12] != b"avif":
            return "HEIF"
        raise UnsupportedType("This image or video format")
    # Readers accept a PDF whose header comes after up to a kilobyte of other bytes.
    if b"%PDF-" in head[:2048]:
        return "PDF"
    if head[:6] in (b"GIF87a", b"GIF89a"):
        raise UnsupportedType("GIF")
    raise UnsupportedType("This type of file")


SIGNATURES = (
    (b"%PDF-", "PDF"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"II+\x00", "TIFF"),
    (b"MM\x00+", "TIFF"),
    (b"BM", "BMP"),
)
HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}


@contextmanager
def guarded(what: str) -> Iterator[None]:
    """Any error of a decoder on hostile bytes becomes PageUnreadable, in words for people."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (DocumentRejected, ImageRejected):
        raise
    except PageUnreadable as error:
        if error.message.startswith(what):
            raise
        raise PageUnreadable(f"{what} cannot be read: {error.message}") from error
    # Decoders of hostile bytes raise nearly every kind of error: SyntaxError, struct.error, OverflowError, zlib.error …
    except Exception as error:
        if type(error).__name__ == "DecompressionBombError":
            raise too_large(what) from error
        raise PageUnreadable(f"{what} cannot be read: {why(error)}") from error


def why(error: Exception) -> str:
    """The fault of a picture, and the way out. Decoders' own messages are for programmers."""
    said = str(error)
    if isinstance(error, MemoryError):
        return "it needs more memory than there is. Upload it at a lower resolution."
    if isinstance(error, EOFError) or any(word in said for word in CUT_OFF):
        return "its picture is damaged or cut off. Save or scan it again."
    return "it is damaged, or of a form that is not supported. Save it anew as PNG, JPEG or PDF."


CUT_OFF = ("truncated", "broken data stream", "unrecognized data", "decoder error", "not enough", "end of file")


def count_frames(path: Path, image_format: str) -> int:
    """Pages of an image file: a TIFF's every frame; one for the other formats, whose frames are animation.

    Raises DocumentRejected `unreadable`.
    """
    if image_format != "TIFF":
        return 1
    found = len(tiffs.frame_offsets(path))
    if not found:
        raise DocumentRejected(Rejection.UNREADABLE, "The TIFF file has no pages. Save or scan it again.")
    return found


def sizes(path: Path, image_format: str, pages: int) -> list[Size | None]:
    """The size of each page as its header says; None where it does not, or where pixels are not square: those pages
    become larger."""
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = BOMB_PIXELS
    if image_format == "HEIF":
        import pillow_heif

        pillow_heif.register_heif_opener()
    found: list[Size | None] = [None] * pages
    with suppress(PageUnreadable), guarded("The file"), Image.open(path) as image:
        for page in range(pages):
            if page:
                image.seek(page)
            horizontal, vertical = image.info.get("dpi", (0, 0))
            found[page] = Size(*image.size) if horizontal == vertical else None
    return found


@dataclass(frozen=True, slots=True)
class Decoded:
    """The pixels of a page image, and the findings about the page so far."""

    raster: Raster
    look: Look


def page(path: Path, image_format: str, page: int, max_pixels: int, *, keep_file: bool) -> PageImage | Decoded:
    """One page of an image file: as the page image to be stored, or as the pixels of one.

    With `keep_file` a JPEG or PNG that the engine can take as it is stays as it is, to the byte. Of all others
    the pixels are taken: turned as its EXIF orientation says, 8 bits a channel, opaque on white, grey where it has no
    colour, and at most `max_pixels`. Raises PageUnreadable, ImageRejected.
    """
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = BOMB_PIXELS
    if image_format == "HEIF":
        import pillow_heif

        pillow_heif.register_heif_opener()
    with guarded(f"Page {page}"), reading.picture(path, image_format, page, check_size) as image:
        as_it_is = unchanged(image, path, page, max_pixels) if keep_file else None
        if as_it_is:
            return as_it_is
        look = look_of(image)
        normal = normalised(image, max_pixels)
        return Decoded(raster_of(normal), scaled(look, normal))


def look_of(image: Image) -> Look:
    """The picture's reader, its turn, and its size where the file states one."""
    orientation = reading.orientation_of(image)
    geometry = PageGeometry(turn=TURNS.get(orientation, 0))
    if dpi := stated_dpi(image):
        width, height = (round(72 * pixels / along, 2) for pixels, along in zip(image.size, dpi, strict=True))
        geometry = PageGeometry(width=width, height=height, turn=geometry.turn, dpi=dpi[0])
    return Look(reader=image.info.get(reading.READER, "pillow"), geometry=geometry)


# Degrees clockwise that set a picture of this EXIF orientation upright. 2, 4, 5 and 7 are mirrored besides.
TURNS = {3: 180, 4: 180, 5: 90, 6: 90, 7: 270, 8: 270}
# Beyond these a file does not mean inches: cameras say 1, some programs 72,000.
LEAST_DPI, MOST_DPI = 30.0, 5_000.0
EXIF_RESOLUTION = 0x011A


def stated_dpi(image: Image) -> tuple[float, float] | None:
    """Along the stored lines and across them. Pillow itself says 72 of a JPEG that says nothing."""
    says_nothing = image.info.get("jfif_unit") not in (1, 2) and EXIF_RESOLUTION not in image.getexif()
    if image.format in ("JPEG", "MPO") and says_nothing:
        return None
    horizontal, vertical = (float(dots) for dots in image.info.get("dpi", (0, 0)))
    if LEAST_DPI <= horizontal <= MOST_DPI and LEAST_DPI <= vertical <= MOST_DPI:
        return horizontal, vertical
    return None


def scaled(look: Look, normal: Image) -> Look:
    """The same with the resolution of the picture as it is stored."""
    geometry = look.geometry
    if geometry is None or geometry.width is None or geometry.height is None:
        return look
    inches = (geometry.width if geometry.turn in (0, 180) else geometry.height) / 72
    return replace(look, geometry=replace(geometry, dpi=round(normal.width / inches, 2)))


def page_image(raster: Raster, page: int, look: Look = NOTHING_SEEN) -> PageImage:
    return PageImage(page, png(raster), "image/png", raster.width, raster.height, look)


def check_size(width: int, height: int) -> None:
    limits.check_dimensions(width, height)
    if width * height > MAX_UPLOAD_PIXELS:
        raise too_large("The image")


def too_large(what: str) -> PageUnreadable:
    return PageUnreadable(f"{what} claims more than {MAX_UPLOAD_PIXELS:,} pixels. Upload it at a lower resolution.")


def unchanged(image: Image, path: Path, page: int, max_pixels: int) -> PageImage | None:
    """The file itself as the page image, if the engine can take it as it is."""
    fits = (
        image.format in limits.LARGE_FORMATS
        and getattr(image, "n_frames", 1) == 1
        and reading.READER not in image.info
        and image.mode in ("L", "RGB")
        and "transparency" not in image.info
        and reading.orientation_of(image) == 1
        and image.width * image.height <= min(max_pixels, limits.MAX_PIXELS)
        and not limits.exceeds(limits.EIGHT_K, image.width, image.height)
        and path.stat().st_size <= limits.MAX_INLINE_BYTES
    )
    if not fits or image.format is None:
        return None
    look = replace(look_of(image), blank=is_blank(raster_of(image)))
    return PageImage(page, path.read_bytes(), limits.MEDIA_TYPES[image.format], image.width, image.height, look)


def normalised(image: Image, max_pixels: int) -> Image:
    """The same picture in the form that suits OCR: upright, opaque, 8-bit, of square pixels, not too large."""
    return within_limits(square_pixels(opaque(reading.upright(manageable(image, max_pixels)))), max_pixels)


def square_pixels(image: Image) -> Image:
    """Faxes scan with fewer lines than columns; stretch such a picture to the page's own proportions."""
    horizontal, vertical = image.info.get("dpi", (0, 0))
    if not (horizontal and vertical) or 0.9 < float(horizontal) / float(vertical) < 1.1:
        return image
    ratio = float(horizontal) / float(vertical)
    if not 1 / 3 < ratio < 3:  # beyond any scanner: a wrong tag
        return image
    larger = (image.width, round(image.height * ratio)) if ratio > 1 else (round(image.width / ratio), image.height)
    return image.convert("L" if image.mode == "1" else image.mode).resize(larger)


def within_limits(image: Image, max_pixels: int) -> Image:
    """At most `max_pixels` large and within 8K: the model would scale down by itself, and bill the same."""
    from PIL import Image as Pillow

    scale = min(1.0, math.sqrt(min(max_pixels, limits.MAX_PIXELS) / (image.width * image.height)))
    scale = min(scale, max(limits.EIGHT_K) / max(image.size), min(limits.EIGHT_K) / min(image.size))
    if scale >= 1.0:
        return image
    smaller = (max(limits.MIN_SIDE, int(image.width * scale)), max(limits.MIN_SIDE, int(image.height * scale)))
    if image.mode == "1":
        image = image.convert("L")
    return image.resize(smaller, Pillow.Resampling.LANCZOS, reducing_gap=3.0)


def raster_within_limits(raster: Raster, max_pixels: int) -> Raster:
    """The same for a page whose size was not known before its rendering."""
    allowed = min(max_pixels, limits.MAX_PIXELS)
    if raster.width * raster.height <= allowed and not limits.exceeds(limits.EIGHT_K, raster.width, raster.height):
        return raster
    return raster_of(within_limits(raster.image(), max_pixels))
