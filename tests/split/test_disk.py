"""What a killed invocation leaves on the disk takes no room from the next one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from pagewise.use_cases.split import workspace

ROOT = Path(__file__).parents[2]
SPLIT_AND_HANG = """
import sys, time
from pathlib import Path
from pagewise.pages.poppler import Poppler
from pagewise.use_cases.split import workspace

with workspace(Path(sys.argv[1])) as folder, Poppler():
    (folder / "document").write_bytes(bytes(2_000_000))
    print("written", flush=True)
    time.sleep(60)
"""


def kill_a_split(disk: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", SPLIT_AND_HANG, str(disk)],
        env={**os.environ, "PYTHONPATH": str(ROOT / "layers/pagewise"), "TMPDIR": str(disk)},
        stdout=subprocess.PIPE,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"written\n"
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()


def used(disk: Path) -> int:
    return sum(path.stat().st_size for path in disk.rglob("*") if path.is_file())


def test_what_a_killed_split_has_left_is_gone_before_the_next_begins(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    (disk / "of somebody else").write_bytes(b"1234")
    for _ in range(2):
        kill_a_split(disk)
        assert 2_000_000 <= used(disk) < 2_100_000  # of the last one alone
    with workspace(disk) as folder:
        assert [path.name for path in disk.iterdir() if path != folder] == ["of somebody else"]
    assert [path.name for path in disk.iterdir()] == ["of somebody else"]


def test_without_a_disk_of_its_own_nothing_is_removed() -> None:
    with workspace() as one, workspace() as other:
        assert (one.is_dir(), other.is_dir()) == (True, True)
    assert not one.exists()
