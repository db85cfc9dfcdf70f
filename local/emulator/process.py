"""MiniStack as a child of the runner: bound to this machine, state in memory, gone with the runner."""

import os
import socket
import subprocess
import threading
from functools import cache
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from local.children import Children
from local.errors import EmbeddedModeError
from local.health import NotHealthy, wait_until_healthy

REGION = "us-east-1"
ACCESS_KEY = SECRET_KEY = "test"  # noqa: S105  any is accepted
CLOSED = "0"


class EmulatorError(EmbeddedModeError):
    """The emulator doesn't run; its log says why."""


class Emulator:
    def __init__(
        self,
        children: Children,
        python: Path,
        folder: Path,
        log: Path,
        port: int | None = None,
        enforce_permissions: bool = False,
    ) -> None:
        """`enforce_permissions`: a caller other than the runner may do no more than its role's policies allow."""
        self.port = port or free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self._log = log
        self._lock = threading.Lock()
        self._clients: dict[str, Any] = {}
        folder.mkdir(parents=True, exist_ok=True)
        self._child = children.start(
            [str(python), str(Path(__file__).with_name("traced_emulator.py"))],
            variables={
                "PATH": os.environ.get("PATH", os.defpath),
                "HOME": str(folder),
                "TMPDIR": str(folder),  # its pid file and spooled uploads
                "BIND_HOST": "127.0.0.1",  # its default is every interface
                "GATEWAY_PORT": str(self.port),
                "MINISTACK_REGION": REGION,
                "LOG_LEVEL": "WARNING",
                "AUTH": str(enforce_permissions).lower(),
                "IOT_MTLS_ENABLED": CLOSED,  # these two would open further ports
                "SFTP_ENABLED": CLOSED,
            },
            log=log,
            folder=folder,
        )

    @property
    def child(self) -> subprocess.Popen[bytes]:
        return self._child

    def wait_until_healthy(self) -> None:
        try:
            wait_until_healthy(self._child, f"{self.endpoint}/_ministack/health")
        except NotHealthy as reason:
            raise EmulatorError(f"The emulator {reason} (log: {self._log}).") from None

    def client(self, service: str) -> Any:
        """One client of each service, for all threads: to make one takes 30 to 100 ms."""
        with self._lock:
            if service not in self._clients:
                self._clients[service] = client(service, self.endpoint)
            return self._clients[service]


@cache
def own_session() -> Any:
    """A session that knows nothing of the user's own AWS configuration."""
    for own in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        os.environ.pop(own, None)
    os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
    return boto3.session.Session(aws_access_key_id=ACCESS_KEY, aws_secret_access_key=SECRET_KEY, region_name=REGION)


def client(service: str, endpoint: str) -> Any:
    return own_session().client(
        service,
        endpoint_url=endpoint,
        config=Config(
            max_pool_connections=200,  # every long poll holds a connection
            connect_timeout=5,
            read_timeout=60,  # a long poll takes up to 20 s
            retries={"total_max_attempts": 3, "mode": "standard"},
        ),
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
