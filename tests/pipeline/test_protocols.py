"""The whole pipeline over the compatible protocol, with pages that the engine fetches from the pages bucket itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.pictures import tiff
from tests.running import Running, running

TASKS = ["text_recognition", "advanced_recognition", "key_information_extraction", "table_parsing", "document_parsing"]
OWN_FIELD = {
    "text_recognition": "text",
    "advanced_recognition": "lines",
    "key_information_extraction": "fields",
    "table_parsing": "html",
    "document_parsing": "latex",
}


def results(pagewise: Running) -> list[dict[str, Any]]:
    table = pagewise.stack.client("dynamodb")
    found = table.scan(TableName=pagewise.stack.deployment.outputs["ResultsTable"])["Items"]
    return [json.loads(record["result"]["S"]) for record in found if "result" in record]


def test_tasks_over_the_compatible_protocol_with_pages_by_url(tmp_path: Path) -> None:
    parameters = {"QwenApiStyle": "openai", "ImageTransport": "url"}
    with running(tmp_path, parameters=parameters) as pagewise:
        key = pagewise.upload("two.tif", tiff(2), ocr_tasks=",".join(TASKS))
        receipt = pagewise.until_ended(key, seconds=90)[key]
        assert receipt["status"] == "complete", receipt
        assert set(receipt["by_task"]) == set(TASKS)
        assert sum(used["input_tokens"] for used in receipt["by_task"].values()) == receipt["usage"]["input_tokens"]
        assert sum(job["cost"] for job in receipt["page_jobs"]) > 0
        stored = results(pagewise)
    assert len(stored) == 2 * len(TASKS)
    for result in stored:
        assert result["sent"]["transport"] == "url"
        assert result["sent"]["mended"] == []
        assert OWN_FIELD[result["task"]] in result
