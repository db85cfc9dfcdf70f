"""local/setup.sh on machines that lack something: it says the one command to run, or is done in no time."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from local.stack import ROOT

TOOLS = ("sh", "cksum", "dirname", "mkdir", "tr", "tail", "rm", "cat")


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A checkout of its own, and a folder `bin` that is all of the PATH."""
    (tmp_path / "local").mkdir()
    (tmp_path / "bin").mkdir()
    shutil.copy(ROOT / "local/setup.sh", tmp_path / "local")
    shutil.copytree(ROOT / "locks", tmp_path / "locks")
    for tool in TOOLS:
        path = shutil.which(tool)
        assert path is not None
        (tmp_path / "bin" / tool).symlink_to(path)
    return tmp_path


def program(machine: Path, name: str, script: str = "exit 0") -> None:
    path = machine / "bin" / name
    path.write_text(f"#!{shutil.which('sh')}\n{script}\n")
    path.chmod(0o755)


def setup(machine: Path, *environments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [machine / "bin/sh", "local/setup.sh", *environments],
        cwd=machine,
        env={"PATH": str(machine / "bin")},
        capture_output=True,
        text=True,
        check=False,
    )


def ready(machine: Path, environment: str) -> None:
    """As if the environment had been made from its lock file."""
    folder = machine / ".venvs" / environment
    (folder / "bin").mkdir(parents=True)
    (folder / "bin/python").symlink_to(machine / "bin/sh")
    lock = machine / "locks" / f"{environment}.txt"
    checksum = subprocess.run(["cksum"], input=lock.read_bytes(), capture_output=True, check=True)
    (folder / ".lock-sum").write_bytes(checksum.stdout)


def test_debian_without_root_is_told_the_one_command(machine: Path) -> None:
    program(machine, "apt-get")
    program(machine, "dpkg-query", "echo 'installed:poppler-data '")
    program(machine, "id", "echo 1000")
    answer = setup(machine, "functions")
    assert answer.returncode == 3
    assert "sudo sh -c 'apt-get update && apt-get install -y --no-install-recommends poppler-utils " in answer.stdout
    assert "poppler-data" not in answer.stdout


def test_debian_as_root_installs_what_is_missing(machine: Path) -> None:
    program(machine, "apt-get", f'echo "$*" >>{machine}/asked; for p in pdftoppm pdfinfo; do : >{machine}/bin/$p; done')
    program(machine, "dpkg-query", "echo 'installed:poppler-data '")
    program(machine, "id", "echo 0")
    ready(machine, "functions")
    for name in ("pdftoppm", "pdfinfo"):
        program(machine, name)
    answer = setup(machine, "functions")
    assert answer.returncode == 0, answer.stdout
    update, install = (machine / "asked").read_text().splitlines()
    assert update == "update"
    assert install.startswith("install -y --no-install-recommends poppler-utils")


def test_macos_is_told_brews_command(machine: Path) -> None:
    program(machine, "uname", "echo Darwin")
    answer = setup(machine, "functions", "engine")
    assert answer.returncode == 3
    assert "brew install poppler tesseract tesseract-lang" in answer.stdout


def test_nothing_is_done_when_all_is_there(machine: Path) -> None:
    for environment in ("emulator", "local"):
        ready(machine, environment)
    answer = setup(machine, "emulator", "local")
    assert (answer.returncode, answer.stdout) == (0, "")


def test_a_changed_lock_file_makes_its_environment_again(machine: Path) -> None:
    ready(machine, "local")
    program(machine, "uv", f'echo "$*" >>{machine}/asked')
    with (machine / "locks/local.txt").open("a") as lock:
        lock.write("# changed\n")
    answer = setup(machine, "local")
    assert answer.returncode == 0, answer.stdout
    assert "pip sync --require-hashes" in (machine / "asked").read_text()
    assert setup(machine, "local").stdout == ""


def test_an_environment_that_cannot_be_made_ends_it(machine: Path) -> None:
    program(machine, "uv", '[ "$1" = --version ] || { echo "no such package" >&2; exit 1; }')
    answer = setup(machine, "local")
    assert answer.returncode == 3
    assert "the environment local could not be made" in answer.stdout
    assert "no such package" in answer.stderr
