"""Files of the Batch API, on disk: no file is ever in memory as a whole."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local.engine import refusal

MOST_FILE_BYTES = 500 * 2**20
MOST_FILES = 10_000
MOST_STORED_BYTES = 100 * 2**30


@dataclass(frozen=True, slots=True)
class StoredFile:
    id: str
    name: str
    purpose: str
    created_at: float
    path: Path
    size: int

    def shown(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "bytes": self.size,
            "created_at": int(self.created_at),
            "filename": self.name,
            "object": "file",
            "purpose": self.purpose,
            "status": "processed",
            "status_details": None,
        }


@dataclass(slots=True)
class Files:
    """By their ids, the oldest first. The folder is made for the first file, and goes with the process."""

    stored: dict[str, StoredFile] = field(default_factory=dict)
    folder: tempfile.TemporaryDirectory[str] | None = None

    def new_path(self) -> Path:
        if self.folder is None:
            self.folder = tempfile.TemporaryDirectory(prefix="engine-files-")
        return Path(self.folder.name) / uuid.uuid4().hex

    async def receive(self, name: str, purpose: str, pieces: AsyncIterator[bytes], now: float) -> StoredFile:
        if len(self.stored) >= MOST_FILES:
            raise refusal.invalid(f"The number of files exceeds the limit of {MOST_FILES}.")
        room = min(MOST_FILE_BYTES, MOST_STORED_BYTES - sum(file.size for file in self.stored.values()))
        path = self.new_path()
        try:
            await written(path, pieces, room)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return self.keep(path, name, purpose, now)

    def keep(self, path: Path, name: str, purpose: str, now: float) -> StoredFile:
        kept = StoredFile(f"file-{purpose}-{uuid.uuid4().hex[:20]}", name, purpose, now, path, path.stat().st_size)
        self.stored[kept.id] = kept
        return kept

    def file(self, file_id: str) -> StoredFile:
        if file_id not in self.stored:
            raise refusal.Refusal(404, "FileNotFound", f"No such File object: {file_id}")
        return self.stored[file_id]

    def delete(self, file_id: str) -> None:
        self.file(file_id).path.unlink(missing_ok=True)
        del self.stored[file_id]

    def close(self) -> None:
        if self.folder:
            self.folder.cleanup()


async def written(path: Path, pieces: AsyncIterator[bytes], most: int) -> None:
    size = 0
    with path.open("wb") as file:
        async for piece in pieces:
            size += len(piece)
            if size > most:
                raise refusal.invalid(f"File size exceeds the limit of {MOST_FILE_BYTES} bytes.")
            file.write(piece)
