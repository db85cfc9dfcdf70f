"""`make simulate SEEDS=n [FROM=m]`: run worlds, show the broken promises, and a seed that finds each mutation."""

from __future__ import annotations

import sys
import time
from collections import Counter

from tests.faults.mutations import MUTATIONS, first_broken, note_found
from tests.faults.people import world_of
from tests.faults.promises import simulate

SHOWN_EVERY = 500


def main() -> int:
    seeds, first = (int(argument) for argument in [*sys.argv[1:], "0"][:2])
    faults: Counter[str] = Counter()
    steps = broken = 0
    began = time.monotonic()
    for number, seed in enumerate(range(first, first + seeds), 1):
        world, found = simulate(seed, world_of(seed))
        steps += world.scheduler.steps
        faults += world.faults
        broken += bool(found)
        for promise in found:
            say(f"seed {seed}: {promise}")
        if number % SHOWN_EVERY == 0:
            say(f"{number:,} of {seeds:,} seeds, {broken} broken, {time.monotonic() - began:.0f} s")
    say(f"{seeds:,} seeds, {broken} broken, {steps:,} steps, {faults.total():,} faults of {len(faults)} kinds")
    seeds_that_find = {}
    for name, kind in MUTATIONS.items():
        if seed_and_promise := first_broken(kind):
            seeds_that_find[name] = seed_and_promise[0]
        broken += seed_and_promise is None
        say(f"mutation: {name}: " + (": ".join(map(str, seed_and_promise)) if seed_and_promise else "not found"))
    note_found(seeds_that_find)
    return int(bool(broken))


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
