"""The command's own part of corrections: times as they are typed, and a reader that has read enough."""

from __future__ import annotations

import subprocess
import sys

import pytest

from commands.corrections import CorrectionsError, moment
from local.stack import ROOT

ENDLESS = "from itertools import repeat; from commands.console import print_lines; print_lines(repeat('{}'))"


@pytest.mark.parametrize(
    ("typed", "means"),
    [
        (None, None),
        ("2026-11-01", "2026-11-01T00:00:00.000Z"),
        ("2026-11-01T08:30", "2026-11-01T08:30:00.000Z"),
        ("2026-11-01T08:30:00.25+02:00", "2026-11-01T06:30:00.250Z"),
        ("2026-11-01T08:30:00Z", "2026-11-01T08:30:00.000Z"),
    ],
)
def test_a_time_is_a_day_or_an_hour_in_utc(typed: str | None, means: str | None) -> None:
    assert moment(typed) == means


@pytest.mark.parametrize("typed", ["", "soon", "2026-13-01", "01.11.2026"])
def test_what_is_no_time_is_told(typed: str) -> None:
    with pytest.raises(CorrectionsError, match="is no time such as 2026-11-01"):
        moment(typed)


def test_a_reader_that_has_read_enough_is_no_failure() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", ENDLESS], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as printing:
        assert printing.stdout is not None
        assert printing.stderr is not None
        assert printing.stdout.readline() == b"{}\n"
        printing.stdout.close()
        assert (printing.stderr.read(), printing.wait(30)) == (b"", 0)
