"""Published readers of Zarr against the gateway on a real socket, in front of stores of several kinds."""

from __future__ import annotations

import json
import re

import dask.array as da
import httpx
import numpy as np
import pytest
import tensorstore as ts
import zarr
from cloudvolume import CloudVolume
from hypothesis import given, settings
from hypothesis import strategies as st

from support.house import ROOT
from support.servers import SAMPLES, volume_server
from support.standin_volumes import StandIn, image, served
from support.versioned_store import BOUNDS, VersionedStore, registry_of
from support.zarr_served import ABSENT, CHANNELS, LEVELS, served_stores
from voxgate.model.errors import ChunkCorrupt, ServerBusy
from voxgate.model.volumes import SUPPORTED_DTYPES, VolumeKind
from voxgate_gateway.server import Gateway
from voxgate_remotes.config import RemoteConfig, RemotesConfig
from voxgate_remotes.registry import Registry

DIALECTS = {"zarr": ("zarr3", "zarr3"), "zarr2": ("zarr", "zarr2")}
"""Prefix: tensorstore's driver, cloud-volume's format."""
NAMES = ("made/em", "made/three", "made/ng", "made/sparse", "aniso/seg")


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    with served_stores(tmp_path_factory.mktemp("made")) as found:
        yield found


@pytest.fixture(params=DIALECTS)
def prefix(request):
    return request.param


def at(served_by, prefix, name):
    return f"{served_by.url}/{prefix}/{name}/-"


def opened(prefix, group, level, driver=""):
    spec = {"driver": driver or DIALECTS[prefix][0], "kvstore": f"{group}/{level}/"}
    return ts.open(spec, open=True, read=True).result()


@pytest.mark.parametrize("name", NAMES)
def test_zarr_python_finds_every_level_in_the_group_and_reads_it(stores, prefix, name):
    group = zarr.open_group(at(stores, prefix, name), mode="r")
    assert group.metadata.zarr_format == (3 if prefix == "zarr" else 2)
    assert sorted(group.keys()) == [str(level) for level in range(len(stores.voxels[name]))]
    for level in range(len(stores.voxels[name])):
        array, expected = group[str(level)], stores.array(name, level)
        assert (array.shape, array.dtype) == (expected.shape, expected.dtype)
        np.testing.assert_array_equal(array[...], expected)
        assert array.attrs["voxgate"]["voxel_size_nm"]


def test_zarr_python_reads_one_array_without_its_group(stores, prefix):
    array = zarr.open_array(f"{at(stores, prefix, 'made/em')}/1", mode="r")
    np.testing.assert_array_equal(array[3:20, 5:, -4:], stores.array("made/em", 1)[3:20, 5:, -4:])


@pytest.mark.parametrize("name", NAMES)
def test_tensorstore_reads_every_level_and_finds_the_format_by_itself(stores, prefix, name):
    for level in range(len(stores.voxels[name])):
        expected = stores.array(name, level)
        np.testing.assert_array_equal(opened(prefix, at(stores, prefix, name), level).read().result(), expected)
        found = opened(prefix, at(stores, prefix, name), level, "auto")
        assert found.spec().to_json()["driver"] == DIALECTS[prefix][0]
        np.testing.assert_array_equal(found[..., 1:, 2:5].read().result(), expected[..., 1:, 2:5])


@settings(max_examples=25)
@given(data=st.data())
def test_tensorstore_reads_any_box_of_any_volume_as_it_is(stores, data):
    prefix = data.draw(st.sampled_from(list(DIALECTS)))
    name = data.draw(st.sampled_from(NAMES))
    level = data.draw(st.integers(0, len(stores.voxels[name]) - 1))
    expected = stores.array(name, level)
    cut = []
    for extent in expected.shape:
        start = data.draw(st.integers(0, extent - 1))
        cut.append(slice(start, data.draw(st.integers(start + 1, extent))))
    read = opened(prefix, at(stores, prefix, name), level)[tuple(cut)].read().result()
    np.testing.assert_array_equal(read, expected[tuple(cut)])


@pytest.mark.parametrize("name", NAMES)
def test_dask_reads_every_level_chunk_by_chunk(stores, prefix, name):
    for level in range(len(stores.voxels[name])):
        lazy = da.from_zarr(at(stores, prefix, name), component=str(level))
        np.testing.assert_array_equal(lazy.compute(scheduler="threads"), stores.array(name, level))


