"""Every kind of image comes out as a second decoder has it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.split.kinds import Kind, difference, is_right, kinds


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.name)
def test_a_kind_of_image_is_read_as_by_a_second_decoder(kind: Kind, tmp_path: Path) -> None:
    found = difference(kind, tmp_path)
    assert is_right(kind, found), found
    if kind.decoded is None:
        assert not re.search(r"Error|Exception|None|\w+\.\w+\(", str(found))
