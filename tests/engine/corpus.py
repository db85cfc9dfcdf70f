"""The corpus of real documents: what a pipeline would send of a file, and how far a text is from the truth."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from pathlib import Path

from PIL import Image, ImageOps
from pillow_heif import register_heif_opener
from rapidfuzz.distance import Levenshtein

from tests.engine.asking import ROOT

CORPUS = ROOT.parent / "shared" / "corpus"
MOST_PIXELS = 8_388_608
MOST_BYTES = 7_000_000
"""Base64 makes 10 MB of it, nearly."""

# Character error rates on the same files: RapidOCR's lines joined as they come, and Tesseract with automatic
# segmentation in the page's language.
BASELINES = {
    "A04": (0.046, 0.162),
    "A05": (0.258, 0.264),
    "A09": (0.649, 0.805),
    "A10": (0.824, 0.557),
    "A11": (0.843, 0.314),
    "A13": (0.576, 0.504),
    "A23": (0.787, 0.084),
    "A24": (0.006, 0.014),
    "A25": (1.0, 0.0),
    "A27": (0.0, 0.0),
    "A32": (0.098, 0.024),
}
MULTILINGUAL = ("A10", "A11", "A13", "A32")
"""Neither Chinese nor English: measured with multi_lan, too."""

register_heif_opener()


def is_here() -> bool:
    return (CORPUS / "manifest.csv").exists()


def manifest() -> list[dict[str, str]]:
    with (CORPUS / "manifest.csv").open(newline="", encoding="utf-8") as rows:
        return list(csv.DictReader(rows))


def original(name: str) -> Path:
    (found,) = (CORPUS / "files").glob(f"{name}_*")
    return found


def truth(name: str) -> str:
    (found,) = (CORPUS / "ground_truth").glob(f"{name}_*.gt.txt")
    return found.read_text(encoding="utf-8")


def as_sent(path: Path) -> bytes:
    """The file itself where it is a JPEG within the limits, else an upright PNG (a photo: JPEG) of 8,388,608 pixels."""
    with Image.open(path) as opened:
        small = opened.width * opened.height <= MOST_PIXELS
        if opened.format == "JPEG" and opened.mode in ("RGB", "L") and small and opened.getexif().get(0x0112, 1) == 1:
            return path.read_bytes()
        page = _upright(opened)
    buffer = io.BytesIO()
    page.save(buffer, "PNG", compress_level=1)
    if buffer.tell() > MOST_BYTES:
        buffer = io.BytesIO()
        page.save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


def _upright(opened: Image.Image) -> Image.Image:
    page = ImageOps.exif_transpose(opened)
    if page.mode in ("RGBA", "LA", "P"):
        rgba = page.convert("RGBA")
        page = Image.new("RGB", rgba.size, "white")
        page.paste(rgba, mask=rgba.getchannel("A"))
    page = page.convert("L" if page.mode in ("1", "L") else "RGB")
    scale = min(1.0, (MOST_PIXELS / (page.width * page.height)) ** 0.5)
    size = int(page.width * scale), int(page.height * scale)
    return page if scale == 1.0 else page.resize(size, Image.Resampling.LANCZOS)


def error_rate(text: str, expected: str) -> float:
    """Levenshtein distance to the length of the truth; white space removed, NFKC, lower case."""
    plain, wanted = _plain(text), _plain(expected)
    return Levenshtein.distance(plain, wanted) / len(wanted)


def _plain(text: str) -> str:
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", text)).lower()
