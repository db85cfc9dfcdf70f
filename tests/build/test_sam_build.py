"""`sam build`: what would be deployed, and that it runs in a bare Python 3.13 with nothing but its layers."""

import ast
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
MEGABYTE = 1_000_000
# The outputs' dependencies have a layer of their own (tests/outputs/test_layer.py); no function imports them yet.
CORE = [path for path in ROOT.glob("layers/pagewise/pagewise/**/*.py") if path.parent.name != "outputs"]
CODE = [*ROOT.glob("functions/*/*.py"), *CORE]


@pytest.fixture(scope="module")
def template(built: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((built / "template.yaml").read_text())
    return loaded


@pytest.fixture(scope="module")
def layer(built: Path) -> Path:
    return built / "PagewiseLayer/python"


def test_the_built_template_holds_nothing_that_cloudformation_does_not_take(built: Path) -> None:
    events = list(yaml.parse((built / "template.yaml").read_text()))
    assert not [event for event in events if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None)]
    assert '"<<"' not in (built / "template.yaml").read_text()


def test_layers_are_built(built: Path, template: dict[str, Any]) -> None:
    for name in ("PagewiseLayer", "PopplerLayer", "OutputsLayer"):
        content = template["Resources"][name]["Properties"]["ContentUri"]
        assert (built / content).resolve() == (built / name).resolve()
    assert {path.name for path in (built / "PagewiseLayer").iterdir()} == {"python"}
    assert {path.name for path in (built / "PopplerLayer").iterdir()} == {"bin", "poppler"}
    assert {path.name for path in (built / "OutputsLayer").iterdir()} == {"python"}
    assert os.access(built / "PopplerLayer/bin/pdftoppm", os.X_OK)


def test_functions_hold_their_own_code_and_nothing_else(built: Path, template: dict[str, Any]) -> None:
    loop = template["Resources"]["Fn::ForEach::Tasks"]
    assert len(loop[1]) == 7
    functions = [
        resource
        for resource in [*template["Resources"].values(), *loop[2].values()]
        if isinstance(resource, dict) and resource["Type"] == "AWS::Serverless::Function"
    ]
    folders = {(built / function["Properties"]["CodeUri"]).resolve() for function in functions}
    assert folders == {folder for folder in (ROOT / "functions").iterdir() if folder.is_dir()}
    for folder in folders:
        # What running them here leaves is taken away by make deploy; see tests/local/test_makefile.py.
        page = {"web"} if folder.name == "review" else set()
        assert {path.name for path in folder.iterdir() if path.name != "__pycache__"} == {"handler.py"} | page


def test_the_layer_holds_the_package_and_its_requirements(layer: Path) -> None:
    source = ROOT / "layers/pagewise/pagewise"
    ours = {path.relative_to(source) for path in source.rglob("*.py")}
    assert {path.relative_to(layer / "pagewise") for path in (layer / "pagewise").rglob("*.py")} == ours
    locked = re.findall(r"^([\w.-]+)==(\S+)", (ROOT / "layers/pagewise/requirements.txt").read_text(), re.MULTILINE)
    installed = {path.name.removesuffix(".dist-info").lower() for path in layer.glob("*.dist-info")}
    assert installed == {f"{name.replace('-', '_')}-{version}".lower() for name, version in locked}


def test_the_layer_holds_only_wheels_of_the_functions_platform(layer: Path) -> None:
    for wheel in layer.glob("*.dist-info/WHEEL"):
        tags = re.findall(r"^Tag: (.*)$", wheel.read_text(), re.MULTILINE)
        assert any(
            re.fullmatch(r"py3-none-any|py2\.py3-none-any|(cp313|cp3\d+-abi3|py3-none).*x86_64", tag) for tag in tags
        ), wheel
    for library in layer.rglob("*.so*"):
        assert library.read_bytes()[18:20] == b"\x3e\x00", f"{library.name} is not for x86_64"


def test_the_layer_leaves_out_what_lambda_does_not_need(layer: Path) -> None:
    assert not [path for path in layer.rglob("*") if path.name in {"tests", "bin", ".lock", "Makefile"}]
    bytecode = {path.name.split(".")[-2] for path in layer.rglob("*.pyc")}
    assert bytecode <= {"cpython-313"}


def test_the_layer_holds_the_aws_services_that_are_called(layer: Path) -> None:
    services = {path.name for path in (layer / "botocore/data").iterdir() if path.is_dir()}
    # sts: credentials.
    assert called_services() | {"sts"} == services


