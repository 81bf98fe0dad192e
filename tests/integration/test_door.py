"""`voxgate.array` against real servers: folders, memory, a BossDB and another voxgate behind one string."""

import numpy as np
import pytest

import voxgate
from support.boss_remotes import boss_config, held
from support.bossdb import bossdb_server
from support.chains import far_store
from support.precomputed_volumes import raw_pyramid
from support.references import segmentation
from support.servers import volume_server
from support.transfers import BOXES, voxels_of_scale
from voxgate.client.connection import connect
from voxgate.model.errors import DataTypeMismatch, ReadOnly, UnknownRemote, UnknownScale
from voxgate.model.geometry import Box
from voxgate_remotes.config import RemoteConfig, RemotesConfig
from voxgate_remotes.registry import Registry

SHAPE = (19, 41, 67)
LABELS = segmentation((1, *SHAPE))[0]


@pytest.fixture(scope="module")
def boss():
    with bossdb_server() as running:
        running.store.add_channel("lab", "mouse", "labels", LABELS, voxel_size=(4, 5, 40))
        running.store.add_channel("lab", "mouse", "em", (LABELS % 251).astype(np.uint8), voxel_size=(4, 5, 40))
        yield running


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    return root, raw_pyramid(root / "pyramid")


@pytest.fixture(scope="module")
def far():
    with volume_server(far_store()[0]) as running:
        yield running


@pytest.fixture(scope="module")
def client(boss, folder, far):
    remotes = {
        "files": RemoteConfig(uri=folder[0].as_uri()),
        "scratch": RemoteConfig(uri="memory://", writable=True),
        "boss": boss_config(boss),
        "far": RemoteConfig(uri=f"voxgate://{far.address}", writable=True),
    }
    registry = Registry.from_config(RemotesConfig(remotes=remotes))
    with volume_server(registry) as server, connect(server.address) as connected:
        yield connected


@pytest.mark.parametrize("uri", ["bossdb://lab/mouse/labels", "lab/mouse/labels", "bossdb://lab/mouse/labels/0"])
def test_interns_string_reads_a_bossdb_like_numpy(client, uri):
    seg = voxgate.array(uri, client=client)
    assert (seg.shape, seg.dtype, seg.voxel_size) == (SHAPE, np.uint64, (40.0, 5.0, 4.0))
    assert LABELS.max() > 2**63
    for index in (
        (slice(3, 17), slice(5, 40), slice(11, 64)),
        (5,),
        (slice(0, 1), slice(2, 9)),
        (7, slice(None), slice(None, None, 3)),
        (slice(-5, -1), Ellipsis, -2),
        (3, 4, 5),
    ):
        assert np.array_equal(seg[index], LABELS[index])
        assert np.shape(seg[index]) == np.shape(LABELS[index])
    assert seg.downsample_status == "NOT_DOWNSAMPLED"
    names = (seg.collection_name, seg.experiment_name, seg.channel_name)
    assert names == ("lab", "mouse", "labels")


def test_the_order_of_axes_is_one_keyword(client):
    em = voxgate.array("bossdb://lab/mouse/em", axis_order="XYZ", client=client)
    expected = (LABELS % 251).astype(np.uint8).transpose(2, 1, 0)
    assert np.array_equal(em[3:31, 2:40, 5], expected[3:31, 2:40, 5])


def test_a_channel_is_created_and_written_as_intern_users_do(client, boss):
    made = {"dtype": "uint64", "extents": (17, 33, 50), "voxel_size": (0.04, 0.004, 0.004)}
    seg = voxgate.array("bossdb://lab/fly/proofread", create_new=True, voxel_unit="micrometers", client=client, **made)
    assert (seg.shape, seg.kind.value) == ((17, 33, 50), "segmentation")
    assert seg.voxel_size == pytest.approx((40.0, 4.0, 4.0))
    voxels = LABELS[:7, :20, :31]
    seg[3:10, 5:25, 9:40] = voxels
    box = Box.of(x=(9, 40), y=(5, 25), z=(3, 10))
    path = ("lab", "fly", "proofread")
    assert np.array_equal(held(boss, box, path=path)[0], voxels)
    # Zeros arrive, where intern's server-side merge keeps what was there.
    seg[4:6, 5:25, 9:40] = 0
    assert not held(boss, Box.of(x=(9, 40), y=(5, 25), z=(4, 6)), path=path).any()
    assert np.array_equal(seg[3:10, 5:25, 9:40][3:], voxels[3:])
    again = voxgate.array("lab/fly/proofread", create_new=True, voxel_unit="micrometers", client=client, **made)
    assert np.array_equal(again[3], seg[3])


