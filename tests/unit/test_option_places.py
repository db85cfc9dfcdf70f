"""An option stands in every place that must know it: README, the command line, profiles, messages, the receipt."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from commands.__main__ import password_in
from commands.uploads import RequestedOptions
from pagewise.messages import dump_options, load_options
from pagewise.model import TaskOptions
from pagewise.options.metadata import OPTIONS, PASSWORD, TAG
from pagewise.options.profiles import KEYS, PROFILE, Profile
from pagewise.tasks import Task

ROOT = Path(__file__).parents[2]
PIXELS = st.none() | st.integers(1, 10**8)

# Every field: a new one without a strategy fails the next test.
EVERY_OPTION = {
    "result_schema": st.none() | st.dictionaries(st.text(), st.text(), min_size=1),
    "enable_rotate": st.booleans(),
    "pages_per_call": st.integers(1, 20),
    "prompts": st.dictionaries(st.sampled_from(Task), st.text(min_size=1)),
    "min_pixels": PIXELS,
    "max_pixels": PIXELS,
    "dpi": st.none() | st.integers(36, 1200),
    "logprobs": st.booleans(),
}
# Options of one upload alone: a profile is made for many.
OF_AN_UPLOAD = {TAG, PASSWORD, PROFILE}
# The profile's names of options, where they are not the metadata's.
PROFILE_NAMES = {"ocr-prompt": "prompts", "ocr-result-schema": "result_schema"}


def test_every_field_of_a_call_s_options_is_tried() -> None:
    assert set(EVERY_OPTION) == {field.name for field in fields(TaskOptions)}


@given(options=st.builds(TaskOptions, **EVERY_OPTION))
def test_messages_and_records_lose_no_option(options: TaskOptions) -> None:
    assert load_options(json.loads(json.dumps(dump_options(options)))) == options


def test_every_option_stands_in_readme_s_table() -> None:
    rows = [line for line in (ROOT / "README.md").read_text().splitlines() if line.startswith("| `ocr-")]
    assert [name for name in OPTIONS if not any(f"`{name}`" in row for row in rows)] == []


def test_every_option_has_one_of_the_command_line() -> None:
    every: dict[str, Any] = dict.fromkeys((field.name for field in fields(RequestedOptions)), "1")
    assert set(RequestedOptions(**every).said()) == set(OPTIONS) - {PROFILE}


def test_a_profile_can_say_what_its_schema_says() -> None:
    schema = json.loads((ROOT / "profiles/schema.json").read_text())
    assert set(schema["properties"]) == KEYS
    assert {field.name for field in fields(Profile)} - {"name"} <= KEYS  # its own, by which it is put


def test_a_profile_can_say_whatever_belongs_to_more_than_one_upload() -> None:
    names = {PROFILE_NAMES.get(name, name.removeprefix("ocr-").replace("-", "_")) for name in {*OPTIONS} - OF_AN_UPLOAD}
    assert names - KEYS == set()


def test_a_password_is_the_first_line_of_its_file(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("s3cret \nnot this\n")
    assert password_in(tmp_path / "password") == "s3cret "
    assert password_in(None) is None
