"""The text layer beside OCRmyPDF's, on the same pictures and the same recognition (Tesseract's lines).

    python -m tests.outputs.compare OCRMYPDF LANGUAGE=PICTURE …

For each reader: the share of characters that come back in order, against the text that each was given; and, by the
reader that keeps fewest, in whatever order. pdftotext sorts a page of columns or of a table by its own lights.
"""

from __future__ import annotations

import csv
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from PIL import Image

from pagewise.geometry import Size
from pagewise.outputs.searchable_pdf import write_searchable
from tests.outputs.making import MARKS, READERS, in_order, line, page_of, recognized_lines


def lines_by_tesseract(picture: Path, language: str) -> list[dict[str, Any]]:
    command = ["tesseract", str(picture), "-", "-l", language, "tsv"]
    table = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    rows = list(csv.DictReader(table.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE))
    words: dict[tuple[str, ...], list[str]] = {}
    boxes: dict[tuple[str, ...], list[float]] = {}
    for row in rows:
        key = row["block_num"], row["par_num"], row["line_num"]
        if row["level"] == "4":
            boxes[key] = [float(row[name]) for name in ("left", "top", "width", "height")]
        elif row["level"] == "5" and row["text"].strip():
            words.setdefault(key, []).append(row["text"])
    return [line(" ".join(texts), *boxes[key]) for key, texts in words.items()]


def kept(wanted: str, got: str) -> float:
    one, two = (Counter("".join(text.translate(MARKS).split())) for text in (wanted, got))
    return (one & two).total() / max(one.total(), 1)


def main() -> None:
    ocrmypdf = sys.argv[1]
    print(f"{'picture':34} {'':9} {' '.join(f'{name:>9}' for name in READERS)}      kept")  # noqa: T201
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for argument in sys.argv[2:]:
            language, _, path = argument.partition("=")
            picture = folder / "picture.png"
            with Image.open(path) as opened:
                opened.convert("RGB").save(picture, dpi=(200, 200))
                size = Size(*opened.size)
            lines = lines_by_tesseract(picture, language)
            write_searchable(
                picture, [page_of(1, recognized_lines(1, lines, size))], lambda _: None, folder / "ours.pdf", expected=1
            )
            sidecar = folder / "sidecar.txt"
            command = [
                ocrmypdf,
                "-q",
                "-l",
                language,
                "--output-type",
                "pdf",
                "--sidecar",
                str(sidecar),
                str(picture),
                str(folder / "theirs.pdf"),
            ]
            subprocess.run(command, check=True, capture_output=True)
            wanted = {"ours": "\n".join(one["text"] for one in lines), "theirs": sidecar.read_text()}
            for whose, text in wanted.items():
                read = [reader(folder / f"{whose}.pdf") for reader in READERS.values()]
                shares = [*(in_order(text, got) for got in read), min(kept(text, got) for got in read)]
                label = Path(path).name[:34] if whose == "ours" else ""
                whom = "pagewise" if whose == "ours" else "ocrmypdf"
                print(f"{label:34} {whom:9} {' '.join(f'{share:9.4f}' for share in shares)}", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