def test_what_is_written_is_cast_never(client):
    made = {"create_new": True, "dtype": "uint16", "extents": (4, 5, 6), "voxel_size": (30, 4, 4)}
    em = voxgate.array("scratch/em", client=client, **made)
    em[1:3, 2:4, 1:5] = np.full((2, 2, 4), 700, np.uint16)
    em[0] = 9
    for wrong in (np.full((4, 5, 6), 1, np.uint8), np.ones((4, 5, 6)), 1.5):
        with pytest.raises(DataTypeMismatch):
            em[...] = wrong
    with pytest.raises(TypeError, match="step"):
        em[::2] = 1
    with pytest.raises(ValueError, match="broadcast"):
        em[1:3] = np.zeros((3, 5, 6), np.uint16)
    expected = np.zeros((4, 5, 6), np.uint16)
    expected[1:3, 2:4, 1:5] = 700
    expected[0] = 9
    assert np.array_equal(np.asarray(em), expected)


def test_a_transposed_array_is_written_where_it_is_shown(client):
    made = {"create_new": True, "dtype": "uint8", "extents": (4, 5, 6), "voxel_size": (30, 4, 4)}
    em = voxgate.array("scratch/turned", axis_order="XYZ", client=client, **made)
    voxels = np.arange(3 * 2 * 3, dtype=np.uint8).reshape(3, 2, 3)
    em[1:4, 3:5, 0:3] = voxels
    assert np.array_equal(client.volume("scratch/turned")[0:3, 3:5, 1:4], voxels.transpose(2, 1, 0))


def test_any_store_of_the_server_opens_by_its_uri(client, folder, far):
    root, known = folder
    for uri in (f"precomputed://file://{root}/pyramid", f"file://{root}/pyramid", f"{root}/pyramid"):
        for index, scale in enumerate(known.scales):
            opened = voxgate.array(uri, index, client=client)
            assert np.array_equal(np.asarray(opened), scale.voxels[0])
        with pytest.raises(UnknownScale):
            voxgate.array(uri, len(known.scales), client=client)
    chained = voxgate.array(f"voxgate://{far.address}/mem/lab/seg", resolution=1, client=client)
    assert np.array_equal(chained.read(BOXES[1]), voxels_of_scale(1)[0])


def test_a_store_that_nobody_configured_shows_what_the_operator_would_add(client):
    with pytest.raises(UnknownRemote) as refused:
        voxgate.array("dvid://me:sesame@emdata.example:8000/3fa/segmentation?token=sesame", client=client)
    assert refused.value.remedy.splitlines()[-2:] == ["[remotes.dvid]", 'uri = "dvid://emdata.example:8000"']
    assert "sesame" not in str(refused.value)
    with pytest.raises(UnknownRemote, match="adapter for ipfs"):
        voxgate.array("precomputed://ipfs://public/em", client=client)


def test_a_remote_that_takes_no_writes_takes_none_from_here(client, folder):
    with pytest.raises(ReadOnly):
        voxgate.array(f"{folder[0]}/pyramid", client=client)[0, 0, 0] = 1
    with pytest.raises(ReadOnly):
        voxgate.array(f"{folder[0]}/new", create_new=True, extents=(1, 2, 3), voxel_size=(1, 1, 1), client=client)


def test_the_server_is_found_as_connect_finds_it(client, monkeypatch, tmp_path):
    address = client.stubs.addresses["volume"]
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert voxgate.array("lab/mouse/em", server=address).shape == SHAPE
    monkeypatch.setenv("VOXGATE_SERVER", address)
    assert voxgate.array("lab/mouse/em").shape == SHAPE
