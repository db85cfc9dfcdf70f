"""The version has one place."""

from __future__ import annotations

import tomllib

from click.testing import CliRunner

from commands.__main__ import cli
from local.stack import ROOT


def test_the_version_is_pyproject_s() -> None:
    shown = CliRunner().invoke(cli, ["--version"])
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert (shown.exit_code, shown.output) == (0, f"pagewise {project['version']}\n")
