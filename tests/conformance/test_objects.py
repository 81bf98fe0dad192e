"""The suite on volumes that are not on this machine: behind a web server, and in emulators of S3 and GCS."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from support.emulators import gcs_emulator, s3_emulator
from support.known_volumes import PATH, KnownVolume, Writer
from support.precomputed_volumes import compressed_segmentation, raw_pyramid, sharded
from support.static_http import static_http
from support.zarr_volumes import ome_v04, ome_v05_with_channels_and_time, v2_blosc, v3_sharded
from voxgate_remotes.config import RemoteConfig, RemotesConfig
from voxgate_remotes.registry import Registry
from voxgate_remotes.testing import ReadConformance, VolumeCase, WriteConformance

READ: list[Writer] = [raw_pyramid, sharded, v2_blosc, v3_sharded, ome_v05_with_channels_and_time]
WRITTEN: list[Writer] = [compressed_segmentation, v3_sharded, ome_v04]
PLACES = {"http": None, "s3": s3_emulator, "gs": gcs_emulator}


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


@pytest.fixture(scope="module", params=PLACES)
def elsewhere(request, tmp_path_factory) -> Iterator[Elsewhere]:
    root = tmp_path_factory.mktemp("objects")
    serve = PLACES[request.param]
    with static_http(root) if serve is None else serve(root / "emulator.log") as place:
        yield Elsewhere(root, request.param, place)


@pytest.fixture(scope="module", params=READ, ids=lambda writer: writer.__name__)
def case(request, elsewhere) -> VolumeCase:
    prefix = f"read-{request.param.__name__}"
    volume = request.param(elsewhere.root / prefix / PATH)
    return volume.case(elsewhere.registry(volume, prefix).open, writable=False)


class TestReadingObjects(ReadConformance):
    pass


@pytest.fixture(scope="module", params=["s3", "s3 on condition", "gs"])
def bucket(request, tmp_path_factory) -> Iterator[tuple[Elsewhere, bool]]:
    root = tmp_path_factory.mktemp("buckets")
    with PLACES[request.param[:2]](root / "emulator.log") as place:
        yield Elsewhere(root, request.param[:2], place), "condition" in request.param


class TestWritingObjects(WriteConformance):
    @pytest.fixture(params=WRITTEN, ids=lambda writer: writer.__name__)
    def case(self, request, bucket) -> VolumeCase:
        elsewhere, merges = bucket
        prefix = f"write-{request.param.__name__}-{merges}"
        volume = request.param(elsewhere.root / prefix / PATH)
        options = {"conditional_writes": merges}
        registry = elsewhere.registry(volume, prefix, writable=True, options=options)
        return replace(volume.case(registry.open, writable=True), merges=merges)
