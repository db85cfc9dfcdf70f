"""An HTTP API in front of a function, as API Gateway is: requests become events of payload format 2.0, its answers
answers. https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html

In front of a stack with an issuer of tokens stands the JWT authorizer, on the routes that have it in the template. Else
a random token takes its place, in the address that is printed and then in a cookie: other pages and other users of this
machine do not know it. It listens on the loopback address alone, to no other name of it than those (DNS rebinding), and
to no page of another origin.

Limits and refusals: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
"""

import base64
import getpass
import json
import logging
import re
import secrets
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from local.functions.environments import InvocationOutcome, Throttled
from local.jwt_authorizer import JwtAuthorizer, TokenRefused

LARGEST_REQUEST = 6 * 1024 * 1024  # Lambda's, of which API Gateway's 10 MB leave nothing
MOST_HEADER_BYTES = 10_240  # of the request line and all headers
SECONDS = 30.0  # API Gateway's longest wait
TOKEN_COOKIE, SESSION_COOKIE, NAME_COOKIE = "token", "session", "name"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
NO_BODY = frozenset({204, 304})

logger = logging.getLogger(__name__)


# Routes without the authorizer, as template.yaml has them: the page, its files, and where to sign in.
OPEN = re.compile(r"/|/config|/web/[^/]+")
JSON = {"Content-Type": "application/json", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
SIGNED_IN = JSON | {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}


class Functions(Protocol):
    def invoke(self, function: str, payload: bytes, /, *, trigger: str, records: int = 1) -> InvocationOutcome:
        """As FunctionService has it."""


@dataclass(frozen=True)
class Caller:
    """Who asks: a browser's session, or a program."""

    subject: str
    name: str

    def claims(self) -> dict[str, str]:
        return {"sub": self.subject, "name": self.name}


class HttpApi:
    def __init__(
        self,
        service: Functions,
        function: str,
        port: int = 0,
        authorizer: JwtAuthorizer | None = None,
        seconds: float = SECONDS,
    ) -> None:
        self.token = secrets.token_urlsafe(24)
        self.service = service
        self.function = function
        self.authorizer = authorizer
        self.seconds = seconds
        self.waiting = ThreadPoolExecutor(64, thread_name_prefix="http-api-invocation")
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.api = self

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def address(self) -> str:
        """Whoever has it may do everything; where an issuer signs people in, it holds no token."""
        return f"{self.origin}/" if self.authorizer else f"{self.origin}/?{urlencode({'token': self.token})}"

    def cookie(self, name: str) -> str:
        """Browsers keep the cookies of all ports of a host together."""
        return f"pagewise_{self._server.server_address[1]}_{name}"

    def start(self) -> None:
        threading.Thread(target=self._server.serve_forever, name="http-api", daemon=True).start()

    def stop(self) -> None:
        threading.Thread(target=self._server.shutdown, name="http-api-stop", daemon=True).start()
        self._server.server_close()
        self.waiting.shutdown(wait=False, cancel_futures=True)

    def is_addressed(self, host: str) -> bool:
        port = self._server.server_address[1]
        return host in (f"127.0.0.1:{port}", f"localhost:{port}")

    def is_own(self, origin: str) -> bool:
        return self.is_addressed(origin.removeprefix("http://"))

    def is_token(self, said: str) -> bool:
        return secrets.compare_digest(said.encode(), self.token.encode())


class Refused(Exception):
    """An answer of this server's own."""

    def __init__(self, status: int, shown: Mapping[str, str], headers: Mapping[str, str] | None = None) -> None:
        super().__init__(shown["message"])
        self.status = status
        self.content = json.dumps(shown).encode()
        self.headers = JSON | dict(headers or {})


def refusal(status: int, error: str, message: str) -> Refused:
    """Of what this server alone refuses: in the API's form."""
    return Refused(status, {"error": error, "message": message})


def gateways(status: int) -> dict[str, str]:
    """API Gateway's own answers have the status' name."""
    return {"message": HTTPStatus(status).phrase}


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
        try:
            self._check()
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            address = urlsplit(self.path)
            query = parse_qsl(address.query, keep_blank_values=True)
            if api.authorizer is None and address.path == "/" and "token" in dict(query):
                return self._sign_in(dict(query))
            claims = self._claims(api.authorizer, address.path) if api.authorizer else self._claims_of_cookie()
            event = event_of(self.command, address.path, address.query, query, self.headers.items(), body, claims)
            return self._answer(event)
        except Refused as refused:
            return self._send(refused.status, refused.headers, [], refused.content)

    def _check(self) -> None:
        """Raises Refused for what reaches no route."""
        api = self.server.api
        if not api.is_addressed(self.headers.get("Host", "")):
            raise refusal(403, "forbidden", "This server answers to 127.0.0.1 alone.")
        if not api.is_own(self.headers.get("Origin", api.origin)):
            raise refusal(403, "forbidden", "A page of another address asks. This server answers its own page alone.")
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal() or int(length) > LARGEST_REQUEST or "Transfer-Encoding" in self.headers:
            self.close_connection = True
            raise refusal(413, "too_large", f"A request may have {LARGEST_REQUEST:,} bytes, and says how many.")
        headers = sum(len(name) + len(value) for name, value in self.headers.items())
        if len(self.requestline) + headers > MOST_HEADER_BYTES:
            self.close_connection = True
            raise refusal(431, "too_large", f"Address and headers may have {MOST_HEADER_BYTES:,} bytes in all.")

    def _claims(self, authorizer: JwtAuthorizer, path: str) -> dict[str, str]:
        """Empty on a route without authorizer. Raises Refused."""
        if self.command == "GET" and OPEN.fullmatch(path):
            return {}
        if path == "/":
            raise Refused(404, gateways(404))
        try:
            return authorizer.claims(self.headers.get("Authorization", ""))
        except TokenRefused as refused:
            plain = "".join(letter for letter in str(refused) if letter.isprintable() and letter not in '"\\')
            challenge = f'Bearer scope="" error="invalid_token" error_description="{plain[:200]}"'
            raise Refused(401, gateways(401), {"WWW-Authenticate": challenge}) from refused

    def _claims_of_cookie(self) -> dict[str, str]:
        """Of whoever has the token. Raises Refused."""
        api = self.server.api
        cookies = cookies_of(self.headers.get("Cookie", ""))
        token = bearer(self.headers.get("Authorization", "")) or cookies.get(api.cookie(TOKEN_COOKIE))
        if token is None:
            raise refusal(401, "unauthorized", "Open the address that ./pagewise printed: it has the token.")
        if not api.is_token(token):
            raise refusal(403, "forbidden", "The token is another server's. Open the address that was printed.")
        return caller_of(cookies.get(api.cookie(SESSION_COOKIE)), cookies.get(api.cookie(NAME_COOKIE))).claims()

    def _sign_in(self, said: Mapping[str, str]) -> None:
        """The token goes from the address, where history and screenshots keep it, into a cookie of this origin. A
        redirect would be of the page that the address was opened from, and browsers send it no Strict cookie."""
        if not self.server.api.is_token(said["token"]):
            raise refusal(403, "forbidden", "The token is another server's. Open the address that was printed.")
        cookie = self.server.api.cookie
        cookies = {cookie(TOKEN_COOKIE): said["token"], cookie(SESSION_COOKIE): secrets.token_hex(8)}
        if name := said.get("name", "").strip():
            cookies[cookie(NAME_COOKIE)] = base64.urlsafe_b64encode(name[:100].encode()).decode().rstrip("=")
        set_cookies = [f"{key}={value}; Path=/; HttpOnly; SameSite=Strict" for key, value in cookies.items()]
        return self._send(
            200, SIGNED_IN, set_cookies, b'<!doctype html><meta http-equiv="refresh" content="0; url=/">\n'
        )

    def _answer(self, event: Mapping[str, Any]) -> None:
        api = self.server.api
        try:
            outcome = api.waiting.submit(
                api.service.invoke, api.function, json.dumps(event).encode(), trigger="http", records=1
            ).result(api.seconds)
            answer = json.loads(outcome.payload) if outcome.succeeded else None
            if not isinstance(answer, dict) or "statusCode" not in answer:
                raise ValueError("the function gave no answer")  # noqa: TRY301  as API Gateway has it, all the same
        except (TimeoutError, Throttled):
            raise Refused(503, gateways(503)) from None
        except Exception:
            logger.exception("a request was not answered")
            raise Refused(500, gateways(500)) from None
        content = str(answer.get("body") or "").encode()
        if answer.get("isBase64Encoded"):
            content = base64.b64decode(content)
        headers = {name: str(value) for name, value in answer.get("headers", {}).items()}
        return self._send(int(answer["statusCode"]), headers, answer.get("cookies", []), content)

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


def caller_of(session: str | None, said: str | None) -> Caller:
    """Each browser is a person of its own, so that two of them are told apart."""
    name = getpass.getuser()
    if said:
        with suppress(ValueError):
            name = base64.urlsafe_b64decode(said + "=" * (-len(said) % 4)).decode() or name
    return Caller(session or "program", name)


def event_of(
    method: str,
    path: str,
    raw_query: str,
    query: list[tuple[str, str]],
    headers: Any,
    body: bytes,
    claims: Mapping[str, str],
) -> dict[str, Any]:
    """The event of a stage `$default`, which has no part in the path. What comes several times is joined. Without
    claims the route has no authorizer."""
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
            **({"authorizer": {"jwt": {"claims": dict(claims), "scopes": None}}} if claims else {}),
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
