"""The embedded engine as a child of the runner: it answers the Qwen-OCR API when no other engine is named."""

import json
import os
import subprocess
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

from local.children import Children
from local.emulator.process import free_port
from local.errors import EmbeddedModeError
from local.health import NotHealthy, wait_until_healthy

ENGINE = "pagewise-embedded"  # as local/engine/identity.py says
PROBE_SECONDS = 2.0


class EngineError(EmbeddedModeError):
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
        """The engine answers before its models are loaded; a page that comes earlier waits for them."""
        try:
            wait_until_healthy(self._child, self._health)
        except NotHealthy as reason:
            raise EngineError(f"The embedded engine {reason} (log: {self._log}).") from None


def is_embedded(base_url: str) -> bool:
    """Whether an engine that the user names is one like this, of `make engine`: it bills nothing."""
    address = urlsplit(base_url)
    if address.hostname not in ("127.0.0.1", "localhost", "::1"):
        return False
    try:
        with urllib.request.urlopen(f"{address.scheme}://{address.netloc}/health", timeout=PROBE_SECONDS) as reply:  # noqa: S310  http of this machine
            said = json.loads(reply.read(10_000))
    except (OSError, ValueError):
        return False
    return isinstance(said, dict) and said.get("engine") == ENGINE
