"""Which view answers an address."""

from __future__ import annotations

import re
from collections.abc import Callable

from . import cutouts, downsample_views, keyvalues, objects, projects
from .cutouts import Match
from .errors import BossError, Code, FrameworkError, NoSuchPage
from .messages import Reply, Request, json_reply
from .state import State

View = Callable[[State, Request, Match], Reply]

_C, _E, _H = (rf"(?P<{name}>[\w-]+)" for name in ("collection", "experiment", "channel"))
_BOX = r"(?P<resolution>\d)/(?P<x>\d+:\d+)/(?P<y>\d+:\d+)/(?P<z>\d+:\d+)(?:/(?P<t>\d+:\d+))?"
_RESOURCE: dict[str, View] = {
    "GET": projects.get_resource,
    "POST": projects.post_resource,
    "PUT": projects.put_resource,
    "DELETE": projects.delete_resource,
}
_LIST: dict[str, View] = {"GET": projects.list_resources}
_META: dict[str, View] = {
    "GET": keyvalues.get_meta,
    "POST": keyvalues.write_meta,
    "PUT": keyvalues.write_meta,
    "DELETE": keyvalues.delete_meta,
}
_DOWNSAMPLE: dict[str, View] = {
    "GET": downsample_views.get_downsample,
    "POST": downsample_views.post_downsample,
    "DELETE": downsample_views.delete_downsample,
}

# Searched in this order. As the service has them: those of projects and key-values are not anchored, so an address
# with a character that names may not have is taken for a shorter name, and what follows a whole address is ignored.
_ROUTES: tuple[tuple[str, str, dict[str, View]], ...] = (
    ("collection", rf"{_C}/experiment/{_E}/channel/{_H}/?", _RESOURCE),
    ("collection", rf"{_C}/experiment/{_E}/channel/?", _LIST),
    ("collection", rf"{_C}/experiment/{_E}/?", _RESOURCE),
    ("collection", rf"{_C}/experiment/?", _LIST),
    ("collection", rf"{_C}/?", _RESOURCE),
    ("collection", r"^", _LIST),
    ("coord", r"(?P<coordframe>[\w-]+)/?$", _RESOURCE),
    ("coord", r"^/*$", _LIST),
    ("meta", rf"{_C}/{_E}/{_H}/?", _META),
    ("meta", rf"{_C}/{_E}/?", _META),
    ("meta", rf"{_C}/?$", _META),
    ("cutout", rf"^to_black/{_C}/{_E}/{_H}/{_BOX}/?$", {"PUT": cutouts.put_to_black}),
    ("cutout", rf"^{_C}/{_E}/{_H}/{_BOX}/?$", {"GET": cutouts.get_cutout, "POST": cutouts.post_cutout}),
    ("downsample", rf"^{_C}/{_E}/{_H}/?$", _DOWNSAMPLE),
    ("reserve", rf"{_C}/{_E}/{_H}/(?P<count>\d+)/?$", {"GET": objects.get_reserve}),
    ("boundingbox", rf"{_C}/{_E}/{_H}/(?P<resolution>\d)/(?P<id>\d+)/?$", {"GET": objects.get_bounding_box}),
    ("ids", rf"^{_C}/{_E}/{_H}/{_BOX}/?$", {"GET": objects.get_ids}),
)
_COMPILED = [(service, re.compile(pattern, re.ASCII), views) for service, pattern, views in _ROUTES]


def answer(state: State, request: Request) -> Reply:
    """The reply to a request.

    Raises:
        Refusal: a typed one, or that of the framework.
    """
    path = re.sub("/+", "/", request.path)
    if path.rstrip("/") == "/ping":
        return json_reply(200, {"ip": "127.0.0.1"})
    if re.match(r"/v0\.[1-8]/", path):
        raise BossError(Code.UNSUPPORTED_VERSION, "This API version is unsupported. Update to version v1")
    versioned = re.match(r"/(?:v1|latest)/(\w+)(?:/(.*))?$", path)
    if versioned is None:
        raise NoSuchPage
    service, rest = versioned[1], versioned[2] or ""
    for known, pattern, views in _COMPILED:
        match = pattern.search(rest) if known == service else None
        if match is not None:
            view = views.get(request.method)
            if view is None:
                raise FrameworkError(405, f'Method "{request.method}" not allowed.')
            return view(state, request, {"what": service, **match.groupdict()})
    raise NoSuchPage
