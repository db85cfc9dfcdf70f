"""What a function says of an error that nobody expected does not quote the document."""

from __future__ import annotations

import importlib
from dataclasses import replace
from typing import Any

import pytest

from pagewise.aws import wiring
from pagewise.errors import Transient
from tests.handlers.conftest import Context, s3_event

WORDS = "IBAN DE89 3704 0044 0532 0130 00"


class Failing:
    def __init__(self, error: Exception) -> None:
        self.error = error

    def upload(self, *_: object) -> Any:
        raise self.error from ValueError(WORDS)  # what a library says of what it reads


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (KeyError(WORDS), {"error": "KeyError"}),
        (Transient("storage_busy", "The table is busy."), {"reason": "storage_busy"}),
    ],
)
def test_the_splitter_s_log_and_error_do_not(
    error: Exception, said: dict[str, str], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POWERTOOLS_TRACE_DISABLED", "true")
    splitter = importlib.import_module("functions.splitter.handler")
    token = wiring.composition.set(replace(wiring.ON_AWS, split=lambda: Failing(error)))  # type: ignore[arg-type, return-value]
    try:
        with pytest.raises(Exception, match=r".") as raised:
            splitter.handler(s3_event("uploads", ("uploads/a.pdf", "v1")), Context())
    finally:
        wiring.composition.reset(token)
    assert WORDS not in repr(raised.value)
    assert raised.value.__cause__ is None or isinstance(raised.value, Transient)
    assert WORDS not in caplog.text
    (record,) = (record for record in caplog.records if record.message == "upload not split")
    assert WORDS not in str(vars(record))
    assert vars(record) | said == vars(record)
