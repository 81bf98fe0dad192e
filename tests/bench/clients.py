"""What contenders run, each in a process of its own; see `tests.bench.player`. Reads answer (z, y, x).

Boxes are [[x, x], [y, y], [z, z]], half-open, global. Where a row reads into an array that is there already, `into` is
true; else every contender makes a new array for each result, as a user's first line does.
"""

from __future__ import annotations

import contextlib
import socket
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

import voxgate
from voxgate import Box

Run = Callable[[], Any]
Spans = list[list[int]]


def _box(spans: Spans) -> Box:
    (x0, x1), (y0, y1), (z0, z1) = spans
    return Box.of(x=(x0, x1), y=(y0, y1), z=(z0, z1))


@contextlib.contextmanager
def sdk(address: str, volume: str, box: Spans, into: bool = False, wish: str = "") -> Iterator[Run]:
    """The Python SDK as it comes; `wish` is "small" for what it asks of another machine."""
    where = _box(box)
    with voxgate.connect(address) as client:
        array = (client.with_encodings(wish) if wish else client).volume(volume)
        out = np.zeros(where.shape.zyx, array.dtype) if into else None
        yield lambda: array.read(where, out=out)


@contextlib.contextmanager
def adapter(folder: str, volume: str, box: Spans) -> Iterator[Run]:
    """What the server calls: a Volume out of the registry, the allocator tuned as in the server."""
    from voxgate.wire.allocator import tune_allocator
    from voxgate_remotes.config import RemoteConfig, RemotesConfig
    from voxgate_remotes.registry import Registry

    tune_allocator()
    where = _box(box)
    registry = Registry.from_config(RemotesConfig(remotes={"bench": RemoteConfig(uri=f"file://{folder}")}))
    opened = registry.open(f"bench/{volume}")
    yield lambda: opened.read(where)[0]


@contextlib.contextmanager
def remote_adapter(remote: dict[str, Any], volume: str, box: Spans) -> Iterator[Run]:
    """The same for any remote, as it is configured."""
    from voxgate.wire.allocator import tune_allocator
    from voxgate_remotes.config import RemoteConfig, RemotesConfig
    from voxgate_remotes.registry import Registry

    tune_allocator()
    where = _box(box)
    registry = Registry.from_config(RemotesConfig(remotes={"bench": RemoteConfig.model_validate(remote)}))
    opened = registry.open(f"bench/{volume}")
    yield lambda: opened.read(where)[0]


@contextlib.contextmanager
def cloud_volume(folder: str, volume: str, box: Spans) -> Iterator[Run]:
    """cloud-volume on the files: its defaults, no disk cache."""
    from cloudvolume import CloudVolume

    opened = CloudVolume(f"file://{folder}/{volume}", progress=False, cache=False)
    slices = tuple(slice(*span) for span in box)

    def run() -> Any:
        return np.asarray(opened[slices])[..., 0].transpose()

    yield run


@contextlib.contextmanager
def cloud_volume_s3(endpoint: str, bucket: str, volume: str, box: Spans) -> Iterator[Run]:
    """cloud-volume on a bucket of another server than Amazon's: its defaults, no disk cache."""
    from cloudfiles.paths import add_alias
    from cloudvolume import CloudVolume

    add_alias("benchs3", f"s3://{endpoint}/")
    opened = CloudVolume(f"precomputed://benchs3://{bucket}/{volume}", progress=False, cache=False)
    slices = tuple(slice(*span) for span in box)

    def run() -> Any:
        return np.asarray(opened[slices])[..., 0].transpose()

    yield run


@dataclass(frozen=True, slots=True)
class Meshes:
    """Meshes by ascending id; as an array the number of vertices of each, which all marching cubes agree on."""

    meshes: Sequence[Any]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return np.array([len(mesh.vertices) for mesh in self.meshes])


