"""Rows of the Mesh service, end to end: a server process of ours, the SDK in another, over loopback."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tests.bench.clients import sdk_meshes
from tests.bench.data import Array, Data, write_precomputed
from tests.bench.harness import Contender, Work
from tests.bench.processes import player
from tests.bench.rows_meshing import block_of, ids_of, in_memory
from tests.bench.rows_reading import same, spans
from tests.support.servers import server_process
from voxgate.client.channels import Server, Stubs
from voxgate.model.geometry import Vec3
from voxgate.model.mesh_facts import Simplification
from voxgate.model.meshes import Mesh, MeshRequest
from voxgate.model.volumes import OpenOptions
from voxgate.v1 import mesh_pb2
from voxgate.wire.mesh_framing import parse_meshes
from voxgate.wire.mesh_requests import mesh_spec_to_proto
from voxgate_mesh.collecting import VolumeMeshes
from voxgate_mesh.meshing import MeshingSettings
from voxgate_serving.workers import WorkerPool

_ODD_BLOCK = Vec3(61, 47, 83)
_ERROR_NM = 15.0
_WARM_EDGE = 48


@dataclass(frozen=True, slots=True)
class _Services:
    """Addresses of a Volume and a Mesh service over the same volumes."""

    volume: str
    mesh: str

    @property
    def arguments(self) -> dict[str, str]:
        """For a client."""
        return {"address": self.volume, "mesh": self.mesh}


@contextlib.contextmanager
def _services(data: Data) -> Iterator[_Services]:
    """Both over all volumes, as remote "bench"; no finished mesh is kept, so that every request is work."""
    folder = data.folder.parent
    config = folder / "meshing.toml"
    config.write_text(f"[server]\nmesh_cache_bytes = 0\n[remotes.bench]\nuri = {json.dumps(str(data.folder))}\n")
    with (
        server_process("voxgate_volume", config, folder / "volume.log") as volume,
        server_process("voxgate_mesh", config, folder / "mesh.log") as mesh,
    ):
        yield _Services(volume.address, mesh.address)


def _written(data: Data, name: str, labels: Array) -> str:
    """The labels as a volume, raw, and beside it as one file of numpy's; its name."""
    write_precomputed(data.folder / name, labels, {"encoding": "raw"})
    np.save(_array_file(data, name), labels)
    return f"bench/{name}"


def _array_file(data: Data, name: str) -> Path:
    return data.folder / f"{name}.npy"


@contextlib.contextmanager
def against_zmesh(data: Data) -> Iterator[Work]:
    """M2b: all labels of a block out of raw files through a server, against zmesh on the array, closed alike."""
    labels = block_of(data)
    volume, ids = _written(data, "block", labels), ids_of(labels)
    with (
        _services(data) as services,
        player("voxgate over gRPC", "sdk_meshes", volume=volume, ids=ids, **services.arguments) as ours,
        player("zmesh in process", "zmesh_array", file=str(_array_file(data, "block"))) as theirs,
    ):
        yield Work([ours.contender(), theirs.contender()], same, labels.nbytes / 1e6)


@contextlib.contextmanager
def watertight(data: Data) -> Iterator[Work]:
    """M4: through a server, out of odd blocks in process, and simplified in quality; judged by their edges alone."""
    labels = block_of(data)
    volume, ids = _written(data, "block", labels), ids_of(labels)
    with _services(data) as services, sdk_meshes(volume=volume, ids=ids, **services.arguments) as ask:
        verdicts = [is_manifold(mesh.faces) for mesh in ask().meshes]
    workers = WorkerPool(0)
    with contextlib.closing(workers):
        source = VolumeMeshes(in_memory(labels), workers, settings=MeshingSettings(block_shape=_ODD_BLOCK))
        for wish in (None, Simplification(max_error_nm=_ERROR_NM)):
            answers = source.meshes(MeshRequest(tuple(ids), 0, simplification=wish))
            verdicts += [isinstance(answer, Mesh) and is_manifold(answer.faces) for answer in answers]
    counts = {"meshes of complete segments": len(verdicts), "watertight ones": sum(verdicts)}
    contenders = [Contender(name, lambda: None, partial(float, count)) for name, count in counts.items()]
    yield Work(contenders, same, unit="meshes", most_rounds=1)


