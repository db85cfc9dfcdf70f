"""Results as they are stored."""

from __future__ import annotations

import json

from pagewise.options.rules import judged
from pagewise.results import dump_result, load_result
from tests.unit.test_rules import FIELDS, INVOICES, extracted


def test_a_result_is_read_as_it_was_written() -> None:
    for rules in (None, INVOICES, {"required": ["Order"]}):
        result = judged(extracted(FIELDS), rules)
        assert load_result(json.loads(json.dumps(dump_result(result)))) == result
