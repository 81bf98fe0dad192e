"""Stores behind a network: what other people's programs put there, ours reads; what ours puts there, they read."""

from importlib.metadata import version

import cloudfiles.paths
import numpy as np
import pytest
import tensorstore as ts
import zarr
from cloudvolume import CloudVolume
from obstore.store import S3Store
from zarr.storage import ObjectStore

from support.emulators import BUCKET, KEYS, gcs_emulator, s3_emulator
from support.peer_files import SHARDING, precomputed_by_cloud_volume
from support.static_http import static_http
from support.zarr_files import ids, multiscale
from voxgate.model.errors import AlreadyExists, UnalignedWrite, UnknownVolume
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.volumes import ScaleSpec, VolumeKind, VolumeSpec, Writable
from voxgate_remotes.config import RemoteConfig, RemotesConfig
from voxgate_remotes.registry import Registry
from voxgate_remotes.testing import ScaleFacts

CLOUD_VOLUME, TENSORSTORE, ZARR = (f"{name} {version(name)}" for name in ("cloud-volume", "tensorstore", "zarr"))
START = Vec3(-5, 20, 3)
SIZE = VoxelSize(4, 5, 40)
NAMES = {"s3": "over S3", "gs": "over GCS"}
DRIVERS = {"precomputed": "neuroglancer_precomputed", "zarr3": "zarr3"}
ALIAS = "voxgatelab"


@pytest.fixture(scope="module")
def s3(tmp_path_factory):
    with s3_emulator(tmp_path_factory.mktemp("s3") / "log") as emulator:
        cloudfiles.paths.add_alias(ALIAS, f"s3://{emulator.url}/")
        yield emulator
        cloudfiles.paths.ALIASES.pop(ALIAS, None)


@pytest.fixture(scope="module")
def gs(tmp_path_factory):
    with gcs_emulator(tmp_path_factory.mktemp("gs") / "log") as emulator:
        yield emulator


@pytest.fixture(scope="module", params=NAMES)
def emulator(request):
    return request.getfixturevalue(request.param)


def registry_of(config):
    return Registry.from_config(RemotesConfig(remotes={"data": config}))


def scale():
    return ScaleFacts(
        voxels=ids((1, 11, 14, 19)), start=START, voxel_size_nm=SIZE, chunk_shape=Vec3(8, 4, 3), absent=()
    )


def write_sharded(kvstore, facts):
    """One sharded scale of precomputed, by tensorstore, wherever that is."""
    size = {"size": list(facts.bounds.shape), "voxel_offset": list(facts.start)}
    spec = {
        "driver": "neuroglancer_precomputed",
        "kvstore": kvstore,
        "multiscale_metadata": {"type": "segmentation", "data_type": "uint64", "num_channels": 1},
        "scale_metadata": {
            **size,
            "resolution": list(facts.voxel_size_nm),
            "chunk_size": list(facts.chunk_shape),
            "encoding": "compressed_segmentation",
            "compressed_segmentation_block_size": [8, 8, 8],
            "sharding": SHARDING,
        },
    }
    ts.open(spec, create=True).result().write(facts.voxels.transpose(3, 2, 1, 0)).result()


def test_what_tensorstore_put_into_a_bucket_is_read_and_listed(emulator, proved):
    facts = scale()
    write_sharded(emulator.kvstore("lab/seg"), facts)
    registry = registry_of(emulator.config("lab"))
    np.testing.assert_array_equal(registry.open("data/seg").read(facts.bounds), facts.voxels)
    write_sharded(emulator.kvstore("lab/deeper/other seg"), facts)
    assert [(each.name, each.is_volume) for each in registry.list("data")] == [
        ("data/deeper", False),
        ("data/seg", True),
    ]
    assert [(each.name, each.is_volume) for each in registry.list("data/deeper")] == [("data/deeper/other%20seg", True)]
    assert registry.list("data/seg") == []
    with pytest.raises(UnknownVolume):
        registry.list("data/nothing")
    for feature in ("read", "list"):
        proved(NAMES[emulator.kind], feature, TENSORSTORE, facts.voxels.size)


def test_scales_by_zarr_python_are_read_over_everything(tmp_path, emulator, proved):
    levels = [(ids((7, 11, 13)), (40, 5, 4), (120, 100, -20)), (ids((7, 6, 7))[..., ::-1], (40, 10, 8), None)]
    multiscale(tmp_path / "em", levels)
    emulator.upload(tmp_path / "em", "ome/em")
    with static_http(tmp_path) as files:
        there = {"over http": RemoteConfig(uri=files.url), NAMES[emulator.kind]: emulator.config("ome")}
        for name, config in there.items():
            volume = registry_of(config).open("data/em")
            for index, (array, *_) in enumerate(levels):
                np.testing.assert_array_equal(volume.read(volume.info.scales[index].bounds, scale=index)[0], array)
            for feature in ("read", "scales"):
                proved(name, feature, ZARR, sum(array.size for array, *_ in levels))


