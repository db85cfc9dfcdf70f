"""The functions' way to the service from behind a proxy: the variables with its address and its certificates.
Lambda has none of them; on this machine they are the user's.

https://everything.curl.dev/usingcurl/proxies/env · https://docs.openssl.org/master/man7/openssl-env/
"""

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
EXCEPTIONS = "NO_PROXY"
# The HTTP library of the engine's client reads the first two, boto3 the others.
CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE")
BUNDLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE")
THIS_MACHINE = ("127.0.0.1", "localhost", "::1")


def spare_this_machine() -> None:
    """Let no call to the emulator or the embedded engine go by the user's proxy, here and in the children."""
    os.environ.update(exceptions(os.environ))


def passed_on(given: Mapping[str, str]) -> dict[str, str]:
    """A function's share of these variables, with paths that hold from a folder of its own."""
    named = {name: given[name] for word in PROXIES for name in (word, word.lower()) if given.get(name)}
    # The engine's client has no SOCKS: it would not start.
    proxies = {name: url for name, url in named.items() if urlsplit(url).scheme in ("http", "https")}
    paths = {name: Path(given[name]).absolute() for name in CERTIFICATES if given.get(name)}
    certificates = {name: str(path) for name, path in paths.items() if path.exists()}
    # A bundle that is named to one library is meant for all.
    bundle = next((str(paths[name]) for name in BUNDLES if name in paths and paths[name].is_file()), None)
    if bundle and "SSL_CERT_DIR" not in certificates:
        certificates["SSL_CERT_FILE"] = bundle
    return proxies | certificates | (exceptions(given) if proxies else {})


def exceptions(given: Mapping[str, str]) -> dict[str, str]:
    """NO_PROXY with this machine in it, in both spellings: some libraries read one, some the other."""
    hosts = [host.strip() for host in (given.get(EXCEPTIONS) or given.get(EXCEPTIONS.lower()) or "").split(",")]
    listed = ",".join(dict.fromkeys([*filter(None, hosts), *THIS_MACHINE]))
    return {EXCEPTIONS: listed, EXCEPTIONS.lower(): listed}
