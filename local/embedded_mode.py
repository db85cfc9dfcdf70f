"""Pagewise in the embedded mode: its template on the local stack, with an engine, its key, and its published events."""

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from local.children import Children
from local.embedded_engine import EmbeddedEngine, EngineError, is_embedded
from local.emulator.process import EmulatorError
from local.emulator.published_events import PublishedEvents
from local.stack import ROOT, Stack

TEMPLATE = ROOT / "template.yaml"
ENGINE_PYTHON = ROOT / ".venvs/engine/bin/python"
PARAMETER_OF_VARIABLE = {
    "QWEN_BASE_URL": "QwenBaseUrl",
    "QWEN_API_STYLE": "QwenApiStyle",
    "QWEN_MODEL": "QwenModel",
}
# Only the service limits an account's rate.
NO_RATE_BUDGET = {"RequestsPerMinute": "0", "TokensPerMinute": "0"}
# The embedded engine shares this machine's processors: more pages at the same time would only wait in it. Gathering
# them would save no bill.
GATHERING = {"OcrBatchSize": "4", "OcrBatchingSeconds": "0", "OcrConcurrency": "2"}
NOT_BILLED = {"EngineBills": "false"}
# The batch lane, where a run asks for it. The embedded engine's batches take seconds, and nobody counts how often it is
# asked for them.
BATCH_LANE = {"BatchModel": "qwen-vl-ocr", "BatchWaitMinutes": "0"}
HURRIED_BATCHES = {"BatchPollSeconds": "1"}
HURRIED = {"FollowerFunction": 2.0}
EMBEDDED_ENGINE_PARAMETERS = GATHERING | NO_RATE_BUDGET | NOT_BILLED
PLACEHOLDER_KEY = "no-key-needed"


@dataclass(frozen=True)
class Options:
    logs: Path
    parameters: Mapping[str, str] = field(default_factory=dict)
    port: int | None = None
    visibility_timeout: int | None = None
    batch_lane: bool = False


@dataclass(frozen=True)
class EmbeddedMode:
    stack: Stack
    engine: EmbeddedEngine | None
    published: PublishedEvents

    def check(self) -> None:
        """Raise if a part that all others depend on has ended."""
        if self.stack.emulator.child.poll() is not None:
            raise EmulatorError(f"The emulator has ended (log: {self.stack.logs / 'emulator.log'}).")
        if self.engine and self.engine.child.poll() is not None:
            raise EngineError(f"The embedded engine has ended (log: {self.stack.logs / 'engine.log'}).")


@contextmanager
def embedded_mode(options: Options) -> Iterator[EmbeddedMode]:
    """Start all parts side by side; end them all, however the block ends."""
    log_to(options.logs)
    with Children() as children:
        engine = None
        lane = BATCH_LANE if options.batch_lane else {}
        parameters = lane | engine_parameters() | dict(options.parameters)
        if "QwenBaseUrl" not in parameters:
            engine = EmbeddedEngine(children, ENGINE_PYTHON, ROOT, options.logs / "engine.log")
            parameters = EMBEDDED_ENGINE_PARAMETERS | HURRIED_BATCHES | {"QwenBaseUrl": engine.base_url} | parameters
        elif is_embedded(parameters["QwenBaseUrl"]):
            parameters = NOT_BILLED | parameters
        stack = Stack(
            children,
            TEMPLATE,
            logs=options.logs,
            parameters=parameters,
            port=options.port,
            visibility_timeout=options.visibility_timeout,
            hurried=HURRIED if engine else None,
        )
        with stack:
            store_api_key(stack)
            published = PublishedEvents(stack.emulator, stack.deployment.outputs["EventBus"])
            if engine:
                engine.wait_until_healthy()
            yield EmbeddedMode(stack, engine, published)


def engine_parameters() -> dict[str, str]:
    return {
        parameter: os.environ[variable]
        for variable, parameter in PARAMETER_OF_VARIABLE.items()
        if os.environ.get(variable)
    }


def store_api_key(stack: Stack) -> None:
    stack.client("secretsmanager").create_secret(
        Name=stack.deployment.outputs["ApiKeySecret"],
        SecretString=os.environ.get("QWEN_API_KEY") or PLACEHOLDER_KEY,
    )


def log_to(folder: Path) -> None:
    """Start the logs of this run anew."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in [*folder.glob("*.log"), *folder.glob("functions/*.log"), *folder.glob("invocations.jsonl")]:
        old.unlink()
    logging.basicConfig(
        filename=folder / "runner.log", level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    logging.getLogger("botocore").setLevel(logging.WARNING)
