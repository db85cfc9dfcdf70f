"""An issuer of OpenID Connect of another origin: code flow with PKCE, as a user pool's own pages have it."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from tests.review_page.serving import Server

CLIENT = "the-page"


@dataclass
class Issuer:
    """Everybody who comes is `person`. `tokens` are those that it has given out and not withdrawn."""

    person: str = "ana"
    address: str = ""
    lasts: int = 3600  # seconds
    codes: dict[str, Mapping[str, str]] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    signed_in: int = 0
    renewed: int = 0

    @property
    def sign_in(self) -> dict[str, Any]:
        """As `GET /config` says it, with the endpoints left to be read from the issuer."""
        return {
            "issuer": self.address, "client_id": CLIENT, "authorize": None, "token": None, "sign_out": None,
            "scope": "openid email",
        }  # fmt: skip

    def authorize(self, asked: Mapping[str, str]) -> str:
        """Where the browser goes next."""
        assert (asked["response_type"], asked["client_id"]) == ("code", CLIENT)
        assert asked["code_challenge_method"] == "S256"
        code = secrets.token_hex(8)
        self.codes[code] = asked
        self.signed_in += 1
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"

    def token(self, asked: Mapping[str, str]) -> dict[str, Any] | None:
        """None: refused. A code is good once, for whoever began with it."""
        if asked["grant_type"] == "refresh_token":
            self.renewed += 1
            return self.given()
        begun = self.codes.pop(asked["code"], None)
        digest = base64.urlsafe_b64encode(sha256(asked["code_verifier"].encode()).digest()).decode().rstrip("=")
        if begun is None or begun["code_challenge"] != digest or begun["redirect_uri"] != asked["redirect_uri"]:
            return None
        return self.given()

    def given(self) -> dict[str, Any]:
        token = secrets.token_hex(8)
        self.tokens[token] = self.person
        return {"id_token": token, "access_token": "opaque", "refresh_token": "again", "expires_in": self.lasts}


@contextmanager
def issuing(issuer: Issuer) -> Iterator[None]:
    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = urlsplit(self.path)
            if asked.path == "/authorize":
                self.send_response(302)
                self.send_header("Location", issuer.authorize(flat(asked.query)))
                self.end_headers()
            else:
                endpoints = {"authorization_endpoint": "/authorize", "token_endpoint": "/token"}
                self.say(200, {name: issuer.address + path for name, path in endpoints.items()})

        def do_POST(self) -> None:
            given = issuer.token(flat(self.rfile.read(int(self.headers["content-length"])).decode()))
            self.say(200, given) if given else self.say(400, {"error": "invalid_grant"})

        def say(self, status: int, shown: Any) -> None:
            self.send_response(status)
            self.send_header("Access-Control-Allow-Origin", "*")
            self.end_headers()
            self.wfile.write(json.dumps(shown).encode())

        def log_message(self, *_: Any) -> None:
            """Nothing: the addresses hold codes."""

    with Server(("127.0.0.1", 0), Answering) as server:
        issuer.address = f"http://127.0.0.1:{server.server_address[1]}"
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield
        finally:
            server.shutdown()


def flat(query: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(query).items()}
