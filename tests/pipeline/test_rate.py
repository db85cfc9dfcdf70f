"""Several functions under one rate, against an engine that enforces it. `make bench` measures the same for a minute."""

from __future__ import annotations

from pathlib import Path

from tests.benchmarks.rate import rate_figures


def test_page_jobs_over_the_rate_wait_in_their_queues_and_all_are_recognized(tmp_path: Path) -> None:
    figures = rate_figures(tmp_path, page_jobs=240)
    assert (figures["recognized"], figures["dead_letters"]) == (240, 0)
    # Looser than what a quiet machine does (over 90 %, under 1 %): a call that is 50 ms late costs another its answer.
    assert figures["used_of_limit"] > 0.4
    assert figures["refused"] < 0.1