def called_services() -> set[str]:
    """The services named in calls such as client("s3")."""
    calls = [node for path in CODE for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    names = {
        call.args[0].value
        for call in calls
        if call.args
        and isinstance(call.args[0], ast.Constant)
        and (getattr(call.func, "id", None) or getattr(call.func, "attr", None)) in {"client", "resource"}
    }
    assert "s3" in names
    return {str(name) for name in names}


def test_layers_are_far_below_lambdas_limit(built: Path) -> None:
    sizes = {
        layer.name: sum(path.stat().st_size for path in layer.rglob("*") if path.is_file())
        for layer in (built / "PagewiseLayer", built / "PopplerLayer", built / "OutputsLayer")
    }
    # Lambda takes 250 MB, unzipped, of a function with its layers.
    assert sizes["PagewiseLayer"] < 102 * MEGABYTE, sizes
    assert sizes["OutputsLayer"] < 45 * MEGABYTE, sizes
    assert sum(sizes.values()) < 180 * MEGABYTE, sizes


def python_3_13() -> list[str]:
    """The command of a Python 3.13, or a skip that says where one was looked for."""
    environment = {**os.environ, "PYENV_VERSION": "3.13"}
    candidates = ["python3.13"]
    if uv := shutil.which("uv"):
        found = subprocess.run([uv, "python", "find", "3.13"], check=False, capture_output=True, text=True)
        candidates.append(found.stdout.strip())
    for candidate in filter(shutil.which, candidates):
        asked = [candidate, "-c", "import sys; print(sys.executable)"]
        done = subprocess.run(asked, env=environment, check=False, capture_output=True, text=True)
        if done.returncode == 0:
            return [done.stdout.strip(), "-I", "-S", "-B"]
    pytest.skip(
        "no Python 3.13 on PATH or known to uv to import the layer with; its wheels' tags are checked all the same"
    )


# Lambda's environment, as far as an import sees it: no site-packages, but the layer and the function's folder.
LAMBDA = {
    "AWS_LAMBDA_FUNCTION_NAME": "function",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_REGION": "eu-west-1",
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "LAMBDA_TASK_ROOT": "/var/task",
    "_X_AMZN_TRACE_ID": "Root=1-5e1b4151-5ac6c58f5b5daa5b0d5b5daa;Parent=53995c3f42cd8ad8;Sampled=1",
}


def run_in(layer: Path, function: str, script: str) -> str:
    paths = [str(ROOT / "functions" / function), str(layer)]
    code = f"import sys; sys.path[:0] = {paths!r}\n{script}"
    environment = {**LAMBDA, "PATH": "/usr/bin:/bin"}
    done = subprocess.run([*python_3_13(), "-c", code], env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("function", ["assembler", "dead_letter", "ocr", "splitter", "sweeper"])
def test_handlers_are_imported_in_a_bare_python_3_13(function: str, layer: Path) -> None:
    assert run_in(layer, function, "import handler; print(callable(handler.handler))") == "True\n"


def imported(node: ast.AST) -> Iterator[str]:
    """The modules that this code imports when it runs: not those of `if TYPE_CHECKING`."""
    if isinstance(node, ast.If) and getattr(node.test, "id", None) == "TYPE_CHECKING":
        return
    if isinstance(node, ast.ImportFrom) and node.module:
        yield node.module
    elif isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    for child in ast.iter_child_nodes(node):
        yield from imported(child)


def test_everything_that_is_imported_anywhere_is_in_the_layer(layer: Path) -> None:
    """The imports inside functions too, which importing a module does not reach."""
    names = {name for path in CODE for name in imported(ast.parse(path.read_text()))}
    assert {"botocore.session", "httpx", "pagewise.aws"} <= names
    run_in(layer, "ocr", f"import importlib\nfor name in {sorted(names)!r}: importlib.import_module(name)")


def test_a_client_of_every_service_is_made_in_a_bare_python_3_13(layer: Path) -> None:
    script = f"""
from botocore.session import get_session
for name in {sorted(called_services())!r}: get_session().create_client(name)
"""
    run_in(layer, "ocr", script)


def test_images_of_every_kind_are_decoded_in_a_bare_python_3_13(layer: Path) -> None:
    script = """
import io
import pillow_heif
from PIL import Image, features
pillow_heif.register_heif_opener()
for kind in ("BMP", "HEIF", "JPEG", "PNG", "TIFF", "WEBP"):
    file = io.BytesIO()
    Image.new("RGB", (64, 64), "navy").save(file, kind)
    Image.open(file).load()
print(features.check("libtiff"))
"""
    assert run_in(layer, "splitter", script) == "True\n"
