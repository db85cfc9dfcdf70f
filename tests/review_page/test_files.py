"""The page's files: small, typed, of one origin, and safe by the way they are written."""

from __future__ import annotations

import gzip
import re
import subprocess
from pathlib import Path

import pytest

from tests.review_page.documents import ROOT
from tests.review_page.serving import WEB

TSC = ROOT / ".venvs/web/node_modules/.bin/tsc"
MOST_JAVASCRIPT = 60_000  # bytes, gzipped
SCRIPTS = sorted(WEB.glob("*.js"))


def test_types_hold() -> None:
    if not TSC.exists():
        pytest.skip("TypeScript is absent: local/setup.sh web")
    checked = subprocess.run([TSC, "-p", ROOT / "tests/review_page"], capture_output=True, text=True, check=False)
    assert checked.stdout == ""
    assert checked.returncode == 0


def test_scripts_stay_small() -> None:
    assert sum(len(gzip.compress(path.read_bytes())) for path in SCRIPTS) < MOST_JAVASCRIPT


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_no_script_makes_markup_or_code_of_text(path: Path) -> None:
    written = re.sub(r"//[^\n]*|/\*.*?\*/", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    sinks = r"(?:inner|outer)HTML\s*=[^=]|insertAdjacentHTML|document\.write|\beval\(|new Function"
    assert not re.findall(sinks, written)
    assert not re.findall(r"[\"'`]https?://(?!www\.w3\.org/2000/svg)", written)


def test_the_document_loads_its_own_files_alone() -> None:
    html = (WEB / "index.html").read_text(encoding="utf-8")
    assert re.findall(r'(?:src|href)="([^"#]+)"', html) == ["/web/icon.svg", "/web/page.css", "/web/main.js"]
    assert not re.findall(r"<style|style=|<script(?![^>]*\bsrc=)|\son\w+=", html)