@pytest.mark.parametrize(("name", "levels"), [("made/em", 2), ("made/ng", 2), ("made/sparse", 1), ("aniso/seg", 3)])
def test_cloud_volume_reads_every_voxel_of_one_channel_with_its_defaults(stores, prefix, name, levels):
    """It derives where a coarser level lies, which is right up to factors that divide; see the guide."""
    for level in range(levels):
        path = f"{DIALECTS[prefix][1]}://{at(stores, prefix, name)}"
        volume = CloudVolume(path, mip=level, progress=False)
        expected = stores.voxels[name][level].transpose(3, 2, 1, 0)
        np.testing.assert_array_equal(np.asarray(volume[volume.bounds]), expected)
        size = zarr.open_array(f"{at(stores, prefix, name)}/{level}", mode="r").attrs["voxgate"]["voxel_size_nm"]
        assert list(volume.resolution) == size


def test_cloud_volume_tells_by_itself_which_version_a_group_is(stores, prefix):
    volume = CloudVolume(f"zarr://{at(stores, prefix, 'aniso/seg')}", progress=False)
    np.testing.assert_array_equal(
        np.asarray(volume[volume.bounds]), stores.voxels["aniso/seg"][0].transpose(3, 2, 1, 0)
    )


def test_what_was_never_written_is_the_fill_value_to_all(stores, prefix):
    group = at(stores, prefix, "made/sparse")
    array = zarr.open_array(f"{group}/0", mode="r")
    assert int(array.fill_value) == ABSENT
    assert np.all(array[:8, :20, :16] == np.uint64(ABSENT))
    assert opened(prefix, group, 0)[28, 37, 44].read().result() == np.uint64(ABSENT)


def test_a_whole_chunk_that_is_stored_as_it_is_served_is_passed_on_byte_by_byte(stores):
    stored = (stores.folder / "em/0/c/1/0/1").read_bytes()
    for path in ("zarr/made/em/-/0/c/1/0/1", "zarr2/made/em/-/0/1/0/1"):
        assert httpx.get(f"{stores.url}/{path}").content == stored


def test_places_sizes_channels_and_windows_are_in_the_attributes(stores, prefix):
    attributes = zarr.open_group(at(stores, prefix, "made/three"), mode="r").attrs
    said = attributes["ome"] if prefix == "zarr" else attributes
    (image_of_three,) = said["multiscales"]
    assert [axis["name"] for axis in image_of_three["axes"]] == ["c", "z", "y", "x"]
    for dataset, level in zip(image_of_three["datasets"], LEVELS, strict=False):
        scale, translation = dataset["coordinateTransformations"]
        assert scale["scale"] == [1, *level.voxel_size_nm.zyx]
        # Less half a voxel of the finest level, a level's first voxel's centre.
        centre = np.add(translation["translation"][1:], np.divide(LEVELS[0].voxel_size_nm.zyx, 2))
        assert np.array_equal(centre / level.voxel_size_nm.zyx, np.add(level.bounds.start.zyx, 0.5))
    told = [(c["label"], c["window"]["start"], c["window"]["end"], c["color"]) for c in said["omero"]["channels"]]
    low, high = 0.0, 1.0
    assert told == [("DAPI", *CHANNELS[0].window, "0000FF"), ("GFP", low, high, "FFFFFF"), ("", 0.5, 7, "FF0000")]


def test_a_remote_of_another_voxgate_finds_the_same_volume_and_guesses_nothing(stores, prefix):
    remotes = {f"r{i}": RemoteConfig(uri=at(stores, prefix, name)) for i, name in enumerate(NAMES)}
    registry = Registry.from_config(RemotesConfig(remotes=remotes))
    for remote, name in zip(remotes, NAMES, strict=True):
        volume = registry.open(remote)
        assert volume.info.inferred == ()
        assert volume.info.channels == (CHANNELS if name == "made/three" else ())
        assert (volume.info.kind is VolumeKind.SEGMENTATION) is (name in ("made/sparse", "aniso/seg"))
        for index, (scale, voxels) in enumerate(zip(volume.info.scales, stores.voxels[name], strict=True)):
            if name != "aniso/seg":
                assert (scale.bounds, scale.voxel_size_nm) == (LEVELS[index].bounds, LEVELS[index].voxel_size_nm)
            np.testing.assert_array_equal(volume.read(scale.bounds, scale=index), voxels)


