"""Connecting: where the server is, and everything that starts from there."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any

import numpy.typing as npt

from voxgate.client.array import VolumeArray
from voxgate.client.calls import unary
from voxgate.client.channels import Server, Stubs
from voxgate.client.creating import NewVolume, spec_of
from voxgate.client.job_calls import JobCalls
from voxgate.client.physical import Triple
from voxgate.client.profile import load_profile, stored_tls, stored_token
from voxgate.client.remote_volume import open_remote
from voxgate.client.tls import TlsChoice, as_tls
from voxgate.client.tls_looking import tls_trouble
from voxgate.client.wishes import Extent
from voxgate.model.errors import InvalidArgument, ServerUnreachable
from voxgate.model.names import split_version
from voxgate.model.volumes import (
    LabelView,
    OpenOptions,
    Volume,
    VolumeKind,
    VolumeSpec,
)
from voxgate.v1 import volume_pb2
from voxgate.wire.volumes import spec_to_proto

DEFAULT_ADDRESS = "localhost:50051"
_CONNECT_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """A server's description of itself.

    Attributes:
        server_id: identifies the process.
        server_version: the release that runs.
        services: full service name -> address; empty means the address that was connected to.
        limits: what the server refuses, by name; 0 means no limit.
        writes_enabled: whether it takes writes at all.
        requirements: full service name -> what it asks of a volume, for people.
        plugins: full service name -> what its requests may name, such as meshers.
        http_url: where the HTTP gateway is; empty where there is none or nobody said.
        contract_version: the contract that it speaks; empty where it does not say.
        adapters: scheme -> the distribution and its release, "voxgate-remotes 0.1.0".
    """

    server_id: str
    server_version: str
    services: dict[str, str]
    limits: dict[str, int]
    writes_enabled: bool
    requirements: dict[str, list[str]] = field(default_factory=dict)
    plugins: dict[str, list[str]] = field(default_factory=dict)
    http_url: str = ""
    contract_version: str = ""
    adapters: dict[str, str] = field(default_factory=dict)


def connect(
    address: str | None = None,
    *,
    mesh: str | None = None,
    transfer: str | None = None,
    jobs: str | None = None,
    token: str | None = None,
    tls: TlsChoice | None = None,
) -> Client:
    """Connect to a server and ask it where its sister services are.

    Args:
        address: "host:port" of the Volume service; else VOXGATE_SERVER, else the profile that `voxgate login` wrote,
            else localhost:50051. Of a name with several addresses, such as a headless Service's, every call goes to the
            next one. Replicas may be named by their addresses, too: "10.0.0.7:50051,10.0.0.8:50051".
        mesh: address of the Mesh service, where the server does not know it.
        transfer: address of the Transfer service, likewise.
        jobs: address of the Job service, likewise.
        token: proves who you are; else VOXGATE_TOKEN, else the profile's (only for the profile's own server).
        tls: True for the authorities that gRPC believes, a PEM file of authorities, a `voxgate.Tls` with everything, or
            False for none; else what VOXGATE_TLS, VOXGATE_CA_FILE, VOXGATE_CERT_FILE and VOXGATE_KEY_FILE say, else the
            profile (only for its own server), else none.

    Raises:
        ServerUnreachable: when nothing answers there.
        TlsFailed: when only one end speaks TLS, or one does not believe the other; says which.
        InvalidArgument: for something that is no address.
        ConfigInvalid: when a file of the TLS cannot be used.
    """
    profile = load_profile()
    chosen = address or os.environ.get("VOXGATE_SERVER") or (profile.address if profile else "") or DEFAULT_ADDRESS
    # A token goes to no server but the one it was given for.
    said = token or stored_token(chosen)
    alone = Server(chosen, tls=stored_tls(chosen) if tls is None else tls, needs_token=bool(said))
    first = Stubs(alone, said)
    try:
        info = _server_info(first, chosen)
    except ServerUnreachable as error:
        raise tls_trouble(chosen, as_tls(alone.tls)) or error from None
    finally:
        first.close()
    told = {name.rpartition(".")[2].removesuffix("Service").lower(): where for name, where in info.services.items()}
    elsewhere = {
        "mesh": mesh or told.get("mesh", ""),
        "transfer": transfer or told.get("transfer", ""),
        "job": jobs or told.get("job", ""),
    }
    where_else = tuple((name, where) for name, where in elsewhere.items() if where)
    server = replace(alone, elsewhere=where_else, http_url=info.http_url)
    return Client(Stubs(server, said), info)


def _server_info(stubs: Stubs, address: str) -> ServerInfo:
    answer = unary(stubs.volume.GetServerInfo, volume_pb2.GetServerInfoRequest(), address, _CONNECT_TIMEOUT_S)
    return ServerInfo(
        answer.server_id,
        answer.server_version,
        {endpoint.service: endpoint.address for endpoint in answer.services},
        {field.name: int(getattr(answer.limits, field.name)) for field in answer.limits.DESCRIPTOR.fields},
        answer.writes_enabled,
        {endpoint.service: list(endpoint.requirements) for endpoint in answer.services if endpoint.requirements},
        {endpoint.service: list(endpoint.plugins) for endpoint in answer.services if endpoint.plugins},
        answer.http_url,
        answer.contract_version,
        {adapter.scheme: f"{adapter.package} {adapter.version}".strip() for adapter in answer.adapters},
    )


class Client(JobCalls):
    """A connection to a suite of voxgate services. Thread-safe; close it, or use it in a with-block.

    It may be pickled and survives a fork: what comes out connects by itself when it is used. A pickle holds addresses
    and never a token, which is read again from VOXGATE_TOKEN or the profile where the pickle is used.

    Attributes:
        stubs: the raw generated stubs, for whatever this class does not wrap.
    """

    def __init__(self, stubs: Stubs, info: ServerInfo) -> None:
        self.stubs = stubs
        self._info = info

    def __repr__(self) -> str:
        return f"<voxgate.Client {self.stubs.addresses['volume']}>"

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __reduce__(self) -> Any:
        return (_again, (self.stubs.server, self._info))

    def with_streams(self, count: int) -> Client:
        """A client of the same server that spreads each large read over several connections.

        One is the default: on a fast link more make no difference that can be told from noise. They are meant for
        links where one connection is the limit, such as a long way with a small TCP window. The client that is
        answered has connections of its own to be closed.

        Args:
            count: how many; a read of less than 16 MiB for each uses fewer.

        Raises:
            InvalidArgument: for less than one.
        """
        if count < 1:
            raise InvalidArgument(f"{count} connections can read nothing", "give a positive number")
        return Client(self.stubs.with_server(replace(self.stubs.server, streams=count)), self._info)

    def with_encodings(self, *names: str) -> Client:
        """A client of the same server that asks for cutouts in other encodings than the link suggests.

        Args:
            names: "fast" (what a server on this machine is asked for), "small" (what one on a link is asked for), or
                encodings by name, best first, to accept nothing else: "raw", "raw+zstd", "raw+gzip",
                "compressed_segmentation+zstd", "jpeg" … None go back to choosing by the link.

        Reads raise UnsupportedEncoding where this installation cannot decode one, or the server can make none.
        """
        return Client(self.stubs.with_server(replace(self.stubs.server, encodings=names)), self._info)

    def close(self) -> None:
        """Close the connection; arrays made from it can no longer be read."""
        self.stubs.close()

    def server_info(self) -> ServerInfo:
        """What the server says of itself, asked anew."""
        return _server_info(self.stubs, self.stubs.addresses["volume"])

    def open(self, name: str, options: OpenOptions | None = None) -> Volume:
        """Open a volume as the small `Volume` Protocol: what meshers, planners and other plain code take.

        Raises:
            MalformedName, UnknownRemote, UnknownVolume, UnknownVersion.
        """
        return open_remote(self.stubs, name, options or OpenOptions())

    def volume(
        self, name: str, *, version: str = "", time: int | None = None, label_view: LabelView = LabelView.BODIES
    ) -> VolumeArray:
        """Open a volume as an array.

        Args:
            name: "remote/path", or "remote/path@version".
            version: empty means the store's current one.
            time: the time point, for a volume with several; without it the array has the axis "t".
            label_view: what segment ids mean.

        Raises:
            MalformedName, UnknownRemote, UnknownVolume, UnknownVersion.
        """
        plain, said = split_version(name)
        options = OpenOptions(version=version or said, time_index=time, label_view=label_view)
        volume = self.open(plain, options)
        if "t" not in volume.info.axes or time is not None:
            return VolumeArray(volume)
        resolved = volume.info.resolved_version
        return VolumeArray(volume, reopen=_Reopening(self.stubs, plain, resolved, label_view))

    def resolve(self, uri: str) -> str:
        """The name under which a store's own URI is served: "remote/path", or "remote/path@version" where it says one.

        Raises:
            UnknownRemote: when it lies under no configured remote; shows the lines that the operator could add.
        """
        answer = self._call(self.stubs.volume.ResolveVolume, volume_pb2.ResolveVolumeRequest(uri=uri))
        return f"{answer.volume}@{answer.version}" if answer.version else str(answer.volume)

    def create(  # noqa: PLR0913  (all but two by keyword)
        self,
        name: str,
        spec: VolumeSpec | None = None,
        *,
        like: VolumeArray | None = None,
        shape: Sequence[int] | None = None,
        dtype: npt.DTypeLike | None = None,
        voxel_size_nm: Triple | None = None,
        offset: Extent | None = None,
        chunk: Extent | None = None,
        shard: Extent | None = None,
        codec: str | None = None,
        factors: Sequence[Extent] | None = None,
        kind: VolumeKind | str | None = None,
        fill_value: float | None = None,
        format: str = "",  # noqa: A002  (what it is called everywhere)
    ) -> VolumeArray:
        """Create a volume; when it exists with an equal description, it is answered as it is.

        Args:
            name: "remote/path".
            spec: all of it; say nothing else then.
            like: an array to take what is not said from; of the scale that it shows. Coarser ones are made from the
                voxels by `pyramid`.
            shape: voxels in numpy's order, as `array.shape`: z, y, x, or c, z, y, x.
            dtype: of a voxel.
            voxel_size_nm: x, y, z in nanometres.
            offset: x, y, z of the first voxel, global; 0, 0, 0 without `like`.
            chunk: x, y, z: voxels of a stored chunk; None leaves it to the format.
            shard: x, y, z: voxels of a shard, which holds whole chunks; None means none.
            codec: how chunks are kept: "none", "gzip", "zstd" or "blosc" where the format compresses bytes,
                "compressed_segmentation", "jpeg" or "png" where it encodes voxels; None leaves it to the format.
            factors: of each coarser level, x, y, z, as in `pyramid`; the levels are there and empty. None means one
                scale.
            kind: "image" or "segmentation"; without `like`, uint32 and uint64 are segmentations.
            fill_value: of voxels that nobody wrote.
            format: "precomputed", "zarr2", "zarr3", or "" for the remote's default.

        Raises:
            ReadOnly, AlreadyExists, UnsupportedFormat.
            InvalidArgument: for what is missing, or cannot be meant.
        """
        new = NewVolume(
            like, shape, dtype, voxel_size_nm, offset, chunk, shard, codec, factors, kind, fill_value, format
        )
        if spec is not None and new.says_anything:
            raise InvalidArgument("the spec says everything of the new volume", "leave the other keywords out")
        asked = volume_pb2.CreateVolumeRequest(volume=name, spec=spec_to_proto(spec or spec_of(new)))
        self._call(self.stubs.volume.CreateVolume, asked)
        return self.volume(name)


@dataclass(frozen=True, slots=True)
class _Reopening:
    """Opens a volume at a time index; may be pickled."""

    stubs: Stubs
    name: str
    version: str
    label_view: LabelView

    def __call__(self, index: int) -> Volume:
        return open_remote(self.stubs, self.name, OpenOptions(self.version, index, self.label_view))


def _again(server: Server, info: ServerInfo) -> Client:
    """A client out of a pickle."""
    return Client(Stubs(server), info)
