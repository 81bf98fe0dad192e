"""Rows of bulk meshing: jobs of a running suite, their memory, and igneous, which does the same by files of tasks.

Igneous runs with its defaults but for the shape of its tasks: at 512, cubes of 256 voxels leave two processes equal
work, where its own 448 leave one of them most of it. Its surfaces may be 40 nm off, ours a voxel, 10 nm; that
ours are no further off is measured on some segments before anything is timed.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from cloudvolume import CloudVolume

import voxgate
from tests.bench.data import Data
from tests.bench.harness import Contender, Work
from tests.bench.processes import peak_memory, player
from tests.bench.rows_reading import same
from tests.bench.rows_simplifying import Surfaces, deviation
from tests.bench.rows_transfers import site
from tests.support.servers import server_process
from voxgate.model.geometry import Vec3
from voxgate.model.jobs import MeshJobMode, MeshJobSpec

IGNEOUS = "igneous"
_PROCESSES = 2
_LEVELS = 1
_RANKS = (0.3, 0.5, 0.7)
"""Which segments are compared: so many of all are smaller."""

Answer = tuple[frozenset[int], float]
"""Which segments, and how far some of them are off at most, nanometres."""


@contextlib.contextmanager
def against_igneous(data: Data) -> Iterator[Work]:
    """M8: all segments into sharded meshes with levels of detail, from the call until they can be read."""
    source = data.seg()
    with site(data) as (address, copies), voxgate.connect(address) as client:
        ours, theirs = _beside(data.folder / source, copies / "ours"), _linked(data.folder / source, copies / "theirs")
        ids = _some(data)
        meshes = {each: client.volume(f"bench/{source}").mesh(each) for each in ids}
        exact = {each: (mesh.vertices, mesh.faces) for each, mesh in meshes.items()}

        def job() -> None:
            side = data.edge // 2 + 1  # eight pieces, as the peer has tasks; at 512 the default
            spec = MeshJobSpec(
                f"bench/{source}",
                destination="copies/ours",
                chunk_shape=Vec3(side, side, side),
                sharded=True,
                mode=MeshJobMode.OVERWRITE,
            )
            client.create_mesh_job(spec).result()

        where = {"volume": theirs.as_uri(), "folder": "mesh", "shape": data.edge // 2, "levels": _LEVELS}
        with player("igneous", "meshes", environment=IGNEOUS, processes=_PROCESSES, **where) as peer:
            contenders = [
                Contender("voxgate mesh-all", _answer(job, ours, exact), _seconds(job)),
                Contender(
                    "igneous forge and merge",
                    _answer(lambda: peer.ask("run"), theirs, exact),
                    lambda: float(peer.ask("once")),
                ),
            ]
            voxels = data.edge**3 / 1e6
            yield Work(contenders, _no_further, voxels, amount_unit="MVx", most_rounds=1)


@contextlib.contextmanager
def memory(data: Data) -> Iterator[Work]:
    """M7: `voxgate serve` at its largest, after a job of 8 times the voxels and after one of 1, blocks being equal."""

    def contender(edge: int) -> Contender:
        volume = Data(data.folder.parent / f"data-{edge}", edge)

        def measure() -> float:
            source = volume.seg()
            with _serving(volume) as (address, pid), voxgate.connect(address) as client:
                side = data.edge // 4
                spec = MeshJobSpec(f"bench/{source}", destination="copies/alone", chunk_shape=Vec3(side, side, side))
                client.create_mesh_job(spec).result()
                return float(peak_memory(pid))

        return Contender(f"peak of the server, {edge}^3 voxels", lambda: None, measure)

    yield Work([contender(data.edge // 2), contender(data.edge)], same, unit="bytes", most_rounds=1)


@contextlib.contextmanager
def _serving(data: Data) -> Iterator[tuple[str, int]]:
    """A server of its own over a volume and an empty folder; its address and its process."""
    home = data.folder.parent / f"site-{data.edge}"
    copies = home / "copies"
    shutil.rmtree(home, ignore_errors=True)
    copies.mkdir(parents=True)
    config = home / "bench.toml"
    remotes = f"[remotes.bench]\nuri = {json.dumps(str(data.folder))}\n"
    config.write_text(f"{remotes}[remotes.copies]\nuri = {json.dumps(str(copies))}\nwritable = true\n")
    told = {"VOXGATE_HTTP_PORT": "0", "XDG_STATE_HOME": str(home), "VOXGATE_CONFIG": str(config)}
    with server_process("voxgate_standalone", config, home / "server.log", told) as server:
        yield server.address, server.process.pid


def _beside(volume: Path, folder: Path) -> Path:
    """A volume that says what another does and has no voxels, to keep meshes beside."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shutil.copy(volume / "info", folder / "info")
    return folder


def _linked(volume: Path, folder: Path) -> Path:
    """The same with the voxels of the other."""
    _beside(volume, folder)
    for scale in json.loads((volume / "info").read_text())["scales"]:
        (folder / scale["key"]).symlink_to(volume / scale["key"])
    return folder


def _some(data: Data) -> list[int]:
    """Segments of several sizes."""
    ids, counts = np.unique(data.labels((data.edge,) * 3), return_counts=True)
    ordered = ids[np.argsort(counts)]
    ordered = ordered[ordered != 0]
    return [int(ordered[int(rank * len(ordered))]) for rank in _RANKS]


def _answer(run: Callable[[], object], folder: Path, exact: Surfaces) -> Callable[[], Answer]:
    """What is read back by cloud-volume after a run."""

    def answer() -> Answer:
        run()
        meshes = CloudVolume(folder.as_uri(), progress=False).mesh
        there = frozenset(map(int, _listed(folder)))
        found = {each: meshes.get(each)[each] for each in exact}
        most = deviation(exact, {each: (mesh.vertices, mesh.faces) for each, mesh in found.items()})
        count = sum(len(mesh.faces) for mesh in found.values())
        print(f"  {folder.name}: {len(there)} segments; some have {count} faces, at most {most:.2f} nm off")
        return there, most

    return answer


def _listed(folder: Path) -> list[int]:
    """The segments that shards have."""
    meshes = CloudVolume(folder.as_uri(), progress=False).mesh
    named = json.loads((folder / "info").read_text())["mesh"]
    return [
        int(label)
        for path in (folder / named).glob("*.shard")
        for label in meshes.reader.list_labels(path.name, path=named)
    ]


def _seconds(run: Callable[[], object]) -> Callable[[], float]:
    def measure() -> float:
        begin = time.perf_counter()
        run()
        return time.perf_counter() - begin

    return measure


def _no_further(ours: Answer, theirs: Answer) -> bool:
    """Every segment of the peer's (it loses some of a few voxels), and none of ours further off."""
    return ours[0] >= theirs[0] and ours[1] <= theirs[1]
