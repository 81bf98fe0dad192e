"""A writer that is killed in the middle: what it was told is written is there, and nothing is half written."""

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from support.boss_remotes import boss_config
from support.bossdb import bossdb_server
from support.dvid import dvid_server
from support.granule_writer import granules_of, registry_of, voxels_of
from voxgate.model.geometry import Box, Vec3, VoxelSize, grid_cells
from voxgate.model.volumes import ScaleSpec, VolumeKind, VolumeSpec
from voxgate_remotes.config import RemoteConfig

BOUNDS = Box.at(Vec3(-7, 20, 3), Vec3(150, 91, 67))
CHUNK = Vec3(32, 16, 8)
NAME = "data/killed"
FILES = {
    "precomputed": ("precomputed", None),
    "zarr2": ("zarr2", None),
    "zarr3": ("zarr3", None),
    "zarr3 in shards": ("zarr3", Vec3(64, 32, 16)),
}


@pytest.mark.parametrize("layout", FILES)
@pytest.mark.parametrize("seed", [1, 2])
def test_files_of_a_killed_writer_are_whole(tmp_path, layout, seed):
    format_name, shard = FILES[layout]
    level = ScaleSpec(BOUNDS, VoxelSize(4, 5, 40), CHUNK, shard)
    spec = VolumeSpec(np.dtype("<u8"), VolumeKind.SEGMENTATION, (level,), format=format_name)
    config = RemoteConfig(uri=tmp_path.as_uri(), writable=True)
    registry_of(config).create(NAME, spec)
    count = len(granules_of(registry_of(config).open(NAME)))
    told = written_before_the_kill(config, random.Random(seed).randrange(1, 2 * count))
    expect_whole(config, told)


def test_blocks_of_dvid_are_whole_after_a_kill():
    with dvid_server() as server:
        root = server.store.add_repo("cells")
        config = RemoteConfig(uri=f"dvid://http://{server.address}/{root}", writable=True)
        level = ScaleSpec(Box.of(x=(-64, 128), y=(0, 128), z=(64, 192)), VoxelSize(8, 8, 8))
        registry_of(config).create(NAME, VolumeSpec(np.dtype("<u2"), VolumeKind.IMAGE, (level,)))
        expect_whole(config, written_before_the_kill(config, 17))


def test_what_bossdb_was_told_is_there_and_only_the_box_at_work_is_in_between():
    """BossDB is erased before it is written, so that zeros arrive: the box a killed writer was at may be erased."""
    with bossdb_server() as server:
        config = boss_config(server)
        name = "data/lab/mouse/em"
        level = ScaleSpec(Box.of(x=(3, 600), y=(0, 530), z=(7, 40)), VoxelSize(4, 4, 40))
        registry_of(config).create(name, VolumeSpec(np.dtype("u1"), VolumeKind.IMAGE, (level,)))
        told = written_before_the_kill(config, 14, name)
        volume = registry_of(config).open(name)
        granules = granules_of(volume)
        _, number = told[-1]
        last = {number: turn for turn, number in told}
        assert len(granules) == 12
        for each, granule in enumerate(granules):
            if each != (number + 1) % len(granules):
                expected = voxels_of(granule, last[each], volume.info.dtype)
                np.testing.assert_array_equal(volume.read(granule), expected)


def as_json(config: RemoteConfig) -> str:
    """A configuration as the writer takes it, its token in the clear."""
    document = config.model_dump(mode="json", exclude_none=True)
    if config.credentials.token is not None:
        document["credentials"]["token"] = config.credentials.token.get_secret_value()
    return json.dumps(document)


def written_before_the_kill(config: RemoteConfig, lines: int, name: str = NAME) -> list[tuple[int, int]]:
    """Start the writer, kill it some time after it has said so many lines, and answer all that it said."""
    child = subprocess.Popen(
        [sys.executable, "-m", "support.granule_writer", as_json(config), name],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    )
    told = [child.stdout.readline() for _ in range(lines)]
    child.send_signal(signal.SIGKILL)
    told += child.stdout.read().splitlines()
    child.wait()
    child.stdout.close()
    return [tuple(map(int, line.split())) for line in told if len(line.split()) == 2]


def expect_whole(config: RemoteConfig, told: list[tuple[int, int]]) -> None:
    """Every granule has what was last said of it, or, chunk by chunk, what came right after."""
    volume = registry_of(config).open(NAME)
    level, dtype = volume.info.scales[0], volume.info.dtype
    last = {number: turn for turn, number in told}
    assert told
    for number, granule in enumerate(granules_of(volume)):
        turn = last.get(number, -1)
        after = voxels_of(granule, turn + 1, dtype)
        before = voxels_of(granule, turn, dtype) if turn >= 0 else np.zeros_like(after)
        found = volume.read(granule)
        for cell in grid_cells(granule, level.stored_chunk_shape, level.grid_origin):
            part = (slice(None), *cell.slices_zyx(granule.start))
            is_old, is_new = (np.array_equal(found[part], whole[part]) for whole in (before, after))
            assert is_old or is_new, f"{cell} of granule {number} is neither of turn {turn} nor of the next"
