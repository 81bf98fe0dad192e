"""Levels added to volumes, as readers that are not ours see them: tensorstore, zarr-python, cloud-volume."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tensorstore as ts
import zarr
from cloudvolume import CloudVolume

from support.pyramids import BOUNDS, CHUNK, expected, filled, finest, pyramid_registry
from support.zarr_files import ids, multiscale
from voxgate.model.errors import FailedPrecondition, MissingCapability, UnknownVolume, UnsupportedFormat
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.remotes import CoarserScale
from voxgate.model.volumes import VolumeKind, Writable
from voxgate_blocks.downsampling import coarser
from voxgate_remotes.config import RemoteConfig, RemotesConfig, VolumeOverrides
from voxgate_remotes.registry import Registry

FACTORS = (Vec3(2, 2, 1), Vec3(3, 2, 5))


def levels(bounds: Box = BOUNDS, factors: tuple[Vec3, ...] = FACTORS) -> list[CoarserScale]:
    found = []
    for factor in factors:
        bounds = coarser(bounds, factor)
        found.append(CoarserScale(factor, bounds))
    return found


def with_voxels(tmp_path: Path, form: str, **spec: object) -> Registry:
    """A registry with a volume "files/one" whose added levels hold what they should."""
    registry = pyramid_registry(tmp_path)
    filled(registry, "files/one", finest(), format=form, **spec)
    registry.add_scales("files/one", 1, levels())
    writer = registry.open("files/one").capability(Writable)
    assert writer is not None
    for scale, (bounds, voxels) in enumerate(expected(finest(), FACTORS, "mode"), start=1):
        writer.write(bounds, voxels, scale=scale)
    return registry


def test_cloud_volume_finds_the_levels_where_they_are(tmp_path: Path) -> None:
    with_voxels(tmp_path, "precomputed")
    for mip, (bounds, voxels) in enumerate(expected(finest(), FACTORS, "mode"), start=1):
        volume = CloudVolume(f"file://{tmp_path}/one", mip=mip, progress=False, fill_missing=False)
        assert list(volume.bounds.minpt) == list(bounds.start)
        assert list(volume.bounds.maxpt) == list(bounds.stop)
        assert list(volume.resolution) == [[8, 8, 30], [24, 16, 150]][mip - 1]
        assert np.array_equal(np.asarray(volume[:])[..., 0].T, voxels[0])


def test_tensorstore_finds_the_levels_of_precomputed_where_they_are(tmp_path: Path) -> None:
    with_voxels(tmp_path, "precomputed")
    for index, (bounds, voxels) in enumerate(expected(finest(), FACTORS, "mode"), start=1):
        place = {"driver": "file", "path": f"{tmp_path}/one/"}
        store = ts.open({"driver": "neuroglancer_precomputed", "kvstore": place, "scale_index": index}).result()
        assert list(store.domain.inclusive_min[:3]) == list(bounds.start)
        assert np.array_equal(store[..., 0].read().result().T, voxels[0])


@pytest.mark.parametrize("form", ["zarr2", "zarr3"])
def test_zarr_python_finds_the_levels_and_ome_says_where_they_are(tmp_path: Path, form: str) -> None:
    with_voxels(tmp_path, form, shard=Vec3(32, 24, 14) if form == "zarr3" else None)
    group = zarr.open_group(str(tmp_path / "one"), mode="r")
    attributes = dict(group.attrs)
    (image,) = attributes.get("ome", attributes)["multiscales"]
    sizes = [(4.0, 4.0, 30.0), (8.0, 8.0, 30.0), (24.0, 16.0, 150.0)]
    for index, (bounds, voxels) in enumerate([(BOUNDS, finest()), *expected(finest(), FACTORS, "mode")]):
        dataset = image["datasets"][index]
        assert np.array_equal(np.asarray(group[dataset["path"]]), voxels[0])
        scale, translation = dataset["coordinateTransformations"]
        assert scale["scale"] == list(reversed(sizes[index]))
        places = [a * size for a, size in zip(bounds.start, sizes[index], strict=True)]
        assert translation["translation"] == pytest.approx(list(reversed(places)))


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize("translated", [True, False])
def test_volumes_that_others_wrote_get_levels_in_their_own_way(tmp_path: Path, version: str, translated: bool) -> None:
    fine = ids((2, 21, 17, 15), "uint16")
    where = (0, 20.0 * 5, 4.0 * -3, 4.0 * 7) if translated else None
    multiscale(tmp_path / "one", [(fine, (1, 20, 4, 4), where)], "czyx", version=version)
    registry = pyramid_registry(tmp_path)
    bounds = registry.open("files/one").info.scales[0].bounds
    assert bounds.start == (Vec3(7, -3, 5) if translated else Vec3(0, 0, 0))
    registry.add_scales("files/one", 1, levels(bounds))
    info = registry.open("files/one").info
    assert [scale.bounds for scale in info.scales] == [bounds, *(level.bounds for level in levels(bounds))]
    assert info.scales[2].voxel_size_nm == VoxelSize(24.0, 16.0, 100.0)
    assert info.channel_count == 2


def test_a_copy_of_all_metadata_tells_of_the_levels_too(tmp_path: Path) -> None:
    filled(pyramid_registry(tmp_path), "files/one", finest(), format="zarr3")
    zarr.consolidate_metadata(str(tmp_path / "one"))
    registry = pyramid_registry(tmp_path)
    registry.add_scales("files/one", 1, levels())
    group = zarr.open_consolidated(store=str(tmp_path / "one"), zarr_format=3)
    assert sorted(group.array_keys()) == ["0", "1", "2"]


def test_a_start_that_the_store_does_not_say_is_never_made_up(tmp_path: Path) -> None:
    multiscale(tmp_path / "one", [(ids((9, 9, 9), "uint16"), (1, 1, 1), None)], "zyx", version="0.5")
    stated = VolumeOverrides(voxel_offset=(3, 0, 0))
    config = RemoteConfig(uri=f"file://{tmp_path}", writable=True, volumes={"one": stated})
    registry = Registry.from_config(RemotesConfig(remotes={"files": config}))
    bounds = registry.open("files/one").info.scales[0].bounds
    with pytest.raises(UnsupportedFormat, match="does not say where"):
        registry.add_scales("files/one", 1, levels(bounds, (Vec3(2, 2, 2),)))
    assert [path.name for path in (tmp_path / "one").iterdir() if path.is_dir()] == ["0"]
    registry.add_scales("files/one", 1, levels(bounds, (Vec3(3, 2, 2),)))
    assert registry.open("files/one").info.scales[1].bounds.start == Vec3(1, 0, 0)


def test_levels_of_a_lossy_or_sharded_volume_are_neither(tmp_path: Path) -> None:
    registry = pyramid_registry(tmp_path)
    filled(registry, "files/one", finest("uint8"), format="precomputed", kind=VolumeKind.IMAGE)
    path = tmp_path / "one" / "info"
    info = json.loads(path.read_text())
    sharding = {
        "@type": "neuroglancer_uint64_sharded_v1",
        "preshift_bits": 0,
        "hash": "identity",
        "minishard_bits": 0,
        "shard_bits": 0,
    }
    info["scales"][0] |= {"encoding": "jpeg", "jpeg_quality": 90, "sharding": sharding}
    info["mesh"] = "mesh"
    path.write_text(json.dumps(info))
    registry.add_scales("files/one", 1, levels())
    after = json.loads(path.read_text())
    assert after["scales"][0] == info["scales"][0]
    assert after["mesh"] == "mesh"
    assert [scale["encoding"] for scale in after["scales"]] == ["jpeg", "raw", "raw"]
    assert not any(key in scale for scale in after["scales"][1:] for key in ("sharding", "jpeg_quality"))
    assert [scale.writable for scale in registry.open("files/one").info.scales] == [False, True, True]


def test_who_counts_other_levels_than_there_are_is_told(tmp_path: Path) -> None:
    for name in ("files/one", "memory/one"):
        registry = pyramid_registry(tmp_path)
        filled(registry, name, finest(), format="zarr2" if name.startswith("files") else "")
        registry.add_scales(name, 1, levels())
        with pytest.raises(FailedPrecondition, match="3 levels by now"):
            registry.add_scales(name, 1, levels())
        with pytest.raises(UnknownVolume):
            registry.add_scales(f"{name[:-3]}none", 1, levels())


def test_something_else_where_a_level_would_be_is_left_alone(tmp_path: Path) -> None:
    registry = pyramid_registry(tmp_path)
    filled(registry, "files/one", finest(), format="zarr3")
    other = tmp_path / "one" / "1" / "zarr.json"
    other.parent.mkdir()
    other.write_text('{"zarr_format": 3, "node_type": "group"}')
    before = (tmp_path / "one" / "zarr.json").read_text()
    with pytest.raises(FailedPrecondition, match="already"):
        registry.add_scales("files/one", 1, levels())
    assert (tmp_path / "one" / "zarr.json").read_text() == before
    assert json.loads(other.read_text())["node_type"] == "group"


def test_adding_that_was_cut_short_is_completed_by_its_repetition(tmp_path: Path) -> None:
    registry = pyramid_registry(tmp_path)
    filled(registry, "files/one", finest(), format="zarr3")
    before = (tmp_path / "one" / "zarr.json").read_text()
    registry.add_scales("files/one", 1, levels())
    (tmp_path / "one" / "zarr.json").write_text(before)
    registry = pyramid_registry(tmp_path)
    assert len(registry.open("files/one").info.scales) == 1
    registry.add_scales("files/one", 1, levels())
    assert len(registry.open("files/one").info.scales) == 3


def test_one_bare_array_has_no_place_for_levels(tmp_path: Path) -> None:
    zarr.create_array(str(tmp_path / "bare"), shape=(9, 8, 7), chunks=tuple(CHUNK.zyx), dtype="uint8")
    with pytest.raises(MissingCapability, match="one bare array"):
        pyramid_registry(tmp_path).add_scales("files/bare", 1, levels(Box.of(x=(0, 7), y=(0, 8), z=(0, 9))))


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_levels_placed_by_their_centres_are_followed_by_such(tmp_path: Path, version: str) -> None:
    fine, coarse = ids((16, 12, 8), "uint16"), ids((8, 6, 4), "uint16")
    multiscale(tmp_path / "one", [(fine, (4, 4, 4), (0, 0, 0)), (coarse, (8, 8, 8), (2, 2, 2))], "zyx", version=version)
    registry = pyramid_registry(tmp_path)
    bounds = registry.open("files/one").info.scales[1].bounds
    assert bounds == Box.of(x=(0, 4), y=(0, 6), z=(0, 8))
    registry.add_scales("files/one", 2, levels(bounds, (Vec3(3, 2, 2),)))
    group = zarr.open_group(str(tmp_path / "one"), mode="r")
    attributes = dict(group.attrs)
    (image,) = attributes.get("ome", attributes)["multiscales"]
    assert image["datasets"][2]["coordinateTransformations"][1]["translation"] == [6.0, 6.0, 10.0]
    assert registry.open("files/one").info.scales[2].bounds == Box.of(x=(0, 2), y=(0, 3), z=(0, 4))
