"""The best recognizer for each line: RapidOCR by default, Tesseract for letters that RapidOCR's alphabet lacks.

RapidOCR skips letters that it does not know and stays confident: Vietnamese loses its marked vowels, Korean comes
out as a few digits. So a doubtful page is probed: a few of its lines are read with every installed language pack, and
the packs that win read the whole page. Then each line keeps the better of its readings.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from local.engine.recognition import rapid, tesseract
from local.engine.recognition.page import Picture

FOREIGN_TO_RAPID = frozenset(
    ["ara", "bel", "bul", "ell", "fas", "heb", "hin", "kor", "mkd", "rus", "srp", "tam", "tha", "ukr", "vie", "yid"]
)
"""Packs of languages with letters that RapidOCR's alphabet lacks."""
VIETNAMESE_SIGNS = frozenset("đĐơƠưƯăĂ")
DOUBTFUL = 0.9
CONVINCING, PROBABLE, LEAD = 0.65, 0.5, 0.15
"""From the first confidence on a pack's reading counts, from the second on if it leads so far over the other packs'."""
SAMPLE = 5
LEAST_DENSITY = 0.5
"""Letters to a line height: Latin print has about three, Chinese more than one."""
FRAKTUR = "frk"
CLEAN_PRINT = 0.985
"""Above this mean confidence a Latin page is not probed for Fraktur: clean roman print reaches 0.99."""
FRAKTUR_LEAD = 0.05
LEAST_LETTERS = 15


@dataclass(frozen=True, slots=True)
class LineReading:
    text: str
    confidence: float
    recognizer: str


def choose(crops: Sequence[Picture], readings: Sequence[tuple[str, float]]) -> list[LineReading]:
    """The best reading of each line, given RapidOCR's."""
    choices = [LineReading(text, confidence, "rapidocr") for text, confidence in readings]
    if not tesseract.languages():
        return choices
    foreign = _foreign_languages(crops, choices)
    for language in foreign:
        choices = _with_language(crops, choices, language)
    if not foreign and _is_fraktur(crops, choices):
        return _all_read_by(crops, choices, FRAKTUR)
    return choices


def _foreign_languages(crops: Sequence[Picture], choices: Sequence[LineReading]) -> list[str]:
    """Packs that read the doubtful lines better than RapidOCR did, the best first, two at most."""
    packs = [name for name in tesseract.languages() if name in FOREIGN_TO_RAPID]
    doubtful = [number for number in range(len(crops)) if _is_doubtful(crops[number], choices[number])]
    sample = sorted(doubtful, key=lambda number: -_length(crops[number]))[:SAMPLE]
    if not packs or not sample:
        return []
    lines = [crops[number] for number in sample]
    with ThreadPoolExecutor(tesseract.SIDE_BY_SIDE) as pool:
        by_pack = dict(zip(packs, pool.map(lambda pack: tesseract.read_lines(lines, pack), packs), strict=True))
    wins: Counter[str] = Counter()
    for place, number in enumerate(sample):
        pack, *others = sorted(packs, key=lambda name: by_pack[name][place].confidence, reverse=True)
        reading = by_pack[pack][place]
        next_best = max((by_pack[other][place].confidence for other in others), default=0.0)
        clear = reading.confidence >= PROBABLE and reading.confidence >= next_best + LEAD
        if (clear or reading.confidence >= CONVINCING) and _is_better(reading, choices[number]):
            wins[pack] += len(reading.text)
    return [pack for pack, _ in wins.most_common(2)]


def _is_doubtful(crop: Picture, choice: LineReading) -> bool:
    if _length(crop) < 1.5:
        return False
    unsure = choice.confidence < DOUBTFUL or _is_sparse(crop, choice.text)
    return unsure or not VIETNAMESE_SIGNS.isdisjoint(choice.text)


def _is_sparse(crop: Picture, text: str) -> bool:
    """Too few letters for the length of the line: the others were skipped."""
    return _letters(text) < LEAST_DENSITY * _length(crop)


