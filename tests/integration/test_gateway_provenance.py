"""`provenance` over HTTP: what stores of metadata keep of where voxels came from, as cloud-volume reads it."""

from __future__ import annotations

import datetime

import httpx
import numpy as np
import pytest
from cloudvolume import CloudVolume

from support.boss_remotes import boss_config
from support.bossdb import bossdb_server
from support.servers import settings
from voxgate.client.connection import connect
from voxgate.model.geometry import Box, VoxelSize
from voxgate.model.provenance import KEY_PREFIX, KeepsProvenance, Provenance
from voxgate.model.volumes import ScaleSpec, VolumeKind, VolumeSpec
from voxgate_remotes.config import RemoteConfig, RemotesConfig
from voxgate_standalone.suite import start_suite

BOX = Box.of(x=(0, 70), y=(0, 45), z=(0, 21))
NAMES = ("boss/lab/fly/bodies", "mem/notes", "mem/plain")
DAY = datetime.datetime(2031, 5, 17, 3, 4, 5, tzinfo=datetime.UTC)
COPY = Provenance("voxgate transfer", ("far/seg@3fa", "near/x"), '{"skip_empty":true}', "voxgate 9.8", "ab" * 32, DAY)
LEVELS = Provenance("voxgate pyramid", (), "{}", "voxgate 9.9", "cd" * 32, DAY + datetime.timedelta(days=1))


@pytest.fixture(scope="module")
def suite():
    with bossdb_server() as boss:
        remotes = {"boss": boss_config(boss), "mem": RemoteConfig(uri="memory://", writable=True)}
        suite = start_suite(RemotesConfig(remotes=remotes), settings())
        spec = VolumeSpec(np.dtype("<u8"), VolumeKind.SEGMENTATION, (ScaleSpec(BOX, VoxelSize(4, 4, 40)),))
        for name in NAMES:
            suite.registry.create(name, spec)
        yield suite
        suite.stop(1.0)


def read_by_cloud_volume(suite, name):
    return CloudVolume(f"precomputed://{suite.gateway.url}/ng/{name}/-", progress=False).provenance


def test_what_bossdb_keeps_of_a_volume_is_read_by_cloud_volume_the_oldest_first(suite):
    keeper = suite.registry.open("boss/lab/fly/bodies").capability(KeepsProvenance)
    for entry in (LEVELS, COPY):
        keeper.keep_provenance(entry)
    found = read_by_cloud_volume(suite, "boss/lab/fly/bodies")
    assert found.sources == ["far/seg@3fa", "near/x"]
    assert [(step["method"]["task"], step["by"], step["date"]) for step in found.processing] == [
        ("voxgate transfer", "voxgate 9.8", "2031-05-17T03:04:05+00:00"),
        ("voxgate pyramid", "voxgate 9.9", "2031-05-18T03:04:05+00:00"),
    ]
    assert found.processing[0]["method"] | {"task": ""} == {
        "task": "",
        "parameters": {"skip_empty": True},
        "checksum": "ab" * 32,
    }
    assert found.description.startswith("boss/lab/fly/bodies")
    found.validate()


def test_what_others_put_under_such_keys_is_left_out_and_what_is_not_kept_is_not_there(suite):
    with connect(suite.server.address) as client:
        notes = client.metadata("mem/notes")
        for number, value in enumerate((b"no JSON", b"[1]", b'{"sources":3}', b'{"sources":[NaN]}', b"[" * 100_000)):
            notes[f"{KEY_PREFIX}{number}"] = value
        notes["another"] = b'{"sources":["x"]}'
        notes[f"{KEY_PREFIX}odd"] = b'{"sources":["a/b",7,"a/b"],"method":null}'
    found = httpx.get(f"{suite.gateway.url}/ng/mem/notes/-/provenance", timeout=60).raise_for_status().json()
    assert found["sources"] == ["a/b"]
    assert [step["id"] for step in found["processing"]] == [None]
    nothing = httpx.get(f"{suite.gateway.url}/ng/mem/plain/-/provenance", timeout=60).raise_for_status().json()
    assert (nothing["sources"], nothing["processing"], nothing["owners"]) == ([], [], [])


def test_every_client_asks_anew_and_gets_an_entry_that_was_added_since(suite):
    address = f"{suite.gateway.url}/ng/mem/plain/-/provenance"
    before = httpx.get(address, timeout=60)
    with connect(suite.server.address) as client:
        client.metadata("mem/plain")[f"{KEY_PREFIX}{COPY.key}"] = b'{"sources":["later/one"]}'
    after = httpx.get(address, timeout=60, headers={"if-none-match": before.headers["etag"]})
    assert after.status_code == 200
    assert after.json()["sources"] == ["later/one"]
