"""Both layers for arm64, built from this machine: what they are made of. That they run, only such a machine shows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.build.conftest import ROOT, build, needs_debian

ELF, MACHINE_BYTES, AARCH64 = b"\x7fELF", slice(18, 20), b"\xb7\x00"


def programs(folder: Path) -> Iterator[Path]:
    """The files of machine code, by their content."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                if file.read(len(ELF)) == ELF:
                    yield path


def for_another_machine(folder: Path) -> list[str]:
    found = list(programs(folder))
    assert len(found) > 10
    return [path.name for path in found if path.read_bytes()[MACHINE_BYTES] != AARCH64]


@pytest.fixture(scope="module")
def pagewise_layer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    layer = tmp_path_factory.mktemp("pagewise")
    build("make", "-s", "-C", "layers/pagewise", "build-PagewiseLayer", f"ARTIFACTS_DIR={layer}", "ARCHITECTURE=arm64")
    return layer / "python"


def test_every_requirement_has_a_wheel_for_arm64(pagewise_layer: Path) -> None:
    locked = re.findall(r"^([\w.-]+)==", (ROOT / "layers/pagewise/requirements.txt").read_text(), re.MULTILINE)
    wheels = {path.parent.name.partition("-")[0].lower(): path for path in pagewise_layer.glob("*.dist-info/WHEEL")}
    assert set(wheels) == {name.replace("-", "_").lower() for name in locked}
    for wheel in wheels.values():
        tags = re.findall(r"^Tag: (.*)$", wheel.read_text(), re.MULTILINE)
        assert any(re.fullmatch(r"(py2\.)?py3-none-any|(cp313|cp3\d+-abi3|py3-none).*aarch64", tag) for tag in tags), (
            wheel
        )


def test_the_pagewise_layer_holds_code_for_arm64_alone(pagewise_layer: Path) -> None:
    assert for_another_machine(pagewise_layer) == []


def test_the_poppler_layer_holds_code_for_arm64_alone(tmp_path: Path) -> None:
    needs_debian()
    build("make", "-s", "-C", "layers/poppler", "build-PopplerLayer", f"ARTIFACTS_DIR={tmp_path}", "ARCHITECTURE=arm64")
    assert for_another_machine(tmp_path) == []
    assert {path.name for path in (tmp_path / "poppler/bin").iterdir()} >= {"pdftoppm", "pdfinfo"}
    assert (tmp_path / "poppler/lib/ld-linux-aarch64.so.1").exists()
    assert "_arm64" in (tmp_path / "poppler/packages.txt").read_text()
