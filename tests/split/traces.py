"""What a splitter may leave behind: temporary files and processes."""

from __future__ import annotations

from pathlib import Path


def temporary_files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def children(process: int) -> set[int]:
    """The processes, zombies too, that this one or a child of it started."""
    found: set[int] = set()
    for thread in Path(f"/proc/{process}/task").glob("*"):
        for child in map(int, (thread / "children").read_text().split()):
            found |= {child} | children(child)
    return found
