"""`python -m tests.engine.character_error_rate`: how well the engine reads the corpus, against both baselines."""

from __future__ import annotations

import sys
import time

from tests.engine import corpus
from tests.engine.asking import Engine, running_engine, wait_until_ready


def main() -> int:
    if not corpus.is_here():
        _say(f"the corpus is absent: {corpus.CORPUS}")
        return 0
    _say("| file | task | ours | RapidOCR | Tesseract | seconds |\n| --- | --- | --- | --- | --- | --- |")
    with running_engine() as engine:
        wait_until_ready(engine)
        rows = [
            _row(engine, name, task)
            for name in corpus.BASELINES
            for task in ("text_recognition", *["multi_lan"] * (name in corpus.MULTILINGUAL))
        ]
    return 0 if all(rows) else 1


def _row(engine: Engine, name: str, task: str) -> bool:
    image = corpus.as_sent(corpus.original(name))
    began = time.monotonic()
    ours = corpus.error_rate(engine.text(image, task), corpus.truth(name))
    seconds = time.monotonic() - began
    rapid, tesseract = corpus.BASELINES[name]
    _say(f"| {name} | {task} | {ours:.3f} | {rapid:.3f} | {tesseract:.3f} | {seconds:.1f} |")
    return round(ours, 3) <= min(rapid, tesseract)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
