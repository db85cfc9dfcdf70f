"""`make run` as its user meets it: the project's samples through the embedded engine, exit codes, what it leaves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from local.stack import ROOT
from tests.pictures import picture

PYTHON = ROOT / ".venvs/local/bin/python"
EXPECTED = ROOT / "tests/samples"
SAMPLES = sorted((ROOT / "events/samples").iterdir())


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return pagewise("run", *arguments)


def pagewise(*arguments: object, **given: str) -> subprocess.CompletedProcess[str]:
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("QWEN_", "AWS_"))}
    return subprocess.run(
        [PYTHON, "-m", "commands", *map(str, arguments)],
        cwd=ROOT,
        env={**variables, "PYTHONPATH": "layers/pagewise:.", **given},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], Path]:
    output = tmp_path_factory.mktemp("out")
    return run("--out", output), output


def test_the_samples_are_recognized_completely(samples: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    done, output = samples
    assert done.returncode == 0, done.stdout + done.stderr
    assert {folder.name for folder in output.iterdir()} == {sample.name for sample in SAMPLES} | {"logs"}


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_a_sample_s_text_has_what_a_reader_sees(
    samples: tuple[subprocess.CompletedProcess[str], Path], sample: Path
) -> None:
    folder = samples[1] / sample.name
    receipt = json.loads((folder / "receipt.json").read_text())
    truth = json.loads((EXPECTED / f"{sample.stem}.expected.json").read_text())
    assert receipt["pages"] == len(list((folder / "pages").glob("*.png")))
    missing = [
        string
        for page in truth["pages"]
        for string in page["contains"]
        if squeezed(string) not in squeezed((folder / f"results/{page['page']:04}.text_recognition.txt").read_text())
    ]
    assert missing == []


def squeezed(text: str) -> str:
    return "".join(text.split())


def test_failed_and_rejected_documents_are_told_by_the_exit_code(tmp_path: Path) -> None:
    documents = tmp_path / "documents"
    documents.mkdir()
    name = "$(touch run) \n; `x` 'q' \u202e.png"
    (documents / name).write_bytes(picture())
    formula = run("--doc", documents, "--tasks", "formula_recognition", "--out", tmp_path / "formula")
    assert formula.returncode == 1, formula.stdout + formula.stderr
    assert "can't recognize formulas" in formula.stdout
    (documents / "bad.pdf").write_text("no document")
    both = run("--doc", documents, "--lane", "batch", "--out", tmp_path / "both")
    assert both.returncode == 2, both.stdout + both.stderr
    batched = json.loads((tmp_path / "both" / name / "receipt.json").read_text())
    assert (batched["status"], batched["lane"], batched["page_jobs"][0]["lane"]) == ("complete", "batch", "batch")
    assert batched["batch"]["input_tokens"] == batched["usage"]["input_tokens"] > 0
    assert json.loads((tmp_path / "both/bad.pdf/receipt.json").read_text())["reason"] == "unsupported_type"
    assert (tmp_path / "both" / name / "document.txt").is_file()


def test_what_cannot_be_run_is_said_in_one_sentence(tmp_path: Path) -> None:
    missing = run("--doc", tmp_path / "missing.pdf", "--out", tmp_path / "out")
    assert missing.returncode == 3
    assert "missing.pdf does not exist" in missing.stdout + missing.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "--doc", ""),
        ("submit", "--doc", " "),
        ("run", "--out", ""),
        ("profile", ""),
    ],
)
def test_a_name_that_is_empty_is_not_taken_for_this_folder(arguments: tuple[str, ...]) -> None:
    done = pagewise(*arguments)
    assert (done.returncode, done.stdout) == (3, "")
    assert "is empty: say which" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("submit",),
        ("empty",),
        ("account",),
        ("profile", "receipts"),
        ("redrive", "--document", "any"),
        ("cancel", "any"),
        ("delete", "any", "--yes"),
    ],
)
def test_without_an_account_it_is_said_how_to_get_to_one(arguments: tuple[str, ...], tmp_path: Path) -> None:
    nobody = {"HOME": str(tmp_path), "AWS_EC2_METADATA_DISABLED": "true"}
    nowhere = pagewise(*arguments, **nobody)
    assert nowhere.returncode == 3
    assert "no region is set. Set AWS_DEFAULT_REGION" in nowhere.stderr
    unknown = pagewise(*arguments, **nobody, AWS_DEFAULT_REGION="us-east-1")
    assert unknown.returncode == 3
    assert "there are no credentials. Run `aws configure`" in unknown.stderr


def test_a_key_without_an_address_is_not_taken_for_the_service(tmp_path: Path) -> None:
    (tmp_path / "bad.pdf").write_text("no document")
    done = pagewise("run", "--doc", tmp_path / "bad.pdf", "--out", tmp_path / "out", QWEN_API_KEY="sk-any")
    assert "QWEN_API_KEY is set and QWEN_BASE_URL is not" in done.stdout
    assert "sk-any" not in done.stdout + done.stderr


def test_an_interrupted_run_says_where_the_rest_is(tmp_path: Path) -> None:
    (tmp_path / "page.png").write_bytes(picture())
    command = [
        str(PYTHON),
        "-m",
        "commands",
        "run",
        "--doc",
        str(tmp_path / "page.png"),
        "--out",
        str(tmp_path / "out"),
    ]
    variables = {**os.environ, "PYTHONPATH": "layers/pagewise:."}
    with subprocess.Popen(
        command, cwd=ROOT, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as started:
        assert started.stdout is not None
        assert started.stdout.readline().startswith("ready")
        started.send_signal(signal.SIGINT)
        _, said = started.communicate(timeout=60)
    assert started.returncode == 128 + signal.SIGINT
    assert f"What had ended before is in {tmp_path}/out/." in said


def test_a_pdf_s_own_text_is_taken_at_no_call(tmp_path: Path) -> None:
    tasks = "text_recognition,advanced_recognition"
    done = run(ROOT / "events/samples/report.pdf", "--text-layer", "prefer", "--tasks", tasks, "--out", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    folder = tmp_path / "report.pdf"
    receipt = json.loads((folder / "receipt.json").read_text())
    assert (receipt["from_text_layer"], receipt["usage"]) == (4, {"input_tokens": 0, "output_tokens": 0})
    assert (folder / "results/0001.text_recognition.txt").read_text().startswith("Ferries of the Northern Sound\n")
    placed = json.loads((folder / "results/0002.advanced_recognition.json").read_text())
    assert placed["source"] == "text_layer"
    assert {"Crossings On time", "3,412"} <= {line["text"] for line in placed["lines"]}
    assert {page.name for page in (folder / "pages").iterdir()} == {"0001.png", "0002.png"}


def test_the_shipped_receipt_has_its_fields_by_the_shipped_profile(tmp_path: Path) -> None:
    done = run(ROOT / "events/samples/receipt.jpg", "--profile", "receipts", "--out", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads((tmp_path / "receipt.jpg/results/0001.key_information_extraction.json").read_text())
    fields = result["fields"]
    assert [name for name, value in fields.items() if value in (None, [])] == []
    assert (fields["Shop"], fields["Date"], fields["Total"]) == ("GREENLEAF GROCERS", "2025-09-26", "34.77")
    assert result["validation"] == {"valid": True, "problems": []}
