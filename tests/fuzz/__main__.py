"""`make fuzz N=5000`: damaged files against the door. Prints one JSON object; exit code 1 if one got through.

Each input is a small file of the corpus and of the tests' own, mutated: bytes changed, cut out, doubled, cut off, mixed
with another file, or numbers that a parser counts by made huge. It has to end as an accepted or a rejected document, in
time, with every page accounted for, and to leave no file and no process.
"""

from __future__ import annotations

import argparse
import json
import sys

from tests.fuzz.door import fuzz


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=5000)
    parser.add_argument("--seconds", type=float, default=1800, help="stop after this time, whatever is left")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    outcome = fuzz(arguments.inputs, arguments.seed, arguments.seconds)
    sys.stdout.write(json.dumps(outcome.summary(), indent=2) + "\n")
    return 1 if outcome.failures else 0


if __name__ == "__main__":
    sys.exit(main())
