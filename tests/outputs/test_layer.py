"""The outputs' layer: what its Makefile takes from the lock is what the core layer does not bring."""

from __future__ import annotations

import re
from pathlib import Path

LAYERS = Path(__file__).parents[2] / "layers"
# Of other systems and Pythons than the function's.
ELSEWHERE = {"colorama", "win32-setctime"}


def locked(layer: str) -> dict[str, str]:
    text = (LAYERS / layer / "requirements.txt").read_text()
    return dict(re.findall(r"^([a-z0-9-]+)==([^ ;\\]+)", text, re.MULTILINE))


def test_the_layer_brings_what_the_core_layer_does_not() -> None:
    found = re.search(r"^PACKAGES := (.+)$", (LAYERS / "outputs/Makefile").read_text(), re.MULTILINE)
    assert found
    assert set(found[1].split()) == set(locked("outputs")) - set(locked("pagewise")) - ELSEWHERE


def test_both_layers_agree_on_versions() -> None:
    core, outputs = locked("pagewise"), locked("outputs")
    assert {name: outputs[name] for name in core} == core
