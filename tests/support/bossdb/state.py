"""What every view gets: the store, and the knobs that tests turn."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from .errors import BossError, Code
from .messages import Request, User
from .payloads import Compression
from .resources import Channel
from .store import Store

CUTOUT_MAX_SIZE = 520 * 1048576
"""Bytes of voxels of a cutout, as the service is configured."""


@dataclass
class State:
    """The store and how the server behaves."""

    store: Store = field(default_factory=Store)
    cutout_max_bytes: int = CUTOUT_MAX_SIZE
    """uint64 voxels count a quarter."""
    egress_limit_bytes: int | None = None
    """Voxels' bytes after which cutouts are refused with 429."""
    compression: Compression = field(default_factory=Compression)
    serves_uint32: bool = False
    """The service lets uint32 channels be made and then fails on their cutouts."""
    downsampling: threading.Event = field(default_factory=threading.Event)
    """Clear it to hold channels in QUEUED."""
    egress_bytes: int = 0

    def __post_init__(self) -> None:
        self.downsampling.set()

    def count_egress(self, size: int) -> None:
        """Count voxels' bytes, or refuse.

        Raises:
            BossError: 429/3004, whose message is a dictionary, once more than the limit was sent.
        """
        with self.store.lock:
            if self.egress_limit_bytes is not None and self.egress_bytes > self.egress_limit_bytes:
                detail = {"user": "owner", "current_metric": self.egress_bytes, "max_metric": self.egress_limit_bytes}
                raise BossError(Code.ACCESS_DENIED, detail)
            self.egress_bytes += size


def reading_channel(state: State, request: Request, names: tuple[str, str, str], *, explicit: bool = False) -> Channel:
    """The channel of a request, when the user may read it.

    `explicit` is for services that look at permissions even where the channel is public.
    """
    channel = state.store.channel(*names)
    if request.user is User.OWNER or (channel.public and request.method == "GET" and not explicit):
        return channel
    raise BossError(Code.MISSING_PERMISSION, "This user does not have the required permissions")