@dataclass(frozen=True, slots=True)
class OneMesh:
    """One mesh, its columns x, y, z; as an array the number of its vertices and its extent."""

    vertices: Any

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        extent = self.vertices.max(axis=0) - self.vertices.min(axis=0)
        return np.array([len(self.vertices), *extent.tolist()])


@contextlib.contextmanager
def sdk_meshes(address: str, mesh: str, volume: str, ids: list[int]) -> Iterator[Callable[[], Meshes]]:
    """All meshes in one request of the Python SDK."""
    with voxgate.connect(address, mesh=mesh) as client:
        array = client.volume(volume)
        yield lambda: Meshes(array.meshes(ids))


@contextlib.contextmanager
def sdk_mesh_cold(address: str, mesh: str, volume: str, warm: str, segment_id: int) -> Iterator[Run]:
    """One mesh by a new client; the servers have read and meshed `warm`, all of it, and nothing else."""
    with voxgate.connect(address, mesh=mesh) as client:
        other = client.volume(warm)
        other.meshes(int(i) for i in np.unique(np.asarray(other)) if i)

    def run() -> Any:
        with voxgate.connect(address, mesh=mesh) as client:
            return OneMesh(client.volume(volume).mesh(segment_id).vertices)

    yield run


@contextlib.contextmanager
def zmesh_array(file: str) -> Iterator[Run]:
    """zmesh on the labels of a .npy file, as they are, closed at the border."""
    import zmesh

    labels = np.load(file)

    def run() -> Any:
        mesher = zmesh.Mesher((10, 10, 10))
        mesher.mesh(labels, close=True)
        return Meshes([mesher.get(label) for label in sorted(mesher.ids())])

    yield run


@contextlib.contextmanager
def cloud_volume_zmesh(folder: str, volume: str, box: Spans, segment_id: int) -> Iterator[Run]:
    """One mesh out of a whole cutout, as intern's mesh service makes it: zmesh on all of the voxels, then one id."""
    import zmesh
    from cloudvolume import CloudVolume

    slices = tuple(slice(*span) for span in box)

    def run() -> Any:
        opened = CloudVolume(f"file://{folder}/{volume}", progress=False, cache=False)
        voxels = np.asarray(opened[slices])[..., 0].transpose()
        mesher = zmesh.Mesher((10, 10, 10))
        mesher.mesh(voxels)
        return OneMesh(mesher.get(segment_id).vertices[:, ::-1])

    yield run


@contextlib.contextmanager
def tensorstore(folder: str, volume: str, box: Spans) -> Iterator[Run]:
    """tensorstore on the files, in the order of the stored bytes: its default would transpose every voxel."""
    import tensorstore as ts

    spec = {"driver": "neuroglancer_precomputed", "kvstore": f"file://{folder}/{volume}/", "scale_index": 0}
    store = ts.open(spec, read=True).result()[..., 0]
    slices = tuple(slice(*span) for span in box)
    yield lambda: store[slices].read(order="F").result().transpose()


@contextlib.contextmanager
def zarr_python(folder: str, volume: str, box: Spans, start: list[int]) -> Iterator[Run]:
    """zarr-python on the same voxels as Zarr v3; its indices start at 0."""
    import zarr

    array: Any = zarr.open_array(f"{folder}/{volume}", mode="r")
    slices = tuple(slice(a - s, b - s) for (a, b), s in reversed(list(zip(box, start, strict=True))))
    yield lambda: np.asarray(array[slices])


@contextlib.contextmanager
def raw_socket(port: int, total: int) -> Iterator[Run]:
    """recv_into an array that is there already."""
    out = np.zeros(total, np.uint8)
    view = memoryview(out)
    with socket.create_connection(("127.0.0.1", port)) as connection:

        def run() -> Any:
            connection.sendall(b"x")
            at = 0
            while at < total:
                at += connection.recv_into(view[at:])
            return out

        yield run


