"""`make run` on names of every kind, in a folder whose own name is one of them."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from local.stack import ROOT
from tests.pictures import picture

# All of CHOSEN and PRINTABLE, and some of any: PAGEWISE_NAMES=200 takes a minute more.
NUMBER = int(os.environ.get("PAGEWISE_NAMES", "120"))
PRINTABLE = [chr(code) for code in range(32, 127) if chr(code) not in "/."]
CONTROLS = [chr(code) for code in (*range(1, 32), *range(0x7F, 0xA0))]
FOREIGN = list("éñß漢字かなعربيעברית😀🎉\u202e\u200f\u00a0\u2028\ufeff\uffff")
CHOSEN = [
    "`touch run`.png",
    "$(touch run).png",
    "$(shell touch run)",
    "${HOME}.png",
    "$5 for $$",
    "-rf",
    "--out=elsewhere",
    "two\nresults: elsewhere\n.png",
    "\x1b[2J\x1b]0;title\x07.png",
    "فاتورة ١٢٣.png",
    "👩‍👩‍👧 e\u0301.png",
    "x" * 251 + ".png",
    "ص" * 125 + ".png",
    "😀" * 62 + ".png",
    "receipt.json",
    "results",
    "%2e%2e%2fa.png",
    "name.",
]


def names() -> list[str]:
    """Each printable character at a name's begin, middle and end; then any of any."""
    chance = random.Random(10)
    chosen = dict.fromkeys([*CHOSEN, *(f"{one}{number}{one}.{one}" for number, one in enumerate(PRINTABLE))])
    alphabet = [one for one in PRINTABLE if not one.isupper()] + CONTROLS + FOREIGN
    while len(chosen) < NUMBER:
        chosen["".join(chance.choices(alphabet, k=chance.randint(1, 40))) + f"~{len(chosen)}"] = None
    return list(chosen)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The output folder, and what was said."""
    here = tmp_path_factory.mktemp("names")
    folder, output = here / "$(touch run) `x` \"q\" 's' $5 #\n", here / 'out $(touch run) "q" $5\n'
    folder.mkdir()
    for name in names():
        (folder / name).write_bytes(picture())
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("QWEN_", "AWS_", "MAKE"))}
    done = subprocess.run(
        ["make", "run", f"DOC={folder}", f"OUT={output}", "OUTPUTS=none"],
        cwd=ROOT,
        env=variables,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    return output, done.stdout


def test_each_name_has_its_folder_and_its_key_and_none_was_run(ran: tuple[Path, str]) -> None:
    output, _ = ran
    assert {folder.name for folder in output.iterdir()} == {*names(), "logs"}
    keys = {json.loads((output / name / "receipt.json").read_text())["source"]["key"] for name in names()}
    assert keys == {f"uploads/{name}" for name in names()}
    assert all((output / name / "results/0001.text_recognition.txt").is_file() for name in names())
    assert not (ROOT / "run").exists()


def test_no_name_moves_the_cursor_or_begins_a_line(ran: tuple[Path, str]) -> None:
    _, said = ran
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", said)
    assert not any(line.startswith("results: elsewhere") for line in said.splitlines())


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node")
def test_another_language_reads_all_that_is_left(ran: tuple[Path, str]) -> None:
    output, _ = ran
    script = """
        const fs = require("fs"), path = require("path");
        let count = 0;
        for (const name of fs.readdirSync(process.argv[1], {recursive: true}))
            if (name.endsWith(".json") && fs.statSync(path.join(process.argv[1], name)).isFile()) {
                JSON.parse(fs.readFileSync(path.join(process.argv[1], name), "utf8"));
                count++;
            }
        console.log(count);
    """
    done = subprocess.run(["node", "-e", script, str(output)], capture_output=True, text=True, check=True)
    assert int(done.stdout) == 2 * NUMBER
