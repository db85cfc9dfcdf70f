"""What the Makefile's variables make of README's commands."""

from __future__ import annotations

import subprocess

import pytest

from local.stack import ROOT


def command(*words: str) -> str:
    done = subprocess.run(
        ["make", "--no-print-directory", "-n", *words], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return " ".join(done.stdout.replace("\\\n", " ").split())


@pytest.mark.parametrize("target", ["redrive", "submit", "profile"])
def test_behind_an_endpoint_the_stack_is_that_of_make_local(target: str) -> None:
    assert '--stack "pagewise" ' in command(target, "ENDPOINT=http://127.0.0.1:4566")
    assert '--stack "pagewise-dev"' in command(target)
    assert '--stack "mine"' in command(target, "ENDPOINT=http://127.0.0.1:4566", "STACK=mine")


def test_every_target_is_listed_with_what_it_does() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (phony,) = (line for line in makefile.splitlines() if line.startswith(".PHONY:"))
    listed = subprocess.run(
        ["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert set(phony.split()[1:]) == {line.split()[1] for line in listed.splitlines()}
