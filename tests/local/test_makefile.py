"""What the Makefile's variables make of README's commands."""

from __future__ import annotations

import re
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


@pytest.mark.parametrize("target", ["deploy", "deploy-built"])
def test_functions_are_deployed_without_bytecode(target: str) -> None:
    words = command(target)
    assert words.index("find functions -name __pycache__ -prune -exec rm -r {} +") < words.index("sam deploy")


def test_what_was_built_is_deployed_without_building_it_again() -> None:
    assert "sam build" not in command("deploy-built")


def test_a_build_for_arm64_says_so_to_the_layers_and_in_its_template() -> None:
    words = command("build", "ARCHITECTURE=arm64")
    assert "ARCHITECTURE=arm64 " in words
    assert "--parameter-overrides Architecture=arm64" in words
    built = "Parameters:\n  Architecture:\n    Type: String\n    Default: x86_64\n  B:\n    Default: x\n"
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8").replace("$(ARCHITECTURE)", "arm64")
    (program,) = re.findall(r"sed -i.bak '([^']*)'", makefile)
    sed = subprocess.run(["sed", program], input=built, capture_output=True, text=True, check=True)
    assert sed.stdout == built.replace("x86_64", "arm64")
