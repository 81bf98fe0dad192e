"""neuroglancer's own `boss://` source in a real browser: what it draws of volumes that are in no BossDB.

It takes only addresses of https, at the root of a host (it makes the address of a login out of them), so that a proxy
ends TLS here, as an ingress does. It asks for a login only after a 401, 403, 500 or 504.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from support.browser import MISSING, browser
from support.certificates import certificate
from support.drawn import coloured, greys, panels, segments_of, settled, show
from support.gateways import suite_over
from support.proxying import proxy_to
from support.servers import SAMPLES
from voxgate_gateway.viewer.client import client_folder

pytestmark = [
    pytest.mark.skipif(bool(MISSING), reason=f"no {MISSING} on this machine"),
    pytest.mark.skipif(client_folder() is None, reason="the wheel neuroglancer is not installed"),
    pytest.mark.timeout(600),
]
SIZE_NM = (10, 10, 10)
MIDDLE = {"position": [1168, 2124, 3056], "crossSectionScale": 0.4, "projectionScale": 300}
"""Of the sample, whose voxels do not start at 0, which neuroglancer's source is wrong about: see /latest."""


@pytest.fixture(scope="module")
def trusted(tmp_path_factory):
    return certificate(tmp_path_factory.mktemp("tls") / "own")


@pytest.fixture(scope="module")
def asked():
    """The paths of all requests that came."""
    return []


@pytest.fixture(scope="module")
def url(trusted, asked):
    with (
        suite_over({"samples": SAMPLES}) as gateway,
        proxy_to(gateway, "", asked=asked, certificate=trusted) as url,
    ):
        yield url


@pytest.fixture(scope="module")
def chromium(trusted):
    with browser(trusted_key=trusted.key_digest) as window:
        yield window


@pytest.fixture
def keep(tmp_path_factory, chromium):
    """Keep a picture of the window under a test's name."""
    folder = Path(os.environ.get("VOXGATE_SCREENSHOTS") or tmp_path_factory.getbasetemp() / "screenshots")
    return lambda name: chromium.screenshot(folder / f"{name}.png")


@pytest.mark.parametrize("encoding", ["", "?encoding=npz"])
def test_an_image_is_grey_as_jpeg_and_as_voxels(chromium, url, asked, keep, encoding):
    asked.clear()
    source = f"boss://{url}/samples/fib25/em{encoding}"
    show(chromium, url, SIZE_NM, MIDDLE | {"layers": [{"type": "image", "name": "em", "source": source}]})
    drawn = panels(chromium)
    keep(f"boss-image{'-npz' if encoding else ''}")
    for name in ("xy", "xz", "yz"):
        assert greys(drawn[name]) > 100
        assert coloured(drawn[name]) == 0
    settled(chromium, url)
    assert any(path.startswith("/latest/cutout/samples/fib25/em/0/") for path in asked)
    assert any(path.startswith("/latest/downsample/samples/fib25/em") for path in asked)


def test_segments_are_coloured_and_meshes_come_from_a_source_beside(chromium, url, asked, keep):
    asked.clear()
    state = segments_of(f"boss://{url}/samples/fib25/seg", [2491, 60683])
    meshes = {"url": f"precomputed://{url}/ng/samples/fib25/seg/-", "enableDefaultSubsources": False}
    state["layers"][0]["source"] = [state["layers"][0]["source"], meshes | {"subsources": {"mesh": True}}]
    show(chromium, url, SIZE_NM, MIDDLE | state)
    drawn = panels(chromium)
    keep("boss-segments")
    for name in ("xy", "xz", "yz"):
        assert coloured(drawn[name]) > drawn[name][..., 0].size // 20
    assert coloured(drawn["3d"]) > drawn["3d"][..., 0].size // 50
    settled(chromium, url)
    assert any(path.startswith("/latest/cutout/samples/fib25/seg/0/") for path in asked)
    assert any("/mesh/2491" in path for path in asked)


@pytest.mark.parametrize(("voxels_of_pixel", "level"), [(0.4, 0), (3, 2)])
def test_voxels_are_where_precomputed_has_them(chromium, url, asked, keep, voxels_of_pixel, level):
    asked.clear()
    drawn = {}
    for source in (f"boss://{url}/samples/fib25/em?encoding=npz", f"precomputed://{url}/ng/samples/fib25/em/-"):
        layers = {"layers": [{"type": "image", "name": "em", "source": source}]}
        show(chromium, url, SIZE_NM, MIDDLE | {"crossSectionScale": voxels_of_pixel} | layers)
        drawn[source.partition(":")[0]] = panels(chromium)
        keep(f"{source.partition(':')[0]}-{level}")
    for name in ("xy", "xz", "yz"):
        ours, theirs = drawn["boss"][name], drawn["precomputed"][name]
        # Where precomputed has no voxel, the background is left; the frame of /latest has zeros there.
        shown = (theirs != 128).any(axis=-1)
        assert shown.sum() > 1_000
        # Edges of voxels may fall on either of two pixels; a picture one voxel off has most of them wrong.
        assert (ours == theirs)[shown].mean() > 0.8
        assert np.abs(ours - theirs)[shown].mean() < 3
    assert any(path.startswith(f"/latest/cutout/samples/fib25/em/{level}/") for path in asked)
    settled(chromium, url)
