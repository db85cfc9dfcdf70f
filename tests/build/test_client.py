"""The Python client as it is given away: built with locked tools, and imported with nothing but its dependencies."""

from __future__ import annotations

import shutil
import tarfile
import zipfile
from pathlib import Path

import pytest

from pagewise_client import __version__
from tests.build.conftest import ROOT, build

LOCK = ROOT / "locks/client.txt"
USED = """
import sys, typing
import pagewise_client
from pagewise_client import AsyncPagewise, Pagewise, errors

with Pagewise("http://127.0.0.1:9/?token=t", patience=pagewise_client.Patience(tries=1)) as pagewise:
    try:
        list(pagewise.documents())
    except errors.NoAnswer as error:
        print(error.message)
typing.get_type_hints(AsyncPagewise.wait)
assert not {"boto3", "botocore", "pagewise"} & set(sys.modules)
"""


@pytest.fixture(scope="module")
def uv() -> str:
    found = shutil.which("uv") or shutil.which("uv", path=ROOT / ".venvs/uv/bin")
    assert found, "local/setup.sh makes every environment with uv"
    return found


@pytest.fixture(scope="module")
def built(uv: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built")
    source = folder / "source"
    shutil.copytree(ROOT / "clients/python", source, ignore=shutil.ignore_patterns("__pycache__"))
    build(uv, "build", "--build-constraint", LOCK, "--require-hashes", "--out-dir", folder, source)
    return folder


def test_wheel_and_source_hold_the_package_its_types_and_its_license(built: Path) -> None:
    about = f"pagewise_client-{__version__}"
    modules = {path.name for path in (ROOT / "clients/python/src/pagewise_client").iterdir() if path.is_file()}
    with zipfile.ZipFile(built / f"{about}-py3-none-any.whl") as wheel:
        names = set(wheel.namelist())
        metadata = wheel.read(f"{about}.dist-info/METADATA").decode()
    assert {name.removeprefix("pagewise_client/") for name in names if ".dist-info" not in name} == modules
    assert "py.typed" in modules
    assert f"{about}.dist-info/licenses/LICENSE" in names
    assert "License-Expression: MIT" in metadata
    with tarfile.open(built / f"{about}.tar.gz") as source:
        assert {f"{about}/LICENSE", f"{about}/README.md", f"{about}/pyproject.toml"} <= set(source.getnames())


def test_it_runs_with_its_dependencies_alone(uv: str, built: Path, tmp_path: Path) -> None:
    python = tmp_path / "bin/python"
    build(uv, "venv", tmp_path)
    wheel = next(built.glob("*.whl"))
    build(uv, "pip", "install", "--python", python, "--constraint", LOCK, wheel)
    build(python, "-W", "error", "-c", USED)


def test_license_and_locked_versions_are_the_project_s() -> None:
    assert (ROOT / "clients/python/LICENSE").read_text() == (ROOT / "LICENSE").read_text()
    pinned = {line.split()[0] for line in LOCK.read_text().splitlines() if "==" in line}
    development = (ROOT / "locks/development.txt").read_text()
    assert all(f"{pin} " in development for pin in pinned if pin.startswith(("httpx==", "anyio==")))
