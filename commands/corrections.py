"""`./pagewise corrections`: what persons corrected, as JSON Lines, here or in an account."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from botocore.exceptions import BotoCoreError, ClientError

from commands.deployed import deployed_stack
from commands.errors import CommandError
from pagewise.aws.wiring import OfStack
from pagewise.errors import PagewiseError
from pagewise.use_cases.ground_truth import Choice


class CorrectionsError(CommandError):
    """Corrections cannot be read; the message says why."""


@dataclass(frozen=True)
class CorrectionsRequest:
    """`since` as the records have times: ISO 8601 in UTC with milliseconds."""

    since: str | None = None
    profile: str | None = None
    confirmed: bool = False
    stack: str = "pagewise"
    endpoint: str | None = None


def corrections(wish: CorrectionsRequest) -> Iterator[str]:
    """A line for each value, as it is read. In ASCII: no terminal obeys it, and every encoding carries it.

    Raises CorrectionsError.
    """
    try:
        stack = deployed_stack(wish.stack, wish.endpoint)
        truth = OfStack(stack.client, stack.outputs).ground_truth()
        for line in truth.lines(Choice(wish.since, wish.profile, wish.confirmed)):
            yield json.dumps(line, allow_nan=False)
    except PagewiseError as error:
        raise CorrectionsError(error.message) from error
    except (BotoCoreError, ClientError) as error:
        raise CorrectionsError(f"The stack {wish.stack}: {error}") from error


def moment(text: str | None) -> str | None:
    """A day or a time, in UTC unless it says otherwise. Raises CorrectionsError."""
    if text is None:
        return None
    try:
        said = datetime.fromisoformat(text)
    except ValueError:
        raise CorrectionsError(f"--since {text} is no time such as 2026-11-01 or 2026-11-01T08:30:00Z.") from None
    at = said.replace(tzinfo=said.tzinfo or UTC).astimezone(UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
