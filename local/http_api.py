"""An HTTP API in front of a function, as API Gateway is: requests become events of payload format 2.0, its answers
answers. https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html

In place of the JWT authorizer stands a random token, in the address that is printed and then in a cookie: other pages
and other users of this machine do not know it. It listens on the loopback address alone, and to no other name of it
than those, so that no page of another site reaches it by a name of its own (DNS rebinding).
"""

import base64
import getpass
import json
import logging
import secrets
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from local.functions.environments import FunctionService

LARGEST_REQUEST = 6 * 1024 * 1024  # Lambda's, of which API Gateway's 10 MB leave nothing
SECONDS = 30.0  # API Gateway's longest wait
TOKEN_COOKIE, SESSION_COOKIE, NAME_COOKIE = "pagewise_token", "pagewise_session", "pagewise_name"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
NO_BODY = frozenset({204, 304})

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Caller:
    """Who asks: a browser's session, or a program."""

    subject: str
    name: str


class HttpApi:
    def __init__(self, service: FunctionService, function: str, port: int = 0) -> None:
        self.token = secrets.token_urlsafe(24)
        self.service = service
        self.function = function
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.api = self

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def address(self) -> str:
        """Whoever has it may do everything."""
        return f"{self.origin}/?{urlencode({'token': self.token})}"

    def start(self) -> None:
        threading.Thread(target=self._server.serve_forever, name="http-api", daemon=True).start()

    def stop(self) -> None:
        threading.Thread(target=self._server.shutdown, name="http-api-stop", daemon=True).start()
        self._server.server_close()

    def is_addressed(self, host: str) -> bool:
        port = self._server.server_address[1]
        return host in (f"127.0.0.1:{port}", f"localhost:{port}")

    def is_token(self, said: str) -> bool:
        return secrets.compare_digest(said.encode(), self.token.encode())


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    api: HttpApi


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # headers and body in one packet, else a delayed acknowledgement costs 40 ms
    server: _Server

    def do(self) -> None:
        api = self.server.api
        if not api.is_addressed(self.headers.get("Host", "")):
            return self._refuse(403, "forbidden", "This server answers to 127.0.0.1 alone.")
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal() or int(length) > LARGEST_REQUEST or "Transfer-Encoding" in self.headers:
            self.close_connection = True
            return self._refuse(413, "too_large", f"A request may have {LARGEST_REQUEST:,} bytes, and says how many.")
        body = self.rfile.read(int(length))
        address = urlsplit(self.path)
        query = parse_qsl(address.query, keep_blank_values=True)
        said = dict(query)
        if address.path == "/" and "token" in said:
            return self._sign_in(said)
        cookies = cookies_of(self.headers.get("Cookie", ""))
        token = bearer(self.headers.get("Authorization", "")) or cookies.get(TOKEN_COOKIE)
        if token is None:
            return self._refuse(401, "unauthorized", "Open the address that ./pagewise printed: it has the token.")
        if not api.is_token(token):
            return self._refuse(403, "forbidden", "The token is another server's. Open the address that was printed.")
        event = event_of(
            self.command, address.path, address.query, query, self.headers.items(), body, caller_of(cookies)
        )
        return self._answer(event)

    def _sign_in(self, said: Mapping[str, str]) -> None:
        """The token goes from the address, where history and screenshots keep it, into a cookie of this origin."""
        if not self.server.api.is_token(said["token"]):
            return self._refuse(403, "forbidden", "The token is another server's. Open the address that was printed.")
        cookies = {TOKEN_COOKIE: said["token"], SESSION_COOKIE: secrets.token_hex(8)}
        if name := said.get("name", "").strip():
            cookies[NAME_COOKIE] = base64.urlsafe_b64encode(name[:100].encode()).decode().rstrip("=")
        set_cookies = [f"{key}={value}; Path=/; HttpOnly; SameSite=Strict" for key, value in cookies.items()]
        return self._send(303, {"Location": "/", "Cache-Control": "no-store", "Content-Length": "0"}, set_cookies, b"")

    def _answer(self, event: Mapping[str, Any]) -> None:
        api = self.server.api
        try:
            outcome = api.service.invoke(api.function, json.dumps(event).encode(), trigger="http", records=1)
            answer = json.loads(outcome.payload) if outcome.succeeded else None
            if not isinstance(answer, dict) or "statusCode" not in answer:
                raise ValueError("the function gave no answer")  # noqa: TRY301  as API Gateway has it, all the same
        except Exception:
            logger.exception("a request was not answered")
            return self._refuse(500, "broken", "The function gave no answer. Its log says why.")
        content = str(answer.get("body") or "").encode()
        if answer.get("isBase64Encoded"):
            content = base64.b64decode(content)
        headers = {name: str(value) for name, value in answer.get("headers", {}).items()}
        return self._send(int(answer["statusCode"]), headers, answer.get("cookies", []), content)

    def _refuse(self, status: int, error: str, message: str) -> None:
        headers = {"Content-Type": "application/json", "Cache-Control": "no-store"}
        return self._send(status, headers, [], json.dumps({"error": error, "message": message}).encode())

    def _send(self, status: int, headers: Mapping[str, str], cookies: list[str], content: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in ("content-length", "connection", "transfer-encoding"):
                self.send_header(name, value)
        for cookie in cookies:
            self.send_header("Set-Cookie", cookie)
        if status not in NO_BODY:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD" and status not in NO_BODY:
            self.wfile.write(content)
        self.wfile.flush()

    def version_string(self) -> str:
        return "pagewise"

    def log_message(self, *_: Any) -> None:
        """Nothing: every invocation is recorded by the function service, and addresses may hold the token."""


for method in METHODS:
    setattr(_Handler, f"do_{method}", _Handler.do)


def bearer(authorization: str) -> str | None:
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def cookies_of(header: str) -> dict[str, str]:
    try:
        return {name: morsel.value for name, morsel in SimpleCookie(header).items()}
    except CookieError:
        return {}


def caller_of(cookies: Mapping[str, str]) -> Caller:
    """Each browser is a person of its own, so that two of them are told apart."""
    name = getpass.getuser()
    if said := cookies.get(NAME_COOKIE):
        with suppress(ValueError):
            name = base64.urlsafe_b64decode(said + "=" * (-len(said) % 4)).decode() or name
    return Caller(cookies.get(SESSION_COOKIE, "program"), name)


def event_of(
    method: str,
    path: str,
    raw_query: str,
    query: list[tuple[str, str]],
    headers: Any,
    body: bytes,
    caller: Caller,
) -> dict[str, Any]:
    """The event of the route `$default`, whose stage has no part in the path. What comes several times is joined."""
    joined_headers = joined([(name.lower(), value) for name, value in headers])
    cookies = [cookie.strip() for cookie in joined_headers.pop("cookie", "").split(";") if cookie.strip()]
    try:
        text, is_base64 = body.decode(), False
    except UnicodeDecodeError:
        text, is_base64 = base64.b64encode(body).decode(), True
    now = time.time()
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "ANY /{proxy+}",
        "rawPath": unquote(path),
        "rawQueryString": raw_query,
        "cookies": cookies,
        "headers": joined_headers,
        "queryStringParameters": joined(query),
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "local",
            "authorizer": {"jwt": {"claims": {"sub": caller.subject, "name": caller.name}, "scopes": None}},
            "domainName": joined_headers.get("host", ""),
            "domainPrefix": "local",
            "http": {
                "method": method,
                "path": unquote(path),
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": joined_headers.get("user-agent", ""),
            },
            "requestId": secrets.token_hex(8),
            "routeKey": "ANY /{proxy+}",
            "stage": "$default",
            "time": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
            "timeEpoch": int(now * 1000),
        },
        "isBase64Encoded": is_base64,
    }
    if body:
        event["body"] = text
    return {name: value for name, value in event.items() if value or name not in ("cookies", "queryStringParameters")}


def joined(pairs: list[tuple[str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in pairs:
        found[name] = f"{found[name]},{value}" if name in found else value
    return found
