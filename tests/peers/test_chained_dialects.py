"""The published intern at the last hop of a chain: gateway, BossDB dialect of another gateway, files."""

import json

import numpy as np

from support.boss_dialect import boss_names
from support.hops import hop, registry_of
from support.peers import run_peer
from support.references import image, segmentation
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.volumes import ScaleSpec, VolumeKind, VolumeSpec, Writable

BOX, PART = Box.of(x=(3, 74), y=(12, 55), z=(7, 28)), Box.of(x=(5, 61), y=(13, 50), z=(9, 26))
SIZE = VoxelSize(4, 4, 40)


def test_intern_reads_exact_voxels_behind_two_gateways(tmp_path):
    made = {
        "em": (VolumeKind.IMAGE, image((1, *BOX.shape.zyx), "<u2")),
        "seg": (VolumeKind.SEGMENTATION, segmentation((1, *BOX.shape.zyx))),
    }
    origin = registry_of(files={"uri": (tmp_path / "files").as_uri(), "writable": True})
    (tmp_path / "files").mkdir()
    for name, (kind, voxels) in made.items():
        spec = VolumeSpec(voxels.dtype, kind, (ScaleSpec(BOX, SIZE, Vec3(16, 8, 8)),), format="precomputed")
        origin.create(f"files/lab/{name}", spec).capability(Writable).write(BOX, voxels)
    with hop(origin) as far:
        # What the near gateway calls the volumes is its operator's to say.
        names = {("lab", "far", name): "/".join(("far", *boss_names(f"files/lab/{name}"))) for name in made}
        with hop(registry_of(far=far.as_boss()), names=names) as near:
            spans = {axis: [a, b] for axis, a, b in zip("xyz", PART.start, PART.stop, strict=True)}
            address = near.url.removeprefix("http://")
            asked = [{"address": f"{address}/lab/far/{name}", "resolution": 0, **spans} for name in made]
            (tmp_path / "asked.json").write_text(json.dumps(asked))
            told = run_peer("intern", "bossdb_by_intern.py", tmp_path)["told"]
        assert far.tap.count("/cutout/")
    for number, (name, (_, voxels)) in enumerate(made.items()):
        found = np.load(tmp_path / f"{number}.npy")
        assert found.dtype == voxels.dtype
        np.testing.assert_array_equal(found, voxels[0][PART.slices_zyx(BOX.start)])
        assert told[number]["voxel_size"] == list(SIZE)
        assert told[number]["type"] == {"em": "image", "seg": "annotation"}[name]
