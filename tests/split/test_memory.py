"""The largest picture of each kind is read within what Lambda gives a splitter."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw

from pagewise.pages import images
from pagewise.pages.colours import opaque
from pagewise.pages.shrinking import manageable, page_size

# The peak comes from the program's own memory map: Linux hands a parent's `ru_maxrss` on to the programs it starts.
READ = """
import re, resource, sys
from pathlib import Path
from pagewise.pages import images
images.page(Path(sys.argv[1]), sys.argv[2], 1, 8_388_608, keep_file=True)
if sys.platform == "linux":
    print(int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) // 1024)
else:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024 * 1024))
"""
# Of 3,008 MB that a splitter has: mode, format, options, the most that may be taken. Megabytes before pictures were
# shrunk in bands, and after.
KINDS: dict[str, tuple[str, str, dict[str, Any], int]] = {
    "RGB": ("RGB", "PNG", {}, 1_000),  # 1,369 → 791
    "RGB stretched": ("RGB", "PNG", {"dpi": (290, 100)}, 1_000),  # 3,483 → 803
    "RGBA": ("RGBA", "PNG", {}, 1_000),  # 2,954 → 800
    "LA": ("LA", "PNG", {}, 1_000),  # 2,954 → 800
    "16 bits": ("I;16", "PNG", {}, 1_000),  # 1,782 → 529
    "CMYK": ("CMYK", "JPEG", {}, 1_000),  # 1,955 → 791
    "float": ("F", "TIFF", {"compression": "tiff_lzw"}, 2_600),  # 2,372, which is libtiff's own reading
    "WebP": ("RGB", "WEBP", {"lossless": True, "method": 0}, 2_600),  # 2,372, which is libwebp's own
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_largest_picture_is_read_within_what_lambda_gives(tmp_path: Path, kind: str) -> None:
    mode, image_format, options, most = KINDS[kind]
    path = tmp_path / "picture"
    Image.new(mode, (12_247, 12_247)).save(path, image_format, **options)
    done = subprocess.run(
        [sys.executable, "-c", READ, path, image_format], capture_output=True, text=True, check=True, timeout=300
    )
    assert int(done.stdout) < most


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "F"])
def test_a_picture_in_bands_is_the_picture_as_a_whole(mode: str) -> None:
    drawn = Image.new("L", (900, 1_200), 255)
    ImageDraw.Draw(drawn).multiline_text((40, 40), "Bands meet\nwithout a seam\n" * 8, fill=0, font_size=60)
    whole = drawn.convert(mode) if mode != "I;16" else drawn.convert("I").point(lambda value: value * 257).convert(mode)
    plain = images.within_limits(drawn, 200_000)
    found = opaque(manageable(whole, 200_000, band_pixels=40_000)).convert("L")
    assert found.size == plain.size
    difference = [abs(one - other) for one, other in zip(found.tobytes(), plain.tobytes(), strict=True)]
    assert sum(difference) / len(difference) < 3
    assert max(difference) < (60 if mode not in ("I;16", "F") else 100)  # of another filter


@pytest.mark.parametrize(
    ("dpi", "expected"), [((290, 100), (600, 1740)), ((100, 290), (1740, 600)), ((72, 72), (600, 600))]
)
def test_the_size_of_a_page_image_is_known_beforehand(dpi: tuple[int, int], expected: tuple[int, int]) -> None:
    image = Image.new("L", (600, 600))
    image.info["dpi"] = dpi
    size = page_size(image, 8_388_608)
    assert (size.width, size.height) == pytest.approx(expected, abs=1)
