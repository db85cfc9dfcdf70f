"""API Gateway's JWT authorizer, for an embedded stack whose ApiIssuer is an issuer of tokens.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-jwt-authorizer.html: RSA signatures alone; the
claims iss, aud (client_id where there is no aud), exp, nbf and iat; keys of the issuer's jwks_uri, kept for two hours.
"""

import json
import threading
from dataclasses import dataclass, field
from typing import Any
from urllib.request import urlopen

ALGORITHMS = ("RS256", "RS384", "RS512")
KEYS_SECONDS = 2 * 3600
ISSUER_SECONDS = 1.5  # quota "Timeout for OpenID Connect discovery endpoint", and of the key set's


class TokenRefused(Exception):
    """The message is the `error_description` of the answer's header WWW-Authenticate."""


@dataclass
class JwtAuthorizer:
    """Any issuer with http or https; API Gateway takes https alone."""

    issuer: str
    audience: str
    _keys: Any = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def claims(self, authorization: str) -> dict[str, str]:
        """The token's claims, as text. `authorization` is the token, with or without `Bearer `. Raises TokenRefused."""
        import jwt

        scheme, _, rest = authorization.strip().partition(" ")
        token = rest.strip() if scheme.lower() == "bearer" else authorization.strip()
        if not token:
            raise TokenRefused("no token")
        required: Any = {"require": ["exp", "iss"], "verify_aud": False}
        try:
            key = self._signing_keys().get_signing_key_from_jwt(token)
            claims = jwt.decode(token, key, algorithms=list(ALGORITHMS), issuer=self.issuer, options=required)
        except (jwt.PyJWTError, OSError, ValueError) as refused:
            raise TokenRefused(str(refused)) from refused
        audience = claims.get("aud", claims.get("client_id"))
        if self.audience not in (audience if isinstance(audience, list) else [audience]):
            raise TokenRefused("the token does not have a valid audience")
        return {name: as_text(value) for name, value in claims.items()}

    def _signing_keys(self) -> Any:
        import jwt

        with self._lock:
            if self._keys is None:
                address = f"{self.issuer.rstrip('/')}/.well-known/openid-configuration"
                with urlopen(address, timeout=ISSUER_SECONDS) as answer:  # noqa: S310  the operator's own parameter
                    keys = json.loads(answer.read())["jwks_uri"]
                self._keys = jwt.PyJWKClient(keys, lifespan=KEYS_SECONDS, timeout=ISSUER_SECONDS)
            return self._keys


def as_text(value: Any) -> str:
    """A claim as events of payload format 2.0 carry it."""
    if isinstance(value, list):
        return f"[{' '.join(as_text(one) for one in value)}]"
    return value if isinstance(value, str) else json.dumps(value)
