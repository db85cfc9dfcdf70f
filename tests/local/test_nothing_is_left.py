"""However the runner ends, its children, what they have started and its folders are gone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.local.conftest import eventually
from tests.local.test_environments import is_alive

RUNNER = """
import json, pathlib, signal, sys, threading, time
from commands.__main__ import interrupt
from local.children import Children
from local.stack import Stack

for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, interrupt)
template, logs, journal = sys.argv[1:]
with Children() as children:
    stack = Stack(children, pathlib.Path(template), logs=pathlib.Path(logs), parameters={"Journal": journal})
    with stack:
        url = stack.client("sqs").get_queue_url(QueueName="toy-Plain")["QueueUrl"]
        stack.client("sqs").send_message(QueueUrl=url, MessageBody='{"do": "spawn and sleep"}')
        while not (pathlib.Path(journal).exists() and "grandchild" in pathlib.Path(journal).read_text()):
            time.sleep(0.02)
        grandchild = json.loads(pathlib.Path(journal).read_text().splitlines()[1])["grandchild"]
        pids = [stack.emulator.child.pid, *stack.service.pids("toy-Plain"), grandchild]
        print(json.dumps({"pids": pids, "folder": str(stack._folder)}), flush=True)
        if logs.endswith("raise"):
            raise RuntimeError("as ordered")
        time.sleep(600)
"""


@pytest.mark.parametrize("end", ["SIGINT", "SIGTERM", "SIGHUP", "SIGKILL", "raise"])
def test_nothing_is_left(end: str, toy_template: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", RUNNER, str(toy_template), str(tmp_path / end), str(tmp_path / "journal")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as runner:
        assert runner.stdout is not None
        started: dict[str, Any] = json.loads(runner.stdout.readline())
        assert len(started["pids"]) == 3
        assert all(is_alive(pid) for pid in started["pids"]) or end == "raise"
        if end != "raise":
            os.kill(runner.pid, getattr(signal, end))
        runner.wait(timeout=30)
    assert eventually(lambda: not any(is_alive(pid) for pid in started["pids"]), seconds=30)
    assert eventually(lambda: not Path(started["folder"]).exists(), seconds=30)
