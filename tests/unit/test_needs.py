"""Under `make test` no absent environment is passed over."""

from __future__ import annotations

import pytest

from tests.environments import needs


def test_an_absent_environment_skips_a_test_that_is_run_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PAGEWISE_ENVIRONMENTS", raising=False)
    with pytest.raises(pytest.skip.Exception, match=r"local/setup.sh nowhere"):
        needs("nowhere")


def test_an_absent_environment_fails_a_test_where_all_were_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAGEWISE_ENVIRONMENTS", "all")
    with pytest.raises(pytest.fail.Exception, match=r"local/setup.sh nowhere"):
        needs("development", "nowhere")
