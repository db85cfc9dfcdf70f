"""`./pagewise assemble`: outputs of a folder that a run has left, without recognizing anything again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from commands.assemble import MADE, SOME_NOT_MADE, AssemblyRequest, assemble
from commands.errors import CommandError
from commands.outputs import OutputError, remove_earlier
from pagewise.model import DocumentId, JobStatus, Result
from pagewise.results import dump_result
from pagewise.tasks import Task
from tests.pictures import picture

LINE = {"text": "Total 12.50", "location": [10, 10, 190, 10, 190, 40, 10, 40], "rotate_rect": [100, 25, 180, 30, 0]}


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """What `run` has left of scan.png, and of bad.pdf, which was rejected."""
    folder = tmp_path / "out/scan.png"
    (folder / "results").mkdir(parents=True)
    (folder / "pages").mkdir()
    (folder / "pages/0001.png").write_bytes(picture())
    result = Result(
        DocumentId("d"), 1, Task.ADVANCED_RECOGNITION, JobStatus.RECOGNIZED, 1, "2026-01-01T00:00:00.000Z",
        image_width=200, image_height=100, output={"text": "Total 12.50", "lines": [LINE]},
    )  # fmt: skip
    (folder / "results/0001.advanced_recognition.json").write_text(json.dumps(dump_result(result)))
    receipt = {"document_id": "d", "source": {"key": "uploads/scan.png"}, "pages": 1, "run": 1, "status": "complete"}
    (folder / "receipt.json").write_text(json.dumps(receipt))
    rejected = tmp_path / "out/bad.pdf"
    rejected.mkdir()
    (rejected / "receipt.json").write_text(json.dumps(receipt | {"status": "rejected", "reason": "encrypted"}))
    (tmp_path / "scan.png").write_bytes(picture())
    return tmp_path / "out"


def manifest(out: Path) -> dict[str, object]:
    return dict(json.loads((out / "scan.png/manifest.json").read_text()))


def test_outputs_are_added_to_those_that_are_there(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scan = out.parent / "scan.png"
    assert assemble(AssemblyRequest([scan], "text", out)) == MADE
    assert assemble(AssemblyRequest([scan], "pdf,boxes", out)) == MADE
    folder = out / "scan.png"
    names = ["boxes/0001.png", "boxes/0001.svg", "document.pdf", "document.txt"]
    assert [file["name"] for file in manifest(out)["files"]] == names  # type: ignore[attr-defined]
    assert manifest(out)["outputs"] == ["text", "pdf", "boxes"]
    assert all((folder / name).is_file() for name in names)
    assert "Total 12.50" in (folder / "document.txt").read_text()
    assert "outputs: boxes/ (2 files), document.pdf, document.txt" in capsys.readouterr().out


def test_the_same_again_is_the_same(out: Path) -> None:
    scan = out.parent / "scan.png"
    assemble(AssemblyRequest([scan], "text,pdf", out))
    before = {path.name: path.read_bytes() for path in (out / "scan.png").iterdir() if path.is_file()}
    assemble(AssemblyRequest([scan], "pdf", out))
    assert {path.name: path.read_bytes() for path in (out / "scan.png").iterdir() if path.is_file()} == before


def test_what_cannot_be_made_is_told(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert assemble(AssemblyRequest([out / "scan.png"], "text,xlsx", out)) == SOME_NOT_MADE
    told = capsys.readouterr().out
    assert "no tables output: no_tables" in told


def test_a_new_run_takes_away_the_outputs_of_the_last_and_nothing_else(out: Path) -> None:
    folder = out / "scan.png"
    assemble(AssemblyRequest([out.parent / "scan.png"], "text,boxes", out))
    (folder / "boxes/mine.png").write_text("mine")
    (folder / "notes.txt").write_text("mine")
    remove_earlier(folder)
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()) == [
        "boxes/mine.png",
        "notes.txt",
    ]


def test_a_manifest_cannot_lead_out_of_its_folder(out: Path) -> None:
    folder = out / "scan.png"
    evil = {"document_id": "d", "outputs": ["text"], "files": [{"name": "../../scan.png", "output": "text"}]}
    (folder / "manifest.json").write_text(json.dumps(evil))
    with pytest.raises(OutputError, match="does not lie in its folder"):
        remove_earlier(folder)
    assert (out.parent / "scan.png").is_file()


@pytest.mark.parametrize(
    ("document", "outputs", "told"),
    [
        ("scan.png", "docx", "docx is no output. There are: text, markdown"),
        ("scan.png", " , ", "names none"),
        ("unknown.pdf", "text", "There are no results of"),
        ("bad.pdf", "text", "was rejected"),
    ],
)
def test_what_it_cannot_do_it_says(out: Path, document: str, outputs: str, told: str) -> None:
    with pytest.raises(CommandError, match=told):
        assemble(AssemblyRequest([out.parent / document], outputs, out))
