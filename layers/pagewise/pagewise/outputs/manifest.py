"""manifest.json: the files made of a document's results, their sources, and the outputs not made, with reasons."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SCHEMA_VERSION = "1"
NAME = "manifest.json"
CHUNK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class OutputFile:
    """`name` is its path below the outputs. `made_from`: tasks, and the pages with results in it, as ranges."""

    name: str
    output: str
    media_type: str
    size: int
    sha256: str
    made_from: Mapping[str, str]
    pages_missing: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)

    def dump(self) -> dict[str, Any]:
        shown = {
            "name": self.name,
            "output": self.output,
            "media_type": self.media_type,
            "size": self.size,
            "sha256": self.sha256,
            "made_from": dict(self.made_from),
            "pages_missing": self.pages_missing,
        }
        return {**shown, **({"details": dict(self.details)} if self.details else {})}


@dataclass(frozen=True, slots=True)
class FailedOutput:
    """`cause` is for the log: where the code gave up. It is not in the manifest."""

    output: str
    reason: str
    message: str
    cause: str | None = None

    def dump(self) -> dict[str, str]:
        return {"output": self.output, "reason": self.reason, "message": self.message}


@dataclass(frozen=True, slots=True)
class JoinedTableNote:
    """A table that went on over pages: its number, its pages, and the reason for joining each part."""

    table: int
    pages: tuple[int, ...]
    why: tuple[str, ...]

    def dump(self) -> dict[str, Any]:
        return {"table": self.table, "pages": list(self.pages), "why": list(self.why)}


@dataclass(frozen=True, slots=True)
class Manifest:
    """The manifest of one assembly. Files in order of their names."""

    document_id: str
    pages: int
    wanted: tuple[str, ...]
    files: tuple[OutputFile, ...]
    failed: tuple[FailedOutput, ...]
    joined_tables: tuple[JoinedTableNote, ...] = ()
    pages_failed: str = ""
    pages_blank: str = ""
    run: int = 1
    reviews: int = 0

    def dump(self) -> dict[str, Any]:
        return {
            "schema_version": SCHEMA_VERSION,
            "document_id": self.document_id,
            "run": self.run,
            "reviews": self.reviews,
            "pages": self.pages,
            "pages_failed": self.pages_failed,
            "pages_blank": self.pages_blank,
            "outputs": list(self.wanted),
            "files": [one.dump() for one in self.files],
            "joined_tables": [one.dump() for one in self.joined_tables],
            "failed": [one.dump() for one in self.failed],
        }

    def text(self) -> str:
        return json.dumps(self.dump(), ensure_ascii=False, allow_nan=False, indent=2) + "\n"


def ranges(pages: Iterable[int]) -> str:
    """Page numbers as ranges: 1-3,7."""
    parts: list[list[int]] = []
    for page in sorted(set(pages)):
        if parts and parts[-1][1] == page - 1:
            parts[-1][1] = page
        else:
            parts.append([page, page])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in parts)


def digest(path: Path) -> tuple[int, str]:
    """A file's size in bytes and SHA-256 in hex."""
    counted = hashlib.sha256()
    size = 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            counted.update(chunk)
            size += len(chunk)
    return size, counted.hexdigest()
