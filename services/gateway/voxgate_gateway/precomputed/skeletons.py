"""Skeletons: one file for each segment, stored or computed when it is asked for.

Format: https://github.com/google/neuroglancer, src/datasource/precomputed/skeletons.md.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial

import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from voxgate.model.errors import NotFound
from voxgate.model.skeleton_files import skeleton_to_precomputed
from voxgate.model.skeletons import Skeleton
from voxgate_gateway.answers import body_answer, caching, json_answer
from voxgate_gateway.backend import Backend, Described
from voxgate_gateway.backend.segments import skeleton_of
from voxgate_gateway.making import Making, Task
from voxgate_gateway.precomputed.info import SKELETON_INFO, SKELETONS, directories
from voxgate_gateway.precomputed.mesh_files import segment_id_of

_FILE = re.compile(r"[0-9]{1,40}", re.ASCII)
_UNKNOWN_RADIUS = -1.0
"""Of a skeleton without radii, in a folder whose `info` promises them: what cloud-volume writes, too."""


async def skeleton(request: Request, backend: Backend, described: Described, name: str) -> Response:
    """Answer `skeletons/info` or `skeletons/ID`.

    Raises:
        NotFound: for any other name, a volume without skeletons, and an absent segment.
        ServerBusy: while a skeleton is being computed.
    """
    if SKELETONS not in directories(described):
        raise NotFound(f"{described.info.name} has no skeletons", "its info says what it has")
    if name == "info":
        return json_answer(request, SKELETON_INFO)
    if not _FILE.fullmatch(name):
        raise NotFound(f"there is no {name[:100]!r} among skeletons", "a segment has its id as its name")
    segment_id = segment_id_of(name)
    making: Making = request.app.state.making
    info, calls = described.info, backend.calls
    task = Task(
        ("skeleton", calls.identity, info.name, info.resolved_version, segment_id),
        partial(skeleton_of, calls, described, segment_id),
        lambda made: int(made.vertices.nbytes + made.edges.nbytes),
        described.is_unchanging,
    )
    made: Skeleton = await making.made(task)
    cache_control = caching(request, lasting=described.is_lasting)
    answer = body_answer(request, _file(made), "application/octet-stream", cache_control=cache_control)
    answer.headers["x-voxgate-skeleton"] = f"origin={made.origin}; scale={made.scale}"
    return answer


def _file(made: Skeleton) -> bytes:
    if made.radii is None:
        made = replace(made, radii=np.full(len(made.vertices), _UNKNOWN_RADIUS, np.float32))
    return skeleton_to_precomputed(made)
