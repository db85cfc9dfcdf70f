"""JSON from others that is kept and sent on: what every reader takes, and no more."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

# Of objects and lists: twice what validation rules may have. Other languages' readers stop from 64 on (.NET) to 1,000.
MAX_LAYERS = 64


def parsed(text: str) -> Any:
    """The value. Raises ValueError for what is no JSON, for NaN and numbers beyond every range, for half a surrogate
    pair, and for what nests too deep."""
    try:
        value = json.loads(text)
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except RecursionError:
        raise ValueError("nests too deep") from None
    if not nests(value, MAX_LAYERS):
        raise ValueError("nests too deep")
    return value


def nests(value: Any, layers: int) -> bool:
    """Whether no more than so many layers of objects and lists lie in each other."""
    if not isinstance(value, Mapping | list):
        return True
    inner = value.values() if isinstance(value, Mapping) else value
    return layers > 0 and all(nests(member, layers - 1) for member in inner)