def is_manifold(faces: Array) -> bool:
    """Whether each edge lies between exactly two triangles, which go along it in opposite directions."""
    ends = faces.astype(np.uint64)
    directed = np.concatenate([ends[:, [a, b]] for a, b in ((0, 1), (1, 2), (2, 0))])
    there = np.sort(directed[:, 0] << np.uint64(32) | directed[:, 1])
    back = np.sort(directed[:, 1] << np.uint64(32) | directed[:, 0])
    return bool(len(faces) and (there[1:] != there[:-1]).all() and (there == back).all())


@contextlib.contextmanager
def one_of_many(data: Data) -> Iterator[Work]:
    """M5: one segment, cold: each time new servers, a new client, and a volume that nobody has opened.

    The servers have meshed another, tiny volume, so that their code is loaded. intern meshes by reading the whole
    cutout and handing it to zmesh; here cloud-volume reads it from the files, where intern would ask a store.
    """
    labels = data.labels((data.edge,) * 3)
    segment_id = inner_segment(labels)
    volume, warm = data.seg(), _written(data, "warm", labels[:_WARM_EDGE, :_WARM_EDGE, :_WARM_EDGE])
    del labels

    def ours(what: str) -> Any:
        names: dict[str, Any] = {"volume": f"bench/{volume}", "warm": warm, "segment_id": segment_id}
        with (
            _services(data) as services,
            player("voxgate over gRPC", "sdk_mesh_cold", **names, **services.arguments) as one,
        ):
            return one.ask(what)

    where: dict[str, Any] = {
        "folder": str(data.folder),
        "volume": volume,
        "box": spans(data.whole),
        "segment_id": segment_id,
    }
    with player("whole cutout, zmesh", "cloud_volume_zmesh", **where) as theirs:
        mine = Contender("voxgate over gRPC, cold", lambda: ours("answer"), lambda: float(ours("once")))
        yield Work([mine, theirs.contender()], same, most_rounds=2)


def inner_segment(labels: Array) -> int:
    """The largest segment that does not touch the border of the array, by every fourth voxel."""
    border = {int(i) for axis in range(3) for end in (0, -1) for i in np.unique(labels.take(end, axis=axis))}
    ids, counts = np.unique(labels[::4, ::4, ::4], return_counts=True)
    inner = {int(i): int(count) for i, count in zip(ids, counts, strict=True) if i and int(i) not in border}
    return max(inner, key=inner.__getitem__)


class _Delays:
    """Times of parts; each run gives one of the first and one of the last."""

    def __init__(self, services: _Services, volume: str, ids: Iterable[int]) -> None:
        self._stubs = Stubs(Server(services.mesh))
        request = MeshRequest(tuple(ids))
        self._request = mesh_pb2.GetMeshesRequest(spec=mesh_spec_to_proto(volume, OpenOptions(), request))
        self._kept: dict[str, list[float]] = {"first": [], "last": []}

    def contender(self, which: str) -> Contender:
        """Seconds to the first or the last part."""

        def measure() -> float:
            if not self._kept[which]:
                self._run()
            return self._kept[which].pop(0)

        return Contender(f"until the {which} part", lambda: None, measure)

    def close(self) -> None:
        """Close the channel."""
        self._stubs.close()

    def _run(self) -> None:
        begin = time.perf_counter()
        times = [
            time.perf_counter() - begin
            for message in map(parse_meshes, self._stubs.get_meshes(self._request))
            if message.parts
        ]
        self._kept["first"].append(times[0])
        self._kept["last"].append(times[-1])


@contextlib.contextmanager
def first_part(data: Data) -> Iterator[Work]:
    """M6: how long a viewer waits before it draws something of the largest segment of the whole volume."""
    sparse = data.labels((data.edge,) * 3)[::4, ::4, ::4]
    ids, counts = np.unique(sparse[sparse != 0], return_counts=True)
    with _services(data) as services:
        delays = _Delays(services, f"bench/{data.seg()}", [int(ids[np.argmax(counts)])])
        with contextlib.closing(delays):
            yield Work([delays.contender("last"), delays.contender("first")], same)
