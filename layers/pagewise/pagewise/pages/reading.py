"""From an image file to one picture of it: by Pillow, else by another reader for files that Pillow cannot read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pagewise.errors import ImageRejected, PageUnreadable
from pagewise.pages import bitmaps, mending, tiffs
from pagewise.pages.mending import EXIF_ORIENTATION

if TYPE_CHECKING:
    from PIL.Image import Image

CheckSize = Callable[[int, int], None]
# In a picture's `info`: its reader, where that is not Pillow alone.
READER = "pagewise_reader"
# Larger files are not mended: that takes the file, and a copy of it, into memory.
MOST_BYTES_MENDED = 200_000_000


@contextmanager
def picture(path: Path, image_format: str, page: int, check_size: CheckSize) -> Iterator[Image]:
    """The picture of a page, decoded. Raises PageUnreadable, the errors of `check_size`, and any of Pillow's."""
    image = frame(path, page, check_size) if image_format == "TIFF" else single(path, image_format, check_size)
    with image:
        yield image


def single(path: Path, image_format: str, check_size: CheckSize) -> Image:
    from PIL import Image

    formats = [image_format, "MPO"] if image_format == "JPEG" else [image_format]
    try:
        return loaded(Image.open(path, formats=formats), check_size)
    except (ImageRejected, PageUnreadable):
        raise
    except Exception:  # decoders of hostile bytes raise nearly every kind of error
        image = otherwise(path, image_format, check_size)
        if image is None:
            raise
        image.info[READER] = "pillow"
        return image


def loaded(image: Image, check_size: CheckSize) -> Image:
    try:
        check_size(image.width, image.height)
        image.load()
    except BaseException:
        image.close()
        raise
    return image


def otherwise(path: Path, image_format: str, check_size: CheckSize) -> Image | None:
    """The picture of a file that Pillow does not read as it is; None where nothing more is known."""
    if path.stat().st_size > MOST_BYTES_MENDED:
        return None
    content = path.read_bytes()
    if image_format == "BMP":
        return bitmaps.masked_bitmap(content, check_size)
    if image_format == "JPEG" and (bits := mending.bits_of_jpeg(content)) not in (None, 8):
        raise PageUnreadable(f"it is a JPEG of {bits} bits a channel. Save it with 8, or as PNG.")
    image = mending.mended(content, image_format)
    return loaded(image, check_size) if image else None


# ── TIFF ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def frame(path: Path, page: int, check_size: CheckSize) -> Image:
    """A frame of a TIFF: by Pillow if it shows frames of this kind right, else by libtiff."""
    offset = tiffs.frame_offsets(path)[page - 1]
    opened, failure = opened_by_pillow(path, page)
    if opened is not None:
        if tiffs.suits_pillow(opened.tag_v2):
            try:
                return loaded(opened, check_size)
            except ImageRejected:
                raise
            except Exception as error:  # noqa: BLE001 (as above)
                failure = error
        opened.close()
    try:
        image = tiffs.frame_image(path, offset, check_size)
    except PageUnreadable as error:
        raise error from failure
    image.info[READER] = "libtiff"
    return image


def opened_by_pillow(path: Path, page: int) -> tuple[Any, Exception | None]:
    """The frame, not yet decoded, or the reason for having none."""
    from PIL import Image

    image = None
    try:
        image = Image.open(path, formats=["TIFF"])
        if page > 1:
            image.seek(page - 1)
    except Exception as error:  # noqa: BLE001 (a directory may be broken, of this frame or of one before it)
        if image is not None:
            image.close()
        return None, error
    return image, None


# ── Orientation ──────────────────────────────────────────────────────────────────────────────────────────────────────


def orientation_of(image: Image) -> int:
    """EXIF's, 1 to 8; 1 where it cannot be read."""
    try:
        found = image.getexif().get(EXIF_ORIENTATION, 1)
    except Exception:  # noqa: BLE001 (Exif's reader raises nearly every kind of error)
        return 1
    return found if isinstance(found, int) and 1 <= found <= 8 else 1


def upright(image: Image) -> Image:
    from PIL.Image import Transpose

    turns = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    orientation = orientation_of(image)
    if orientation not in turns:
        return image
    turned = image.transpose(turns[orientation])
    turned.info = dict(image.info)
    if orientation >= 5 and "dpi" in turned.info:
        turned.info["dpi"] = tuple(reversed(turned.info["dpi"]))
    return turned
