"""Which environment variables each function reads, from the code of the handlers, the wiring and the settings.

Variables are read by names written out: text(os.environ, "PAGES_BUCKET") needs one, os.environ.get("X", "") does
without. A function reads what the parts of the wiring read that its handler uses, and the parts that those use.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "layers/pagewise/pagewise"
VARIABLE = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)*")


def needed_by(function: str) -> set[str]:
    """The variables without which functions/<function> doesn't work."""
    return {name for part in parts_of(function) for name, required in variables_in(part) if required}


def read_by(function: str) -> set[str]:
    """The variables that functions/<function> reads, needed or not."""
    return {name for part in parts_of(function) for name, _ in variables_in(part)}


def parts_of(function: str) -> list[ast.AST]:
    """The functions of the wiring and the settings that the handler reaches."""
    handler = ast.parse((ROOT / "functions" / function / "handler.py").read_text())
    pending = [node.attr for node in ast.walk(handler) if isinstance(node, ast.Attribute) and base_of(node) == "wiring"]
    reached: dict[str, ast.AST] = {}
    while pending:
        name = pending.pop()
        if name in parts() and name not in reached:
            reached[name] = parts()[name]
            pending += [node.id for node in ast.walk(reached[name]) if isinstance(node, ast.Name)]
    return list(reached.values())


def base_of(node: ast.expr) -> str | None:
    """The name that a chain of attributes and calls begins with."""
    while isinstance(node, ast.Attribute | ast.Call):
        node = node.value if isinstance(node, ast.Attribute) else node.func
    return node.id if isinstance(node, ast.Name) else None


@cache
def parts() -> dict[str, ast.AST]:
    return {
        node.name: node
        for path in (PACKAGE / "aws/wiring.py", PACKAGE / "aws/environment.py")
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def variables_in(part: ast.AST) -> Iterator[tuple[str, bool]]:
    """The arguments of calls that are text in upper case, and whether the call does without a default."""
    for call in ast.walk(part):
        if isinstance(call, ast.Call):
            for argument in call.args:
                text = argument.value if isinstance(argument, ast.Constant) else None
                if isinstance(text, str) and VARIABLE.fullmatch(text):
                    yield text, getattr(call.func, "attr", None) != "get"
