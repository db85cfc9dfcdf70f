"""The engine's API key."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pagewise.aws.failures import translated

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

    def renew(self) -> None:
        self.kept = self.read()
        self.until = time.monotonic() + KEPT_SECONDS

    def read(self) -> str:
        with translated(f"The secret {self.secret}"):
            return self.client.get_secret_value(SecretId=self.secret)["SecretString"].strip()
