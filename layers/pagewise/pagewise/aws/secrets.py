"""The engine's API key."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pagewise.aws.failures import translated
from pagewise.errors import Configuration

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

# A rotated key is taken up within this time, without a redeploy.
KEPT_SECONDS = 300


@dataclass(slots=True)
class ApiKey:
    """The secret's string, read at most every five minutes. Never logged, never part of an error."""

    client: SecretsManagerClient
    secret: str
    kept: str = field(default="", repr=False)
    until: float = 0.0

    async def __call__(self) -> str:
        if time.monotonic() >= self.until:
            await asyncio.to_thread(self.renew)
        return self.kept

    def current(self) -> str:
        """The same for callers that wait."""
        if time.monotonic() >= self.until:
            self.renew()
        return self.kept

    def renew(self) -> None:
        self.kept = self.read()
        self.until = time.monotonic() + KEPT_SECONDS

    def read(self) -> str:
        with translated(f"The secret {self.secret}"):
            found = self.client.get_secret_value(SecretId=self.secret)
        if "SecretString" not in found:
            raise malformed(self.secret, "is binary")
        return key_in(self.secret, found["SecretString"].strip())


def key_in(secret: str, text: str) -> str:
    """The key of a secret's text. The console's form makes a JSON object of it: its only member is then the key."""
    if not text.startswith("{"):
        return text
    try:
        members = json.loads(text)
    except (ValueError, RecursionError):
        return text  # and refused as a key that no header can carry, or by the engine
    if len(members) != 1 or not isinstance(key := next(iter(members.values())), str):
        raise malformed(secret, "is a JSON object of more than one text")
    return key.strip()


def malformed(secret: str, what: str) -> Configuration:
    return Configuration(
        "api_key_malformed", f"The secret {secret} {what}. Store the engine's API key alone, as plain text."
    )
