"""When a person shall look at a document: a profile's, or an upload's, `review`.

`never`, `doubtful`, `always`, or `sample 5%` of the documents, drawn by their ids, so that the same one is drawn
however often its end is looked at.
"""

from __future__ import annotations

import hashlib
import re

NEVER, DOUBTFUL, ALWAYS = "never", "doubtful", "always"
SAMPLE = re.compile(r"sample +(100|[0-9]{1,2}(?:\.[0-9]{1,2})?) ?%")
WORDS = (NEVER, DOUBTFUL, ALWAYS, "sample 5%")
# A sample is told to a hundredth of a percent.
PARTS = 10_000


def parse_review(text: str) -> str:
    """In the one form that is stored. Raises ValueError for what is none."""
    word = " ".join(text.split()).lower()
    if word in (NEVER, DOUBTFUL, ALWAYS):
        return word
    sampled = SAMPLE.fullmatch(word)
    if sampled is None:
        raise ValueError(text)
    return f"sample {sampled[1]}%"


def is_drawn(document_id: str, review: str) -> bool:
    """Whether this document is of the sample; of a policy without one, no document is."""
    sampled = SAMPLE.fullmatch(review)
    if sampled is None:
        return False
    number = int.from_bytes(hashlib.sha256(document_id.encode()).digest()[:8])
    return number % PARTS < round(float(sampled[1]) * PARTS / 100)