def _length(crop: Picture) -> float:
    """In line heights."""
    return float(crop.shape[1] / crop.shape[0])


def _with_language(crops: Sequence[Picture], choices: list[LineReading], language: str) -> list[LineReading]:
    places = [number for number, choice in enumerate(choices) if not _is_settled(crops[number], choice)]
    lines = [crops[number] for number in places]
    models = [language] + [f"{language}+eng"] * ("eng" in tesseract.languages())
    with ThreadPoolExecutor(tesseract.SIDE_BY_SIDE) as pool:
        readings = list(pool.map(lambda model: tesseract.read_lines(lines, model), models))
    better = list(choices)
    for place, number in enumerate(places):
        best = max((reading[place] for reading in readings), key=lambda reading: reading.confidence)
        if _is_better(best, choices[number]):
            better[number] = LineReading(best.text, best.confidence, f"tesseract:{language}")
    return better


def _is_settled(crop: Picture, choice: LineReading) -> bool:
    """Digits and signs need no other alphabet."""
    return (
        choice.confidence > 0.95
        and not any(letter.isalpha() for letter in choice.text)
        and not _is_sparse(crop, choice.text)
    )


def _is_better(reading: tesseract.Reading, choice: LineReading) -> bool:
    """Tesseract's reading wins if it has letters unknown to RapidOCR, and is surer than RapidOCR's minus its gaps."""
    if choice.recognizer == "rapidocr" and not any(
        letter.isalpha() and letter not in rapid.alphabet() for letter in unicodedata.normalize("NFC", reading.text)
    ):
        return False
    share = min(1.0, _letters(choice.text) / max(1, _letters(reading.text)))
    return reading.confidence > choice.confidence * share


def _letters(text: str) -> int:
    return sum(not letter.isspace() for letter in text)


def _is_fraktur(crops: Sequence[Picture], choices: Sequence[LineReading]) -> bool:
    """Fraktur, if its pack reads the longest lines clearly better than the packs for roman print do."""
    roman = [name for name in ("deu", "eng", "fra") if name in tesseract.languages()]
    if FRAKTUR not in tesseract.languages() or not roman or not _may_be_fraktur(choices):
        return False
    sample = sorted(range(len(crops)), key=lambda number: -_length(crops[number]))[:SAMPLE]
    lines = [crops[number] for number in sample]
    with ThreadPoolExecutor(tesseract.SIDE_BY_SIDE) as pool:
        means = list(pool.map(lambda pack: _mean(tesseract.read_lines(lines, pack)), [FRAKTUR, *roman]))
    return means[0] > max(CONVINCING, *(mean + FRAKTUR_LEAD for mean in means[1:]))


def _may_be_fraktur(choices: Sequence[LineReading]) -> bool:
    letters = [letter for choice in choices for letter in choice.text if letter.isalpha()]
    if len(letters) < LEAST_LETTERS or sum(letter < "ɐ" for letter in letters) < 0.9 * len(letters):
        return False
    return mean_confidence([(choice.text, choice.confidence) for choice in choices]) < CLEAN_PRINT


def mean_confidence(readings: Sequence[tuple[str, float]]) -> float:
    """Over all letters."""
    letters = sum(len(text) for text, _ in readings)
    return sum(confidence * len(text) for text, confidence in readings) / letters if letters else 0.0


def _mean(readings: Sequence[tesseract.Reading]) -> float:
    return mean_confidence([(reading.text, reading.confidence) for reading in readings])


def _all_read_by(crops: Sequence[Picture], choices: Sequence[LineReading], language: str) -> list[LineReading]:
    readings = tesseract.read_lines(crops, language)
    return [
        LineReading(reading.text, reading.confidence, f"tesseract:{language}") if reading.text else choice
        for reading, choice in zip(readings, choices, strict=True)
    ]
