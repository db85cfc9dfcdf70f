"""`./pagewise estimate`: the numbers that the caps use, before anything is uploaded."""

from __future__ import annotations

import io
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from commands.console import Console
from commands.estimate import Inquiry, estimate
from commands.template import ParameterError, splitter_variables
from commands.uploads import RequestedOptions
from local.stack import ROOT
from pagewise.account.spending import Spending
from pagewise.aws.environment import split_settings
from pagewise.errors import DocumentRejected
from pagewise.model import DocumentStatus
from pagewise.options.profiles import NoProfiles
from pagewise.use_cases.admission import forecast
from pagewise.use_cases.settings import SplitSettings
from tests.pictures import tiff
from tests.split.documents import text_pdf
from tests.template import cloudformation
from tests.unit.conftest import Pagewise

PYTHON = ROOT / ".venvs/local/bin/python"


@pytest.fixture
def document(tmp_path: Path) -> Path:
    path = tmp_path / "scan.pdf"
    path.write_bytes(text_pdf(3))
    return path


def asked(*documents: Path, parameters: dict[str, str] | None = None, **wishes: Any) -> tuple[int, dict[str, Any]]:
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("QWEN_", "AWS_"))}
    words = [f"--{name}={value}" for name, value in wishes.items()]
    words += [f"--parameter={name}={value}" for name, value in (parameters or {}).items()]
    done = subprocess.run(
        [PYTHON, "-m", "commands", "estimate", "--json", *words, *documents],
        cwd=ROOT,
        env={**variables, "PYTHONPATH": "layers/pagewise:."},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, json.loads(done.stdout) if done.stdout else {"error": done.stderr}


def test_pages_tokens_and_cost_by_task_as_json(document: Path) -> None:
    code, said = asked(document, tasks="text_recognition,table_parsing")
    (found,) = said["documents"]
    assert code == 0
    assert (found["status"], found["pages"], found["page_jobs"]) == ("accepted", 3, 6)
    assert set(found["tasks"]) == {"text_recognition", "table_parsing"}
    for of in (*found["tasks"].values(), said):
        for usage in (of["likely"], of["most"]):
            cost = (
                usage["input_tokens"] * said["input_per_million"] + usage["output_tokens"] * said["output_per_million"]
            )
            assert usage["cost"] == pytest.approx(cost / 1e6, abs=1e-8)
        assert of["likely"]["cost"] < of["most"]["cost"]
    assert found["tasks"]["table_parsing"]["most"]["output_tokens"] == 3 * 8192
    assert (said["model"], said["region"], said["currency"]) == ("qwen-vl-ocr-2025-11-20", "international", "USD")


def test_the_most_is_what_the_caps_hold_against_the_document(document: Path) -> None:
    """One just below it refuses the document, one just above accepts it, in the estimate and in the splitter."""
    settings = SplitSettings()
    most = settings.spending.price.amount_of(forecast(settings, NoProfiles(), "uploads/a", {}, document).most)
    for cap, accepted in ((most - 1e-8, False), (most + 1e-8, True)):
        spending = Spending(document_cap=cap, day_cap=1.0)
        said = forecast(SplitSettings(spending=spending), NoProfiles(), "uploads/a", {}, document)
        pagewise = Pagewise(settings=SplitSettings(spending=spending))
        uploaded = pagewise.split.upload(pagewise.uploads.put(document.read_bytes(), key="uploads/a"))
        assert (said.over is None) is accepted
        assert (uploaded.status is not DocumentStatus.REJECTED) is accepted
        assert not accepted or uploaded.reserved == said.most


def test_a_document_over_a_cap_is_told_with_its_cost(document: Path) -> None:
    code, said = asked(document, parameters={"MaxDocumentCost": "0.0001"})
    (found,) = said["documents"]
    assert (code, found["status"], found["reason"]) == (2, "rejected", "over_budget")
    assert found["most"]["cost"] > 0.0001


def test_model_price_and_max_tokens_are_the_parameters(document: Path) -> None:
    _, usual = asked(document)
    _, cheap = asked(
        document,
        parameters={
            "InputPricePerMillion": "0.043",
            "OutputPricePerMillion": "0.072",
            "PriceRegion": "global",
            "QwenModel": "qwen-vl-ocr-2025-08-28",
            "QwenParameters": '{"max_tokens": 100}',
        },
    )
    assert (cheap["region"], cheap["model"]) == ("global", "qwen-vl-ocr-2025-08-28")
    assert cheap["most"]["output_tokens"] == 300
    assert cheap["most"]["input_tokens"] > usual["most"]["input_tokens"]  # of 28 × 28 pixels


@pytest.mark.parametrize(
    ("wishes", "reason"),
    [({"tasks": "tables"}, "unknown_task"), ({"preprocessing": "sharpen"}, "invalid_option")],
)
def test_what_the_splitter_would_reject_is_told(document: Path, wishes: dict[str, Any], reason: str) -> None:
    code, said = asked(document, **wishes)
    (found,) = said["documents"]
    assert (code, found["reason"], found["pages"]) == (2, reason, 0)


def test_a_file_that_is_no_document_does_not_hide_the_others(document: Path) -> None:
    (document.parent / "notes.txt").write_bytes(b"no document")
    code, said = asked(document.parent)
    assert code == 2
    assert {Path(found["document"]).name: found["reason"] for found in said["documents"]} == {
        "notes.txt": "unsupported_type",
        "scan.pdf": None,
    }
    assert said["most"] == next(found["most"] for found in said["documents"] if found["pages"])


def test_a_profile_says_tasks_and_fields(document: Path) -> None:
    _, said = asked(document, profile="receipts")
    assert list(said["documents"][0]["tasks"]) == ["key_information_extraction", "text_recognition"]
    extracting, reading = said["documents"][0]["tasks"].values()
    assert extracting["most"]["input_tokens"] > reading["most"]["input_tokens"]


@pytest.mark.parametrize(
    ("words", "message"),
    [({"profile": "no-such"}, "There is no profile"), ({"parameters": {"Rendering": "1"}}, "no parameter Rendering"),
     ({"parameters": {"RenderDpi": "sharp"}}, "RENDER_DPI")],
)  # fmt: skip
def test_words_that_are_off_end_with_a_sentence(document: Path, words: dict[str, Any], message: str) -> None:
    code, said = asked(document, **words)
    assert code == 3
    assert message in said["error"]
    assert "Traceback" not in said["error"]


def test_a_schema_in_any_script_is_read(tmp_path: Path) -> None:
    path, schema = tmp_path / "a.tif", json.dumps({"发票号码": ""}, ensure_ascii=False)
    path.write_bytes(tiff(2))
    shown = io.StringIO()
    options = RequestedOptions(tasks="key_information_extraction", schema=schema)
    assert estimate(Inquiry([path], options), Console(file=shown, width=120)) == 0
    assert "key_information_extraction" in shown.getvalue()


def test_settings_are_those_that_the_template_gives_the_splitter() -> None:
    given = splitter_variables({})
    template = cloudformation.load()
    functions = cloudformation.functions(template)
    declared = set(cloudformation.variables_of(functions["SplitterFunction"]))
    declared |= set(template["Globals"]["Function"]["Environment"]["Variables"])
    assert set(given) <= declared
    assert split_settings(given).spending == Spending()
    with pytest.raises(ParameterError):
        splitter_variables({"Nothing": "1"})


def test_a_rejection_that_needs_no_file_is_the_splitter_s(document: Path) -> None:
    with pytest.raises(DocumentRejected, match="MaxUploadMegabytes"):
        forecast(SplitSettings(max_megabytes=0), NoProfiles(), "uploads/a", {}, document)
