"""The checked-in sample volumes, read by tensorstore and by cloud-volume, neither of them through voxgate."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tensorstore as ts
from cloudvolume import CloudVolume

SAMPLES = pathlib.Path(__file__).parents[3] / "samples"
VOLUMES = ("fib25/em", "fib25/seg", "aniso/seg")


def info_of(name: str) -> dict[str, Any]:
    info: dict[str, Any] = json.loads((SAMPLES / name / "info").read_text())
    return info


def with_tensorstore(name: str, scale: int) -> npt.NDArray[Any]:
    """(z, y, x)"""
    spec = {"driver": "neuroglancer_precomputed", "kvstore": f"file://{SAMPLES / name}/", "scale_index": scale}
    voxels: npt.NDArray[Any] = ts.open(spec).result()[..., 0].read().result()
    return voxels.T


def with_cloudvolume(name: str, scale: int) -> npt.NDArray[Any]:
    """(z, y, x)"""
    volume = CloudVolume(f"file://{SAMPLES / name}", mip=scale, fill_missing=True, progress=False, bounded=True)
    return np.asarray(volume[volume.bounds])[..., 0].T


@pytest.mark.parametrize("scale", range(3))
@pytest.mark.parametrize("name", VOLUMES)
def test_two_readers_see_the_same_voxels(name: str, scale: int) -> None:
    one, other = with_tensorstore(name, scale), with_cloudvolume(name, scale)
    assert one.dtype == other.dtype
    assert one.shape == tuple(reversed(info_of(name)["scales"][scale]["size"]))
    np.testing.assert_array_equal(one, other)
    assert len(np.unique(one)) > 3


@pytest.mark.parametrize("name", VOLUMES)
def test_no_axis_can_be_mistaken_for_another(name: str) -> None:
    for scale in info_of(name)["scales"]:
        assert len(set(scale["size"])) == 3
        assert len(set(scale["voxel_offset"])) == 3
        assert all(offset != 0 for offset in scale["voxel_offset"])


def test_the_fib25_scales_are_one_place_in_nanometres() -> None:
    for name in ("fib25/em", "fib25/seg"):
        scales = info_of(name)["scales"]
        assert [scale["resolution"] for scale in scales] == [[10] * 3, [20] * 3, [40] * 3]
        for field in ("size", "voxel_offset"):
            corners = {tuple(np.multiply(scale[field], scale["resolution"])) for scale in scales}
            assert len(corners) == 1


@pytest.mark.parametrize("scale", [1, 2])
def test_coarser_em_is_the_mean_of_what_it_covers(scale: int) -> None:
    factor = 2**scale
    fine, coarse = with_tensorstore("fib25/em", 0), with_tensorstore("fib25/em", scale)
    z, y, x = coarse.shape
    mean = fine.reshape(z, factor, y, factor, x, factor).mean(axis=(1, 3, 5))
    assert np.abs(mean - coarse).max() <= 0.5


@pytest.mark.parametrize("scale", [1, 2])
def test_coarser_fib25_bodies_are_the_commonest_id_of_what_they_cover(scale: int) -> None:
    factor = 2**scale
    fine, coarse = with_tensorstore("fib25/seg", 0), with_tensorstore("fib25/seg", scale)
    z, y, x = coarse.shape
    blocks = fine.reshape(z, factor, y, factor, x, factor).transpose(0, 2, 4, 1, 3, 5).reshape(z * y * x, -1)
    votes = (blocks == coarse.reshape(-1, 1)).sum(axis=1)
    some = np.random.default_rng(25).choice(len(blocks), 2000, replace=False)
    best = [np.unique(blocks[i], return_counts=True)[1].max() for i in some]
    np.testing.assert_array_equal(votes[some], best)


def test_the_synthetic_volume_holds_exactly_the_expected_numbers() -> None:
    expected = json.loads((SAMPLES / "aniso/EXPECTED.json").read_text())
    voxels = with_cloudvolume("aniso/seg", 0)
    start = np.array(expected["scales"][0]["start"])
    size_nm = np.array(expected["scales"][0]["voxel_size_nm"])
    ids = {int(body["segment_id"]): body for body in expected["segments"]}
    assert set(np.unique(voxels).tolist()) == {0, *ids}
    for segment_id, body in ids.items():
        places = np.argwhere(voxels == np.uint64(segment_id))[:, ::-1] + start
        assert len(places) == body["voxel_count"]
        np.testing.assert_array_equal(places.min(axis=0), body["start"])
        np.testing.assert_array_equal(places.max(axis=0) + 1, body["stop"])
        np.testing.assert_array_equal(places.min(axis=0) * size_nm, body["start_nm"])
        np.testing.assert_array_equal((places.max(axis=0) + 1) * size_nm, body["stop_nm"])


def test_the_synthetic_scales_are_what_the_expected_numbers_say() -> None:
    expected = json.loads((SAMPLES / "aniso/EXPECTED.json").read_text())["scales"]
    for stored, told in zip(info_of("aniso/seg")["scales"], expected, strict=True):
        assert (stored["resolution"], stored["voxel_offset"], stored["size"]) == (
            told["voxel_size_nm"],
            told["start"],
            told["shape"],
        )
    factors = np.divide(expected[1]["voxel_size_nm"], expected[0]["voxel_size_nm"])
    assert factors.tolist() == [2, 2, 1]


def test_synthetic_ids_break_readers_that_use_floats_or_signed_numbers() -> None:
    ids = [int(body["segment_id"]) for body in json.loads((SAMPLES / "aniso/EXPECTED.json").read_text())["segments"]]
    assert sum(segment_id >= 2**63 for segment_id in ids) >= 3
    assert any(2**53 < segment_id < 2**63 and int(float(segment_id)) != segment_id for segment_id in ids)


def test_the_synthetic_volume_has_absent_chunks() -> None:
    scale = info_of("aniso/seg")["scales"][0]
    cells = np.prod([-(-n // c) for n, c in zip(scale["size"], scale["chunk_sizes"][0], strict=True)])
    stored = len(list((SAMPLES / "aniso/seg" / scale["key"]).iterdir()))
    assert 0 < stored < cells


def test_the_samples_are_small_and_say_where_they_come_from() -> None:
    files = [path for path in SAMPLES.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 5_000_000
    text = (SAMPLES / "fib25/ATTRIBUTION.md").read_text()
    assert all(words in text for words in ("HHMI Janelia FlyEM", "CC BY", "Takemura et al. 2015", "88:248"))
