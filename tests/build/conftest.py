"""What the tests of the build share: each layer built once, by its own Makefile, away from the checkout."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def poppler_layer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        pytest.skip("the poppler layer is built from Debian's packages, and this is neither Debian nor Ubuntu")
    layer = tmp_path_factory.mktemp("poppler layer")  # with a space: the wrappers have to quote
    build = subprocess.run(
        ["make", "-s", "-C", ROOT / "layers/poppler", "build-PopplerLayer", f"ARTIFACTS_DIR={layer}"],
        check=False,
        capture_output=True,
        text=True,
    )
    if "Failed to fetch" in build.stderr or "Temporary failure resolving" in build.stderr:
        pytest.skip(f"no package server in reach: {build.stderr.splitlines()[0]}")
    assert build.returncode == 0, build.stderr
    return layer
