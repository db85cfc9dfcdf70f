"""What a call costs besides network and engine, against the vendor's SDK doing the same call, in one run."""

from __future__ import annotations

import io
import json
import os
import subprocess
import zlib
from pathlib import Path
from typing import Any

from PIL import Image

from local.stack import FUNCTIONS_PYTHON, ROOT
from tests.benchmarks.answering import Answering, served

SDK_PYTHON = ROOT / ".venvs/sdk/bin/python"
# Megapixels, width, height, and the bytes of a scanned page of that size; the last is the largest that goes as Base64.
PAGES = ((1, 850, 1177, 500_000), (4, 1700, 2353, 2_000_000), (15, 3250, 4600, 6_990_000))
PAIRS = {"native": ("pagewise", "dashscope"), "compatible": ("pagewise-openai", "openai")}
NATIVE = {
    "output": {"choices": [{"finish_reason": "stop", "message": {"role": "assistant", "content": [{"text": "read"}]}}]},
    "usage": {"input_tokens": 100, "output_tokens": 10, "total_tokens": 110},
    "request_id": "r",
}
COMPATIBLE = {
    "id": "chatcmpl-r",
    "object": "chat.completion",
    "created": 1,
    "model": "qwen-vl-ocr-2025-11-20",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "read"}}],
    "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110},
}


def call_costs(folder: Path) -> dict[str, Any]:
    """By protocol and page: milliseconds and megabytes of both clients, and ours as a share of the SDK's."""
    with served(Sink) as address:
        return {
            protocol: {
                f"{megapixels}_mp": compared(ours, theirs, address, page(folder, megapixels, width, height, size))
                for megapixels, width, height, size in PAGES
            }
            for protocol, (ours, theirs) in PAIRS.items()
        }


def compared(ours: str, theirs: str, address: str, file: Path) -> dict[str, Any]:
    own, other = measured(ours, FUNCTIONS_PYTHON, address, file), measured(theirs, SDK_PYTHON, address, file)
    return {
        "bytes": file.stat().st_size,
        "ms": own["ms"],
        "sdk_ms": other["ms"],
        "ms_ratio": round(own["ms"] / other["ms"], 2),
        "peak_mb": own["peak_mb"],
        "sdk_peak_mb": other["peak_mb"],
        "peak_ratio": round(own["peak_mb"] / other["peak_mb"], 2),
        "resident_growth_mb": own["resident_growth_mb"],
        "sdk_resident_growth_mb": other["resident_growth_mb"],
    }


def measured(client: str, python: Path, address: str, file: Path) -> dict[str, float]:
    program = Path(__file__).with_name("one_call.py")
    done = subprocess.run(
        [str(python), str(program), client, address, str(file)],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "layers/pagewise")},
    )
    return dict(json.loads(done.stdout))


def page(folder: Path, megapixels: int, width: int, height: int, size: int) -> Path:
    """A PNG of this size in pixels and in bytes, the rest of it in a comment."""
    buffer = io.BytesIO()
    Image.new("L", (width, height), 255).save(buffer, "PNG")
    png = buffer.getvalue()
    end = png.index(b"IEND") - 4
    comment = b"tEXt" + b"Comment\0" + b" " * (size - len(png) - 20)
    length, check = (len(comment) - 4).to_bytes(4), zlib.crc32(comment).to_bytes(4)
    file = folder / f"{megapixels}.png"
    file.write_bytes(png[:end] + length + comment + check + png[end:])
    return file


class Sink(Answering):
    def content(self) -> bytes:
        return json.dumps(COMPATIBLE if "completions" in self.path else NATIVE).encode()
