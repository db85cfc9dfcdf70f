"""S3's event notifications as uploads."""

from __future__ import annotations

from pagewise.messages import load_uploads as uploads_of

__all__ = ["uploads_of"]
