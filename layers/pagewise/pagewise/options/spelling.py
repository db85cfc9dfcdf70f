"""The likely meaning of a name that there is not."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

# difflib's own measure, of 1.0: `ocr-task` to `ocr-tasks` is 0.94, `table` to `table_parsing` 0.56.
ALIKE = 0.55
LONGEST = 100


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """A sentence to append with the nearest right name; empty if none is near."""
    plain = name[:LONGEST].lower().replace("_", "-")
    spelt = {known.lower().replace("_", "-"): known for known in names}
    return "".join(f" Did you mean {spelt[near]}?" for near in get_close_matches(plain, spelt, n=1, cutoff=ALIKE))
