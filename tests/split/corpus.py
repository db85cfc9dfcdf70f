"""The corpus of real documents, where it is."""

from __future__ import annotations

import csv
import os
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[3] / "shared" / "corpus"


@dataclass(frozen=True)
class Expected:
    """A line of the manifest: what a good pipeline makes of a file."""

    file: str
    pipeline_expected: str
    also_acceptable: str

    @property
    def path(self) -> Path:
        return FOLDER / self.file

    @property
    def name(self) -> str:
        return self.path.name.split("_")[0]

    @property
    def outcomes(self) -> set[str]:
        """Every outcome that is right, as `4 pages`, `unreadable` …"""
        said = f"{self.pipeline_expected}; {self.also_acceptable}"
        pages = {f"{count} pages" for count in re.findall(r"ok (\d+) page", said)}
        words = {
            "too small": "too_small",
            "unsupported type": "unsupported_type",
            "extreme aspect": "extreme_aspect_ratio",
        }
        rejected = {reason.replace(" ", "_") for reason in re.findall(r"(?:rejected: |or )([a-z]+)", said)}
        return pages | rejected | {reason for phrase, reason in words.items() if phrase in said}


def manifest() -> list[Expected]:
    """The corpus, or nothing where it is absent."""
    if not (FOLDER / "manifest.csv").exists():
        return []
    with (FOLDER / "manifest.csv").open(newline="", encoding="utf-8") as rows:
        return [Expected(row["file"], row["pipeline_expected"], row["also_acceptable"]) for row in csv.DictReader(rows)]


def original(name: str) -> Path:
    """The corpus file of this number, such as B09; the test is skipped where there is none."""
    if not FOLDER.exists():
        pytest.skip(f"the corpus is not there ({os.path.relpath(FOLDER)})")
    (found,) = (FOLDER / "files").glob(f"{name}_*")
    return found
