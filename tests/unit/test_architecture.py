"""The direction of imports: functions → pagewise.aws.wiring → use cases → rooms → language, downwards only.

The core knows no AWS and no environment. docs/architecture.md draws the floors.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CORE_FOLDER = ROOT / "layers/pagewise/pagewise"
MODULES = sorted(path for path in CORE_FOLDER.rglob("*.py") if path.name != "__init__.py")
ADAPTERS = [path for path in MODULES if path.parent.name == "aws"]
CORE = [path for path in MODULES if path not in ADAPTERS]
HANDLERS = sorted((ROOT / "functions").glob("*/*.py"))
ENGINE = sorted((ROOT / "local/engine").rglob("*.py"))
EMBEDDED = sorted((ROOT / "local").rglob("*.py"))
COMMANDS = sorted((ROOT / "commands").rglob("*.py"))
WIRING = CORE_FOLDER / "aws/wiring.py"
HANDLER_LINES = 25

# From the ground up: a room imports from the floors below its own, and from itself.
LANGUAGE = "the language"
FLOORS = (
    (LANGUAGE,),
    ("pages", "rate", "outputs"),
    ("qwen", "review"),
    ("options",),
    ("account",),
    ("use_cases",),
    ("aws",),
)
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}


# The folder of a room's tests: those of pages and their files, of the engine's protocols, of outputs, of the emulator.
TESTS = ROOT / "tests"
TESTS_OF = {"pages": "split", "qwen": "protocol", "outputs": "outputs", "aws": "adapters"}
WITHOUT_TESTS = {
    "ports.py": "interfaces",
    "outputs/refusal.py": "an error without behaviour",
    "qwen/settings.py": "values without behaviour",
    "use_cases/settings.py": "values without behaviour",
    "account/ledger.py": "tests/adapters/test_ledger.py, on DynamoDB and in memory",
    "outputs/workshop.py": "a process of its own: tests/outputs/test_assembly.py",
}


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


@cache
def composed() -> frozenset[str]:
    """The classes that are put together of others: use cases, their core parts, and the adapters of the ports."""
    rooms = [path for path in MODULES if room_of(path) in ("account", "rate", "use_cases", "aws")]
    return frozenset(
        node.name
        for path in [*rooms, CORE_FOLDER / "qwen/client.py"]
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.ClassDef) and parts_of(node)
    )


def parts_of(declared: ast.ClassDef) -> list[str]:
    """The fields that are a client, a port or another such part, by their annotations."""
    kinds = re.compile(r"\b(\w*Client|Ledger|Accounting|Table|Queues|Publisher|RateBudget|Metrics)\b")
    fields = [node for node in declared.body if isinstance(node, ast.AnnAssign)]
    return [ast.unparse(node.target) for node in fields if kinds.search(ast.unparse(node.annotation))]


def constructed(source: str) -> set[str]:
    calls = (node.func for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    return {getattr(called, "attr", getattr(called, "id", "")) for called in calls}


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def room_of(path: Path) -> str:
    below = path.relative_to(CORE_FOLDER).parts
    return below[0] if len(below) > 1 else LANGUAGE


def imported_rooms(source: str) -> set[str]:
    """The rooms of the core that a module imports from."""
    names = (name.split(".") for name in imports(source, "pagewise"))
    return {name[1] if len(name) > 2 and (CORE_FOLDER / name[1]).is_dir() else LANGUAGE for name in names}


def test_every_room_has_a_floor() -> None:
    assert {room_of(path) for path in MODULES} == set(FLOOR_OF)


def test_rooms_are_one_level_deep() -> None:
    assert {len(path.relative_to(CORE_FOLDER).parts) for path in MODULES} == {1, 2}


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_imports_run_downwards(path: Path) -> None:
    own = room_of(path)
    above = {room for room in imported_rooms(path.read_text()) if room != own and FLOOR_OF[room] >= FLOOR_OF[own]}
    assert above == set()


def has_tests(path: Path) -> bool:
    """Whether tests of the module's name import it, or take the whole core (`pagewise`, a fixture)."""
    tests = TESTS / TESTS_OF.get(room_of(path), "unit") / f"test_{path.stem}.py"
    if not tests.is_file():
        return False
    module = ".".join(("pagewise", *path.relative_to(CORE_FOLDER).with_suffix("").parts))
    source = tests.read_text()
    return bool(imports(source, module)) or "pagewise: Pagewise" in source or f"from {module} import" in source


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_each_module_has_a_test_file_of_its_name(path: Path) -> None:
    assert has_tests(path) != (str(path.relative_to(CORE_FOLDER)) in WITHOUT_TESTS)


def test_modules_without_tests_exist() -> None:
    assert all((CORE_FOLDER / name).is_file() for name in WITHOUT_TESTS)


@pytest.mark.parametrize("path", CORE, ids=relative)
def test_the_core_knows_no_aws_and_no_environment(path: Path) -> None:
    source = path.read_text()
    foreign = ("boto3", "botocore", "aws_lambda_powertools", "aws_xray_sdk", "pagewise.aws", "local", "commands")
    assert imports(source, *foreign) == []
    assert not reads_environment(source)


@pytest.mark.parametrize("path", ADAPTERS, ids=relative)
def test_only_the_wiring_reads_the_environment(path: Path) -> None:
    assert reads_environment(path.read_text()) == (path.name == "wiring.py")


@pytest.mark.parametrize("path", ADAPTERS + HANDLERS, ids=relative)
def test_nothing_that_is_deployed_imports_the_embedded_mode(path: Path) -> None:
    assert imports(path.read_text(), "local", "commands", "tests") == []


@pytest.mark.parametrize("path", EMBEDDED, ids=relative)
def test_the_embedded_mode_knows_no_commands(path: Path) -> None:
    assert imports(path.read_text(), "commands", "tests") == []


@pytest.mark.parametrize("path", MODULES + HANDLERS + COMMANDS + EMBEDDED, ids=relative)
def test_only_the_wiring_puts_parts_together(path: Path) -> None:
    """What a module makes of its own classes is its own affair."""
    source = path.read_text()
    own = {node.name for node in ast.parse(source).body if isinstance(node, ast.ClassDef)}
    assert path == WIRING or (constructed(source) & composed()) - own == set()


@pytest.mark.parametrize("path", HANDLERS, ids=relative)
def test_handlers_reach_aws_through_the_wiring_only(path: Path) -> None:
    source = path.read_text()
    assert imports(source, "boto3", "botocore") == []
    assert not reads_environment(source)
    adapters = imports(source, "pagewise.aws")
    readers = ("api", "batches", "notifications", "observing", "wiring")
    allowed = tuple(f"pagewise.aws.{reader}" for reader in readers)
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
    assert {"Ledger", "Accounting", "RateBudget", "Gate", "Redrive", "Split", "DynamoTable", "S3Pages"} <= composed()
    assert constructed("ledger.Ledger(Table(name))") == {"Ledger", "Table"}
    assert reads_environment("import os\nos.environ['X']")
    assert imported_rooms("from pagewise.account.ledger import Ledger\nfrom pagewise import tasks") == {
        "account",
        LANGUAGE,
    }
