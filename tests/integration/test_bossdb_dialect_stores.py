"""Objects and pictures in the BossDB dialect, the same of every store: its index answers, or its voxels do."""

from __future__ import annotations

import io

import numpy as np
import pytest
import requests
from PIL import Image

from support import mesh_stores as stores
from support.boss_dialect import boss_names, ranges
from support.boss_gateways import told_by
from support.dialect_stores import PART, shown
from support.gateways import suite_of
from support.mesh_stores import BOX
from support.servers import SAMPLES
from voxgate.model.geometry import Box, Vec3, aligned_outward
from voxgate_gateway.pictures import id_colours
from voxgate_remotes.config import RemoteConfig

MAKERS = (stores.precomputed_sharded, stores.zarr_v3_sharded, stores.hdf5, stores.bossdb, stores.dvid)
MAKERS += (stores.chained_files, stores.chained_dvid)


@pytest.fixture(scope="module", params=MAKERS, ids=lambda maker: maker.__name__)
def store(request, tmp_path_factory):
    with shown("", request.param, tmp_path_factory.mktemp("store")) as found:
        yield found


def asked(store, service, rest):
    # A web server or a test's store may list nothing: an experiment of one channel needs no list.
    names = "/".join(boss_names(store.name, alone=True))
    return requests.get(f"{store.url}/v1/{service}/{names}/{rest}", timeout=60)


def spans_of(box):
    return {f"{axis}_range": [a, b] for axis, a, b in zip("xyz", box.start, box.stop, strict=True)} | {
        "t_range": [0, 1]
    }


def test_ids_in_a_box_are_those_of_its_voxels(store):
    expected = [str(each) for each in np.unique(store.part) if each != 0]
    assert told_by(asked(store, "ids", f"0/{ranges(PART)}")) == (200, {"ids": expected})


def test_boxes_are_tight_or_of_whole_cuboids(store):
    for label in np.unique(store.labels)[1:].tolist():
        z, y, x = np.nonzero(store.labels == label)
        low, high = (Vec3(int(f(x)), int(f(y)), int(f(z))) + BOX.start for f in (np.min, np.max))
        tight = Box(low, high + Vec3(1, 1, 1))
        loose = aligned_outward(tight, Vec3(512, 512, 16), Vec3(0, 0, 0))
        assert told_by(asked(store, "boundingbox", f"0/{label}?type=tight")) == (200, spans_of(tight))
        assert told_by(asked(store, "boundingbox", f"0/{label}")) == (200, spans_of(loose))
    assert told_by(asked(store, "boundingbox", "0/123456789?type=tight")) == (404, 4004)


def test_a_plane_has_the_colours_of_its_ids(store):
    x, y, z = ranges(PART).split("/")
    reply = asked(store, "image", f"xz/0/{x}/{y.partition(':')[0]}/{z}")
    assert reply.status_code == 200, reply.text
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(reply.content))), id_colours(store.part[:, 0]))


def test_a_search_too_large_is_refused_with_the_code_of_too_large(monkeypatch):
    monkeypatch.setenv("VOXGATE_MAX_SCAN_VOXEL_COUNT", "1000")
    with suite_of({"samples": RemoteConfig(uri=SAMPLES.as_uri())}) as suite:
        at = f"{suite.gateway.url}/v1"
        small = requests.get(f"{at}/ids/samples/fib25/seg/0/1100:1110/2060:2070/3000:3010", timeout=60)
        large = requests.get(f"{at}/ids/samples/fib25/seg/0/1100:1111/2060:2070/3000:3010", timeout=60)
        box = requests.get(f"{at}/boundingbox/samples/fib25/seg/0/2491?type=tight", timeout=60)
    assert small.status_code == 200
    assert told_by(large) == told_by(box) == (413, 2000)
