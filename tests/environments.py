"""Python environments that tests need. `make test` makes them all and says so: an absent one is a failure then."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ENVIRONMENTS = Path(__file__).parents[1] / ".venvs"


def needs(*names: str) -> None:
    """Skip, or under `make test` fail, where one of these environments is absent."""
    for name in names:
        if not (ENVIRONMENTS / name / "bin/python").exists():
            absent = f"the environment {name} is absent: local/setup.sh {name}"
            if os.environ.get("PAGEWISE_ENVIRONMENTS") == "all":
                pytest.fail(absent)
            pytest.skip(absent)
