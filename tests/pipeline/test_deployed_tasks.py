"""A deployer deploys two of the tasks, by the template's one list of them."""

from __future__ import annotations

from pathlib import Path

from local.stack import ROOT
from pagewise.tasks import Task
from tests.pictures import picture
from tests.running import running
from tests.template import cloudformation

KEPT = {"TableParsing": Task.TABLE_PARSING, "MultiLan": Task.MULTI_LAN}


def with_two_tasks(folder: Path) -> Path:
    """The template without the other tasks' lines, beside the folders that it names."""
    keys = cloudformation.load()["Mappings"]["Deployed"]["Tasks"]["Keys"]
    text = (ROOT / "template.yaml").read_text(encoding="utf-8")
    for key in keys:
        assert text.count(f"        - {key}\n") == 1
        if key not in KEPT:
            text = text.replace(f"        - {key}\n", "")
    for name in ("functions", "layers"):
        (folder / name).symlink_to(ROOT / name)
    template = folder / "template.yaml"
    template.write_text(text, encoding="utf-8")
    return template


def test_two_of_the_tasks_are_deployed_by_one_list(tmp_path: Path) -> None:
    template = with_two_tasks(tmp_path)
    with running(tmp_path / "logs", parameters={"DefaultTasks": "multi_lan"}, template=template) as pagewise:
        deployed = pagewise.stack.deployment
        assert {function.variables.get("TASK") for function in deployed.functions.values()} == {None, *KEPT.values()}
        queues = {url.rpartition("/")[2] for url in deployed.queue_urls}
        assert queues & {f"pagewise-{task}" for task in Task} == {f"pagewise-{task}" for task in KEPT.values()}
        everything = pagewise.upload("all.png", picture(), ocr_tasks="all")
        usual = pagewise.upload("usual.png", picture())
        refused = pagewise.upload("refused.png", picture(), ocr_tasks="table_parsing,text_recognition")
        receipts = pagewise.until_ended(everything, usual, refused)
    assert (receipts[everything]["status"], receipts[everything]["tasks"]) == ("complete", list(KEPT.values()))
    assert (receipts[usual]["status"], receipts[usual]["tasks"]) == ("complete", ["multi_lan"])
    assert (receipts[refused]["status"], receipts[refused]["reason"]) == ("rejected", "undeployed_task")
    rejected = pagewise.ends()[refused]
    assert rejected["message"] == "The stack does not run text_recognition. It runs: table_parsing, multi_lan."
