"""The refusal of an output, with its reason."""

from __future__ import annotations

from pagewise.errors import Permanent


class OutputRefused(Permanent):
    """One output cannot be made of this document; the others can. `reason` stands in the manifest."""
