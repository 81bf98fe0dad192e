"""neuroglancer's own client in a real browser, through the gateway and a proxy: what it draws, pixel by pixel.

Screenshots are kept where VOXGATE_SCREENSHOTS says, else in pytest's folder.
"""

from __future__ import annotations

import json
import time
from urllib.parse import quote

import numpy as np
import pytest

from support.browser import MISSING, browser, screenshots
from support.bulk_meshes import BIG, LARGE, OTHER, SIZE_NM, meshed
from support.drawn import BARE, coloured, greys, panels, segments_of, settled, show
from support.kept_files import kept_volume, line, write_skeletons
from support.proxying import proxy_to
from support.servers import SAMPLES, settings
from support.static_http import static_http
from voxgate.client.connection import connect
from voxgate_gateway.settings import GatewaySettings, PrecomputedSettings
from voxgate_gateway.viewer.client import client_folder
from voxgate_remotes.config import RemoteConfig, RemotesConfig
from voxgate_remotes.precomputed_kept.multires import parsed_manifest
from voxgate_standalone.suite import start_suite

pytestmark = [
    pytest.mark.skipif(bool(MISSING), reason=f"no {MISSING} on this machine"),
    pytest.mark.skipif(client_folder() is None, reason="the wheel neuroglancer is not installed"),
    pytest.mark.timeout(600),
]

PREFIX = "/user/x/proxy/8080"
ENTER = "\ue007"


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Bulk meshes in files and in shards, and a volume of which only a skeleton is kept."""
    root = tmp_path_factory.mktemp("volumes")
    for name, sharded in (("files", False), ("shards", True)):
        meshed(root / name, sharded=sharded)
    (root / "kept").mkdir()
    kept_volume(root / "kept", skeletons="skeletons")
    write_skeletons(root / "kept", [line(BIG, 3)], [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0], None)
    return root


@pytest.fixture(scope="module")
def suite(folders):
    places = (("samples", SAMPLES), ("pictures", SAMPLES), ("work", folders))
    remotes = {name: RemoteConfig(uri=folder.as_uri()) for name, folder in places}
    told = GatewaySettings(precomputed=PrecomputedSettings(jpeg={"pictures": 60}))
    suite = start_suite(RemotesConfig(remotes=remotes), settings(), gateway_settings=told)
    yield suite
    suite.stop(1.0)


@pytest.fixture(scope="module")
def asked():
    """The paths of all requests that came."""
    return []


@pytest.fixture(scope="module")
def url(suite, folders, asked):
    """The first page below a prefix, on a server that has the volumes' files, too."""
    with (
        static_http(folders) as files,
        proxy_to(suite.gateway.url, PREFIX, beside=files.url, asked=asked) as url,
    ):
        yield url


@pytest.fixture(scope="module")
def chromium():
    with browser() as window:
        yield window


@pytest.fixture
def keep(tmp_path_factory, chromium):
    """Keep a picture of the window under a test's name."""
    folder = screenshots(tmp_path_factory)

    def kept(name):
        chromium.screenshot(folder / f"{name}.png")

    return kept


def test_a_view_draws_image_segments_and_meshes_and_asks_nobody_else(chromium, suite, url, asked, keep):
    with connect(suite.server.address) as client:
        view = client.volume("samples/fib25/seg").view(segments=[2491, 60683], gateway=url)
    chromium.visit(view.url)
    chromium.wait_for_scene()
    drawn = panels(chromium)
    keep("look")
    assert set(drawn) == {"xy", "xz", "yz", "3d"}
    for name in ("xy", "xz", "yz"):
        assert coloured(drawn[name]) > drawn[name][..., 0].size // 10
    # Meshes are shaded, on black.
    assert coloured(drawn["3d"]) > drawn["3d"][..., 0].size // 50
    assert len(np.unique(drawn["3d"].reshape(-1, 3), axis=0)) > 100
    settled(chromium, url)
    assert [path for path in asked if not path.startswith(f"{PREFIX}/")] == []
    for part in ("/ng/samples/fib25/em/-/", "/ng/samples/fib25/seg/-/", "/mesh/2491:0", "/mesh/60683.ngmesh"):
        assert any(part in path for path in asked)


@pytest.mark.parametrize(
    "source",
    [
        "precomputed://{}/ng/samples/fib25/em/-",
        pytest.param("precomputed://{}/ng/pictures/fib25/em/-", id="jpeg that the operator chose"),
        "{}/zarr/samples/fib25/em/-/|zarr3:",
    ],
)
def test_an_image_is_grey_in_either_dialect(chromium, url, keep, source):
    show(chromium, url, (10, 10, 10), {"layers": [{"type": "image", "name": "em", "source": source.format(url)}]})
    drawn = panels(chromium)
    keep(f"image-{'zarr' if 'zarr' in source else 'jpeg' if 'pictures' in source else 'precomputed'}")
    for name in ("xy", "xz", "yz"):
        assert greys(drawn[name]) > 100
        assert coloured(drawn[name]) == 0
    settled(chromium, url)


