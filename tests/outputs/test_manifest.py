"""Page numbers of the manifest."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from pagewise.outputs.manifest import digest, ranges


@pytest.mark.parametrize(("pages", "said"), [([], ""), ([4], "4"), ([1, 2, 3, 5, 7, 8], "1-3,5,7-8")])
def test_pages_are_told_by_ranges(pages: list[int], said: str) -> None:
    assert ranges(pages) == said


def test_a_file_s_size_and_sum_are_those_of_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc" * 1_000_000)
    assert digest(tmp_path / "file") == (3_000_000, hashlib.sha256(b"abc" * 1_000_000).hexdigest())
