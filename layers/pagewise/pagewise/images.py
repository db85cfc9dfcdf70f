"""From any accepted image to a page image. What a call carries of it: transport.py.

Pillow is imported where it is used: an OCR function that only forwards a stored page never pays for it.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pagewise import limits
from pagewise.encoding import Raster, png, raster_of
from pagewise.errors import DocumentRejected, ImageRejected, PageUnreadable, Rejection
from pagewise.geometry import Size
from pagewise.model import Look

if TYPE_CHECKING:
    from PIL.Image import Image

# 34.8 MP, an A4 scan at 600 dpi, is ordinary; 179 MP is what Pillow itself warns from. RGB takes 3 bytes a pixel,
# and conversion a second copy: 150 MP stay within 900 MB.
MAX_UPLOAD_PIXELS = 150_000_000
BOMB_PIXELS = MAX_UPLOAD_PIXELS // 2  # Pillow warns from its limit and refuses from twice that


NOTHING_SEEN = Look()


@dataclass(frozen=True, slots=True)
class PageImage:
    """A page ready to be stored: `content` is a whole PNG or JPEG file of `width` × `height` pixels."""

    page: int
    content: bytes
    media_type: str
    width: int
    height: int
    look: Look = NOTHING_SEEN


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
    # Readers accept a PDF whose header comes after up to a kilobyte of something else.
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
    """Anything that a decoder throws at hostile bytes becomes PageUnreadable."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (PageUnreadable, DocumentRejected, ImageRejected):
        raise
    # Decoders of hostile bytes raise nearly anything: SyntaxError, struct.error, OverflowError, zlib.error …
    except Exception as error:
        if type(error).__name__ == "DecompressionBombError":
            raise too_large(what) from error
        raise PageUnreadable(f"{what} cannot be decoded ({type(error).__name__}). Export or scan it again.") from error


def count_frames(path: Path, image_format: str) -> int:
    """How many pages an image file has: a TIFF's every frame; one for the other formats, whose frames are animation.

    Raises DocumentRejected `unreadable`.
    """
    if image_format != "TIFF":
        return 1
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = BOMB_PIXELS
    try:
        with guarded("The file"), Image.open(path, formats=["TIFF"]) as image:
            return int(getattr(image, "n_frames", 1))
    except PageUnreadable as error:
        raise DocumentRejected(Rejection.UNREADABLE, error.message) from error


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


def page(path: Path, image_format: str, page: int, max_pixels: int, *, keep_file: bool) -> PageImage | Raster:
    """One page of an image file: as the page image to be stored, or as the pixels of one.

    With `keep_file` a JPEG or PNG that the engine can take as it is stays as it is, to the byte. Of everything else
    the pixels are taken: turned as its EXIF orientation says, 8 bits a channel, opaque on white, grey where it has no
    colour, and at most `max_pixels`. Raises PageUnreadable, ImageRejected.
    """
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = BOMB_PIXELS
    if image_format == "HEIF":
        import pillow_heif

        pillow_heif.register_heif_opener()
    formats = [image_format, "MPO"] if image_format == "JPEG" else [image_format]
    with guarded(f"Page {page}"), Image.open(path, formats=formats) as image:
        if page > 1:
            image.seek(page - 1)
        check_size(image.width, image.height)
        image.load()
        as_it_is = unchanged(image, path, page, max_pixels) if keep_file else None
        return as_it_is or raster_of(normalised(image, max_pixels))


def page_image(raster: Raster, page: int) -> PageImage:
    return PageImage(page, png(raster), "image/png", raster.width, raster.height)


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
        and image.mode in ("L", "RGB")
        and "transparency" not in image.info
        and image.getexif().get(EXIF_ORIENTATION, 1) == 1
        and image.width * image.height <= min(max_pixels, limits.MAX_PIXELS)
        and not limits.exceeds(limits.EIGHT_K, image.width, image.height)
        and path.stat().st_size <= limits.MAX_INLINE_BYTES
    )
    if not fits or image.format is None:
        return None
    return PageImage(page, path.read_bytes(), limits.MEDIA_TYPES[image.format], image.width, image.height)


EXIF_ORIENTATION = 0x0112


def normalised(image: Image, max_pixels: int) -> Image:
    """The same picture in the form that suits OCR: upright, opaque, 8-bit, of square pixels, not too large."""
    from PIL import ImageOps

    upright = ImageOps.exif_transpose(image)
    return fitted(square_pixels(opaque(upright)), max_pixels)


def opaque(image: Image) -> Image:
    """8-bit L or RGB (or 1-bit as it is); transparency shows white paper."""
    from PIL import Image as Pillow

    if image.mode in ("1", "L", "RGB"):
        return image if "transparency" not in image.info else on_white(image.convert("RGBA"))
    if image.mode.startswith(("I", "F")):
        return eight_bit(image)
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        return on_white(image.convert("RGBA"))
    if image.mode == "P":
        palette_is_grey = image.getpalette() is not None and all(
            red == green == blue for red, green, blue in zip(*[iter(image.getpalette() or [])] * 3, strict=False)
        )
        return image.convert("L" if palette_is_grey else "RGB")
    return image.convert("L" if Pillow.getmodebands(image.mode) == 1 else "RGB")


def on_white(image: Image) -> Image:
    from PIL import Image as Pillow

    paper = Pillow.new("RGBA", image.size, "white")
    paper.alpha_composite(image)
    return paper.convert("RGB")


def eight_bit(image: Image) -> Image:
    """16- and 32-bit grey as 8-bit, scaled by the range that the format declares, else by the picture's own."""
    low, high = image.getextrema()
    low, high = float(low), float(high)  # type: ignore[arg-type]
    if image.mode.startswith("I;16") or (image.mode == "I" and 255 < high <= 65535 and low >= 0):
        low, high = 0.0, 65535.0
    elif low >= 0 and high <= 255:
        low, high = 0.0, 255.0
    scale = 255.0 / (high - low) if high > low else 1.0
    return image.convert("F").point(lambda value: value * scale - low * scale).convert("L")


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


def fitted(image: Image, max_pixels: int) -> Image:
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


def fitted_raster(raster: Raster, max_pixels: int) -> Raster:
    """The same for a page whose size was not known before it was rendered."""
    allowed = min(max_pixels, limits.MAX_PIXELS)
    if raster.width * raster.height <= allowed and not limits.exceeds(limits.EIGHT_K, raster.width, raster.height):
        return raster
    return raster_of(fitted(raster.image(), max_pixels))
