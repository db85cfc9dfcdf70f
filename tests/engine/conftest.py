"""A real engine for all tests of a run, and one that answers without recognizing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.engine.asking import Engine, running_engine, wait_until_ready


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    with running_engine("--test-controls") as started:
        wait_until_ready(started)
        yield started


@pytest.fixture(scope="session")
def _canned() -> Iterator[Engine]:
    with running_engine("--canned", "--test-controls") as started:
        yield started


@pytest.fixture
def canned(_canned: Engine) -> Engine:
    """Answers at once; its script and its counters are empty."""
    _canned.http.delete("/behaviour")
    _canned.http.delete("/requests")
    return _canned
