"""RapidOCR: finds the lines of a page, and reads Chinese, Japanese and Latin scripts."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import rapidocr
from onnxruntime import InferenceSession, SessionOptions  # type: ignore[attr-defined]
from rapidocr import RapidOCR

from local.engine.recognition.page import Picture, Point, Quad

DETECTION_SIDE = 1280
FINE_DETECTION_SIDE = 2000
COARSE_DETECTION_SIDE = 640
"""A few large words alone on a page are found at this size only."""
SMALL_TEXT = 15.0
"""Below this height of a found line, at detection size (with the detector's margin), letters start to merge."""
LEAST_SIDE = 640
STRIP_HEIGHT = 192
"""A strip one line high is padded to this: enlarged instead, its letters come apart into boxes of their own."""

THREADS = 2
COMMON = {"Global.log_level": "error", "Global.use_cls": False, "Global.text_score": 0.0}


@cache
def _detector() -> RapidOCR:
    detector = RapidOCR(
        params={
            **COMMON,
            "Global.use_preprocess_img": False,
            "Global.use_vertical_padding": False,
            "Global.use_rec": False,
            # The picture already comes in the size for detection: 32 is the network's step.
            "Det.limit_side_len": 32,
        }
    )
    detector(np.full((64, 320, 3), 255, np.uint8), use_det=True, use_cls=False, use_rec=False)
    network: Any = detector.text_det
    network.session.session = _patient_session("*_det_*.onnx")
    return detector


@cache
def _reader() -> RapidOCR:
    reader = RapidOCR(params={**COMMON, "Global.use_det": False})
    reader.recognize_txt([np.full((48, 96, 3), 255, np.uint8)])
    network: Any = reader.text_rec
    network.session.session = _patient_session("*_rec_*.onnx")
    return reader


def _patient_session(model: str) -> InferenceSession:
    """The same model with threads that sleep while they wait.

    onnxruntime's threads spin by default. On shared cores that takes time from working threads; RapidOCR's
    configuration has no place for the option.
    """
    (path,) = (Path(rapidocr.__file__).parent / "models").glob(model)
    options = SessionOptions()
    options.log_severity_level = 4
    options.enable_cpu_mem_arena = False
    options.intra_op_num_threads = min(THREADS, os.cpu_count() or 1)
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return InferenceSession(str(path), sess_options=options, providers=["CPUExecutionProvider"])


def warm_up() -> None:
    """Load both models."""
    _detector()
    _reader()


def find_lines(picture: Picture) -> list[Quad]:
    """Corners of each line of text, in pixels of the picture."""
    quads = _find_at(picture, DETECTION_SIDE) or _find_at(picture, COARSE_DETECTION_SIDE)
    scale = DETECTION_SIDE / max(picture.shape[:2])
    if scale < 1 and quads and _median_thickness(quads) * scale < SMALL_TEXT:
        return _find_at(picture, FINE_DETECTION_SIDE)
    return quads


def _find_at(picture: Picture, side: int) -> list[Quad]:
    height, width = picture.shape[:2]
    longest = max(height, width)
    scale = side / longest if longest > side else max(1.0, min(2.0, LEAST_SIDE / longest))
    sized = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale != 1 else picture
    above = max(0, STRIP_HEIGHT - sized.shape[0]) // 2
    beside = max(0, STRIP_HEIGHT - sized.shape[1]) // 2
    if above or beside:
        sized = cv2.copyMakeBorder(sized, above, above, beside, beside, cv2.BORDER_REPLICATE)
    found: Any = _detector()(sized, use_det=True, use_cls=False, use_rec=False)
    if found.boxes is None:
        return []
    return [_quad((box - (beside, above)) / scale, width, height) for box in np.asarray(found.boxes, float)]


def _quad(corners: Any, width: int, height: int) -> Quad:
    """Clockwise from the top-left corner, within the picture."""

    def inside(corner: Any) -> Point:
        return float(min(max(corner[0], 0), width)), float(min(max(corner[1], 0), height))

    inner = [inside(corner) for corner in corners]
    first = min(range(4), key=lambda number: sum(inner[number]))
    a, b, c, d = inner[first:] + inner[:first]
    return a, b, c, d


def _median_thickness(quads: Sequence[Quad]) -> float:
    sides = [(abs(b[0] - a[0]) + abs(b[1] - a[1]), abs(c[0] - b[0]) + abs(c[1] - b[1])) for a, b, c, _ in quads]
    return float(np.median([min(pair) for pair in sides]))


def read_lines(crops: Sequence[Picture]) -> list[tuple[str, float]]:
    """Text and confidence (0 to 1) of each crop."""
    if not crops:
        return []
    answer = _reader().recognize_txt(list(crops))
    return [(text.strip(), float(score)) for text, score in zip(answer.txts or (), answer.scores, strict=True)]


@cache
def alphabet() -> frozenset[str]:
    """Every character that the recognizer knows."""
    network: Any = _reader().text_rec
    return frozenset("".join(network.postprocess_op.character))
