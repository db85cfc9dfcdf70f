"""JSON that every reader reads alike; Node reads it along where it is installed."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagewise import strict_json
from pagewise.strict_json import MOST_LAYERS, TooDeep

ROOT = Path(__file__).parents[2]
DEPLOYED = sorted([*(ROOT / "layers/pagewise/pagewise").rglob("*.py"), *(ROOT / "functions").rglob("*.py")])
NODE = shutil.which("node")
# Reads one JSON text a line, and writes what it read; a number that it cannot hold comes out as another one.
ECHO = (
    "const lines = require('fs').readFileSync(0, 'utf8').split('\\n').filter(line => line);"
    "for (const line of lines) console.log(JSON.stringify(JSON.parse(line)));"
)
needs_node = pytest.mark.skipif(NODE is None, reason="Node is not installed")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[NaN, Infinity, -Infinity]", [None, None, None]),
        (
            "[9007199254740991, 9007199254740993, 12345678901234567890]",
            [2**53 - 1, "9007199254740993", "12345678901234567890"],
        ),
        ("[1e999, 0.10, 1.50, 0.1234567890123456789, 1e400]", ["1e999", 0.1, 1.5, "0.1234567890123456789", "1e400"]),
        ("[" + "9" * 5_000 + "]", ["9" * 5_000]),
        ('{"a": 1, "a": 1, "b": 1}', {"a": 1, "b": 1}),
        ('{"a": 1, "a": 2, "a": 3, "a": 1}', {"a": 1, "a (2)": 2, "a (3)": 3}),
        ('{"a\\ud83d": "Caf\\ud83d", "b": "\\ud83d\\ude00"}', {"a\ufffd": "Caf\ufffd", "b": "😀"}),
        ('{"\\ud83d": 1, "\\udc00": 2}', {"\ufffd": 1, "\ufffd (2)": 2}),
        ('"\\uffff\\ufffe\\u0000"', "\ufffd\ufffd\0"),
    ],
)
def test_what_readers_disagree_about_is_decided(text: str, value: Any) -> None:
    assert strict_json.loaded(text) == value


def test_depth_has_a_limit_that_readers_share() -> None:
    assert strict_json.loaded("[" * MOST_LAYERS + "]" * MOST_LAYERS) is not None
    for layers in (MOST_LAYERS + 1, 100_000):
        with pytest.raises(TooDeep):
            strict_json.loaded("[" * layers + "]" * layers)


def test_what_a_person_wrote_is_refused_where_it_is_no_json() -> None:
    for text in ("[NaN]", "{", "[-Infinity]", "[" * 100_000):
        with pytest.raises(ValueError, match=r"."):
            strict_json.given(text)


def test_nothing_is_dumped_that_is_no_json() -> None:
    with pytest.raises(ValueError, match="JSON"):
        strict_json.dumped({"a": float("nan")})


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(codec=None)), inner, max_size=4),
    max_leaves=20,
)


@given(values)
def test_what_is_sound_can_be_dumped_encoded_and_read_again(value: Any) -> None:
    sound = strict_json.sound(value)
    assert json.loads(strict_json.dumped(sound).encode()) == sound
    assert strict_json.sound(sound) == sound
    assert strict_json.loaded(json.dumps(value)) is not None or value is None or sound is None


def dumps(path: Path) -> list[ast.Call]:
    """Calls of json.dumps and json.dump."""
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    return [call for call in calls if ast.unparse(call.func) in ("json.dumps", "json.dump", "dumps")]


def refuses_nan(call: ast.Call) -> bool:
    return any(given.arg == "allow_nan" and ast.unparse(given.value) == "False" for given in call.keywords)


@pytest.mark.parametrize("path", DEPLOYED, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_deployed_code_dumps_what_is_no_json(path: Path) -> None:
    assert [ast.unparse(call) for call in dumps(path) if not refuses_nan(call)] == []


def test_the_rule_bites() -> None:
    call = ast.parse("json.dumps(value)").body[0]
    assert isinstance(call, ast.Expr)
    assert isinstance(call.value, ast.Call)
    assert not refuses_nan(call.value)
    assert any(dumps(path) for path in DEPLOYED)


def read_by_node(texts: list[str]) -> list[Any]:
    """What Node reads of JSON texts, written by Node."""
    assert NODE is not None
    lines = "\n".join(json.dumps(json.loads(text), ensure_ascii=False) if "\n" in text else text for text in texts)
    done = subprocess.run(
        [NODE, "-e", ECHO], input=lines, capture_output=True, text=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, done.stderr[-500:]
    return [json.loads(line) for line in done.stdout.split("\n") if line]


@needs_node
def test_node_reads_what_hostile_replies_leave() -> None:
    hostile = [
        '{"a": NaN, "b": -Infinity, "c": 1e999, "d": 12345678901234567890, "e": 9007199254740993, "a": 2}',
        '{"Caf\\ud83d": "\\udc00", "n": 0.1234567890123456789, "z": -0.0}',
        "[" * MOST_LAYERS + "1" + "]" * MOST_LAYERS,
    ]
    sound = [strict_json.loaded(text) for text in hostile]
    assert read_by_node([strict_json.dumped(value) for value in sound]) == sound


@needs_node
def test_node_notices_what_python_lets_pass() -> None:
    with pytest.raises(AssertionError):
        read_by_node(['{"a": NaN}'])
    assert read_by_node(["[12345678901234567890]"]) != [[12345678901234567890]]
