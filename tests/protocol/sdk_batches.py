"""The vendor's route of a batch, by the `openai` SDK: a script for the environment .venvs/sdk.

    .venvs/sdk/bin/python tests/protocol/sdk_batches.py http://127.0.0.1:4567 input.jsonl

Prints one JSON object of what the SDK read.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any


def main() -> None:
    from openai import OpenAI

    address, path = sys.argv[1], Path(sys.argv[2])
    client = OpenAI(api_key="sk-any", base_url=f"{address}/compatible-mode/v1", max_retries=0)
    sys.stdout.write(json.dumps(route(client, path)))


def route(client: Any, path: Path) -> dict[str, Any]:
    file = client.files.create(file=path, purpose="batch")
    metadata = {"ds_name": "by the SDK", "ds_description": "d"}
    batch = client.batches.create(
        input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h", metadata=metadata
    )
    while (batch := client.batches.retrieve(batch.id)).status not in ("completed", "failed"):
        time.sleep(0.05)
    listed = client.batches.list(limit=2, extra_query={"ds_name": "by the SDK", "status": "completed"})
    another = client.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="14d")
    output = client.files.content(batch.output_file_id).text
    return {
        "purpose": file.purpose,
        "bytes": file.bytes,
        "status": batch.status,
        "counts": batch.request_counts.model_dump(),
        "metadata": batch.metadata,
        "listed": [one.id == batch.id for one in listed.data],
        "output": [json.loads(text) for text in output.splitlines()],
        "cancelled": client.batches.cancel(another.id).status,
        "deleted": [client.files.delete(one).deleted for one in (batch.output_file_id, file.id)],
        "files": [one.id for one in client.files.list(purpose="batch").data],
    }


if __name__ == "__main__":
    main()
