"""Kills every process group that the runner started, and removes its folders, once the runner is gone for any reason.

The runner holds the other end of this program's standard input; the end of that pipe is the one sign of death that
no signal, SIGKILL included, can suppress. It kills groups, not processes: a child's own children die with it.
Lines read: `+<group>` started, `-<group>` ended, `/<folder>` to be removed.
"""

import os
import shutil
import signal
import sys


def watch() -> None:
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    groups: set[int] = set()
    folders: list[str] = []
    for line in sys.stdin:
        entry = line.rstrip("\n")
        if entry.startswith("+"):
            groups.add(int(entry[1:]))
        elif entry.startswith("-"):
            groups.discard(int(entry[1:]))
        else:
            folders.append(entry)
    for group in groups:
        try:
            os.killpg(group, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            continue
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    watch()
