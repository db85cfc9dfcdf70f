"""The direction of imports: functions → pagewise.aws.wiring → pagewise. The core knows no AWS and no environment."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CORE = sorted((ROOT / "layers/pagewise/pagewise").glob("*.py"))
ADAPTERS = sorted((ROOT / "layers/pagewise/pagewise/aws").glob("*.py"))
HANDLERS = sorted((ROOT / "functions").glob("*/*.py"))
ENGINE = sorted((ROOT / "local/engine").rglob("*.py"))
HANDLER_LINES = 25


def imported(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports name their module in full"
            yield from (f"{node.module}.{name.name}" for name in node.names)


def imports(source: str, *packages: str) -> list[str]:
    return [name for name in imported(source) for package in packages if f"{name}.".startswith(f"{package}.")]


def reads_environment(source: str) -> bool:
    return any(
        isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv") for node in ast.walk(ast.parse(source))
    )


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", CORE, ids=relative)
def test_the_core_knows_no_aws_and_no_environment(path: Path) -> None:
    source = path.read_text()
    assert imports(source, "boto3", "botocore", "aws_lambda_powertools", "aws_xray_sdk", "pagewise.aws", "local") == []
    assert not reads_environment(source)


@pytest.mark.parametrize("path", ADAPTERS, ids=relative)
def test_only_the_wiring_reads_the_environment(path: Path) -> None:
    assert reads_environment(path.read_text()) == (path.name == "wiring.py")


@pytest.mark.parametrize("path", ADAPTERS + HANDLERS, ids=relative)
def test_nothing_that_is_deployed_imports_the_embedded_mode(path: Path) -> None:
    assert imports(path.read_text(), "local", "tests") == []


@pytest.mark.parametrize("path", HANDLERS, ids=relative)
def test_handlers_reach_aws_through_the_wiring_only(path: Path) -> None:
    source = path.read_text()
    assert imports(source, "boto3", "botocore") == []
    assert not reads_environment(source)
    adapters = imports(source, "pagewise.aws")
    allowed = tuple(f"pagewise.aws.{name}" for name in ("wiring", "observing", "notifications", "batches"))
    assert all(name.startswith(allowed) for name in adapters)


@pytest.mark.parametrize("path", HANDLERS, ids=relative)
def test_functions_of_handlers_are_short(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < HANDLER_LINES, node.name


@pytest.mark.parametrize("path", ENGINE, ids=relative)
def test_the_engine_is_a_foreign_service(path: Path) -> None:
    assert imports(path.read_text(), "pagewise", "boto3") == []


def test_the_rules_bite() -> None:
    assert imports("from boto3.dynamodb.types import TypeSerializer", "boto3")
    assert imports("import local.stack", "local")
    assert imports("import localhost", "local") == []
    assert reads_environment("import os\nos.environ['X']")