def test_a_kept_skeleton_is_drawn_as_lines(chromium, url, keep):
    source = {
        "url": f"precomputed://{url}/ng/work/kept/-",
        "enableDefaultSubsources": False,
        "subsources": {"default": True, "skeletons": True},
    }
    state = {"position": [600, 600, 60], "projectionScale": 2500, "crossSectionScale": 4}
    show(chromium, url, (4, 4, 40), state | segments_of(source, [BIG]))
    drawn = panels(chromium)
    keep("skeleton")
    # A line of six pieces, and nothing that has an area.
    assert 100 < coloured(drawn["3d"]) < drawn["3d"][..., 0].size // 20
    settled(chromium, url)


@pytest.mark.parametrize("form", ["files", "shards"])
def test_bulk_meshes_are_drawn_from_the_files_that_a_job_wrote(chromium, url, asked, keep, form):
    files = f"precomputed://{url.removesuffix(PREFIX)}/files/{form}/seg"
    show(chromium, url, SIZE_NM, {"projectionScale": 250} | segments_of(files, [LARGE, BIG, OTHER]))
    drawn = panels(chromium)
    keep(f"bulk-{form}")
    assert coloured(drawn["3d"]) > drawn["3d"][..., 0].size // 50
    assert coloured(drawn["xy"]) > 1000
    settled(chromium, url)
    meshes = [path for path in asked if path.startswith(f"/files/{form}/seg/mesh")]
    assert any(path.endswith(".shard" if form == "shards" else ".index") for path in meshes)


@pytest.mark.parametrize("form", ["files", "shards"])
def test_stored_levels_of_detail_come_through_the_gateway_as_ranges_of_the_stored_files(
    chromium, url, asked, folders, keep, form
):
    source, prefix = f"precomputed://{url}/ng/work/{form}/seg/-", f"{PREFIX}/ng/work/{form}/seg/-/mesh/"
    seen = []
    for name, scale in (("far", 20_000), ("near", 250)):
        before = len(asked)
        show(chromium, url, SIZE_NM, {"projectionScale": scale} | segments_of(source, [LARGE, BIG, OTHER]))
        drawn = panels(chromium)
        keep(f"stored-{form}-{name}")
        assert coloured(drawn["3d"]) > (0 if name == "far" else drawn["3d"][..., 0].size // 50)
        settled(chromium, url)
        seen.append([path for path in asked[before:] if path.startswith(prefix)])
    far, near = ({path.byte_range for path in paths if path.endswith((f"/{LARGE}", ".shard"))} for paths in seen)
    assert far
    assert all(each.startswith("bytes=") for each in far | near)
    assert not any(":0" in path or ".ngmesh" in path for paths in seen for path in paths)
    if form == "files":
        assert f"{prefix}{LARGE}.index" in seen[0]
        # Level 0, the finest, comes first in the file.
        finest = parsed_manifest((folders / "files/seg/mesh" / f"{LARGE}.index").read_bytes()).size
        starts = [{int(each[6:].partition("-")[0]) for each in ranges} for ranges in (far, near)]
        assert min(starts[0]) >= finest > min(starts[1])
    else:
        assert near - far


def test_the_first_page_fits_narrow_and_wide_windows_and_leads_to_a_view_by_keyboard(chromium, url, keep):
    for width in (400, 1400):
        chromium.visit(f"{url}/", width=width, height=1000)
        chromium.run("for (const image of document.images) image.loading = 'eager';")
        chromium.wait("return document.images.length >= 3 && [...document.images].every(image => image.complete);")
        keep(f"first-page-{width}")
        assert chromium.run("return document.documentElement.scrollWidth") <= width
        assert chromium.run("return [...document.images].every(image => image.naturalWidth > 0)")
        assert chromium.errors() == []
        for at in range(chromium.run("return document.querySelectorAll('summary').length")):
            chromium.run("document.querySelectorAll('summary')[arguments[0]].focus()", at)
            chromium.driver.press(ENTER)
        chromium.wait("return [...document.querySelectorAll('details')].every(each => each.open);")
        assert chromium.run("return document.documentElement.scrollWidth") <= width
        keep(f"first-page-{width}-open")
    texts = chromium.run("return [...document.querySelectorAll('code')].map(code => code.textContent)")
    # The proxy says nothing of its prefix, and the browser knows it.
    assert f"precomputed://{url}/ng/samples/fib25/em/-" in texts
    chromium.run("document.querySelector('a.button').focus()")
    chromium.driver.press(ENTER)
    chromium.wait_for_scene()
    assert chromium.driver.url().startswith(f"{url}/viewer/v/1/#!")
    settled(chromium, url)


def test_a_stranger_is_not_asked_even_where_the_address_says_so(chromium, url):
    state = segments_of("precomputed://http://stranger.invalid/seg", [1])
    chromium.visit(f"{url}/viewer/v/1/#!{quote(json.dumps({**BARE, **state}))}")
    until = time.monotonic() + 120
    while not chromium.errors() and time.monotonic() < until:
        time.sleep(0.05)
    assert "stranger.invalid" in chromium.errors()[0]
    assert "Content Security Policy" in chromium.errors()[0]
    assert [asked for asked in chromium.strangers if "stranger.invalid" in asked] == []
