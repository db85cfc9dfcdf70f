"""The Batch API of the embedded engine, with the vendor's own SDK as its client and the requests that it was seen to
send."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.engine.asking import KEY, Engine
from tests.engine.test_batches import line
from tests.environments import needs
from tests.protocol import captures
from tests.protocol.conftest import address
from tests.protocol.test_sdks import SDK_PYTHON

CASES = ("files-create-batch", "batches-create", "batches-retrieve", "batches-list", "batches-cancel", "files-content")


def test_the_sdk_goes_the_vendors_route(canned: Engine, tmp_path: Path) -> None:
    needs("sdk")
    canned.http.post("/batch-behaviour", json={"line_seconds": 0.3})
    lines = tmp_path / "lines.jsonl"
    lines.write_text("\n".join(json.dumps(line(str(number))) for number in range(3)))
    others = {file["id"] for file in canned.http.get("/v1/files?limit=100", headers=KEY).json()["data"]}
    script = Path(__file__).with_name("sdk_batches.py")
    done = subprocess.run(
        [str(SDK_PYTHON), str(script), address(canned), str(lines)], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["purpose"], found["bytes"], found["status"]) == ("batch", lines.stat().st_size, "completed")
    assert found["counts"] == {"total": 3, "completed": 3, "failed": 0}
    assert found["metadata"]["ds_name"] == "by the SDK"
    assert found["listed"] == [True]
    assert sorted(one["custom_id"] for one in found["output"]) == ["0", "1", "2"]
    assert (found["cancelled"], found["deleted"]) == ("cancelling", [True, True])
    assert set(found["files"]) <= others


@pytest.mark.skipif(not captures.FOLDER.exists(), reason="../shared/wire-captures is not here")
def test_each_request_that_the_sdk_was_seen_to_send_is_answered(canned: Engine) -> None:
    file_id, batch_id = "", ""
    for case in CASES:
        (request,) = captures.capture(f"openai-{case}")["requests"]
        path = request["path"].replace("batch_xxx", batch_id).replace("file-batch_output-xxx", file_id)
        if parts := request.get("multipart_parts"):
            purpose, file = (part["body"] for part in parts)
            reply = canned.http.post(path, files={"file": ("b.jsonl", file)}, data={"purpose": purpose}, headers=KEY)
            file_id = reply.json()["id"]
        else:
            body = (request.get("body") or {}) | ({"input_file_id": file_id} if "body" in request else {})
            reply = canned.http.request(request["method"], path, json=body or None, headers=KEY)
        batch_id = reply.json()["id"] if case == "batches-create" else batch_id
        assert reply.status_code == 200, (case, reply.text)
