"""`make submit`: documents to a stack that is deployed already, their text back; and what empties its buckets."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from commands.console import Console
from commands.deployed import StackError, aws_account, deployed_stack
from commands.profiles import ProfileError, put
from commands.submit import Submission, empty_buckets, submit
from commands.uploads import RequestedOptions
from tests.pictures import picture, tiff
from tests.running import Running, running


@pytest.fixture(scope="module")
def pagewise(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("logs")) as started:
        yield started


def submitted(pagewise: Running, documents: Path, **wishes: str) -> tuple[int, str]:
    shown = io.StringIO()
    options = RequestedOptions(**wishes)  # type: ignore[arg-type]
    order = Submission([documents], documents.parent / "out", "pagewise", pagewise.stack.endpoint, options)
    return submit(order, Console(file=shown, width=120)), shown.getvalue()


def test_documents_come_back_with_receipt_pages_and_results(pagewise: Running, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "two.tif").write_bytes(tiff(2))
    (folder / "one.png").write_bytes(picture())
    code, shown = submitted(pagewise, folder, tasks="text_recognition,multi_lan", outputs="text,html")
    assert code == 0
    assert "two.tif: complete" in shown
    receipt = json.loads((tmp_path / "out/two.tif/receipt.json").read_text())
    assert (receipt["status"], receipt["pages"], len(receipt["page_jobs"])) == ("complete", 2, 4)
    assert (tmp_path / "out/two.tif/pages/0002.png").exists()
    assert (tmp_path / "out/one.png/results/0001.multi_lan.txt").exists()
    manifest = json.loads((tmp_path / "out/one.png/manifest.json").read_text())
    assert [file["name"] for file in manifest["files"]] == ["document.html", "document.txt"]
    assert (tmp_path / "out/one.png/document.html").stat().st_size == manifest["files"][0]["size"]
    assert "one.png: outputs: document.html, document.txt" in shown


def test_a_rejected_document_is_told_with_its_reason(pagewise: Running, tmp_path: Path) -> None:
    (tmp_path / "empty.pdf").write_bytes(b"")
    code, shown = submitted(pagewise, tmp_path / "empty.pdf")
    assert code == 2
    assert "empty:" in shown


def test_a_stack_that_is_not_there_is_told(pagewise: Running) -> None:
    with pytest.raises(StackError, match=r"nobody cannot be reached: none in this account .* STACK="):
        deployed_stack("nobody", pagewise.stack.endpoint)


def test_a_profile_is_put_into_the_stack_that_is_named(pagewise: Running) -> None:
    assert "/pagewise/profiles/tables" in put("tables", "pagewise", pagewise.stack.endpoint)
    with pytest.raises(ProfileError):
        put("nobody", "pagewise", pagewise.stack.endpoint)


def test_what_is_wrong_with_a_profile_is_told_where_there_is_no_stack() -> None:
    with pytest.raises(ProfileError, match="There are: formulas"):
        put("nobody", "pagewise", None)


def test_a_profile_is_not_put_where_no_stack_would_read_it(pagewise: Running) -> None:
    with pytest.raises(StackError, match="pagewise-dve"):
        put("tables", "pagewise-dve", pagewise.stack.endpoint)
    names = pagewise.stack.client("ssm").get_parameters_by_path(Path="/pagewise-dve", Recursive=True)["Parameters"]
    assert names == []


def test_the_account_and_region_of_a_deployment_are_told(pagewise: Running) -> None:
    assert aws_account(pagewise.stack.endpoint) == "account 000000000000, us-east-1"


def test_buckets_are_emptied_of_every_version(pagewise: Running) -> None:
    s3, bucket = pagewise.stack.client("s3"), pagewise.stack.deployment.outputs["UploadsBucket"]
    for _ in range(2):
        s3.put_object(Bucket=bucket, Key="kept/a", Body=b"x")
    s3.delete_object(Bucket=bucket, Key="kept/a")
    pages, output = pagewise.stack.deployment.outputs["PagesBucket"], "documents/d/outputs/document.txt"
    s3.put_object(Bucket=pages, Key=output, Body=b"x")
    stack = deployed_stack("pagewise", pagewise.stack.endpoint)
    with pytest.raises(StackError):
        empty_buckets(stack, "pagewise-dev")
    assert empty_buckets(stack, "pagewise") >= 3
    listed = s3.list_object_versions(Bucket=bucket)
    assert not listed.get("Versions")
    assert not listed.get("DeleteMarkers")
    # The earlier tests' documents may get another receipt at this moment.
    assert not s3.list_object_versions(Bucket=pages, Prefix=output).get("Versions")
