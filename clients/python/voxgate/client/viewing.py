"""Looking at a volume: the address of neuroglancer on it, and a view that notebooks show in place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from typing import Protocol
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

import numpy as np

from voxgate.client.addresses import is_this_machine
from voxgate.client.physical import Triple, triple
from voxgate.model.errors import FailedPrecondition, InvalidArgument
from voxgate.model.volumes import VolumeInfo

_MOST_SEGMENTS = 1000


class Viewable(Protocol):
    """The volume's server knows of a gateway that shows it."""

    @property
    def gateway_url(self) -> str:
        """The gateway's first page, without a slash at its end; empty where the server knows of none."""
        ...


@dataclass(frozen=True, slots=True)
class View:
    """neuroglancer on a volume: a frame in notebooks, an address everywhere else.

    Attributes:
        url: what to open in a browser.
        height_px: of the frame.
    """

    url: str
    height_px: int = 600

    def __repr__(self) -> str:
        return self.url

    def __str__(self) -> str:
        return self.url

    def _repr_html_(self) -> str:
        url = escape(self.url)
        frame = f'<iframe src="{url}" width="100%" height="{int(self.height_px)}" style="border:0" allowfullscreen>'
        return f'{frame}</iframe><p><a href="{url}" target="_blank" rel="noopener">{url}</a></p>'


def view_url(info: VolumeInfo, gateway: str, segments: Iterable[int] | str, position_nm: Triple | None) -> str:
    """The address of neuroglancer on a volume.

    Args:
        info: the volume.
        gateway: its gateway's first page.
        segments: ids to show in 3-D, too; "some" for the largest in the middle.
        position_nm: x, y, z of the middle of the view, nanometres; None for the middle of the volume.

    Raises:
        FailedPrecondition: without a gateway.
        InvalidArgument: for something that is no id or no position, and for more than 1000 segments.
    """
    if not gateway:
        raise FailedPrecondition(
            f"the server of {info.name or 'this volume'} names no gateway, which would show it",
            'start one (`voxgate serve` does) or name it: view(gateway="http://localhost:8080")',
        )
    asked: dict[str, str] = {}
    if segments == "some":
        asked["segments"] = "some"
    elif chosen := _ids(segments):
        asked["segments"] = ",".join(map(str, chosen))
    if position_nm is not None:
        asked["position_nm"] = ",".join(f"{number:.10g}" for number in triple(position_nm))
    # The name is percent-encoded by itself; whoever reads the address takes one encoding off.
    name = quote(info.name, safe="/%+~")
    version = f"@{quote(info.resolved_version, safe='')}" if info.resolved_version else ""
    query = f"?{urlencode(asked, safe=',')}" if asked else ""
    return f"{gateway.rstrip('/')}/view/{name}{version}/-{query}"


def reached_from(address: str, told: str) -> str:
    """The gateway's address for whoever reaches its server at `address`.

    A server says of a gateway beside it that it is on "localhost": for others it is where the server is.
    """
    parts = urlsplit(told)
    if not told or is_this_machine(address) or not is_this_machine(parts.netloc):
        return told.rstrip("/")
    plain = address.rpartition("://")[2].removeprefix("dns:").removeprefix("ipv4:").removeprefix("ipv6:").lstrip("/")
    host = plain.rpartition(":")[0] or plain
    netloc = f"{host}:{parts.port}" if parts.port else host
    return urlunsplit(parts._replace(netloc=netloc)).rstrip("/")


def _ids(segments: Iterable[int] | str) -> list[int]:
    if isinstance(segments, str):
        raise InvalidArgument(f"{segments!r} is no list of segments", 'give ids, as in [12, 77], or "some"')
    ids: list[int] = []
    for segment in segments:
        if isinstance(segment, bool) or not isinstance(segment, (int, np.integer)) or not 0 < int(segment) < 1 << 64:
            raise InvalidArgument(f"{segment!r} is no segment id", "ids are whole numbers from 1 to 2**64 - 1")
        ids.append(int(segment))
    if len(ids) > _MOST_SEGMENTS:
        raise InvalidArgument(f"{len(ids)} segments are too many to look at", f"give at most {_MOST_SEGMENTS}")
    return list(dict.fromkeys(ids))
