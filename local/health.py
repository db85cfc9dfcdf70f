"""Waiting for a child process to answer: it answers its health check, it ends, or it takes too long."""

import subprocess
import time
import urllib.request

START_SECONDS = 60.0  # about a second on an idle machine; a loaded one may take long to import
PAUSE_SECONDS = 0.02


class NotHealthy(Exception):
    """The child does not answer; the message says how it failed to."""


def wait_until_healthy(child: subprocess.Popen[bytes], url: str) -> None:
    """Raises NotHealthy."""
    give_up = time.monotonic() + START_SECONDS
    while time.monotonic() < give_up:
        if child.poll() is not None:
            raise NotHealthy(f"ended with code {child.returncode}")
        try:
            with urllib.request.urlopen(url, timeout=2):  # noqa: S310  http of our own
                return
        except OSError:
            time.sleep(PAUSE_SECONDS)
    raise NotHealthy(f"did not answer within {START_SECONDS:.0f} s")
