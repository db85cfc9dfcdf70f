"""`make bench`: what the pipeline, and one call, cost besides OCR, as one JSON object on standard output.

Measured in one run on this machine, with the real functions, the emulator, and an engine that answers without
recognizing. Ratios and overheads are to be compared, not single absolute times.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.benchmarks.call import call_costs
from tests.benchmarks.cold_start import cold_starts
from tests.benchmarks.pipeline import overheads
from tests.benchmarks.rate import rate_figures
from tests.benchmarks.rendering import rendering


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="pagewise-bench-") as folder:
        began = time.monotonic()
        figures: dict[str, Any] = overheads(Path(folder))
        figures["cold_start"] = cold_starts()
        figures["rendering"] = rendering(Path(folder))
        figures["call"] = call_costs(Path(folder))
        figures["rate"] = rate_figures(Path(folder) / "rate")
        figures["benchmark_seconds"] = round(time.monotonic() - began, 1)
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
