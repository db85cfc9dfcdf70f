"""What the Makefile's variables make of README's commands."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from local.stack import ROOT

# Each would run, vanish or be another if make or the shell read it.
NAMES = [
    "`touch run`",
    "$(touch run)",
    "$(shell touch run)",
    "${HOME}",
    "$5 for $$",
    'a "quoted" name',
    "it's",
    "a;touch run",
    "a && touch run | b",
    "-rf",
    "--out=elsewhere",
    "#1 100% a=b \\",
    "two\nlines",
    "tab\tbell\x07escape\x1b[2J",
    "  two  spaces  ",
    "*?[a]{b,c}~!<>",
    "فاتورة 😀 é",
    "$(",
    ")",
]
# Instead of `./pagewise`: what it is called with.
PRINTER = f"{sys.executable} -c 'import json, sys; print(json.dumps(sys.argv[1:]))'"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "Makefile", tmp_path)
    for folder in ("local", "layers"):
        (tmp_path / folder).mkdir()
    (tmp_path / "template.yaml").touch()
    (tmp_path / "built").touch()
    (tmp_path / "local/setup.sh").write_text("#!/bin/sh\n")
    (tmp_path / "local/setup.sh").chmod(0o755)
    return tmp_path


def arguments(checkout: Path, *words: str, **variables: str) -> list[str]:
    done = subprocess.run(
        ["make", "--no-print-directory", f"PAGEWISE={PRINTER}", *words],
        cwd=checkout,
        env={"PATH": os.environ["PATH"], **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    called: list[str] = json.loads(done.stdout.splitlines()[-1])
    return called


@pytest.mark.parametrize("name", NAMES)
def test_a_name_reaches_its_command_as_it_is_and_runs_nothing(checkout: Path, name: str) -> None:
    of_targets = {
        "run": (["DOC", "OUT", "TASKS", "PROFILE"], []),
        "submit": (["DOC", "OUT", "STACK", "ENDPOINT", "TASKS", "PROFILE"], []),
        "redrive": (["DOCUMENT", "STACK", "PAGE", "TASK", "REASON", "ENDPOINT"], []),
        "profile": (["STACK", "ENDPOINT"], ["NAME"]),
        "invoke": (["ENDPOINT"], ["FUNCTION", "EVENT"]),
        "engine": (["PORT"], []),
    }
    for target, (options, positional) in of_targets.items():
        by_words = name.lstrip()  # make's own reading of NAME=value
        words = [f"{variable}={name}" for variable in [*options, *positional]]
        expected = {f"--{option.lower()}={by_words}" for option in options}
        called = arguments(checkout, target, *words, "BUILT=built")
        assert called[0] == target
        assert expected <= set(called)
        assert called[len(called) - len(positional) :] == [by_words] * len(positional)
        in_environment = arguments(checkout, target, "BUILT=built", **dict.fromkeys([*options, *positional], name))
        assert {f"--{option.lower()}={name}" for option in options} <= set(in_environment)
    assert not (checkout / "run").exists()


def test_what_is_not_said_is_not_passed_on(checkout: Path) -> None:
    assert arguments(checkout, "run") == ["run", "--doc=events/samples", "--out=out"]
    assert arguments(checkout, "redrive", "ALL=true") == ["redrive", "--all", "--stack=pagewise-dev"]


@pytest.mark.parametrize("target", ["redrive", "submit", "profile"])
def test_behind_an_endpoint_the_stack_is_that_of_make_local(checkout: Path, target: str) -> None:
    endpoint = "ENDPOINT=http://127.0.0.1:4566"
    assert "--stack=pagewise" in arguments(checkout, target, endpoint)
    assert "--stack=pagewise-dev" in arguments(checkout, target)
    assert "--stack=mine" in arguments(checkout, target, endpoint, "STACK=mine")


def command(*words: str) -> str:
    done = subprocess.run(
        ["make", "--no-print-directory", "-n", *words], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return " ".join(done.stdout.replace("\\\n", " ").split())


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
    assert '--parameter-overrides "Architecture=$ARCHITECTURE"' in words
    built = "Parameters:\n  Architecture:\n    Type: String\n    Default: x86_64\n  B:\n    Default: x\n"
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8").replace("$$ARCHITECTURE", "arm64")
    (program,) = re.findall(r'sed -i.bak "([^"]*)"', makefile)
    sed = subprocess.run(["sed", program], input=built, capture_output=True, text=True, check=True)
    assert sed.stdout == built.replace("x86_64", "arm64")
