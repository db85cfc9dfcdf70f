"""A program of the benchmark `call`: calls an engine again and again by one client, and says what a call costs here.

    python one_call.py pagewise|pagewise-openai|dashscope|openai http://127.0.0.1:PORT page.png

Each call begins with the file on disk and ends with the text that was read, as in the documentation's examples. The
time is that of the processor in this process: neither the engine's nor the wait for it.
"""

from __future__ import annotations

import asyncio
import base64
import json
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

MODEL = "qwen-vl-ocr-2025-11-20"
KEY = "sk-any"
PIXELS = {"min_pixels": 3072, "max_pixels": 8388608}
CALLS = 15
WARM_UP = 3


def main() -> None:
    name, address, file = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    call = CLIENTS[name](address, file)
    before = resident_mb()
    for _ in range(WARM_UP):
        assert call() == "read"
    seconds = []
    for _ in range(CALLS):
        began = time.process_time()
        call()
        seconds.append(time.process_time() - began)
    resident = resident_mb() - before
    tracemalloc.start()
    call()
    _, peak = tracemalloc.get_traced_memory()
    figures = {"ms": 1000 * statistics.median(seconds), "peak_mb": peak / 1e6, "resident_growth_mb": resident}
    sys.stdout.write(json.dumps({figure: round(value, 2) for figure, value in figures.items()}))


def resident_mb() -> float:
    """The most that this process has held so far; 0 where the system doesn't say. getrusage tells the parent's, too."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return 0.0
    return float(status.partition("VmHWM:")[2].split()[0]) / 1024


def pagewise(address: str, file: Path) -> Callable[[], str]:
    from pagewise.qwen.dashscope import DashScope

    return pagewise_call(DashScope(), f"{address}/api/v1", file)


def pagewise_openai(address: str, file: Path) -> Callable[[], str]:
    from pagewise.qwen.openai_compatible import OpenAICompatible

    return pagewise_call(OpenAICompatible(), f"{address}/compatible-mode/v1", file)


def pagewise_call(protocol: object, base_url: str, file: Path) -> Callable[[], str]:
    import httpx

    from pagewise.geometry import Size
    from pagewise.qwen import fitting
    from pagewise.qwen.client import EngineClient, timeouts
    from pagewise.qwen.fitting import Inline
    from pagewise.qwen.parsing import output_of
    from pagewise.qwen.question import Question
    from pagewise.tasks import Task

    async def key() -> str:
        return KEY

    client = EngineClient(httpx.AsyncClient(timeout=timeouts()), protocol, base_url, key)  # type: ignore[arg-type]
    runner = asyncio.Runner()

    def call() -> str:
        fitted = fitting.fitted_for_call(file.read_bytes())
        image = Inline(fitted.content, fitted.sent.media_type)
        question = Question(MODEL, image, Task.TEXT_RECOGNITION)
        answer = runner.run(client.recognize(question, 60))
        return str(output_of(Task.TEXT_RECOGNITION, answer, Size(fitted.sent.width, fitted.sent.height))["text"])

    return call


def data_url(file: Path) -> str:
    with file.open("rb") as image_file:
        base64_image = base64.b64encode(image_file.read()).decode("utf-8")
    return f"data:image/png;base64,{base64_image}"


def dashscope(address: str, file: Path) -> Callable[[], str]:
    import dashscope as sdk

    sdk.base_http_api_url = f"{address}/api/v1"

    def call() -> str:
        messages = [{"role": "user", "content": [{"image": data_url(file), **PIXELS, "enable_rotate": False}]}]
        options = {"task": "text_recognition"}
        reply = sdk.MultiModalConversation.call(api_key=KEY, model=MODEL, messages=messages, ocr_options=options)
        return str(reply["output"]["choices"][0]["message"].content[0]["text"])

    return call


def openai(address: str, file: Path) -> Callable[[], str]:
    from openai import OpenAI

    client = OpenAI(api_key=KEY, base_url=f"{address}/compatible-mode/v1")

    def call() -> str:
        image = {"type": "image_url", "image_url": {"url": data_url(file)}, **PIXELS}
        messages = [{"role": "user", "content": [image, {"type": "text", "text": "Please output only the text."}]}]
        return str(client.chat.completions.create(model=MODEL, messages=messages).choices[0].message.content)

    return call


CLIENTS = {"pagewise": pagewise, "pagewise-openai": pagewise_openai, "dashscope": dashscope, "openai": openai}

if __name__ == "__main__":
    main()
