"""`/groups`, `/permissions` and `/sso`: who may do what. voxgate has no accounts of its own: nobody is listed.

What clients ask is answered as a service without groups would; whatever would change one is refused.
"""

from __future__ import annotations

from starlette.responses import Response

from voxgate_gateway.answers import json_answer
from voxgate_gateway.bossdb.call import Call, route
from voxgate_gateway.bossdb.errors import BossError, Code


async def list_groups(call: Call) -> Response:
    """No groups."""
    kind = call.request.query_params.get("filter", "member")
    if kind not in ("member", "maintainer"):
        raise BossError(Code.INVALID_ARGUMENT, "filter is member or maintainer")
    return json_answer(call.request, {"groups": []})


async def get_permissions(call: Call) -> Response:
    """No permission that somebody gave: what a remote allows, its volumes do."""
    return json_answer(call.request, {"permission-sets": []})


async def no_group(call: Call) -> Response:
    """There is none of this name."""
    raise BossError(Code.GROUP_NOT_FOUND, f"A group with name {call.part('group')[:200]} is not found")


async def no_user(call: Call) -> Response:
    """There is none of this name."""
    raise BossError(Code.USER_NOT_FOUND, f"A user {call.part('user')[:200]} is not found")


async def refuse(_: Call) -> Response:
    """Accounts are managed elsewhere."""
    raise BossError(Code.MISSING_ROLE, "accounts, groups and permissions are managed where tokens are issued, not here")


_REFUSED = {"POST": refuse, "PUT": refuse, "PATCH": refuse, "DELETE": refuse}
_GROUP, _USER = r"(?P<group>[^/]+)", r"(?P<user>[^/]+)"

ROUTES = (
    route("groups", "", GET=list_groups),
    route("groups", rf"{_GROUP}(?:/(?:members|maintainers)(?:/{_USER})?)?", GET=no_group, **_REFUSED),
    route("permissions", "", GET=get_permissions, **_REFUSED),
    route("sso", rf"(?:user|user-role)/{_USER}(?:/[^/]+)?", GET=no_user, **_REFUSED),
)
