"""Child processes that never outlive the runner: each leads a process group, a watchdog knows all groups."""

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self, cast

WATCHDOG = Path(__file__).with_name("watchdog.py")


class Children:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[int, subprocess.Popen[bytes]] = {}
        self._folders: list[Path] = []
        self._closed = False
        self._watchdog = subprocess.Popen(
            [sys.executable, "-I", "-S", str(WATCHDOG)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._leash = cast(IO[bytes], self._watchdog.stdin)

    def start(
        self, command: Sequence[str], *, variables: Mapping[str, str], log: Path, folder: Path
    ) -> subprocess.Popen[bytes]:
        """Start a child in a session of its own; its output is appended to the log."""
        log.parent.mkdir(parents=True, exist_ok=True)
        with self._lock, log.open("ab") as output:
            if self._closed:
                raise RuntimeError("the runner is stopping")
            child = subprocess.Popen(
                command,
                env=dict(variables),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            self._running[child.pid] = child
            self._tell(f"+{child.pid}")
        return child

    def kill(self, child: subprocess.Popen[bytes]) -> None:
        """Kill the child with all processes that it has started, and wait for its end."""
        with self._lock:
            known = self._running.pop(child.pid, None) is not None
        if known:  # once only: a number that is free again may be another's
            kill_group(child.pid)
        child.wait()
        if known:
            with self._lock:
                self._tell(f"-{child.pid}")

    def remove_at_end(self, folder: Path) -> None:
        with self._lock:
            self._folders.append(folder)
            self._tell(str(folder.absolute()))

    def close(self) -> None:
        with self._lock:
            self._closed = True
            running = list(self._running.values())
        for child in running:
            kill_group(child.pid)
        for child in running:
            child.wait()
        for folder in self._folders:
            shutil.rmtree(folder, ignore_errors=True)
        self._leash.close()
        self._watchdog.wait()

    def _tell(self, entry: str) -> None:
        if not self._leash.closed:
            self._leash.write(entry.encode() + b"\n")
            self._leash.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def kill_group(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):  # macOS answers EPERM for a group of zombies
        return
