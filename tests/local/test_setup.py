"""local/setup.sh on machines that lack something: it says the one command to run, or is done in no time."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
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


@pytest.mark.parametrize("locker", ["flock", "perl", "python3"])
def test_two_first_installs_at_once_do_not_meet(machine: Path, locker: str) -> None:
    found = sys.executable if locker == "python3" else shutil.which(locker)
    if found is None:
        pytest.skip(f"needs {locker}")
    (machine / "bin" / locker).symlink_to(Path(found).resolve())
    for tool in ("sleep", "rmdir"):
        (machine / "bin" / tool).symlink_to(str(shutil.which(tool)))
    made = f"mkdir -p {machine}/.venvs/local/bin && : >{machine}/.venvs/local/bin/python"
    made += f" && /bin/chmod 755 {machine}/.venvs/local/bin/python"
    program(
        machine,
        "uv",
        f"""[ "$1" != --version ] || exit 0
        mkdir {machine}/busy || exit 1
        echo "$1" >>{machine}/asked; sleep 0.3
        [ "$1" != venv ] || {{ {made}; }}
        rmdir {machine}/busy""",
    )
    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(lambda _: setup(machine, "local"), range(3)))
    assert [answer.returncode for answer in answers] == [0, 0, 0], [answer.stdout for answer in answers]
    assert (machine / "asked").read_text().split() == ["venv", "pip"]
    assert sum("waiting for it" in answer.stdout for answer in answers) == 2


def test_a_setup_that_was_killed_leaves_no_lock(machine: Path) -> None:
    (machine / "bin/flock").symlink_to(str(shutil.which("flock") or pytest.skip("needs flock")))
    (machine / "bin/sleep").symlink_to(str(shutil.which("sleep")))
    program(machine, "uv", f'[ "$1" != --version ] || exit 0; echo "$$" >{machine}/uv; exec sleep 60')
    killed = subprocess.Popen(
        [machine / "bin/sh", "local/setup.sh", "local"],
        cwd=machine,
        env={"PATH": str(machine / "bin")},
        start_new_session=True,
        stdout=subprocess.DEVNULL,
    )
    while not (machine / "uv").exists():
        time.sleep(0.05)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    ready(machine, "local")
    answer = setup(machine, "local")
    assert (answer.returncode, answer.stdout) == (0, "")
