"""Times as text that sorts as times do."""

from __future__ import annotations

import re
from datetime import datetime

from pagewise.aws.clock import UtcClock


def test_a_time_is_utc_in_milliseconds_and_sorts_as_text() -> None:
    clock = UtcClock()
    now, later = clock.now(), clock.after(90)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", now)
    assert now < later
    assert 89 < (datetime.fromisoformat(later) - datetime.fromisoformat(now)).total_seconds() < 92
