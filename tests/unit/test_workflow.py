"""The workflow: what it runs cannot change behind its back, and it deploys what it has tested."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

TEXT = (Path(__file__).parents[2] / ".github/workflows/ci.yml").read_text(encoding="utf-8")
JOBS: dict[str, Any] = yaml.safe_load(TEXT)["jobs"]


def steps(job: str) -> list[str]:
    return [step.get("run") or step["uses"] for step in JOBS[job]["steps"]]


def test_actions_are_named_by_commit_with_their_version_beside_it() -> None:
    used = re.findall(r"uses: (.*)", TEXT)
    assert len(used) == sum("uses" in step for job in JOBS.values() for step in job["steps"])
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action) for action in used)


def test_what_is_deployed_was_built_once_and_tested() -> None:
    check = steps("check")
    assert check.index("make build") < check.index("make test") < len(check) - 1
    assert check[-1].startswith("actions/upload-artifact@")
    assert not [step for step in check[check.index("make test") + 1 :] if step.startswith("make")]
    deploy = steps("deploy")
    assert not [step for step in deploy if "make build" in step or step.startswith("make deploy ")]
    assert JOBS["deploy"]["needs"] == "check"
    assert any(step.startswith("make deploy-built ") for step in deploy)


def test_only_the_deploying_job_may_take_on_a_role() -> None:
    assert yaml.safe_load(TEXT)["permissions"] == {"contents": "read"}
    assert "permissions" not in JOBS["check"]
