"""The largest picture of each kind is read within what Lambda gives a splitter."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

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
