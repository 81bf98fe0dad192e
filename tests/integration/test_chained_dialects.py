"""A server whose store is another's gateway: the same voxels, the same words, forward and back, and an end to loops."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest

from support.boss_dialect import boss_names
from support.hops import hop, registry_of
from support.references import image, segmentation
from support.servers import volume_server
from support.transfers import BOXES, SIZES, source_spec
from voxgate.client.connection import connect
from voxgate.model.downsampling import Downsampling
from voxgate.model.errors import (
    AlreadyExists,
    MissingCapability,
    ReadOnly,
    StoreAccessDenied,
    StoreUnavailable,
    UnknownKey,
    UnknownVolume,
    UnsupportedFormat,
)
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.segments import SegmentIdReservation, SegmentIndex
from voxgate.model.volumes import ScaleSpec, VolumeKind, VolumeSpec, Writable
from voxgate_remotes.registry import Registry

KINDS = {"u1": VolumeKind.IMAGE, "u2": VolumeKind.IMAGE, "u8": VolumeKind.SEGMENTATION}
FILES = "hop/files/lab/"
"""What the middle server calls the group of volumes that the last one has in a folder."""


def far_name(name: str) -> str:
    """What a server whose remote "far" is a gateway calls what the server there calls `name`."""
    return "/".join(("far", *boss_names(name)))


def voxels_of(kind: str, scale: int) -> np.ndarray:
    """The voxels of one scale of a volume, shape (1, z, y, x), with the largest values that the type has."""
    make = segmentation if kind == "u8" else image
    return make((1, *BOXES[scale].shape.zyx), f"<{kind}", seed=scale)


def fill(registry: Registry, group: str, **spec) -> None:
    """Make volumes of every type that BossDB has, of three anisotropic levels at unequal offsets below 0."""
    for kind, meaning in KINDS.items():
        volume = registry.create(f"{group}/{kind}", source_spec(dtype=np.dtype(f"<{kind}"), kind=meaning, **spec))
        for scale, box in enumerate(BOXES):
            volume.capability(Writable).write(box, voxels_of(kind, scale), scale=scale)


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    """A client of a server whose "far" is a gateway over memory, and over a third server that has files; and these.

    Nothing in them is changed by a test but below "mem/own".
    """
    folder = tmp_path_factory.mktemp("files")
    origin = registry_of(files={"uri": folder.as_uri(), "writable": True})
    fill(origin, "files/lab", format="precomputed")
    with contextlib.ExitStack() as stack:
        last = stack.enter_context(volume_server(origin))
        remotes = {
            "hop": {"uri": f"voxgate://{last.address}"},
            "mem": {"uri": "memory://", "writable": True, "deletable": True},
        }
        registry = registry_of(**remotes)
        registry.create("mem/fixed/seg", VolumeSpec(np.dtype("<u8"), VolumeKind.SEGMENTATION, source_spec().scales[:1]))
        middle = stack.enter_context(hop(registry))
        near = stack.enter_context(hop(registry_of(far=middle.as_boss(deletable=True))))
        client = stack.enter_context(connect(near.server.address))
        yield client, near, middle, registry


@pytest.fixture(scope="module")
def client(chain):
    return chain[0]


@pytest.mark.parametrize("kind", KINDS)
def test_voxels_through_every_hop_are_those_of_the_files(client, kind):
    volume = client.open(far_name(FILES + kind))
    assert volume.info.dtype == np.dtype(f"<{kind}")
    assert volume.info.kind is KINDS[kind]
    assert [scale.bounds for scale in volume.info.scales] == list(BOXES)
    assert [scale.voxel_size_nm for scale in volume.info.scales] == list(SIZES)
    for scale, bounds in enumerate(BOXES):
        whole = voxels_of(kind, scale)
        assert whole.max() > {"u1": 250, "u2": 2**15, "u8": 2**63}[kind]
        inner = Box(bounds.start + Vec3(1, 2, 3), bounds.stop - Vec3(3, 2, 1))
        for box in (bounds, inner):
            found = volume.read(box, scale=scale)
            assert np.array_equal(found, whole[(slice(None), *box.slices_zyx(bounds.start))])


def test_volumes_are_listed_as_collections_experiments_and_channels(client):
    def below(name):
        return [(e.name.removeprefix("far/"), e.is_volume) for e in client.volumes(name)]

    assert below("far") == [("hop", False), ("mem", False)]
    assert ("hop/files__2Flab", False) in below("far/hop")
    assert below("far/hop/files__2Flab") == [(f"hop/files__2Flab/{kind}", True) for kind in KINDS]


def test_a_volume_is_no_larger_than_at_its_origin_though_its_experiment_is(chain):
    client, _, _, registry = chain
    small, large = Box.of(x=(3, 14), y=(-5, 9), z=(2, 8)), Box.of(x=(-40, 60), y=(-7, 30), z=(0, 31))
    for name, box in (("small", small), ("large", large)):
        spec = VolumeSpec(np.dtype("u1"), VolumeKind.IMAGE, (ScaleSpec(box, VoxelSize(4, 5, 40)),))
        registry.create(f"mem/own/group/{name}", spec).capability(Writable).write(box, image((1, *box.shape.zyx)))
    volume = client.open(far_name("mem/own/group/small"))
    assert volume.info.scales[0].bounds == small
    assert np.array_equal(volume.read(small), image((1, *small.shape.zyx)))


def test_segments_are_found_and_counted_through_every_hop(client):
    index = client.open(far_name(FILES + "u8")).capability(SegmentIndex)
    voxels = voxels_of("u8", 0)
    box = Box.of(x=(-20, 11), y=(41, 70), z=(-7, 6))
    cut = voxels[(slice(None), *box.slices_zyx(BOXES[0].start))]
    ids, counts = np.unique(cut[cut != 0], return_counts=True)
    assert ids.max() > 2**63
    assert index.segment_ids_in(box).tolist() == ids.tolist()
    found = index.segments_in(box)
    assert [(each.segment_id, each.voxel_count) for each in found] == list(
        zip(ids.tolist(), counts.tolist(), strict=True)
    )
    for segment_id in ids[[0, -1]].tolist():
        at = np.argwhere(voxels[0] == segment_id)
        tight = Box(Vec3.from_zyx(tuple(at.min(0))), Vec3.from_zyx(tuple(at.max(0) + 1))).shifted(BOXES[0].start)
        assert index.segment_extent(segment_id).box == tight


def test_what_is_written_through_a_gateway_arrives_zeros_too_and_no_neighbour_is_touched(chain):
    client, _, _, registry = chain
    registry.create("mem/own/written", source_spec())
    stored = registry.open("mem/own/written")
    before = voxels_of("u8", 0)
    stored.capability(Writable).write(BOXES[0], before)
    box = Box.of(x=(-20, 3), y=(45, 66), z=(-4, 9))
    voxels = np.random.default_rng(5).integers(2**63, 2**64 - 1, (1, *box.shape.zyx), dtype=np.uint64)
    voxels[:, 2:7] = 0
    volume = client.open(far_name("mem/own/written"))
    volume.capability(Writable).write(box, voxels)
    before[(slice(None), *box.slices_zyx(BOXES[0].start))] = voxels
    assert np.array_equal(stored.read(BOXES[0]), before)
    assert np.array_equal(volume.read(BOXES[0]), before)


def test_a_volume_is_made_written_and_deleted_through_a_gateway(chain):
    client, _, _, registry = chain
    level = ScaleSpec(Box.of(x=(7, 40), y=(3, 21), z=(5, 17)), VoxelSize(4, 5, 40))
    spec = VolumeSpec(np.dtype("<u2"), VolumeKind.IMAGE, (level,))
    made = client.create("far/mem/own__2Fnew/em", spec)
    voxels = image((1, *level.bounds.shape.zyx), "<u2")
    client.open("far/mem/own__2Fnew/em").capability(Writable).write(level.bounds, voxels)
    stored = registry.open("mem/own/new/em")
    assert stored.info.scales[0].bounds == made.info.scales[0].bounds == level.bounds
    assert stored.info.scales[0].voxel_size_nm == level.voxel_size_nm
    assert np.array_equal(stored.read(level.bounds), voxels)
    with pytest.raises(AlreadyExists):
        client.create("far/mem/own__2Fnew/em", VolumeSpec(np.dtype("<u1"), VolumeKind.IMAGE, (level,)))
    with pytest.raises(UnsupportedFormat):
        client.create("far/mem/own__2Fnew/deep", source_spec())
    client.delete("far/mem/own__2Fnew/em")
    with pytest.raises(UnknownVolume):
        registry.open("mem/own/new/em")


def test_key_values_are_kept_at_the_far_end(chain):
    client, _, _, registry = chain
    registry.create("mem/own/noted", source_spec())
    notes = client.metadata(far_name("mem/own/noted"))
    notes.set_text("who", "äöü & co")
    assert (notes.keys(), notes.get_text("who")) == (["who"], "äöü & co")
    notes.set_text("who", "me")
    assert notes.get_text("who") == "me"
    del notes["who"]
    with pytest.raises(UnknownKey):
        notes.get("who")
    with pytest.raises(MissingCapability, match="keeps no"):
        client.metadata(far_name(FILES + "u8")).set_text("who", "me")


def test_what_is_refused_at_the_origin_keeps_its_reason_and_its_words(chain):
    client, _, middle, _ = chain
    with pytest.raises(UnknownVolume):
        client.open("far/hop/files__2Flab/nothing")
    volume = client.open(far_name(FILES + "u8"))
    box = Box(BOXES[0].start, BOXES[0].start + Vec3(2, 3, 4))
    with pytest.raises(ReadOnly, match="takes no writes: its operator allows them with writable = true"):
        volume.capability(Writable).write(box, np.ones((1, *box.shape.zyx), np.uint64))
    assert np.array_equal(volume.read(BOXES[0]), voxels_of("u8", 0))
    with volume_server(registry_of(far=middle.as_boss(writable=False))) as near, connect(near.address) as other:
        assert other.open(far_name(FILES + "u8")).capability(Writable) is None
        with pytest.raises(ReadOnly):
            other.create("far/mem/own/em", source_spec())
    public = middle.as_boss(credentials={})
    with volume_server(registry_of(far=public)) as near, connect(near.address) as other:
        volume = other.open(far_name(FILES + "u8"))
        with pytest.raises(StoreAccessDenied, match="everybody's, and only reads"):
            volume.capability(Writable).write(box, np.ones((1, *box.shape.zyx), np.uint64))


def test_an_origin_that_is_gone_is_a_store_that_does_not_answer_and_never_zeros():
    with contextlib.ExitStack() as stack:
        last = volume_server(registry_of(mem={"uri": "memory://", "writable": True}))
        origin = last.__enter__()
        with connect(origin.address) as there:
            there.create("mem/lab/seg", source_spec())
        middle = stack.enter_context(hop(registry_of(hop={"uri": f"voxgate://{origin.address}/mem"})))
        near = stack.enter_context(volume_server(registry_of(far=middle.as_boss(options={"believed_s": 3600}))))
        client = stack.enter_context(connect(near.address))
        volume = client.open(far_name("hop/lab/seg"))
        assert not volume.read(BOXES[0]).any()
        last.__exit__(None, None, None)
        with pytest.raises(StoreUnavailable):
            volume.read(BOXES[0])


def test_levels_and_ids_that_no_store_on_the_way_makes_are_refused_as_at_the_origin(client):
    volume = client.open(far_name("mem/fixed/seg"))
    for kind, ask in (
        (Downsampling, lambda power: power.start_downsampling()),
        (SegmentIdReservation, lambda power: power.reserve_segment_ids(3)),
    ):
        with pytest.raises(MissingCapability):
            ask(volume.capability(kind))
