"""From an image to its lines of text, in reading order: RapidOCR first, Tesseract where it reads better."""