def test_what_cloud_volume_put_into_s3_is_read(tmp_path, s3, proved):
    """By default it stores gzip under the chunk's plain name, with a Content-Encoding."""
    facts = scale()
    precomputed_by_cloud_volume(tmp_path / "made", facts, "segmentation", "raw", compress=False)
    info = CloudVolume((tmp_path / "made").as_uri()).info
    theirs = CloudVolume(f"precomputed://{ALIAS}://{BUCKET}/cv/seg", info=info, progress=False, parallel=1)
    theirs.commit_info()
    theirs[:, :, :] = np.asfortranarray(facts.voxels.transpose(3, 2, 1, 0))
    volume = registry_of(s3.config("cv")).open("data/seg")
    np.testing.assert_array_equal(volume.read(facts.bounds), facts.voxels)
    proved("over S3", "read", CLOUD_VOLUME, facts.voxels.size)


def spec_of(format_name, bounds):
    level = ScaleSpec(bounds, SIZE, Vec3(8, 4, 3))
    return VolumeSpec(np.dtype("<u8"), VolumeKind.SEGMENTATION, (level,), format=format_name)


@pytest.mark.parametrize("format_name", DRIVERS)
def test_what_ours_created_and_wrote_is_read_by_others(emulator, proved, format_name):
    facts = scale()
    config = emulator.config("ours", writable=True, options={"conditional_writes": True})
    name = f"data/{format_name}"
    writable = registry_of(config).create(name, spec_of(format_name, facts.bounds)).capability(Writable)
    writable.write(facts.bounds, np.full_like(facts.voxels, 2**63 + 5))
    box = Box.at(START + Vec3(1, 2, 1), Vec3(13, 9, 7))
    writable.write(box, facts.cut(box))
    expected = np.full_like(facts.voxels, 2**63 + 5)[0]
    expected[box.slices_zyx(START)] = facts.cut(box)[0]
    prefix = f"ours/{format_name}" if format_name == "precomputed" else f"ours/{format_name}/0"
    found = ts.open({"driver": DRIVERS[format_name], "kvstore": emulator.kvstore(prefix)}).result().read().result()
    np.testing.assert_array_equal(found.transpose(3, 2, 1, 0)[0] if found.ndim == 4 else found, expected)
    peers = [TENSORSTORE]
    if emulator.kind == "s3" and format_name == "precomputed":
        theirs = np.asarray(CloudVolume(f"precomputed://{ALIAS}://{BUCKET}/{prefix}", progress=False)[:, :, :])
        np.testing.assert_array_equal(theirs.transpose(3, 2, 1, 0)[0], expected)
        peers.append(CLOUD_VOLUME)
    if emulator.kind == "s3" and format_name == "zarr3":
        np.testing.assert_array_equal(zarr.open_array(zarr_store(emulator, prefix), mode="r")[...], expected)
        peers.append(ZARR)
    for peer in peers:
        for feature in ("write", "create"):
            proved(NAMES[emulator.kind], feature, peer, expected.size)


def zarr_store(emulator, prefix):
    keys = {"access_key_id": KEYS["AWS_ACCESS_KEY_ID"], "secret_access_key": KEYS["AWS_SECRET_ACCESS_KEY"]}
    where = {"endpoint": emulator.url, "region": "us-east-1", "client_options": {"allow_http": True}}
    return ObjectStore(S3Store(BUCKET, prefix=prefix, **keys, **where), read_only=True)


def test_a_volume_is_created_where_there_is_nothing(emulator):
    config = emulator.config("taken", writable=True)
    registry = registry_of(config)
    spec = spec_of("zarr3", scale().bounds)
    store = ts.KvStore.open(emulator.kvstore("taken")).result()
    store.write("older/0/c/0/0/0", b"a chunk of a volume that was").result()
    with pytest.raises(AlreadyExists, match="taken by something"):
        registry.create("data/older", spec)
    registry.create("data/one", spec)
    registry.create("data/one", spec)
    with pytest.raises(AlreadyExists, match="another specification"):
        registry.create("data/one", spec_of("zarr3", Box.at(START, Vec3(5, 5, 5))))
    with pytest.raises(AlreadyExists, match="another format"):
        registry.create("data/one", spec_of("precomputed", scale().bounds))
    with pytest.raises(AlreadyExists, match="inside of another"):
        registry.create("data/one/two", spec)


def test_what_may_not_be_merged_is_not_written(s3):
    """Of another server than Amazon's nobody knows whether it writes on condition."""
    bounds = scale().bounds
    registry = registry_of(s3.config("unknown", writable=True))
    writable = registry.create("data/em", spec_of("zarr3", bounds)).capability(Writable)
    with pytest.raises(UnalignedWrite, match="conditional_writes"):
        writable.write(Box.at(START, Vec3(7, 4, 3)), np.ones((1, 3, 4, 7), np.uint64))
    writable.write(bounds, scale().voxels)
    np.testing.assert_array_equal(registry.open("data/em").read(bounds), scale().voxels)


def test_a_bucket_that_is_not_there_is_said_to_be_unknown(emulator):
    config = emulator.config().model_copy(update={"uri": f"{emulator.kind}://nosuch-bucket"})
    registry = registry_of(config)
    for ask in (registry.open, registry.list):
        with pytest.raises(UnknownVolume):
            ask("data")


def test_public_files_of_gcs_are_read_without_credentials(gs):
    facts = scale()
    write_sharded(gs.kvstore("public/seg"), facts)
    registry = registry_of(gs.config("public", writable=True, options={"anonymous": True}))
    volume = registry.open("data/seg")
    np.testing.assert_array_equal(volume.read(facts.bounds), facts.voxels)
    assert volume.capability(Writable) is None
    assert [each.name for each in registry.list("data")] == ["data/seg"]
