"""The engine as a process: up at once, busy without blocking, gone without a trace."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.engine.asking import PYTHON, ROOT, Engine, drawn, encode, running_engine, wait_until_ready

LETTER = ["Dear reader, this page is long enough", "to keep the recognizer busy for a while."] * 12


def children_of(process: int) -> list[str]:
    listing = subprocess.run(["ps", "--ppid", str(process), "-o", "pid="], capture_output=True, text=True, check=False)
    return listing.stdout.split()


def test_the_port_answers_while_the_models_load() -> None:
    with running_engine() as engine:
        health = engine.http.get("/health").json()
        assert (health["status"], health["models"]) == ("ok", "loading")
        assert "tesseract_languages" in wait_until_ready(engine)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_while_a_page_is_read_and_leaves_no_process(number: signal.Signals) -> None:
    with running_engine() as engine:
        wait_until_ready(engine)
        with ThreadPoolExecutor(1) as pool:
            pool.submit(engine.ask, encode(drawn(*LETTER, size=(1600, 1600))), "text_recognition")
            time.sleep(0.3)
            children = children_of(engine.process.pid)
            engine.process.send_signal(number)
            assert engine.process.wait(timeout=30) == 0
    assert not any(os.path.exists(f"/proc/{child}") for child in children)  # noqa: PTH110


def test_one_recognition_serves_all_tasks_and_callers(engine: Engine) -> None:
    page = encode(drawn(*LETTER, size=(1600, 1600)))
    tasks = ["text_recognition", "multi_lan", "advanced_recognition", "key_information_extraction"] * 2

    def seconds(task: str) -> float:
        began = time.monotonic()
        assert engine.ask(page, task).status_code == 200
        return time.monotonic() - began

    with ThreadPoolExecutor(len(tasks)) as pool:
        together = max(pool.map(seconds, tasks))
    assert seconds("text_recognition") < max(0.5, together / 3)


def test_health_answers_while_pages_are_read(engine: Engine) -> None:
    pages = [encode(drawn(f"Page {number}", *LETTER, size=(1600, 1600))) for number in range(3)]
    with ThreadPoolExecutor(3) as pool:
        reading = [pool.submit(engine.ask, page, "text_recognition") for page in pages]
        waits = []
        while not all(one.done() for one in reading):
            began = time.monotonic()
            assert engine.http.get("/health").status_code == 200
            waits.append(time.monotonic() - began)
            time.sleep(0.05)
    assert sorted(waits)[len(waits) // 2] < 0.5
    assert all(one.result().status_code == 200 for one in reading)


def test_no_text_key_or_image_reaches_the_log() -> None:
    with running_engine() as engine:
        engine.text(drawn("Confidential"))
        engine.process.terminate()
        log = engine.process.stderr.read() if engine.process.stderr else ""
    assert "task=text_recognition status=200" in log
    assert not any(secret in log for secret in ("Confidential", "sk-any", "base64"))


def test_without_tesseract_it_reads_on_and_says_what_is_missing() -> None:
    with running_engine(PATH="/nowhere") as engine:
        health = wait_until_ready(engine)
        assert health["tesseract_languages"] == []
        assert {"kor", "rus", "vie"} <= set(health["tesseract_missing"])
        assert engine.text(drawn("Still read")) == "Still read"
        engine.process.terminate()
        log = engine.process.stderr.read() if engine.process.stderr else ""
    assert "apt-get install tesseract-ocr-ara" in log


def test_a_port_that_is_taken_is_told(engine: Engine) -> None:
    port = str(engine.http.base_url.port)
    command = [str(PYTHON), "-m", "local.engine", "--port", port]
    second = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert second.returncode != 0
    assert f"cannot listen at port {port}" in second.stderr
    assert "Traceback" not in second.stderr
