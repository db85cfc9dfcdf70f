"""Behind a proxy that has certificates of its own, the functions find the service and this machine's own servers."""

from __future__ import annotations

import http.server
import json
import os
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from local.functions.proxies import exceptions, passed_on
from local.stack import FUNCTIONS_PYTHON
from tests.environments import needs

SERVICE = "dashscope-intl.aliyuncs.com"
ASK = """
import json, sys, httpx
told = []
for url in sys.argv[1:]:
    try:
        told.append(httpx.get(url, timeout=10).text)
    except httpx.HTTPError as error:
        told.append(type(error).__name__)
print(json.dumps(told))
"""


class Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"answered")

    def log_message(self, *_: object) -> None: ...


@dataclass
class Proxy:
    """Takes CONNECT, and is whoever was asked for: as a company's proxy that looks inside."""

    certificates: Path
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(self.certificates / "service.pem", self.certificates / "service.key")
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self.listening.accept()
                threading.Thread(target=self.talk, args=(connection,), daemon=True).start()

    def talk(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            head = b""
            while b"\r\n\r\n" not in head:
                head += connection.recv(4096)
            self.asked.append(head.split(b"\r\n")[0].decode())
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            with self.context.wrap_socket(connection, server_side=True) as talk:
                talk.recv(4096)
                talk.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\nConnection: close\r\n\r\nby proxy")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    needs("functions")
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")
    folder = tmp_path_factory.mktemp("certificates")
    new = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    own = ["-keyout", "own.key", "-out", "own.pem", "-subj", "/CN=Own authority"]
    service = ["-keyout", "service.key", "-out", "service.pem", "-subj", f"/CN={SERVICE}"]
    signed = ["-addext", f"subjectAltName=DNS:{SERVICE}", "-addext", "basicConstraints=critical,CA:FALSE"]
    for words in ([*new, *own], [*new, *service, *signed, "-CA", "own.pem", "-CAkey", "own.key"]):
        if subprocess.run(words, cwd=folder, check=False, capture_output=True).returncode:
            pytest.skip("this openssl signs no certificate in one step (before 3.0)")
    return folder


@pytest.fixture
def proxy(certificates: Path) -> Iterator[Proxy]:
    proxy = Proxy(certificates)
    yield proxy
    proxy.listening.close()


@pytest.fixture
def here() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


def told(variables: dict[str, str], *urls: str) -> list[str]:
    """What a function with these variables is answered."""
    done = subprocess.run(
        [FUNCTIONS_PYTHON, "-c", ASK, *urls], env=variables, cwd="/", capture_output=True, text=True, check=True
    )
    answers: list[str] = json.loads(done.stdout)
    return answers


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE"])
def test_the_service_is_found_by_the_proxy_and_its_certificates(
    certificates: Path, proxy: Proxy, here: str, variable: str
) -> None:
    bundle = os.path.relpath(certificates / "own.pem")  # from where `make` runs, not from the function's folder
    url = f"http://127.0.0.1:{proxy.port}"
    given = {variable: bundle, "HTTPS_PROXY": url, "http_proxy": url, "QWEN_API_KEY": "a secret"}
    assert told(passed_on(given), f"https://{SERVICE}/api/v1", here) == ["by proxy", "answered"]
    assert proxy.asked == [f"CONNECT {SERVICE}:443 HTTP/1.1"]
    assert "QWEN_API_KEY" not in passed_on(given)


def test_without_the_certificates_nothing_is_trusted(proxy: Proxy) -> None:
    given = {"HTTPS_PROXY": f"http://127.0.0.1:{proxy.port}"}
    assert told(passed_on(given), f"https://{SERVICE}/api/v1") == ["ConnectError"]


def test_what_would_stop_the_client_is_left_out() -> None:
    assert passed_on({"ALL_PROXY": "socks5://127.0.0.1:1", "SSL_CERT_FILE": "/nowhere.pem"}) == {}
    assert passed_on({}) == {}


@pytest.mark.parametrize("name", ["NO_PROXY", "no_proxy"])
def test_this_machine_is_always_spared(name: str) -> None:
    listed = "intranet,localhost,127.0.0.1,::1"
    assert exceptions({name: "intranet, localhost"}) == {"NO_PROXY": listed, "no_proxy": listed}
