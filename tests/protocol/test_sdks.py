"""The vendor's own SDKs as clients of the embedded engine: the documentation's examples, and what they read."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.engine.asking import ROOT, Engine, drawn, encode
from tests.environments import needs
from tests.protocol.conftest import address

SDK_PYTHON = ROOT / ".venvs/sdk/bin/python"
LINES = ["Invoice Number: 24329116804000", "Train Number: G1948", "Ticket Price: 337.50"]
TICKET = {"Invoice Number": "24329116804000", "Train Number": "G1948"}
ALL = {**TICKET, "Ticket Price": "337.50"}
JSON = {
    "key_information_extraction, custom": TICKET,
    "key_information_extraction, full": ALL,
    "own prompt": TICKET,
    "local file by path, file://": TICKET,
    "Base64, its own prompt": ALL,
}
EXAMPLES = (
    *(f"dashscope: {task}" for task in ("advanced_recognition", "table_parsing", "document_parsing")),
    *(f"dashscope: {task}" for task in ("text_recognition", "multi_lan", "no prompt, no task", "stream")),
    *(f"dashscope: {name}" for name in ("asynchronous", "local file as Base64", *JSON) if "its own" not in name),
    *(f"openai: {task}" for task in ("advanced_recognition", "table_parsing", "document_parsing")),
    *(f"openai: {task}" for task in ("text_recognition", "multi_lan", "no prompt", "stream")),
    *(f"openai: {name}" for name in JSON if "local file" not in name),
)


@pytest.fixture(scope="session")
def results(reading: Engine, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    needs("sdk")
    file = tmp_path_factory.mktemp("sdk") / "ticket.png"
    file.write_bytes(encode(drawn(*LINES, size=(1000, 340))))
    script = Path(__file__).with_name("sdk_examples.py")
    done = subprocess.run(
        [str(SDK_PYTHON), str(script), address(reading), str(file)], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_every_example_was_run(results: dict[str, dict[str, Any]]) -> None:
    assert set(results) == {*EXAMPLES, "dashscope: formula_recognition", "openai: formula_recognition"}


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_of_the_documentation_reads_the_ticket(results: dict[str, dict[str, Any]], example: str) -> None:
    result = results[example]
    assert result.get("status") == 200, result
    name = example.partition(": ")[2]
    if name in JSON:
        assert json.loads(re.sub(r"^```json\n|```$", "", result["text"])) == JSON[name]
    else:
        texts = result["text"] + json.dumps(result.get("ocr_result"))
        assert all(line in texts for line in LINES)


def test_the_sdks_see_results_and_usage_where_they_look_for_them(results: dict[str, dict[str, Any]]) -> None:
    words = results["dashscope: advanced_recognition"]["ocr_result"]["words_info"]
    assert [word["text"] for word in words] == LINES
    assert results["dashscope: key_information_extraction, custom"]["ocr_result"]["kv_result"] == TICKET
    usage = results["openai: text_recognition"]["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert (
        usage["prompt_tokens_details"]["image_tokens"]
        == results["dashscope: text_recognition"]["usage"]["image_tokens"]
    )


def test_a_formula_is_refused_in_each_protocols_form_of_an_error(results: dict[str, dict[str, Any]]) -> None:
    native, compatible = results["dashscope: formula_recognition"], results["openai: formula_recognition"]
    assert (native["status"], native["code"]) == (400, "InvalidParameter")
    assert (compatible["error"], compatible["code"]) == ("BadRequestError", "invalid_parameter_error")
    assert "recognize formulas" in native["message"]
    assert "recognize formulas" in compatible["message"]
