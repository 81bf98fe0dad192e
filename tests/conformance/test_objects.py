"""The suite on volumes that are not on this machine: behind a web server, and in emulators of S3 and GCS."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from support.emulators import gcs_emulator, s3_emulator
from support.known_volumes import PATH, KnownVolume, Writer
from support.peer_files import precomputed_by_tensorstore
from support.precomputed_volumes import raw_pyramid, sharded
from support.references import segmentation
from support.static_http import static_http
from support.zarr_volumes import ome_v04, v3_sharded
from voxgate.model.geometry import Vec3, VoxelSize
from voxgate.model.volumes import VolumeKind
from voxgate_remotes.config import RemoteConfig, RemotesConfig
from voxgate_remotes.registry import Registry
from voxgate_remotes.testing import ReadConformance, ScaleFacts, VolumeCase, WriteConformance


def few_chunks(root: Path) -> KnownVolume:
    """Each request to an emulator costs milliseconds, and the suite writes every chunk hundreds of times."""
    scale = ScaleFacts(
        voxels=segmentation((1, 7, 19, 13)),
        start=Vec3(-5, 21, 1003),
        voxel_size_nm=VoxelSize(4, 5, 40),
        chunk_shape=Vec3(8, 16, 4),
    )
    options = {"compressed_segmentation_block_size": [8, 8, 4]}
    precomputed_by_tensorstore(root, (scale,), "segmentation", "compressed_segmentation", **options)
    return KnownVolume((scale,), VolumeKind.SEGMENTATION)


PLACES = {"http": None, "s3": s3_emulator, "gs": gcs_emulator}
READ: list[tuple[str, Writer]] = [
    *(("http", writer) for writer in (raw_pyramid, sharded, ome_v04, v3_sharded)),
    *(("s3", writer) for writer in (sharded, ome_v04, v3_sharded)),
    *(("gs", writer) for writer in (few_chunks, v3_sharded)),
]
WRITTEN: list[tuple[str, bool, Writer]] = [
    ("s3", False, v3_sharded),
    ("s3", True, few_chunks),
    ("gs", True, v3_sharded),
]


@dataclass
class Elsewhere:
    """A store that is not on this machine, and the folder whose files are in it."""

    root: Path
    kind: str
    place: object

    def registry(self, volume: KnownVolume, prefix: str, **stated) -> Registry:
        stated = {"volumes": {PATH: volume.stated}, **stated}
        if self.kind == "http":
            config = RemoteConfig(uri=f"{self.place.url}/{prefix}", **stated)
        else:
            self.place.upload(self.root / prefix, prefix)
            config = self.place.config(prefix, **stated)
        return Registry.from_config(RemotesConfig(remotes={"data": config}))


@contextlib.contextmanager
def served(kind: str, root: Path) -> Iterator[Elsewhere]:
    serve = PLACES[kind]
    with static_http(root) if serve is None else serve(root / "emulator.log") as place:
        yield Elsewhere(root, kind, place)


@pytest.fixture(scope="module")
def places(tmp_path_factory) -> Iterator[Callable[[str], Elsewhere]]:
    """Starts each kind of place once."""
    with contextlib.ExitStack() as stack:
        started: dict[str, Elsewhere] = {}

        def place(kind: str) -> Elsewhere:
            if kind not in started:
                started[kind] = stack.enter_context(served(kind, tmp_path_factory.mktemp(kind)))
            return started[kind]

        yield place


@pytest.fixture(scope="module", params=READ, ids=lambda param: f"{param[0]}-{param[1].__name__}")
def case(request, places) -> VolumeCase:
    kind, writer = request.param
    elsewhere = places(kind)
    volume = writer(elsewhere.root / writer.__name__ / PATH)
    return volume.case(elsewhere.registry(volume, writer.__name__).open, writable=False)


class TestReadingObjects(ReadConformance):
    pass


class TestWritingObjects(WriteConformance):
    @pytest.fixture(params=WRITTEN, ids=lambda param: f"{param[0]}-{param[1]}-{param[2].__name__}")
    def case(self, request, places, tmp_path) -> VolumeCase:
        kind, merges, writer = request.param
        elsewhere = places(kind)
        volume = writer(elsewhere.root / tmp_path.name / PATH)
        options = {"conditional_writes": merges}
        registry = elsewhere.registry(volume, tmp_path.name, writable=True, options=options)
        return replace(volume.case(registry.open, writable=True), merges=merges)
