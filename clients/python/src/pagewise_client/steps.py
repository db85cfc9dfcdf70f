"""What an operation wants done, one step after another.

An operation is a generator: it yields a step, gets the step's outcome, and in the end returns its answer. It waits for
nothing itself, so that one operation serves both clients: client.py does the steps one way, asynchronous.py the other.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar


@dataclass(frozen=True, slots=True)
class Ask:
    """A request of the API, with the token. Its outcome: Reply or NoReply. `repeatable`: twice is as good as once."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    repeatable: bool = True


@dataclass(frozen=True, slots=True)
class Put:
    """An upload to a presigned link, without the token. Its outcome: Reply or NoReply."""

    url: str
    headers: Mapping[str, str]
    content: Path | bytes


@dataclass(frozen=True, slots=True)
class Fetch:
    """A download by a presigned link, without the token. Its outcome: Reply or NoReply.

    With `to` a file of at most `size` bytes is written as it comes; the reply has its digest in place of its content.
    """

    url: str
    to: Path | None = None
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Pause:
    seconds: float


@dataclass(frozen=True, slots=True)
class Tell:
    """Something for the caller, meanwhile."""

    what: Any


@dataclass(frozen=True, slots=True)
class Reply:
    """`headers` by lower-case names; `sha256` of a file that was written, in hexadecimal."""

    status: int
    headers: Mapping[str, str]
    content: bytes = b""
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class NoReply:
    """`arrived`: whether the request may have been taken all the same."""

    reason: str
    arrived: bool = True


Step = Ask | Put | Fetch | Pause | Tell
Outcome = TypeVar("Outcome")
Steps = Generator[Step, Any, Outcome]
