"""What the tests of the build share: the stack, or one layer, built once and away from the checkout."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.environments import needs

ROOT = Path(__file__).parents[2]
SAM = ROOT / ".venvs/sam/bin/sam"
# No connection to a package server. A package that the server refuses, or no longer has, is a failure.
NO_SERVER = (
    "Temporary failure resolving", "Could not resolve", "dns error", "Could not connect", "Connection refused",
    "tcp connect error", "Network is unreachable",
)  # fmt: skip


def build(*command: str | Path) -> None:
    environment = {**os.environ, "SAM_CLI_TELEMETRY": "0"}
    done = subprocess.run(command, cwd=ROOT, env=environment, check=False, capture_output=True, text=True)
    for line in done.stderr.splitlines():
        if done.returncode and any(sign in line for sign in NO_SERVER):
            pytest.skip(f"no package server in reach: {line}")
    assert done.returncode == 0, done.stderr


def needs_debian() -> None:
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        pytest.skip("the poppler layer is built from Debian's packages, and this is neither Debian nor Ubuntu")


@pytest.fixture(scope="session")
def poppler_layer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    needs_debian()
    layer = tmp_path_factory.mktemp("poppler layer")  # with a space: the wrappers have to quote
    build("make", "-s", "-C", "layers/poppler", "build-PopplerLayer", f"ARTIFACTS_DIR={layer}")
    return layer


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that `sam build` made of template.yaml: the one to be deployed, where the workflow names it."""
    if to_deploy := os.environ.get("PAGEWISE_BUILT"):
        return (ROOT / to_deploy).resolve()
    needs("sam")
    folder = tmp_path_factory.mktemp("build")
    build(SAM, "build", "--build-dir", folder, "--no-cached")
    return folder
