"""What a new execution environment computes before its first invocation, against the bare libraries, in one run.

Of each function: the handler's import and the composition of its use case, against `import boto3, httpx` with clients
of the same services. Processor time of one process: Lambda gives an environment a share of a core, and the one call of
a composition (for the engine's key) waits for a service that is not measured here.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from local.stack import FUNCTIONS_PYTHON, ROOT
from tests.template import cloudformation

RUNS = 9
# By folder: the composition's part, and the services that it has clients of.
FUNCTIONS = {
    "splitter": ("split", ("s3", "dynamodb", "events", "sqs", "ssm")),
    "ocr": ("recognize", ("s3", "dynamodb", "events", "sqs", "secretsmanager")),
    "dead_letter": ("give_up", ("s3", "dynamodb", "events")),
    "sweeper": ("sweep", ("s3", "dynamodb", "events")),
}
OURS = """
import handler
handler.wiring.composition.get().{part}()
"""
BARE = """
import boto3, httpx
from botocore.config import Config
clients = [boto3.client(service, config=Config(max_pool_connections=32)) for service in {services!r}]
"""
MEASURED = """
import sys, time
code = compile(sys.argv[1], "measured", "exec")
began = time.process_time()
exec(code, {})
print(1000 * (time.process_time() - began), len(sys.modules))
"""
LAMBDA = {
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_LAMBDA_FUNCTION_NAME": "function",
    "AWS_LAMBDA_LOG_FORMAT": "JSON",
    "LAMBDA_TASK_ROOT": "/var/task",
}


def cold_starts(runs: int = RUNS) -> dict[str, Any]:
    """By function: milliseconds and modules of both, and ours as a share of the bare libraries'."""
    with secret() as endpoint:
        return {
            folder: compared(
                OURS.format(part=part),
                BARE.format(services=services),
                {**LAMBDA, **variables(folder), "PYTHONPATH": path(folder), "AWS_ENDPOINT_URL": endpoint},
                runs,
            )
            for folder, (part, services) in FUNCTIONS.items()
        }


def variables(folder: str) -> dict[str, str]:
    """What the template gives to a function of this folder, by the parameters' defaults; other names are any."""
    template = cloudformation.load()
    found = next(f for f in cloudformation.functions(template).values() if f["CodeUri"] == f"functions/{folder}")
    texts = {}
    for name, value in found["Environment"]["Variables"].items():
        parameter = template["Parameters"].get(value["Ref"], {}) if isinstance(value, dict) and "Ref" in value else {}
        texts[name] = str(parameter.get("Default", name.lower()) if isinstance(value, dict) else value)
    return texts


def path(folder: str) -> str:
    return os.pathsep.join([str(ROOT / "functions" / folder), str(ROOT / "layers/pagewise")])


def compared(ours: str, bare: str, environment: dict[str, str], runs: int) -> dict[str, Any]:
    # The first pair makes the bytecode; pairs, so that a busy minute counts for both.
    pairs = [(measured(ours, environment), measured(bare, environment)) for _ in range(runs + 1)][1:]
    own, other = (min(pair[side][0] for pair in pairs) for side in (0, 1))
    return {
        "ms": round(own),
        "bare_ms": round(other),
        "ratio": round(own / other, 2),
        "modules": pairs[0][0][1],
        "bare_modules": pairs[0][1][1],
    }


def measured(code: str, environment: dict[str, str]) -> tuple[float, int]:
    done = subprocess.run(
        [str(FUNCTIONS_PYTHON), "-c", MEASURED, code], env=environment, check=True, capture_output=True, text=True
    )
    milliseconds, modules = done.stdout.split()[-2:]
    return float(milliseconds), int(modules)


class Secret(BaseHTTPRequestHandler):
    """Secrets Manager with one secret."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        content = json.dumps({"Name": "key", "SecretString": "sk-any"}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/x-amz-json-1.1")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def secret() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Secret) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
