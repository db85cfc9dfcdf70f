"""Starts the embedded engine as a process of its own and asks it over HTTP, as any client would."""

from __future__ import annotations

import base64
import io
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from PIL import Image, ImageDraw, ImageFont

from tests.environments import needs

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venvs" / "engine" / "bin" / "python"
PATH = "/api/v1/services/aigc/multimodal-generation/generation"
MODEL = "qwen-vl-ocr-2025-11-20"
KEY = {"Authorization": "Bearer sk-any"}


class Engine:
    def __init__(self, address: str, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.http = httpx.Client(base_url=address, timeout=120)

    def post(self, body: Any, headers: dict[str, str] | None = None) -> httpx.Response:
        return self.http.post(PATH, json=body, headers=KEY if headers is None else headers)

    def ask(self, image: bytes | Image.Image, task: str | None = None, **config: Any) -> httpx.Response:
        return self.post(request(data_url(image), task, **config))

    def text(self, image: bytes | Image.Image, task: str = "text_recognition", **config: Any) -> str:
        return str(content(self.ask(image, task, **config))["text"])


def request(source: str, task: str | None = None, prompt: str | None = None, **config: Any) -> dict[str, Any]:
    elements: list[dict[str, Any]] = [{"image": source, "min_pixels": 3072, "max_pixels": 8388608}]
    if prompt is not None:
        elements.append({"text": prompt})
    options = {"ocr_options": {"task": task} | ({"task_config": config} if config else {})} if task else {}
    return {"model": MODEL, "input": {"messages": [{"role": "user", "content": elements}]}, "parameters": options}


def content(reply: httpx.Response) -> dict[str, Any]:
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()["output"]["choices"][0]["message"]["content"][0]
    return found


def data_url(image: bytes | Image.Image, mime_type: str | None = None) -> str:
    encoded = image if isinstance(image, bytes) else encode(image)
    return f"data:{mime_type or mime_type_of(encoded)};base64,{base64.b64encode(encoded).decode()}"


def encode(image: Image.Image, form: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form)
    return buffer.getvalue()


def mime_type_of(encoded: bytes) -> str:
    signatures = {b"\x89PNG": "image/png", b"\xff\xd8": "image/jpeg", b"BM": "image/bmp", b"RIFF": "image/webp"}
    found = (mime for signature, mime in signatures.items() if encoded.startswith(signature))
    return next(found, "image/heic" if encoded[4:8] == b"ftyp" else "image/tiff")


def drawn(*lines: str, size: tuple[int, int] = (900, 400), letters: int = 36) -> Image.Image:
    """A white page with these lines on it."""
    page = Image.new("RGB", size, "white")
    write(page, (40, 40), "\n".join(lines), letters)
    return page


def write(page: Image.Image, place: tuple[int, int], text: str, letters: int = 36) -> None:
    font = ImageFont.load_default(letters)
    ImageDraw.Draw(page).multiline_text(place, text, fill="black", font=font, spacing=letters // 2)


@contextmanager
def running_engine(*options: str, **environment: str) -> Iterator[Engine]:
    needs("engine")
    command = [str(PYTHON), "-m", "local.engine", "--port", "0", *options]
    piped = subprocess.PIPE
    around = os.environ | environment
    with subprocess.Popen(command, cwd=ROOT, env=around, stdout=piped, stderr=piped, text=True) as process:
        assert process.stdout is not None
        address = process.stdout.readline().split()[-1]
        engine = Engine(address, process)
        try:
            yield engine
        finally:
            engine.http.close()
            process.terminate()
            process.communicate(timeout=10)


def wait_until_ready(engine: Engine) -> dict[str, Any]:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        health: dict[str, Any] = engine.http.get("/health").json()
        if health["models"] == "ready":
            return health
        time.sleep(0.1)
    raise TimeoutError("the engine's models did not load within a minute")