def test_a_version_in_the_address_is_the_version_that_is_read(prefix):
    store = VersionedStore()
    store.commit("v0", "done")
    child = store.child("v0", "", "more")
    changed = np.arange(BOUNDS.voxel_count, dtype=np.uint64).reshape(1, *BOUNDS.shape.zyx) + np.uint64(2**63)
    store.voxels[child.version].write(BOUNDS, changed)
    with volume_server(registry_of(store)) as server:
        gateway = Gateway(f"localhost:{server.port}", port=0)
        gateway.start()
        try:
            for name, expected in (("seg@v0", 2**63 + 5), ("seg@v1", changed[0]), ("seg", changed[0])):
                group = zarr.open_group(f"{gateway.url}/{prefix}/history/{name}/-", mode="r")
                assert group.attrs["voxgate"]["immutable"] is (name == "seg@v0")
                wanted = np.broadcast_to(np.asarray(expected, np.uint64), BOUNDS.shape.zyx)
                np.testing.assert_array_equal(group["0"][...], wanted)
        finally:
            gateway.stop(1)


@pytest.fixture(scope="module")
def stand_in():
    volumes = [image(f"lab/{dtype.name}", dtype=dtype) for dtype in SUPPORTED_DTYPES]
    return StandIn({info.name: (info, arrays) for info, arrays in volumes})


@pytest.fixture(scope="module")
def gateway(stand_in):
    with served(stand_in) as address:
        gateway = Gateway(address, port=0)
        gateway.start()
        yield gateway
        gateway.stop(1)


@pytest.mark.parametrize("dtype", [dtype.name for dtype in SUPPORTED_DTYPES])
def test_every_voxel_type_is_read_by_zarr_python_and_tensorstore(gateway, stand_in, prefix, dtype):
    group = at(gateway, prefix, f"lab/{dtype}")
    expected = stand_in.volumes[f"lab/{dtype}"][1][0][0]
    read = zarr.open_group(group, mode="r")["0"][...]
    assert read.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(read, expected)
    np.testing.assert_array_equal(opened(prefix, group, 0).read().result(), expected)


@pytest.mark.timeout(90)
@pytest.mark.parametrize("failure", [ChunkCorrupt("cannot be decoded", "restore it"), ServerBusy("busy", "later")])
def test_a_failure_is_an_error_to_every_reader_and_never_fill_values(gateway, stand_in, prefix, failure):
    name = "lab/uint16"
    array = zarr.open_array(f"{at(gateway, prefix, name)}/0", mode="r")
    lazy = da.from_zarr(at(gateway, prefix, name), component="0")
    stand_in.failures[f"ReadChunk {name}"] = failure
    status = "422" if isinstance(failure, ChunkCorrupt) else "503"
    try:
        with pytest.raises(Exception, match=status):
            array[:3]
        with pytest.raises(Exception, match=status):
            lazy[:3].compute()
        if isinstance(failure, ChunkCorrupt):  # it tries again when told that a server is busy
            with pytest.raises(ValueError, match=status):
                opened(prefix, at(gateway, prefix, name), 0)[:3].read().result(timeout=60)
    finally:
        del stand_in.failures[f"ReadChunk {name}"]


def test_a_volume_of_several_times_is_refused_with_the_reason(gateway, stand_in, prefix):
    info, arrays = image("lab/movie", axes="tzyx", time_count=2)
    stand_in.volumes["lab/movie"] = (info, arrays)
    document = "zarr.json" if prefix == "zarr" else ".zattrs"
    answer = httpx.get(f"{at(gateway, prefix, 'lab/movie')}/{document}")
    assert answer.status_code == 422
    assert "2 time points" in json.loads(answer.text)["error"]["message"]


def test_the_examples_of_the_guide_run_against_the_sample():
    page = ROOT / "docs/how-to/zarr-over-http.md"
    remote = RemoteConfig(uri=(SAMPLES / "fib25").as_uri())
    names = {}
    with volume_server(Registry.from_config(RemotesConfig(remotes={"fib25": remote}))) as server:
        gateway = Gateway(f"localhost:{server.port}", port=0)
        gateway.start()
        try:
            for block in re.findall(r"^```python\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL):
                exec(compile(block.replace("http://localhost:8080", gateway.url), str(page), "exec"), names)
            whole = np.asarray(names["volume"][names["volume"].bounds])
        finally:
            gateway.stop(1)
    spec = {"driver": "neuroglancer_precomputed", "kvstore": f"file://{SAMPLES}/fib25/"}
    em, seg = (
        ts.open({**spec, "kvstore": f"{spec['kvstore']}{name}/"}, read=True, open=True).result().read().result()
        for name in ("em", "seg")
    )
    np.testing.assert_array_equal(names["part"], em.transpose(3, 2, 1, 0)[0, 10:20, 30:60, 50:90])
    assert names["brightness"] == pytest.approx(em.mean())
    np.testing.assert_array_equal(names["ids"], seg.transpose(3, 2, 1, 0)[0, 10:20, 30:60, 50:90])
    np.testing.assert_array_equal(whole, seg)
