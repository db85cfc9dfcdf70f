"""docs/qwen-ocr.md names code and tests that exist, and all captures; our prompts are those of the vendor's page."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path

import pytest

from pagewise.errors import PagewiseError
from pagewise.qwen.models import MODELS
from tests.protocol import captures
from tests.protocol.test_failures import TABLE

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/qwen-ocr.md").read_text(encoding="utf-8")
PACKAGE = ROOT / "layers/pagewise"
# By their names without the room, which can be more than one: `settings`, `profiles`.
MODULES = {
    path.stem: [other for other in PACKAGE.rglob("*.py") if other.stem == path.stem] for path in PACKAGE.rglob("*.py")
}
OF_THE_WIRE = {"ocr_result"}  # the reply's own members


def named_code() -> list[tuple[str, str]]:
    found = re.findall(r"`([a-z_]+)\.([A-Za-z_]+)`", PAGE)
    return sorted({(module, name) for module, name in found if name != "py" and module not in OF_THE_WIRE})


def named_tests() -> list[tuple[str, str]]:
    return sorted(set(re.findall(r"`([\w/]+\.py)::(\w+)`", PAGE)))


@pytest.mark.parametrize(("module", "name"), named_code())
def test_code_that_is_named_exists(module: str, name: str) -> None:
    modules = (".".join(path.relative_to(PACKAGE).with_suffix("").parts) for path in MODULES[module])
    assert any(hasattr(importlib.import_module(found), name) for found in modules)


def test_every_model_is_in_its_table() -> None:
    table = PAGE.partition("## Models")[2].partition("\n## ")[0]
    named = {name if name.startswith("qwen") else f"qwen-vl-ocr{name}" for name in re.findall(r"`([\w.-]+)`", table)}
    assert set(MODELS) <= named
    for model in MODELS.values():
        assert f"{model.patch} × {model.patch}" in table
        assert all(f"{limit:,}" in table for limit in (model.max_input_tokens, model.requests_per_minute))
        assert all(f"{rate.input_per_million} / {rate.output_per_million}" in table for rate in model.prices.values())


@pytest.mark.parametrize(("file", "name"), named_tests())
def test_tests_that_are_named_exist(file: str, name: str) -> None:
    path = ROOT / file if "/" in file else ROOT / "tests/protocol" / file
    functions = [node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)]
    assert name in functions


def test_every_error_is_in_its_table() -> None:
    for _, code, compatible_code, expected, requests in TABLE:
        line = rf"\| `{re.escape(code)}`[^|]*\| `{re.escape(compatible_code)}` \| {expected.__name__} \| {requests} \|"
        assert re.search(line, PAGE)
        assert issubclass(expected, PagewiseError)


@pytest.mark.skipif(not captures.FOLDER.exists(), reason="../shared/wire-captures is not here")
def test_every_capture_is_in_its_table() -> None:
    said = dict(re.findall(r"^\| ((?:dashscope|openai)-[\w-]+) \| (.*) \|$", PAGE, re.MULTILINE))
    assert list(said) == captures.names()
    for name, verdict in said.items():
        reason = captures.NOT_OURS.get(name)
        assert verdict == f"not sent: {reason}" if reason else verdict.startswith("equal")
