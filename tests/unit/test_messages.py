"""Messages of the queues lose nothing of what was put in."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from pagewise.messages import dump_upload, load_uploads
from pagewise.model import Upload

NAMES = st.text(min_size=1, max_size=40)


@given(
    upload=st.builds(Upload, NAMES, NAMES, st.none() | NAMES, NAMES, NAMES, st.integers(1, 10**12), st.integers(0, 9))
)
def test_an_upload_s_message_loses_nothing(upload: Upload) -> None:
    (loaded,) = load_uploads(json.loads(dump_upload(upload)))
    assert (loaded, loaded.put_offs, loaded.document_id) == (upload, upload.put_offs, upload.document_id)
