"""How large an image file says that its picture is, and which way up its camera held it: from its header alone."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from pagewise.encoding import Raster
from pagewise.errors import PageUnreadable
from pagewise.images import EXIF_ORIENTATION, PageImage, guarded
from pagewise.model import PageGeometry
from pagewise.poppler import POINTS_PER_INCH

if TYPE_CHECKING:
    from PIL.Image import Image

EXIF_RESOLUTION = 0x011A
# Degrees clockwise that bring a picture upright, by its EXIF orientation. Those left out lie as they are; 2, 4, 5 and 7
# are mirrored, too.
TURNS = {3: 180, 4: 180, 5: 90, 6: 90, 7: 270, 8: 270}
LEAST_DPI, MOST_DPI = 10, 10_000  # beyond any scanner or screen: a wrong tag


def stated_geometry(path: Path, image_format: str, page: int, decoded: PageImage | Raster) -> PageGeometry:
    """Where the page image lies on its page of the file: no size if the file states no resolution."""
    from PIL import Image

    formats = [image_format, "MPO"] if image_format == "JPEG" else [image_format]
    with suppress(PageUnreadable, EOFError), guarded("The file"), Image.open(path, formats=formats) as image:
        if page > 1:
            image.seek(page - 1)
        turn = TURNS.get(image.getexif().get(EXIF_ORIENTATION, 1), 0)
        if (dpi := stated_dpi(image)) is None:
            return PageGeometry(turn=turn)
        width, height = (POINTS_PER_INCH * pixels / along for pixels, along in zip(image.size, dpi, strict=True))
        upright = width if turn % 180 == 0 else height
        return PageGeometry(width=width, height=height, turn=turn, dpi=decoded.width * POINTS_PER_INCH / upright)
    return PageGeometry()


def stated_dpi(image: Image) -> tuple[float, float] | None:
    """Along the stored lines and across them. Pillow itself says 72 of a JPEG that says nothing."""
    if image.format in ("JPEG", "MPO") and not (
        image.info.get("jfif_unit") in (1, 2) or EXIF_RESOLUTION in image.getexif()
    ):
        return None
    horizontal, vertical = (float(along) for along in image.info.get("dpi", (0, 0)))
    if LEAST_DPI <= horizontal <= MOST_DPI and LEAST_DPI <= vertical <= MOST_DPI:
        return horizontal, vertical
    return None
