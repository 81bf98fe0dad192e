"""One request of the dialect, and what all requests share."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import Response

from voxgate.model.geometry import Box, Vec3
from voxgate_gateway.backend import MAX_AGE_S, Backend
from voxgate_gateway.backend.described import Recent
from voxgate_gateway.bossdb.memory import Locks, Memory
from voxgate_gateway.bossdb.naming import Naming
from voxgate_gateway.bossdb.projects import Projects
from voxgate_gateway.settings import BossSettings, Names

NAMES = r"(?P<collection>[\w-]+)/(?P<experiment>[\w-]+)/(?P<channel>[\w-]+)"
"""Of a pattern: the three names of an address."""
_RANGE = r"-?\d{1,15}:-?\d{1,15}"
BOX = rf"(?P<resolution>\d)/(?P<x>{_RANGE})/(?P<y>{_RANGE})/(?P<z>{_RANGE})(?:/(?P<t>{_RANGE}))?"
"""Of a pattern: resolution, x, y, z and perhaps t. The service takes no negative numbers; volumes here may."""


@dataclass(frozen=True)
class Dialect:
    """What is kept between requests.

    Attributes:
        settings: of the dialect.
        naming: of volumes.
        remotes: names of remotes, and whether they can be written, by who asks; some seconds old at most.
        projects: what was made and has no voxels yet.
        memory: what cutouts may hold.
        merging: a lock for each volume that something is merged into.
    """

    settings: BossSettings
    naming: Naming = field(init=False)
    remotes: Recent[str, Mapping[str, bool]] = field(default_factory=lambda: Recent(MAX_AGE_S))
    projects: Projects = field(default_factory=Projects)
    memory: Memory = field(init=False)
    merging: Locks = field(default_factory=Locks)

    def __post_init__(self) -> None:
        object.__setattr__(self, "naming", Naming(self.settings))
        object.__setattr__(self, "memory", Memory(self.settings.memory_bytes))


@dataclass(frozen=True, slots=True)
class Call:
    """One request.

    Attributes:
        request: as it came; nothing of its body has been read.
        backend: bound to the caller.
        dialect: what is kept between requests.
        match: the named parts of the address.
    """

    request: Request
    backend: Backend
    dialect: Dialect
    match: Mapping[str, str | None]

    @property
    def names(self) -> Names:
        """Collection, experiment and channel of the address."""
        return self.part("collection"), self.part("experiment"), self.part("channel")

    def part(self, name: str) -> str:
        """A named part of the address; empty where it has none."""
        return self.match.get(name) or ""

    def told_frame(self, frame: Box) -> Box:
        """A frame as this address's version tells it: under `/latest` from voxel 0 on.

        neuroglancer, which asks there and nowhere else, takes where a frame ends for its size, and a coarser level to
        start at the number that the finest does (src/datasource/boss, getSources): both are right of frames that start
        at 0 alone. A frame may be larger than the voxels in it, and beyond them every voxel is 0.
        """
        if not self.request.scope["path"].startswith("/latest/"):
            return frame
        return Box(Vec3.minimum(frame.start, Vec3(0, 0, 0)), frame.stop)

    def flag(self, name: str) -> bool:
        """Whether a query parameter says true, in any case."""
        return self.request.query_params.get(name, "").lower() == "true"


View = Callable[[Call], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class BossRoute:
    """The addresses of one kind of thing.

    Attributes:
        service: the first segment after the version.
        pattern: of all that follows, without a slash at its end; slashes that follow one another are one.
        views: by method; HEAD is answered as GET.
    """

    service: str
    pattern: re.Pattern[str]
    views: Mapping[str, View]


def route(service: str, pattern: str, **views: View) -> BossRoute:
    """A line of the table: views by method, in capitals."""
    return BossRoute(service, re.compile(pattern, re.ASCII), views)
