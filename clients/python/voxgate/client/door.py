"""`voxgate.array`: one string opens a volume of any store that a server has, with the keywords of `intern.array`.

The keywords, their order and their defaults are those of intern 1.4.2 (intern/convenience/array.py), where they mean
something here. One that cannot be honoured is refused with what to do instead, never ignored.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy.typing as npt

from voxgate.client.connection import Client, connect
from voxgate.client.intern_array import InternArray, scale_of_resolution
from voxgate.client.intern_creation import NewChannel, spec_of
from voxgate.model.errors import InvalidArgument, MalformedName, UnknownRemote, VoxgateError
from voxgate.model.names import split_version
from voxgate.model.volumes import VolumeSpec

T = TypeVar("T")

_URI = re.compile(r"[a-z][a-z0-9+.-]*:|/", re.IGNORECASE)
_LEVELS = "leave it out: one level is created; where the store computes coarser ones, start_downsampling() asks it to"
_OPERATORS = "stores and their credentials are the business of the server's operator: see [remotes] in voxgate.toml"


def array(  # noqa: PLR0913, PLR0917  (the keywords of somebody else, in their order)
    channel: str,
    resolution: int | None = None,
    volume_provider: None = None,
    axis_order: str = "ZYX",
    create_new: bool = False,
    description: str | None = None,
    dtype: npt.DTypeLike | None = None,
    extents: Sequence[int] | None = None,
    voxel_size: Sequence[float] | None = None,
    voxel_unit: str | None = None,
    downsample_levels: int | None = None,
    downsample_method: str | None = None,
    coordinate_frame_name: str | None = None,
    coordinate_frame_desc: str | None = None,
    collection_desc: str | None = None,
    experiment_desc: str | None = None,
    source_channel: str | None = None,
    boss_config: None = None,
    *,
    client: Client | None = None,
    server: str | None = None,
) -> InternArray:
    """Open a volume, or create one, by the URI of its store or by its name on the server.

    Args:
        channel: a URI under a Remote that the server has ("bossdb://witvliet2020/Dataset_2/em", "dvid://…",
            "precomputed://…", "zarr://…", "file://…"); or a volume's name, "remote/path[@version]". A bare
            "collection/experiment/channel" whose first part is no remote of the server is taken for a bossdb:// URI.
        resolution: the store's number of a level: the key of the scale where keys are numbers, as BossDB's are, and
            its index where they are not. The finest when not given. A bossdb:// URI may have it as its fourth part.
        volume_provider: refused; the server has the Remotes.
        axis_order: the order of the axes, any case: "ZYX", "XYZ" … Axes that it leaves out (c, t) stay in front.
        create_new: create the volume if there is none. One that is there already is opened if it is the same.
        description: refused, as every text that describes something is.
        dtype: of the new volume; uint8 when not given. uint8 and uint16 make an image, other unsigned ones a
            segmentation.
        extents: of the new volume in voxels: z, y, x, whatever `axis_order` is. It starts at voxel 0.
        voxel_size: of the new volume: z, y, x in `voxel_unit`.
        voxel_unit: "nanometers" (when not given), "micrometers", "millimeters" or "centimeters".
        downsample_levels: refused; one level is created. Where the store computes coarser ones, `start_downsampling()`
            of the array asks it to.
        downsample_method: refused, likewise.
        coordinate_frame_name: refused; the store's adapter names what it needs.
        coordinate_frame_desc: refused.
        collection_desc: refused.
        experiment_desc: refused.
        source_channel: refused.
        boss_config: refused; the server has the credentials.
        client: the connection to use.
        server: or the address of a server to connect to; when neither is given, as `connect()` finds it.

    Raises:
        UnknownRemote: when the URI lies under no Remote; shows the lines that the operator could add.
        UnknownVolume, UnknownScale, MalformedName: when there is no such volume or resolution.
        InvalidArgument: for a keyword that cannot be honoured; says what to do.
        AlreadyExists, ReadOnly, UnsupportedFormat: when it cannot be created.
    """
    new = NewChannel(dtype, extents, voxel_size, voxel_unit)
    _refuse(
        volume_provider=volume_provider,
        boss_config=boss_config,
        downsample_levels=downsample_levels,
        downsample_method=downsample_method,
        coordinate_frame_name=coordinate_frame_name,
        source_channel=source_channel,
        description=description,
        coordinate_frame_desc=coordinate_frame_desc,
        collection_desc=collection_desc,
        experiment_desc=experiment_desc,
    )
    if not isinstance(channel, str):
        raise InvalidArgument(f"{type(channel).__name__} is no volume", "give its URI or its name, as text")
    if client is not None and server is not None:
        raise InvalidArgument("client and server both say whom to ask", "give one of them")
    spec: VolumeSpec | None = None
    if create_new:
        spec = spec_of(new)
    else:
        new.check_nothing_said()
    asked = client or connect(server)

    def opened(name: str) -> InternArray:
        if spec is not None:
            asked.create(split_version(name)[0], spec)
        return InternArray._of(asked.volume(name)._binding)

    found, level = _found(asked, channel, opened)
    if level is not None and resolution not in (None, level):
        raise InvalidArgument(f"{channel!r} says resolution {level}, the keyword says {resolution}", "say it once")
    wanted = resolution if level is None else level
    shown = found if wanted is None else found.scale(scale_of_resolution(found.scales, wanted))
    return InternArray._of(shown._binding).in_order(axis_order)


_INSTEAD = {
    "volume_provider": _OPERATORS,
    "boss_config": f"{_OPERATORS}; say which server with server=",
    "downsample_levels": _LEVELS,
    "downsample_method": _LEVELS,
    "coordinate_frame_name": "leave it out: the store's adapter names what it needs",
    "source_channel": "leave it out: voxgate keeps no link between volumes",
}


def _refuse(**given: Any) -> None:
    """Refuse what was said and cannot be honoured.

    Raises:
        InvalidArgument: for the first that is not None.
    """
    for keyword, value in given.items():
        if value is not None:
            instead = _INSTEAD.get(keyword, "leave it out: keep what describes a volume in the store's metadata")
            raise InvalidArgument(f"{keyword} cannot be honoured", instead, details={"field": keyword})


def _found(client: Client, text: str, opened: Callable[[str], T]) -> tuple[T, int | None]:
    """What a URI or name means, opened; and the resolution that it says."""
    if _URI.match(text):
        name, level = _resolved(client, text)
        return opened(name), level
    try:
        return opened(text), None
    except (MalformedName, UnknownRemote) as error:
        if text.rstrip("/").count("/") not in (2, 3):
            raise
        missing = error
    try:
        name, level = _resolved(client, f"bossdb://{text}")
    except UnknownRemote as unknown:
        message = f"{text!r} is no volume of this server ({missing.message}), and of no BossDB that it has"
        raise UnknownRemote(message, unknown.remedy) from None
    return opened(name), level


def _resolved(client: Client, uri: str) -> tuple[str, int | None]:
    """The name of a URI, and the resolution that stands behind it in BossDB's."""
    name = client.resolve(uri)
    before, _, last = uri.rstrip("/").rpartition("/")
    if uri.startswith("bossdb://") and last.isdecimal() and _means(client, before, name):
        return name, int(last)
    return name, None


def _means(client: Client, uri: str, name: str) -> bool:
    """Whether a URI has this name; the channel itself may be called by a number."""
    try:
        return client.resolve(uri) == name
    except VoxgateError:
        return False
