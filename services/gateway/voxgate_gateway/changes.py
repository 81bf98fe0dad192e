"""Whether a request may change something: one rule for every dialect.

The servers behind believe whoever reaches them on this machine. A gateway that others reach would lend them that, so
beyond loopback it takes no changes unless its operator insists, as the servers themselves have it.
"""

from __future__ import annotations

from starlette.requests import Request

from voxgate.model.errors import PermissionDenied
from voxgate_gateway.http.origins import refuse_other_origins


def refuse_changes(request: Request) -> None:
    """Refuse a request that changes something, where nothing may be changed or a page of another origin asks.

    Raises:
        PermissionDenied: HTTP answers with 403.
    """
    if not request.app.state.takes_changes:
        raise PermissionDenied(
            "this gateway is reached from other machines without authentication, and changes nothing",
            "its operator allows it: allow_unauthenticated_writes = true in [gateway]",
        )
    refuse_other_origins(request.headers)
