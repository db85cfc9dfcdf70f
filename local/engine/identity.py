"""This engine's own name. It answers as Qwen-OCR does, and is not Qwen-OCR."""

from importlib.metadata import version

ENGINE = "pagewise-embedded"
# Both read: a page's script decides between them.
MODEL = f"rapidocr-{version('rapidocr')}+tesseract"
HEADERS = {"x-engine": ENGINE, "x-model": MODEL}
