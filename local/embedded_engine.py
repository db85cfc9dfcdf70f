"""The embedded engine as a child of the runner: what answers the Qwen-OCR API when no other engine is named."""

import os
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

from local.children import Children
from local.emulator import free_port

START_SECONDS = 60.0


class EngineError(Exception):
    """The embedded engine doesn't run; its log says why."""


class EmbeddedEngine:
    def __init__(self, children: Children, python: Path, root: Path, log: Path) -> None:
        port = free_port()
        self.base_url = f"http://127.0.0.1:{port}/api/v1"
        self._health = f"http://127.0.0.1:{port}/health"
        self._log = log
        self._child = children.start(
            [str(python), "-m", "local.engine", "--port", str(port)],
            variables={name: text for name, text in os.environ.items() if not name.startswith("QWEN_")},
            log=log,
            folder=root,
        )

    @property
    def child(self) -> subprocess.Popen[bytes]:
        return self._child

    def wait_until_healthy(self) -> None:
        """It answers before its models are loaded; a page that comes earlier waits for them."""
        give_up = time.monotonic() + START_SECONDS
        while time.monotonic() < give_up:
            if self._child.poll() is not None:
                raise EngineError(f"The embedded engine ended with code {self._child.returncode} (log: {self._log}).")
            try:
                with urllib.request.urlopen(self._health, timeout=2):  # noqa: S310  http of our own
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.05)
        raise EngineError(f"The embedded engine did not answer within {START_SECONDS:.0f} s (log: {self._log}).")
