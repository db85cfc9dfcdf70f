"""The deployed template in the real emulator, over HTTP; no function runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.children import Children
from local.deployment import deploy
from local.emulator import Emulator
from local.stack import EMULATOR_PYTHON, ROOT


class Deployed:
    """Clients of the emulator, and the names of what the template made."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        deploy(emulator, ROOT / "template.yaml", "pagewise", {})
        stack = self.client("cloudformation").describe_stacks(StackName="pagewise")["Stacks"][0]
        self.outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}

    def client(self, service: str) -> Any:
        return self.emulator.client(service)


@pytest.fixture(scope="session")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    folder: Path = tmp_path_factory.mktemp("emulator")
    children = Children()
    try:
        emulator = Emulator(children, EMULATOR_PYTHON, folder / "state", folder / "emulator.log")
        emulator.wait_until_healthy()
        yield Deployed(emulator)
    finally:
        children.close()
