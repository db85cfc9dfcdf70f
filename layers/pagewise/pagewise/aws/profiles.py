"""Profiles in Parameter Store: `<path>/<name>`, all read at once and kept for some minutes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pagewise.aws.failures import translated

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient

# A changed profile is taken up within this time. One call for all: a folder without a profile costs no call of its own,
# and Parameter Store answers 40 a second.
KEPT_SECONDS = 300


@dataclass(slots=True)
class SsmProfiles:
    client: SSMClient
    path: str
    kept: Mapping[str, str] = field(default_factory=dict)
    until: float = 0.0

    def text(self, name: str) -> str | None:
        if time.monotonic() >= self.until:
            self.kept = self.read()
            self.until = time.monotonic() + KEPT_SECONDS
        return self.kept.get(name)

    def read(self) -> dict[str, str]:
        with translated("The profiles"):
            pages = self.client.get_paginator("get_parameters_by_path").paginate(Path=self.path)
            found = [parameter for page in pages for parameter in page["Parameters"]]
        return {parameter["Name"].rpartition("/")[2]: parameter["Value"] for parameter in found}
