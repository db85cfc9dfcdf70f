"""An address as it is given: of the API on AWS, or as `./pagewise local` prints it, with its token."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from pagewise_client.errors import AddressError

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True)
class Address:
    """`base` has no slash at its end; `token` is the address's own, None where it has none."""

    base: str
    token: str | None
    is_here: bool


def address_of(text: str) -> Address:
    """Raises AddressError. The message repeats no token."""
    try:
        parts = urlsplit(text.strip())
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https") or parts.username:
        raise AddressError("The address is none such as https://… or http://127.0.0.1:…/?token=… (./pagewise local).")
    if parts.scheme == "http" and host not in LOOPBACK:
        raise AddressError(f"A token would go to {host} in plain text. Give an address with https.")
    base = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
    return Address(base, parse_qs(parts.query).get("token", [None])[0], host in LOOPBACK)
