"""Fixtures for more than one folder of tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings

from local.children import Children
from local.emulator.process import Emulator
from local.stack import EMULATOR_PYTHON
from tests.deployed import Deployed

# The same examples every time, in whatever time they take: what a run finds is the change's, not chance's.
# `pytest --hypothesis-profile=explore` looks for new ones; what it finds becomes an @example.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.register_profile("explore", max_examples=5_000, deadline=None)
settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    """The deployed template in the real emulator, over HTTP; no function runs."""
    folder = tmp_path_factory.mktemp("emulator")
    children = Children()
    try:
        emulator = Emulator(children, EMULATOR_PYTHON, folder / "state", folder / "emulator.log")
        emulator.wait_until_healthy()
        yield Deployed(emulator)
    finally:
        children.close()
