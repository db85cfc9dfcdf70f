"""Tesseract, the system's binary: reads the scripts that RapidOCR lacks, line by line."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from local.engine.recognition.page import Picture

TIME_LIMIT = 20.0
"""Seconds for one run: a page's lines take about half a second."""
LINE_HEIGHT = 48
LEAST_HEIGHT, MOST_HEIGHT = 30, 80
"""Lines within these keep their height."""
BORDER = 10
NO_SPACE = 0.25
"""Gap between syllables, in letter heights, that is no space."""
SIDE_BY_SIDE = 2
SCRIPT_MODELS = ("osd", "equ", "snum")
"""Packs that hold no language."""
NEEDED = ("ara", "frk", "heb", "kor", "osd", "rus", "ukr", "vie")
"""Packs for scripts that RapidOCR can't read: without one, its pages come as RapidOCR sees them."""


@dataclass(frozen=True, slots=True)
class Word:
    text: str
    confidence: float
    left: int
    right: int
    height: int


@dataclass(frozen=True, slots=True)
class Reading:
    text: str
    confidence: float
    """0 to 1, the mean over characters."""


@cache
def languages() -> tuple[str, ...]:
    """Installed language packs; empty where Tesseract is absent."""
    return tuple(name for name in _packs() if re.fullmatch(r"[a-z_]{3,12}", name) and name not in SCRIPT_MODELS)


def missing() -> tuple[str, ...]:
    """Needed packs that are not installed."""
    return tuple(name for name in NEEDED if name not in _packs())


@cache
def _packs() -> tuple[str, ...]:
    if shutil.which("tesseract") is None:
        return ()
    return tuple(name.strip() for name in _run(["--list-langs"]).splitlines()[1:])


def read_lines(crops: Sequence[Picture], language: str) -> list[Reading]:
    """One reading per crop. A run that fails or exceeds its time reads nothing."""
    share = -(-len(crops) // SIDE_BY_SIDE) or 1
    chunks = [crops[start : start + share] for start in range(0, len(crops), share)]
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        return [reading for chunk in pool.map(lambda part: _read_chunk(part, language), chunks) for reading in chunk]


def _read_chunk(crops: Sequence[Picture], language: str) -> list[Reading]:
    with tempfile.TemporaryDirectory(prefix="engine-lines-") as folder:
        names = []
        for number, crop in enumerate(crops):
            names.append(f"{folder}/{number}.pgm")
            cv2.imwrite(names[-1], _prepared(crop))
        listing = Path(folder, "lines.txt")
        listing.write_text("\n".join(names) + "\n")
        # --psm 7: the image is one line of text.
        table = _run([str(listing), "-", "--psm", "7", "--dpi", "200", "-l", language, "tsv"])
    return [_joined(words) for words in _words(table, len(crops))]


def _prepared(crop: Picture) -> Picture:
    grey = cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY)
    height = grey.shape[0]
    if not LEAST_HEIGHT <= height <= MOST_HEIGHT:
        scale = LINE_HEIGHT / height
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        grey = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=how)
    background = float(np.percentile(grey, 90))
    framed = cv2.copyMakeBorder(grey, BORDER, BORDER, BORDER, BORDER, cv2.BORDER_CONSTANT, value=background)
    return framed.astype(np.uint8)


def _words(table: str, pages: int) -> list[list[Word]]:
    """Words by page of Tesseract's TSV (level, page, block, paragraph, line, word, left, top, width, height, ...)."""
    words: list[list[Word]] = [[] for _ in range(pages)]
    for row in table.splitlines():
        cells = row.split("\t")
        if len(cells) == 12 and cells[0] == "5" and cells[11].strip():
            left, width, height = int(cells[6]), int(cells[8]), int(cells[9])
            words[int(cells[1]) - 1].append(Word(cells[11].strip(), float(cells[10]) / 100, left, left + width, height))
    return words


def _joined(words: list[Word]) -> Reading:
    """Words with spaces, but none between syllables that stand close (Tesseract puts one after each Hangul or Han)."""
    if not words:
        return Reading("", 0.0)
    text = words[0].text
    for before, word in pairwise(words):
        close = word.left - before.right < NO_SPACE * max(before.height, word.height)
        text += ("" if close and _is_east_asian(text[-1]) and _is_east_asian(word.text[0]) else " ") + word.text
    letters = sum(len(word.text) for word in words)
    return Reading(text, sum(word.confidence * len(word.text) for word in words) / letters)


def _is_east_asian(letter: str) -> bool:
    return "ᄀ" <= letter <= "ᇿ" or "⺀" <= letter <= "鿿" or "가" <= letter <= "힯"


def orientation(picture: Picture) -> int | None:
    """Quarter turns counter-clockwise that make the page upright; None where Tesseract can't tell."""
    if shutil.which("tesseract") is None:
        return None
    with tempfile.TemporaryDirectory(prefix="engine-page-") as folder:
        cv2.imwrite(f"{folder}/page.pgm", cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY))
        report = _run([f"{folder}/page.pgm", "-", "--psm", "0", "--dpi", "200", "-c", "min_characters_to_try=10"])
    clockwise = re.search(r"^Rotate: (\d+)", report, re.MULTILINE)
    confidence = re.search(r"^Orientation confidence: ([\d.]+)", report, re.MULTILINE)
    if not clockwise or not confidence or float(confidence[1]) < 2:
        return None
    return (4 - int(clockwise[1]) // 90) % 4


_running: set[subprocess.Popen[str]] = set()
_running_lock = threading.Lock()


def _run(arguments: list[str]) -> str:
    # One thread each: SIDE_BY_SIDE runs share the cores, and OpenMP's threads only wait for each other.
    environment = os.environ | {"OMP_THREAD_LIMIT": "1"}
    run = subprocess.Popen(
        ["tesseract", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
        errors="replace",
        env=environment,
    )
    with _running_lock:
        _running.add(run)
    try:
        return run.communicate(timeout=TIME_LIMIT)[0]
    except subprocess.TimeoutExpired:
        run.kill()
        run.communicate()
        return ""
    finally:
        with _running_lock:
            _running.discard(run)


def stop_all() -> None:
    """End every run that is under way."""
    with _running_lock:
        for run in _running:
            with contextlib.suppress(ProcessLookupError):
                run.kill()
