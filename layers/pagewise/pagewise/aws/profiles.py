"""Profiles in Parameter Store: `<path>/<name>`, all read at once and kept for some minutes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aws_lambda_powertools.utilities.parameters import SSMProvider
from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError
from botocore.exceptions import BotoCoreError, ClientError

from pagewise.aws.failures import translated
from pagewise.errors import StorageBusy

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient

# A changed profile is taken up within this time. One call for all: a folder without a profile costs no call of its own,
# and Parameter Store answers 40 a second.
KEPT_SECONDS = 300


@dataclass(slots=True)
class SsmProfiles:
    client: SSMClient
    path: str
    provider: SSMProvider = field(init=False)

    def __post_init__(self) -> None:
        self.provider = SSMProvider(boto3_client=self.client)

    def text(self, name: str) -> str | None:
        with translated("The profiles"):
            try:
                found = self.provider.get_multiple(self.path, max_age=KEPT_SECONDS)
            except GetParameterError as error:
                # Powertools raises it while it handles boto3's, and names no cause.
                if isinstance(error.__context__, ClientError | BotoCoreError):
                    raise error.__context__ from None
                raise StorageBusy("The profiles could not be read.") from error
        stored = found.get(name)
        return None if stored is None else str(stored)
