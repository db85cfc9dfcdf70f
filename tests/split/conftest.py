"""The splitter's use case on real files, in memory, and what must not be left behind."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.split.traces import children, temporary_files
from tests.unit.conftest import Pagewise


@pytest.fixture
def pagewise() -> Pagewise:
    return Pagewise()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a test writes its document."""
    return tmp_path / "document"


@pytest.fixture(autouse=True)
def _leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No temporary file and no process is left by any test of this folder."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    before = children(os.getpid())
    yield
    assert temporary_files(folder) == []
    assert children(os.getpid()) - before == set()
