"""Published readers of precomputed against the gateway on a real socket."""

from __future__ import annotations

import time

import numpy as np
import pytest
import tensorstore as ts
from cloudvolume import CloudVolume
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.standin_volumes import StandIn, image, segmentation, served, two_channels
from voxgate.model.errors import ChunkCorrupt, ServerBusy
from voxgate_gateway.server import Gateway

NAMES = ("lab/em", "lab/seg", "lab/two")


@pytest.fixture(scope="module")
def stand_in():
    made = (image(), segmentation(), two_channels())
    return StandIn({info.name: (info, arrays) for info, arrays in made})


@pytest.fixture(scope="module")
def url(stand_in):
    with served(stand_in) as address:
        gateway = Gateway(address, port=0)
        gateway.start()
        yield f"{gateway.url}/ng"
        gateway.stop(1)


def opened(url: str, name: str, scale: int = 0) -> ts.TensorStore:
    spec = {"driver": "neuroglancer_precomputed", "kvstore": f"{url}/{name}/-/", "scale_index": scale}
    return ts.open(spec, open=True, read=True).result()


@pytest.mark.parametrize("name", NAMES)
def test_cloud_volume_reads_every_voxel_with_its_defaults(url, stand_in, name):
    info, arrays = stand_in.volumes[name]
    for mip, scale in enumerate(info.scales):
        volume = CloudVolume(f"precomputed://{url}/{name}/-", mip=mip, progress=False)
        assert tuple(volume.resolution) == tuple(scale.voxel_size_nm)
        assert tuple(volume.voxel_offset) == tuple(scale.bounds.start)
        assert volume.layer_type == info.kind.value
        assert np.array_equal(np.asarray(volume[volume.bounds]), arrays[mip].transpose(3, 2, 1, 0))


def test_cloud_volume_reads_voxels_that_were_never_stored_as_the_fill_value(url, stand_in):
    info, _ = image("lab/absent")
    stand_in.volumes["lab/absent"] = (info, [None, None])
    volume = CloudVolume(f"precomputed://{url}/lab/absent/-", progress=False)
    assert not np.any(volume[-5:7, 1003:1031, 22:40])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_tensorstore_reads_any_box_of_any_volume_as_it_is(url, stand_in, data):
    name = data.draw(st.sampled_from(NAMES))
    info, arrays = stand_in.volumes[name]
    level = data.draw(st.integers(0, len(info.scales) - 1))
    bounds = info.scales[level].bounds
    cut = []
    for low, high in zip(bounds.start, bounds.stop, strict=True):
        start = data.draw(st.integers(low, high - 1))
        cut.append(slice(start, data.draw(st.integers(start + 1, high))))
    read = opened(url, name, level)[tuple(cut)].read().result()
    inside = tuple(slice(c.start - o, c.stop - o) for c, o in zip(cut, bounds.start, strict=True))
    assert np.array_equal(read, arrays[level].transpose(3, 2, 1, 0)[inside])


def test_tensorstore_waits_for_a_busy_server_and_gets_its_voxels(url, stand_in):
    store = opened(url, "lab/seg")
    stand_in.failures["ReadChunk lab/seg"] = ServerBusy("busy", "later", retry_after_s=1.0)
    asked = stand_in.calls.count("ReadChunk")
    pending = store[101:103, -19:-17, 8:9].read()
    until = time.monotonic() + 20
    while stand_in.calls.count("ReadChunk") == asked and time.monotonic() < until:
        time.sleep(0.01)
    assert not pending.done()
    del stand_in.failures["ReadChunk lab/seg"]
    expected = stand_in.volumes["lab/seg"][1][0][0, 1:2, 1:3, 1:3].transpose(2, 1, 0)
    assert np.array_equal(pending.result(timeout=30)[..., 0], expected)


@pytest.mark.timeout(60)
def test_a_corrupt_chunk_is_an_error_to_both_and_never_zeros(url, stand_in):
    stand_in.failures["ReadChunk lab/two"] = ChunkCorrupt("a chunk cannot be decoded", "restore it")
    try:
        with pytest.raises(ValueError, match="422"):
            opened(url, "lab/two")[4:6, 3:5, 2:3].read().result(timeout=20)
        volume = CloudVolume(f"precomputed://{url}/lab/two/-", progress=False, fill_missing=True)
        with pytest.raises(Exception, match="422"):
            volume[4:6, 3:5, 2:3]
    finally:
        del stand_in.failures["ReadChunk lab/two"]