@contextlib.contextmanager
def plain_grpc(port: int, total: int) -> Iterator[Run]:
    """The generated stub with grpc's and glibc's defaults; payloads copied into an array that is there already."""
    import grpc

    from voxgate.v1 import volume_pb2, volume_pb2_grpc

    out = np.zeros(total, np.uint8)
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = volume_pb2_grpc.VolumeServiceStub(channel)

        def run() -> Any:
            at = 0
            for response in stub.ReadCutout(volume_pb2.ReadCutoutRequest()):
                for chunk in response.chunks:
                    piece = np.frombuffer(chunk.data, np.uint8)
                    out[at : at + len(piece)] = piece
                    at += len(piece)
            return out

        yield run


@contextlib.contextmanager
def flight(port: int, total: int) -> Iterator[Run]:
    """DoGet; batches viewed in place and copied into an array that is there already."""
    from pyarrow import flight as fl

    out = np.zeros(total, np.uint8)
    with fl.connect(f"grpc://127.0.0.1:{port}") as client:

        def run() -> Any:
            at = 0
            for batch in client.do_get(fl.Ticket(b"")):
                piece = batch.data.column(0).to_numpy(zero_copy_only=True)
                out[at : at + len(piece)] = piece
                at += len(piece)
            return out

        yield run


def _many(request: Callable[[int], Any], count: int, at_once: int) -> Iterator[Run]:
    with ThreadPoolExecutor(at_once) as pool:

        def run() -> Any:
            # Only the last answer is kept, as a user who works through them would.
            (last,) = deque(pool.map(request, range(count)), maxlen=1)
            return np.frombuffer(last, np.uint8)

        yield run


@contextlib.contextmanager
def unary_stub(address: str, volume: str, edge: int, count: int, at_once: int) -> Iterator[Run]:
    """`count` calls of the generated ReadChunk stub on the SDK's channel, from `at_once` threads."""
    from voxgate.client.channels import Server, Stubs
    from voxgate.v1 import volume_pb2
    from voxgate.wire.volumes import box_to_proto

    stubs = Stubs(Server(address))
    ask = stubs.volume.ReadChunk
    side = Box.of(x=(0, edge), y=(0, edge), z=(0, edge))
    message = volume_pb2.ReadChunkRequest(volume=volume, box=box_to_proto(side))
    yield from _many(lambda _: ask(message, timeout=60).chunk.data, count, at_once)
    stubs.close()


@contextlib.contextmanager
def unary_sdk(address: str, volume: str, edge: int, count: int, at_once: int) -> Iterator[Run]:
    """The same through the SDK's `read`, into new arrays."""
    with voxgate.connect(address) as client:
        array = client.volume(volume)
        side = Box.of(x=(0, edge), y=(0, edge), z=(0, edge))
        yield from _many(lambda _: array.read(side), count, at_once)


@contextlib.contextmanager
def urllib3_get(port: int, count: int, at_once: int) -> Iterator[Run]:
    """The same with GET requests on kept connections."""
    import urllib3

    with urllib3.PoolManager(maxsize=at_once, block=True) as pool:
        url = f"http://127.0.0.1:{port}/"
        yield from _many(lambda _: pool.request("GET", url).data, count, at_once)


@contextlib.contextmanager
def drained(address: str, volume: str, edge: int) -> Iterator[Run]:
    """One ReadCutout of a whole cube whose messages are counted and dropped; answers the payload's bytes."""
    from voxgate.client.channels import Server, Stubs
    from voxgate.v1 import volume_pb2
    from voxgate.wire.framing import parse_response
    from voxgate.wire.volumes import box_to_proto

    stubs = Stubs(Server(address))
    whole = Box.of(x=(0, edge), y=(0, edge), z=(0, edge))
    request = volume_pb2.ReadCutoutRequest(volume=volume, box=box_to_proto(whole))

    def run() -> Any:
        messages = map(parse_response, stubs.read_cutout(request))
        return np.array(sum(len(chunk.data) for message in messages for chunk in message.chunks))

    yield run
    stubs.close()
