"""An issuer of tokens as OpenID Connect has it: a discovery document, a key set, signed JWTs."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

CLIENT = "the-page"


@cache
def key(name: str) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65_537, key_size=2048)


def token(issuer: str, signed_by: str = "issuer", **claims: Any) -> str:
    """Good for ten minutes, if the claims say nothing else."""
    now = int(time.time())
    given = {"iss": issuer, "aud": CLIENT, "sub": "1", "name": "Ana", "iat": now, "exp": now + 600, **claims}
    said = {name: value for name, value in given.items() if value is not None}
    return jwt.encode(said, key(signed_by), "RS256", {"kid": "1"})


@contextmanager
def issuing() -> Iterator[str]:
    """Its address."""
    public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key("issuer").public_key()))

    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            keys = {"keys": [{**public, "kid": "1", "use": "sig", "alg": "RS256"}]}
            shown = {"jwks_uri": f"{address}/keys"} if self.path.startswith("/.well-known/") else keys
            content = json.dumps(shown).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        address = f"http://127.0.0.1:{server.server_address[1]}"
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield address
        finally:
            server.shutdown()
