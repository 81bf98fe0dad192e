"""The headers of a call that the contract gives a meaning."""

from __future__ import annotations

VIA_KEY = "voxgate-via"
"""The ids of the voxgate servers that a call came through, comma-separated."""

REQUEST_ID_KEY = "x-request-id"
"""The caller's name for a call; servers log it and answer it."""
