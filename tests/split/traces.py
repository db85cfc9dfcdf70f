"""What a splitter may leave behind: temporary files and processes."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def temporary_files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def children(process: int) -> set[int]:
    """The processes, zombies too, that this one or a child of it started."""
    found: set[int] = set()
    for thread in Path(f"/proc/{process}/task").glob("*"):
        with suppress(OSError):  # threads and processes end meanwhile
            for child in map(int, (thread / "children").read_text().split()):
                found |= {child} | children(child)
    return found


def peak_megabytes(process: int) -> float:
    """The most memory that a running process has had. (What getrusage says includes the process that started it.)"""
    with suppress(OSError):
        if process != os.getpid() and Path(f"/proc/{process}/exe").readlink() == Path("/proc/self/exe").readlink():
            return 0.0  # about to become another program: the memory is ours, until then
        for line in Path(f"/proc/{process}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return 0.0
