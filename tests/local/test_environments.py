"""Execution environments: isolated, limited in time, replaced when they die, reused while warm."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from local.functions import environments
from local.stack import ROOT
from tests.local.conftest import Toys, eventually


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"


def kill_environments(toys: Toys, function: str) -> None:
    pids = toys.stack.service.pids(function)
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    assert eventually(lambda: not any(is_alive(pid) for pid in pids))


def test_a_function_sees_lambdas_variables_and_its_own_but_not_the_machines(
    toys: Toys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QWEN_API_KEY", "a secret of the machine")
    mark = toys.send("Unreported", {"do": "nothing"})
    [entry] = toys.wait_for(mark, 1)
    variables = entry["variables"]
    assert "a secret of the machine" not in variables.values()
    assert variables["AWS_LAMBDA_FUNCTION_NAME"] == "toy-Unreported"
    assert variables["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "256"
    assert variables["AWS_EXECUTION_ENV"] == "AWS_Lambda_python3.13"
    assert variables["AWS_ENDPOINT_URL"] == toys.stack.endpoint
    assert variables["OWN_QUEUE"].endswith("/toy-Unreported")
    assert Path(variables["TMPDIR"]).is_dir()
    assert entry["layer"] == "toy layer"
    assert 0 < entry["left"] <= 2000


def test_a_warm_environment_is_used_again(toys: Toys) -> None:
    first = toys.send("Unreported", {"do": "nothing"})
    assert eventually(lambda: toys.entries(first, "ended"))
    second = toys.send("Unreported", {"do": "nothing"})
    [entry] = toys.wait_for(second, 1)
    pids = toys.stack.service.pids("toy-Unreported")
    assert entry["pid"] in pids
    assert len(pids) <= 2


def test_a_timeout_kills_the_environment_with_all_that_it_started(toys: Toys) -> None:
    mark = toys.send("Plain", {"do": "spawn and sleep"})
    [spawned] = eventually(lambda: toys.entries(mark, "grandchild"))[:1]
    [began] = toys.entries(mark)[:1]
    assert eventually(lambda: not is_alive(spawned["grandchild"]) and not is_alive(began["pid"]))
    timeouts = eventually(lambda: [i for i in toys.invocations() if i["outcome"] == "timeout"])
    assert timeouts[0]["duration_ms"] >= 2000
    assert timeouts[0]["request_id"] == began["request_id"]


@pytest.mark.parametrize("death", ["exit", "crash"])
def test_a_dead_environment_is_a_failed_invocation_and_a_new_one_follows(toys: Toys, death: str) -> None:
    mark = toys.send("Plain", {"do": death})
    first, second = toys.wait_for(mark, 2)
    assert first["pid"] != second["pid"]
    outcomes = {i["request_id"]: i["outcome"] for i in toys.invocations()}
    assert eventually(lambda: outcomes.get(first["request_id"]) == "crash")


def test_a_killed_environment_is_replaced_before_anyone_notices(toys: Toys) -> None:
    first = toys.send("Unreported", {"do": "nothing"})
    assert eventually(lambda: toys.entries(first, "ended"))
    kill_environments(toys, "toy-Unreported")
    second = toys.send("Unreported", {"do": "nothing"})
    [entry] = toys.wait_for(second, 1, "ended")
    assert entry


def test_output_goes_to_the_functions_log_apart_from_the_result(toys: Toys) -> None:
    mark = toys.send("Plain", {"do": "print"})
    assert eventually(lambda: toys.entries(mark, "ended"))
    log = toys.stack.logs / "functions/toy-Plain.log"
    assert eventually(lambda: "printed by the function" in log.read_text())


def test_a_function_that_cannot_be_imported_says_so(toys: Toys, toy_template: Path) -> None:
    handler = toy_template.parent / "functions/toy/handler.py"
    source = handler.read_text()
    handler.write_text("import a_module_that_nobody_has\n")
    try:
        kill_environments(toys, "toy-Upload")
        outcome = toys.stack.service.invoke("toy-Upload", b"{}", trigger="test")
    finally:
        handler.write_text(source)
    assert outcome.status == "initialization_error"
    assert outcome.error()["errorType"] == "Runtime.ImportModuleError"


def test_functions_run_without_the_compiled_client_too(toys: Toys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environments, "RUNTIME_CLIENT", (ROOT / "local/functions/pure_runtime_client",))
    kill_environments(toys, "toy-Upload")
    for order, status in (("nothing", "success"), ("raise", "error"), ("nothing", "success")):
        event = {"Records": [{"body": json.dumps({"do": order})}]}
        outcome = toys.stack.service.invoke("toy-Upload", json.dumps(event).encode(), trigger="test")
        assert outcome.status == status
    assert "pure_runtime_client" in toys.journal.read_text()
    kill_environments(toys, "toy-Upload")


def test_every_invocation_is_recorded_with_its_time(toys: Toys) -> None:
    outcome = toys.stack.service.invoke(
        "toy-Upload", json.dumps({"Records": [{"body": '{"do": "sleep", "seconds": 0.2}'}]}).encode(), trigger="test"
    )
    [line] = [i for i in toys.invocations() if i["request_id"] == outcome.request_id]
    assert line["function"] == "toy-Upload"
    assert line["outcome"] == "success"
    assert 200 <= line["duration_ms"] < 2000
    assert line["billed_ms"] >= line["duration_ms"]


def test_what_replaces_a_killed_environment_finds_its_disk_as_it_was_left(toys: Toys) -> None:
    """As Lambda has it: what an invocation leaves in /tmp when it is killed stays there."""
    first = toys.send("Narrow", {"do": "leave and crash"})
    disks = {entry["variables"]["TMPDIR"] for entry in eventually(lambda: toys.entries(first))}
    assert eventually(lambda: toys.left("Narrow") == 0)
    second = toys.send("Narrow", *[{"do": "sleep", "seconds": 0.3}] * 4)
    assert eventually(lambda: len(toys.entries(second)) == 4)
    found = {entry["variables"]["TMPDIR"] for entry in toys.entries(second)} & disks
    assert found
    assert all((Path(disk) / "left").read_text() == "something" for disk in found)
