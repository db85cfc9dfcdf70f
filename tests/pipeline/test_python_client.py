"""A program's whole way over HTTP alone, on the embedded stack; then what was corrected, as JSON Lines."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from commands.corrections import CorrectionsRequest, corrections
from local.stack import API_PARAMETERS, ROOT
from pagewise_client import Pagewise, Progress, ReviewState, errors
from tests.pictures import tiff
from tests.running import Running, running

PARAMETERS = {**API_PARAMETERS, "Outputs": "text"}
PYTHON = ROOT / ".venvs/local/bin/python"


def printed(pagewise: Running, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PYTHON, "-m", "commands", "corrections", "--endpoint", pagewise.stack.endpoint, *options],
        cwd=ROOT,
        env={"PYTHONPATH": "layers/pagewise:.", "PATH": "/usr/bin:/bin", "LC_ALL": "C"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_from_a_file_to_its_outputs_its_review_and_its_end(tmp_path: Path) -> None:
    scan = tmp_path / "année.tif"
    scan.write_bytes(tiff(2))
    with running(tmp_path / "logs", parameters=PARAMETERS) as pagewise:
        assert pagewise.stack.api is not None
        with Pagewise(pagewise.stack.api.address) as client:
            seen: list[Progress] = []
            document = client.submit(scan, tag="mine")
            ended = client.wait(document, seen.append, timeout=120).document
            assert (ended.name, ended.tag, ended.status, seen[-1].pages_closed) == ("année.tif", "mine", "complete", 2)
            (text,) = client.download(document, tmp_path / "out", timeout=120)
            said = client.page(document, 1).text
            assert said in text.read_text(encoding="utf-8")
            assert client.receipt(document)["document_id"] == document

            client.correct(document, 1, 0, [("text_recognition", "/text", "année\u2028\x1b")])
            client.correct(document, 2, 0, [("text_recognition", "/text", client.page(document, 2).text)])
            assert client.finish_review(document).state == ReviewState.DONE
            (again,) = client.download(document, tmp_path / "again", timeout=120)
            assert "année" in again.read_text(encoding="utf-8")

            shown = printed(pagewise, "--since", "2026-01-01")
            assert (shown.returncode, shown.stderr, shown.stdout.isascii()) == (0, "", True)
            (line,) = map(json.loads, shown.stdout.splitlines())
            assert (line["document_id"], line["machine"], line["value"]) == (document, said, "année\u2028\x1b")
            everything = corrections(CorrectionsRequest(confirmed=True, endpoint=pagewise.stack.endpoint))
            assert [json.loads(one)["confirmed"] for one in everything] == [False, True]

            assert client.delete(document).id == document
            with pytest.raises(errors.Deleted):
                client.document(document)
