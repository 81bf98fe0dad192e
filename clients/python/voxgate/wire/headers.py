"""The headers of a call that the contract gives a meaning."""

from __future__ import annotations

from voxgate.model.hops import VIA_KEY

__all__ = ["REQUEST_ID_KEY", "VIA_KEY"]

REQUEST_ID_KEY = "x-request-id"
"""The caller's name for a call; servers log it and answer it."""
