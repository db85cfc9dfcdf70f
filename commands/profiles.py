"""The profiles of profiles/*.json, as parameters of a stack: of the embedded one, or of one on AWS."""

from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from commands.deployed import deployed_stack
from commands.errors import CommandError
from local.stack import ROOT
from pagewise.errors import DocumentRejected
from pagewise.options.profiles import load_profile

FOLDER = ROOT / "profiles"
SCHEMA = FOLDER / "schema.json"
LARGEST = 4096  # characters of a standard parameter; larger ones are billed


class ProfileError(CommandError):
    """There is no such profile, or it is not in a profile's form; the message says so."""


def profile_files() -> dict[str, Path]:
    return {path.stem: path for path in sorted(FOLDER.glob("*.json")) if path != SCHEMA}


def profile_text(name: str) -> str:
    path = profile_files().get(name)
    if path is None:
        raise ProfileError(f"There is no profile {name}. There are: {', '.join(profile_files())}.")
    text = path.read_text(encoding="utf-8")
    try:
        load_profile(name, text)
    except DocumentRejected as invalid:
        raise ProfileError(invalid.message) from None
    if len(text) > LARGEST:
        raise ProfileError(f"The profile {name} has {len(text)} characters; at most {LARGEST} pass.")
    return text


def put_profile(ssm: Any, stack: str, name: str) -> str:
    """Store a profile; the parameter's name."""
    parameter = f"/{stack}/profiles/{name}"
    ssm.put_parameter(Name=parameter, Value=profile_text(name), Type="String", Overwrite=True)
    return parameter


def put_all(ssm: Any, stack: str) -> None:
    """Store the project's own profiles."""
    for name in profile_files():
        put_profile(ssm, stack, name)


def put(name: str, stack: str, endpoint: str | None) -> str:
    """Put a profile into the stack behind an endpoint, or into one on AWS; a sentence about it."""
    profile_text(name)  # its faults are told first, also where there is no stack
    try:
        parameter = put_profile(deployed_stack(stack, endpoint).client("ssm"), stack, name)
    except (BotoCoreError, ClientError) as error:
        raise ProfileError(f"The profile {name} was not put: {error}") from error
    return f"{name} is {parameter} now; functions take it up within five minutes. Uploads: uploads/{name}/…"
