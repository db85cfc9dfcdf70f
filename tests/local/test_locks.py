"""Environments whose pins must agree do."""

from __future__ import annotations

import re

import pytest

from local.stack import ROOT

PIN = re.compile(r"^([a-z0-9-]+)==(\S+)", re.MULTILINE)


def pins(path: str) -> set[tuple[str, str]]:
    return set(PIN.findall((ROOT / path).read_text(encoding="utf-8")))


@pytest.mark.parametrize("lock", ["locks/functions.txt", "locks/local.txt"])
def test_functions_run_here_with_the_packages_of_the_layer(lock: str) -> None:
    assert pins("layers/pagewise/requirements.txt") <= pins(lock)


@pytest.mark.parametrize("lock", ["client", "emulator", "functions", "local", "local.uv"])
def test_a_lock_names_hashes_and_no_host(lock: str) -> None:
    text = (ROOT / f"locks/{lock}.txt").read_text(encoding="utf-8")
    assert len(PIN.findall(text)) > 0
    assert text.count("--hash=sha256:") >= len(PIN.findall(text))
    assert "://" not in text
    assert "file:" not in text


def test_a_package_that_is_overridden_away_stays_away() -> None:
    for overrides in (ROOT / "locks").glob("*.overrides.txt"):
        lock = (ROOT / "locks" / overrides.name.replace(".overrides", "")).read_text(encoding="utf-8")
        for name in re.findall(r'^([a-z0-9-]+) ; sys_platform == "never"$', overrides.read_text("utf-8"), re.MULTILINE):
            assert not re.search(rf"^{name}==\S+ \\$", lock, re.MULTILINE), f"{name} would be installed"
