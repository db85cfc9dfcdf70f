"""`python -m tests.split`: how every file of the corpus ends, beside what its manifest says; 1 if one differs."""

from __future__ import annotations

import sys

from pagewise.model import DocumentStatus
from tests.split.corpus import manifest
from tests.split.test_corpus import split
from tests.unit.conftest import Pagewise


def main() -> int:
    sys.stdout.write("| file | expected | also right | got | lost pages |\n| --- | --- | --- | --- | --- |\n")
    differing = 0
    for expected in manifest():
        pagewise = Pagewise()
        document = split(pagewise, expected)
        got = str(document.reason) if document.status is DocumentStatus.REJECTED else f"{document.pages} pages"
        lost = [event["page"] for event in pagewise.publisher.named("PageFailed")]
        row = (expected.path.name, expected.pipeline_expected, expected.also_acceptable, got, lost or "")
        sys.stdout.write(f"| {' | '.join(map(str, row))} |\n")
        differing += got not in expected.outcomes
    sys.stdout.write(f"\n{differing} differ\n")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
