"""The suite on instances of DVID: on our own server, and on a real one where the environment names it."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest

from support.dvid_volumes import SERVERS, Repository, repository, skip_without_a_real_server
from support.references import BIG_IDS, image, segmentation
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.volumes import LabelView, OpenOptions, ScaleSpec, VolumeKind, VolumeSpec
from voxgate_remotes.testing import ReadConformance, ScaleFacts, VolumeCase, WriteConformance

BLOCK = Vec3(16, 32, 16)


@pytest.fixture(scope="module", params=SERVERS)
def store(request: pytest.FixtureRequest) -> Iterator[Repository]:
    with repository(request.param) as found:
        yield found


def case_of(
    store: Repository, name: str, scales: tuple[ScaleFacts, ...], kind: VolumeKind, *, writable: bool = True
) -> VolumeCase:
    remote = store.remote()
    return VolumeCase(
        open=lambda options: remote.open((name,), options),
        open_missing=lambda: remote.open(("nothing",), OpenOptions()),
        scales=scales,
        kind=kind,
        writable=writable,
    )


def unaligned_image(store: Repository, dtype: str, start: Vec3) -> VolumeCase:
    """An image whose bounds cut its blocks; the units of its voxels are micrometres."""
    box = Box.at(start, Vec3(29, 37, 21))
    voxels = image((1, *box.shape.zyx), dtype)
    if voxels.dtype.kind == "f":
        voxels[0, 1, 2, 3] = np.nan
    typename = f"{voxels.dtype.name}blk"
    name = store.make(typename, BLOCK, VoxelSize="0.004,0.005,0.0405", VoxelUnits="microns,microns,microns")
    store.put_unaligned(name, box, voxels[0], BLOCK)
    size = VoxelSize(4, 5, 40.5)
    facts = ScaleFacts(voxels=voxels, start=start, voxel_size_nm=size, chunk_shape=BLOCK)
    return case_of(store, name, (facts,), VolumeKind.IMAGE)


def image_with_siblings(store: Repository) -> VolumeCase:
    """Two levels in two instances, the second halved in x and y alone; a block in the middle was never written."""
    units = {"VoxelUnits": "nanometers,nanometers,nanometers"}
    name = store.make("uint16blk", BLOCK, VoxelSize="8.0,8.0,40.0", **units)
    store.make("uint16blk", BLOCK, f"{name}_1", VoxelSize="16.0,16.0,40.0", **units)
    left, right = image((1, 16, 64, 16), "<u2"), image((1, 16, 64, 16), "<u2", seed=1)
    store.put(name, Vec3(-32, 64, 16), left[0])
    store.put(name, Vec3(0, 64, 16), right[0])
    coarse = image((1, 16, 32, 16), "<u2", seed=2)
    store.put(f"{name}_1", Vec3(-16, 32, 16), coarse[0])
    fine = np.concatenate([left, np.zeros_like(left), right], axis=3)
    absent = Box.of(x=(-16, 0), y=(64, 128), z=(16, 32))
    scales = (
        ScaleFacts(
            voxels=fine,
            start=Vec3(-32, 64, 16),
            voxel_size_nm=VoxelSize(8, 8, 40),
            chunk_shape=BLOCK,
            absent=(absent,),
        ),
        ScaleFacts(voxels=coarse, start=Vec3(-16, 32, 16), voxel_size_nm=VoxelSize(16, 16, 40), chunk_shape=BLOCK),
    )
    return case_of(store, name, scales, VolumeKind.IMAGE)


def labels_with_levels(store: Repository) -> VolumeCase:
    """A labelmap of three levels: every 4 x 4 x 4 voxels are one label, so its halves are beyond doubt."""
    block, start = Vec3(16, 16, 16), Vec3(48, 16, 32)
    units = {"VoxelSize": "8.0,8.0,20.0", "VoxelUnits": "nanometers,nanometers,nanometers"}
    name = store.make("labelmap", block, MaxDownresLevel="2", **units)
    ids = np.random.default_rng(5).choice(np.array(BIG_IDS, "<u8"), (12, 8, 4))
    fine = ids.repeat(4, 0).repeat(4, 1).repeat(4, 2)
    store.put(name, start, fine)
    scales = tuple(
        ScaleFacts(
            voxels=fine[None, :: 2**n, :: 2**n, :: 2**n],
            start=Vec3(*(value >> n for value in start)),
            voxel_size_nm=VoxelSize(8 * 2**n, 8 * 2**n, 20 * 2**n),
            chunk_shape=block,
        )
        for n in range(3)
    )
    return case_of(store, name, scales, VolumeKind.SEGMENTATION)


def labels_below_zero(store: Repository, typename: str = "labelmap") -> VolumeCase:
    """Labels of one level at a negative offset, bounds on the grid of blocks."""
    block, start = Vec3(16, 16, 16), Vec3(-32, 16, -16)
    name = store.make(typename, block, VoxelSize="1.0,1.0,1.0", VoxelUnits="pixels,pixels,pixels")
    voxels = segmentation((1, 32, 16, 48))
    write = store.put_labels if typename == "labelmap" else store.put
    write(name, start, voxels[0])
    facts = ScaleFacts(voxels=voxels, start=start, chunk_shape=block)
    return case_of(store, name, (facts,), VolumeKind.SEGMENTATION)


def supervoxels(store: Repository) -> VolumeCase:
    """A labelmap whose bodies were merged, opened with supervoxels as labels."""
    case = labels_below_zero(store)
    name = case.opened()._opened.instance.name
    store.call("POST", f"{name}/merge", json=[BIG_IDS[2], BIG_IDS[1], BIG_IDS[5]])
    return replace(case, open=lambda options: case.open(replace(options, label_view=LabelView.SUPERVOXELS)))


def bodies(store: Repository) -> VolumeCase:
    """The same, opened with bodies as labels: the merged ones read as one."""
    case = labels_below_zero(store)
    name = case.opened()._opened.instance.name
    store.call("POST", f"{name}/merge", json=[BIG_IDS[2], BIG_IDS[1], BIG_IDS[5]])
    voxels = case.scales[0].voxels.copy()
    voxels[np.isin(voxels, np.array([BIG_IDS[1], BIG_IDS[5]], "<u8"))] = BIG_IDS[2]
    return replace(case, scales=(replace(case.scales[0], voxels=voxels),))


READ: dict[str, Callable[[Repository], VolumeCase]] = {
    "uint8": lambda store: unaligned_image(store, "<u1", Vec3(-13, 7, 1003)),
    "uint32": lambda store: unaligned_image(store, "<u4", Vec3(5, 33, 17)),
    "uint64": lambda store: unaligned_image(store, "<u8", Vec3(3, -40, 9)),
    "float32": lambda store: unaligned_image(store, "<f4", Vec3(-1, -2, -3)),
    "uint16_with_siblings": image_with_siblings,
    "labelmap_with_levels": labels_with_levels,
    "labelmap_below_zero": labels_below_zero,
    "labelarray": lambda store: labels_below_zero(store, "labelarray"),
    "supervoxels": supervoxels,
    "bodies": bodies,
}


@pytest.fixture(scope="module", params=READ)
def read_case(request: pytest.FixtureRequest, store: Repository) -> VolumeCase:
    return READ[request.param](store)


class TestReadingDvid(ReadConformance):
    @pytest.fixture
    def case(self, read_case: VolumeCase) -> VolumeCase:
        return read_case


def test_a_real_server_was_tried() -> None:
    skip_without_a_real_server()


WRITTEN = {
    "uint8": ("<u1", VolumeKind.IMAGE, Box.of(x=(-13, 20), y=(7, 30), z=(100, 119))),
    "uint16": ("<u2", VolumeKind.IMAGE, Box.of(x=(0, 21), y=(3, 19), z=(17, 24))),
    "uint64": ("<u8", VolumeKind.IMAGE, Box.of(x=(5, 26), y=(-9, 10), z=(-3, 8))),
    "float32": ("<f4", VolumeKind.IMAGE, Box.of(x=(1, 20), y=(2, 19), z=(-18, -1))),
    "labelmap": ("<u8", VolumeKind.SEGMENTATION, Box.of(x=(13, 20), y=(7, 19), z=(100, 107))),
    "labelmap_below_zero": ("<u8", VolumeKind.SEGMENTATION, Box.of(x=(-5, 6), y=(-20, -9), z=(30, 35))),
}


class TestWritingDvid(WriteConformance):
    @pytest.fixture(params=WRITTEN)
    def case(self, request: pytest.FixtureRequest, store: Repository) -> VolumeCase:
        dtype, kind, bounds = WRITTEN[request.param]
        block = Vec3(16, 16, 16)
        name = f"w{np.random.default_rng().integers(1 << 60)}"
        spec = VolumeSpec(np.dtype(dtype), kind, (ScaleSpec(bounds, VoxelSize(4, 4.5, 40), block),))
        store.remote().create((name,), spec)
        facts = ScaleFacts(
            voxels=np.zeros((1, *bounds.shape.zyx), dtype),
            start=bounds.start,
            voxel_size_nm=VoxelSize(4, 4.5, 40),
            chunk_shape=block,
        )
        return case_of(store, name, (facts,), kind)
