"""The BossDB test server against the published intern: what an unmodified client writes, reads and is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support.bossdb import Record, bossdb_server
from support.bossdb.voxels import Level, Region
from support.peers import run_peer

BOX = {"x": (7, 50), "y": (11, 85), "z": (3, 20)}
SHAPE = (17, 74, 43)
WHOLE = (40, 90, 70)
LABEL = 2**53 + 1
OTHER = 2**63 + 7
INSIDE = tuple(slice(*BOX[axis]) for axis in "zyx")


def written(dtype: str) -> np.ndarray:
    """What intern writes into BOX, shape (z, y, x)."""
    if dtype != "uint64":
        return np.random.default_rng(3).integers(0, np.iinfo(dtype).max, SHAPE, dtype, endpoint=True)
    labels = np.zeros(SHAPE, np.uint64)
    labels[2:9, 5:40, 4:30] = LABEL
    labels[9:, :, :20] = OTHER
    return labels


TIMED = np.random.default_rng(4).integers(1, 65535, (2, 7, 9, 18), np.uint16)
SEEDED = np.random.default_rng(5).integers(0, 255, (20, 30, 40), np.uint8)
HALVED = SEEDED[:, ::2, ::2]
DIAGONAL = np.zeros((4, 5, 6), np.uint8) + np.eye(5, 6, dtype=np.uint8) * 200


@dataclass
class Played:
    """What the session told, where its voxels are, and what the server saw."""

    told: dict[str, Any]
    folder: Path
    requests: list[Record]
    stored: dict[str, np.ndarray]
    """By dtype, the whole frame of the arrays that intern wrote, as the server holds it; uint8 after erasing."""

    def read(self, name: str) -> np.ndarray:
        """What intern read, as it was."""
        found: np.ndarray = np.load(self.folder / f"read_{name}.npy")
        return found


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    folder = tmp_path_factory.mktemp("intern")
    for dtype in ("uint8", "uint16", "uint64"):
        np.save(folder / f"{dtype}.npy", written(dtype))
    np.save(folder / "timed.npy", TIMED)
    np.save(folder / "zeros.npy", DIAGONAL)
    (folder / "box.json").write_text(json.dumps({**BOX, "label": LABEL}))
    with bossdb_server() as server:
        server.store.add_channel("seeded", "all", "levels", SEEDED, levels=[HALVED])
        told = run_peer("intern", "intern_session.py", server.address, server.token, folder)
        stored = {
            dtype: server.store.channel("arrays", f"of_{dtype}", "voxels").voxels.read(
                Level(0), Region((0, 0, 0), WHOLE)
            )[0]
            for dtype in ("uint8", "uint16", "uint64")
        }
        yield Played(told, folder, list(server.requests), stored)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint64"])
def test_intern_reads_back_the_box_that_it_wrote(played: Played, dtype: str) -> None:
    assert played.read(dtype).dtype == dtype
    assert np.array_equal(played.read(dtype), written(dtype))


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint64"])
def test_around_the_box_that_intern_wrote_there_are_zeros(played: Played, dtype: str) -> None:
    expected = np.zeros(WHOLE, dtype)
    expected[INSIDE] = written(dtype)
    assert np.array_equal(played.read(f"{dtype}_whole"), expected)


@pytest.mark.parametrize("dtype", ["uint16", "uint64"])
def test_the_server_keeps_what_intern_wrote_where_intern_wrote_it(played: Played, dtype: str) -> None:
    assert np.array_equal(played.stored[dtype][INSIDE], written(dtype))


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint64"])
def test_intern_array_tells_what_it_created(played: Played, dtype: str) -> None:
    assert played.told["arrays"][dtype] == {
        "shape": list(WHOLE),
        "dtype": dtype,
        "voxel_size": [5, 5, 33],  # given as z, y, x; intern answers x, y, z
        "unit": "nanometers",
        "status": "NOT_DOWNSAMPLED",
        "resolutions": [0, 1, 2],
    }


def test_intern_reads_back_time_samples_and_has_no_time_axis_without_a_range(played: Played) -> None:
    assert np.array_equal(played.read("timed"), TIMED)
    assert np.array_equal(played.read("default_time"), np.zeros(TIMED.shape[1:], np.uint16))


def test_intern_lists_what_there_is_and_the_frame_that_starts_elsewhere(played: Played) -> None:
    told = played.told["projects"]
    assert told["extents"] == [[500, 560], [20, 61], [9, 40]]
    assert told["listed"] == {
        "collections": ["seeded", "arrays", "moved"],
        "experiments": ["timed"],
        "channels": ["voxels"],
        "frames": ["CF_seeded_all", *(f"CF_arrays_of_{dtype}" for dtype in ("uint8", "uint16", "uint64")), "offset"],
    }
    assert told["words"] == "other words"
    assert told["public"] is True


def test_intern_is_refused_as_the_service_refuses(played: Played) -> None:
    assert played.told["projects"]["refused"] == {
        "outside": 400,
        "resolution": 400,
        "again": 400,
        "not_empty": 400,
        "public_writes": 403,
    }


def test_what_intern_deletes_is_gone_and_the_rest_is_there(played: Played) -> None:
    assert played.told["projects"]["after"] == {"deleted": 404, "listed": ["seeded", "arrays"]}


def test_intern_makes_lists_changes_and_deletes_metadata(played: Played) -> None:
    told = played.told["metadata"]
    assert told["got"] == {"licence": "CC0", "by": "them"}
    assert told["left"] == ["by"]
    assert told["refused"] == {"missing": 400, "again": 400, "absent": 400}


def test_intern_finds_ids_above_the_precision_of_doubles(played: Played) -> None:
    assert played.told["objects"]["ids"] == [LABEL, OTHER]


def test_intern_gets_the_tight_and_the_loose_box_of_an_object(played: Played) -> None:
    told = played.told["objects"]
    places = [np.flatnonzero((written("uint64") == LABEL).any(axis=others)) for others in ((1, 2), (0, 2), (0, 1))]
    for axis, found in zip("zyx", places, strict=True):
        first = BOX[axis][0]
        assert told["tight"][f"{axis}_range"] == [first + found[0], first + found[-1] + 1]
    assert told["loose"] == {"x_range": [0, 512], "y_range": [0, 512], "z_range": [0, 16], "t_range": [0, 1]}
    assert told["unknown"] == 404


def test_intern_reserves_ids_that_follow_one_another(played: Played) -> None:
    assert played.told["objects"]["reserved"] == [1, 11]


def test_intern_filters_by_id(played: Played) -> None:
    labels = written("uint64")
    assert np.array_equal(played.read("filtered"), np.where(labels == LABEL, labels, 0))


def test_a_box_that_intern_splits_is_the_box(played: Played) -> None:
    assert np.array_equal(played.read("split"), written("uint64"))
    assert sum("/17:34/" in record.path for record in played.requests) > 20


def test_zeros_that_intern_writes_leave_what_is_there_until_it_erases(played: Played) -> None:
    before = written("uint8")[: DIAGONAL.shape[0], : DIAGONAL.shape[1], : DIAGONAL.shape[2]]
    overlaid = np.where(DIAGONAL != 0, DIAGONAL, before)
    assert np.array_equal(played.read("after_zeros"), overlaid)
    erased = overlaid.copy()
    erased[:, 1:] = 0
    assert np.array_equal(played.read("after_black"), erased)


def test_the_shared_account_reads_a_lower_resolution_of_a_public_channel(played: Played) -> None:
    assert played.told["seeded"] == {"status": "DOWNSAMPLED", "type": "image"}
    assert np.array_equal(played.read("level"), HALVED[5:17, 4:11, 3:14])


def test_intern_asks_for_blosc_with_its_token_and_lists_with_two_slashes(played: Played) -> None:
    cutouts = [r for r in played.requests if r.method == "GET" and r.path.startswith("/v1/cutout/")]
    assert {r.headers["accept"] for r in cutouts} == {"application/blosc"}
    assert {r.headers["authorization"].partition(" ")[0] for r in played.requests} == {"Token"}
    assert any(r.path == "/v1/collection//" for r in played.requests)
