"""What this engine says it is. It answers as Qwen-OCR does, and is not Qwen-OCR."""

from importlib.metadata import version

ENGINE = "pagewise-embedded"
# Both read: which of them a page needs is seen by its script.
MODEL = f"rapidocr-{version('rapidocr')}+tesseract"
HEADERS = {"x-engine": ENGINE, "x-model": MODEL}
