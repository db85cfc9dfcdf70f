"""The largest picture of each kind is read within what Lambda gives a splitter."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw

from pagewise import images
from pagewise.shrinking import manageable, page_size

MOST_MEGABYTES = 1_500  # of 3,008: encoding and uploading go on beside it
READ = """
import resource, sys
from pathlib import Path
from pagewise import images
images.page(Path(sys.argv[1]), sys.argv[2], 1, 8_388_608, keep_file=True)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024 if sys.platform == "linux" else 1024 * 1024))
"""
# Mode, format, options, megabytes before it was read in bands.
KINDS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "RGB stretched": ("RGB", "PNG", {"dpi": (290, 100)}),  # 3,483 MB
    "RGBA": ("RGBA", "PNG", {}),  # 2,954 MB
    "LA": ("LA", "PNG", {}),  # 2,954 MB
    "float": ("F", "TIFF", {"compression": "tiff_lzw"}),  # 2,372 MB
    "16 bits": ("I;16", "PNG", {}),  # 1,782 MB
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_largest_picture_is_read_within_half_of_the_memory(tmp_path: Path, kind: str) -> None:
    mode, image_format, options = KINDS[kind]
    path = tmp_path / "picture"
    Image.new(mode, (12_247, 12_247)).save(path, image_format, **options)
    done = subprocess.run(
        [sys.executable, "-c", READ, path, image_format], capture_output=True, text=True, check=True, timeout=300
    )
    assert int(done.stdout) < MOST_MEGABYTES


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "F"])
def test_a_picture_in_bands_is_the_picture_as_a_whole(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = Image.new("L", (900, 1_200), 255)
    ImageDraw.Draw(drawn).multiline_text((40, 40), "Bands meet\nwithout a seam\n" * 8, fill=0, font_size=60)
    whole = drawn.convert(mode) if mode != "I;16" else drawn.convert("I").point(lambda value: value * 257).convert(mode)
    plain = images.fitted(drawn, 200_000)
    monkeypatch.setattr("pagewise.shrinking.BAND_PIXELS", 40_000)
    found = images.opaque(manageable(whole, 200_000)).convert("L")
    assert found.size == plain.size
    difference = [abs(one - other) for one, other in zip(found.tobytes(), plain.tobytes(), strict=True)]
    assert sum(difference) / len(difference) < 3
    assert max(difference) < 60


@pytest.mark.parametrize(
    ("dpi", "expected"), [((290, 100), (600, 1740)), ((100, 290), (1740, 600)), ((72, 72), (600, 600))]
)
def test_the_size_of_a_page_image_is_known_beforehand(dpi: tuple[int, int], expected: tuple[int, int]) -> None:
    image = Image.new("L", (600, 600))
    image.info["dpi"] = dpi
    size = page_size(image, 8_388_608)
    assert (size.width, size.height) == pytest.approx(expected, abs=1)
