"""`python -m tests.permissions`: take every permission away, one at a time, and show which use misses it."""

from __future__ import annotations

import logging
import sys
import tempfile
import time
from pathlib import Path

from tests.permissions.uses import enforced


def main() -> int:
    logging.disable(logging.CRITICAL)
    began = time.monotonic()
    needless = 0
    with tempfile.TemporaryDirectory() as folder, enforced(Path(folder)) as world:
        functions = sorted({permission.function for permission in world.permissions()})
        for function in functions:
            if failures := world.use(function):
                say(f"{function} does not work with all its permissions: {failures}")
                return 1
        for permission in world.permissions():
            with world.without(permission):
                failures = world.use(permission.function)
            needless += not failures
            missed = ", ".join(failures) or "NOT NEEDED"
            kind = permission.function.removeprefix("pagewise-").partition("-")[0]
            say(f"| {kind} | {permission.statement} | {permission.action} | {missed} |")
        say(f"{len(world.permissions())} permissions, {needless} not needed, {time.monotonic() - began:.0f} s")
    return int(bool(needless))


def say(line: str) -> None:
    sys.stderr.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main())
